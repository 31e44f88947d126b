// Modules that a tenant wants loaded before the fork, so that each call finds them ready. Each is rehearsed in a child
// first: what it leaves behind there, every call would share.
import { answer, type Call, loaded } from "./call.ts";
import type { Channel } from "./channel.ts";
import type { Native } from "./native.ts";
import { otherThreads } from "./threads.ts";

/** A module that its tenant wants loaded before the fork. */
export interface Preloaded {
  readonly path: string;
  /** Calls to make before the fork, so that the module is as warm as those leave it. Their answers are dropped. */
  readonly calls: readonly Call[];
}

const IN_REHEARSAL = 1000;
const KILLED_BY_FILTER = -31;

/** Why a module may not be loaded before the fork; the place in this list is the exit code of its rehearsal. */
const REASONS = [
  "",
  "it fails to load",
  "it starts a thread",
  "it opens a file or a connection",
  "it draws from Math.random",
  "it starts a timer",
] as const;

/** Loads the module and makes its calls. Throws where what that leaves behind is not to be shared. */
export async function preload(module: Preloaded, native: Native, channel: Channel): Promise<void> {
  const end = native.rehearse();
  if (end === IN_REHEARSAL) return native.end(await rehearse(module, native, channel)) as never;
  if (end !== 0) throw new Error(`${module.path} cannot be loaded before the fork: ${reasonOf(end)}`);
  await run(module, channel);
}

function reasonOf(end: number): string {
  if (end === KILLED_BY_FILTER) return "it draws random numbers";
  return REASONS[end] ?? `its rehearsal ended with ${end}`;
}

async function rehearse(module: Preloaded, native: Native, channel: Channel): Promise<number> {
  const reason = (text: (typeof REASONS)[number]) => REASONS.indexOf(text);
  const descriptors = native.descriptors();
  const timer = nextTimer();
  try {
    await run(module, channel);
  } catch (error) {
    process.stderr.write(`${String(error)}\n`);
    return reason("it fails to load");
  }
  if (nextTimer() !== timer + 1) return reason("it starts a timer");
  if (native.descriptors() !== descriptors || native.prepare() < 0)
    return reason("it opens a file or a connection");
  if (otherThreads(native).length > 0) return reason("it starts a thread");
  if (native.random_was_used() !== 0) return reason("it draws from Math.random");
  return 0;
}

async function run({ path, calls }: Preloaded, channel: Channel): Promise<void> {
  loaded[path] = (await import(path)) as Record<string, unknown>;
  for (const request of calls) await answer(JSON.stringify(request), channel);
}

/** Timers are numbered, so this tells whether there were others in between. */
function nextTimer(): number {
  const timer = setTimeout(() => {}, 0);
  clearTimeout(timer);
  return Number(timer);
}
