// What the launcher tells the preload: one object, left by `policy.js` under a well-known symbol and taken away
// before any code of the program runs.
import type { PreloadTable } from "./generated/policy.ts";
import { parseJson } from "./primordials.ts";

/** How the launcher wants the program's function called. */
export interface CallRequest {
  /** Name of the export to call. */
  export: string;
  /** Whether it is an error that the export is missing or is not a function. */
  required: boolean;
  /** Whether the rest of it, a `Call`, comes through standard input, and when it does the program begins. */
  waits: boolean;
  /** The arguments as the text of a JSON array; `null`: no argument. */
  args: string | null;
  /** What to print where the call begins: from there on standard output belongs to the call. */
  marker: string | null;
  /** Whether console output of the call becomes `log` frames. */
  logs: boolean;
}

/** What the program sees as the global `executionContext`. */
export interface ExecutionContext {
  functionID: string | null;
  userID: string | null;
  executionID: string | null;
  /** As in W3C Trace Context. */
  traceparent: string | null;
  /** Milliseconds since 1970. */
  startTime: number;
  /** When the limit on wall time ends the call, in the same; `null` without one. */
  deadline: number | null;
}

/** Where a byte array belongs, by the keys that lead there, and how long it is. */
export type Place = readonly [at: readonly string[], length: number];

/** What a call has that JSON has nothing for. */
export interface WithBytes {
  /** Byte arrays of its arguments, which come after it in this order. */
  bytes: readonly Place[];
  /** Whether those of its result are to go before that. */
  returns_bytes: boolean;
}

/** What a program that was started ahead of its call is told when that comes. */
export interface Call extends WithBytes {
  args: string;
  context: ExecutionContext;
  /** Variables besides those that it was started with. */
  env: [name: string, value: string][];
}

/** What a server that forks for each call is told. */
export interface ForkSettings {
  /** The descriptor of the shared library: a sealed file in memory. */
  library: number;
  /** The descriptor of the control socket. */
  control: number;
  /** The path of a module with a default export of two arguments: the harness warms up with it. */
  warm_up: string;
  /** How often, in the server. */
  rounds: number;
  /** How often again in each child, before it gets its channel. */
  child_rounds: number;
  /** What is to be loaded before the fork. */
  module: PreloadedModule | null;
}

/** A module that its tenant wants loaded before the fork. */
export interface PreloadedModule {
  path: string;
  /** Which of its exports is called. */
  export: string;
  /** Calls to make before the fork: of each the arguments as the text of a JSON array. Their answers are dropped. */
  calls: readonly string[];
}

/** Groups of guards; the others are not even set. */
export interface Asks {
  /** Modules, by `import` or `process.getBuiltinModule`. */
  modules: boolean;
  /** Modules, by `require` as well. */
  require: boolean;
  /** `fs.promises`, too. */
  promises: boolean;
  /** Properties of `Bun`. */
  bun: boolean;
  /** The network of the web. */
  web: boolean;
  /** `WebSocket`, where it is more than refused. */
  sockets: boolean;
}

/**
 * The object that `policy.js` leaves: what every start needs, and the rest as JSON text, since making objects is what
 * reading it costs. Every field is present: a missing one could be read from a polluted prototype.
 */
export interface Table {
  v: 1;
  /** Absent where no launcher listens: in tests, and in a Bun that the program started. */
  channel: number | null;
  /** Whether the channel is opened before the program runs, else when there is something to say. */
  hello: boolean;
  call: CallRequest | null;
  context: ExecutionContext | null;
  /** `null` where this Bun does not fork. */
  fork: ForkSettings | null;
  /** What the program's text mentions of the powers that are made, slowly, by looking at them. */
  mentions: readonly string[];
  /** Which groups of guards the program's text can ask for. */
  asks: Asks;
  /** Whether `Object.prototype` is to be frozen. */
  freeze: boolean;
  /** Whether the policy grants anything of these kinds. */
  grants: { net: boolean; listen: boolean; fetch: boolean; run: boolean; workers: boolean };
  env_hide: string[];
  /** A `Details` as JSON. */
  details: string;
}

/** What a guard needs once it is asked something. */
export interface Details {
  cwd: string;
  policy: PreloadTable;
  /** Whether denials are reported through the channel. */
  report: boolean;
  /** Whether loopback addresses, if there are sockets, are the sandbox's own. */
  own_loopback: boolean;
  /** Secrets that the program may read, by their names. */
  secrets: Readonly<Record<string, string>>;
  /** What is loaded before the program. */
  preload: string[];
}

/**
 * Beside `Bun.fetch`, which nobody can replace: where the policy grants requests, the launcher has Bun read these words as
 * `Bun.fetch.brokered` (`launcher/sandbox/src/run.rs`).
 */
export const BROKERED = "brokered";

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

let parsed: Details | undefined;

/** The part of the table that is only read on demand. */
export function details(): Details {
  return (parsed ??= parseJson(table.details) as Details);
}
