// What the cases have in common: try an act, print in one line how it went.

/** Prints `name: worked`, or the refusal as the program sees it. */
export async function attempt(name: string, act: () => unknown): Promise<void> {
  try {
    await act();
    console.log(`${name}: worked`);
  } catch (error) {
    console.log(`${name}: ${describe(error)}`);
  }
}

/** A callback API as a promise. */
export function called(
  act: (callback: (error?: unknown, value?: unknown) => void) => unknown,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    act((error, value) => (error ? reject(error) : resolve(value)));
  });
}

/** Resolves with the first of the events, rejects with `error`. */
export function event(emitter: NodeJS.EventEmitter, ...names: string[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    emitter.once("error", reject);
    for (const name of names) emitter.once(name, resolve);
  });
}

function describe(error: unknown): string {
  if (error instanceof (globalThis as any).SecurityError) {
    const { name, code, permission, resource } = error as any;
    return `${name} ${code} ${permission} ${resource}`;
  }
  return `${(error as Error)?.name} ${(error as { code?: string })?.code}`;
}
