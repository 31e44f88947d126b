// Loading the program, where it may turn out to be a function file.
import { connected, send } from "./channel.ts";
import { lateCall } from "./late-call.ts";
import { late } from "./late.ts";
import { getOwnPropertyDescriptor } from "./primordials.ts";
import type { CallRequest } from "./table.ts";
import { table } from "./table.ts";

/** What a program exports. */
export type Exports = Readonly<Record<string, unknown>>;

/** A function of the program. */
export type Callable = (...args: unknown[]) => unknown;

/**
 * Arranges the call. The program is imported from a microtask, after the preloads and before Bun would load it
 * itself: there is one instance of it, it sees no difference, and here its exports and its failure are at hand.
 */
export function arrangeCall(): void {
  const { call } = table;
  if (call !== null && connected) queueMicrotask(() => void load(call));
}

async function load(call: CallRequest): Promise<void> {
  if (call.waits) lateCall().takeCall(call);
  let exports: Exports;
  try {
    exports = (await import(Bun.main)) as Exports;
  } catch (error) {
    // Bun prints it and exits, since its own import of the program fails likewise.
    send("error", late().describeThrown(error, call.logs ? "read" : "leave"));
    return;
  }
  const callable = callableOf(exports, call.export);
  if (callable !== null) {
    send("loaded", `{"kind":"function"}`);
    await lateCall().call(callable, call);
  } else if (call.required) lateCall().failMissing(exports, call.export);
  else send("loaded", `{"kind":"script"}`);
}

/** The export of this name, if it is called. */
export function callableOf(exports: Exports, name: string): Callable | null {
  const callable = exports[name];
  return isFunctionToCall(callable) && !isServer(exports["default"]) ? callable : null;
}

/** Whether an export is called: a function, but no class and no server. */
function isFunctionToCall(value: unknown): value is Callable {
  if (typeof value !== "function" || isServer(value)) return false;
  // The prototype of a class cannot be replaced, that of a function can, and arrow functions have none.
  return getOwnPropertyDescriptor(value, "prototype")?.writable !== false;
}

/** Bun serves a default export that has a `fetch`. */
function isServer(value: unknown): boolean {
  const holder =
    typeof value === "object" || typeof value === "function" ? (value as { fetch?: unknown } | null) : null;
  return typeof holder?.fetch === "function";
}
