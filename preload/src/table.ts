// What the launcher tells the preload: one object, left by `policy.js` under a well-known symbol and taken away
// before any code of the program runs.
import type { PreloadTable } from "./generated/policy.ts";

/** How the launcher wants the program's function called. */
export interface CallRequest {
  /** Name of the export to call. */
  export: string;
  /** Whether it is an error that the export is missing or is not a function. */
  required: boolean;
  /** The only argument as JSON text; `null`: no argument. */
  input: string | null;
  /** Whether to mark on standard output where the call begins. */
  marker: boolean;
  /** Whether console output of the call becomes `log` frames. */
  logs: boolean;
}

/** What the program sees as the global `executionContext`. */
export interface ExecutionContext {
  functionID: string | null;
  userID: string | null;
  executionID: string | null;
  /** Milliseconds since 1970. */
  startTime: number;
}

/** The object that `policy.js` leaves. Every field is present: a missing one could be read from a polluted prototype. */
export interface Table {
  v: 1;
  cwd: string;
  policy: PreloadTable;
  channel: number | null;
  report: boolean;
  call: CallRequest | null;
  preload: string[];
  context: ExecutionContext | null;
  /** Whether the program's text mentions Bun's shell, which is made by looking at it (0.5 ms). */
  shell: boolean;
  js: { freeze: "none" | "object-prototype" };
  tmp: string;
  env_hide: string[];
}

const symbol = Symbol.for("secure-bun.table");
const holder = globalThis as unknown as { [symbol]?: Table };

function take(): Table {
  const found = holder[symbol];
  delete holder[symbol];
  // Throwing here ends the process before the program starts: without a table nothing may run.
  if (found?.v !== 1) throw new Error("secure-bun: no policy table for this preload (expected version 1)");
  return found;
}

export const table: Table = take();
