// One call of a tenant's function, in a child that was forked for it. What happens in it, and what the launcher is told,
// is the same as where a program is started for its call (entry.ts, call.ts).
import type { Reader } from "../byte-arrays.ts";
import { send } from "../channel.ts";
import { callableOf, type Exports } from "../entry.ts";
import { lateCall } from "../late-call.ts";
import { lateOthers } from "../late-others.ts";
import { late } from "../late.ts";
import { parseJson } from "../primordials.ts";
import { serialise } from "../serialise.ts";
import {
  type Call as Told,
  type CallRequest,
  details,
  type ExecutionContext,
  table,
  type WithBytes,
} from "../table.ts";
import { probe } from "./probe.ts";

/** What the launcher asks of a child. Every field is present: a missing one could be read from a polluted prototype. */
export type Request = Call | { readonly kind: "probe" };

export interface Call extends WithBytes {
  readonly kind: "call";
  /** The module: the path of a file. */
  readonly path: string;
  /** Which of its exports is called. */
  readonly export: string;
  readonly args: unknown[];
  /** What the function sees as the global `executionContext`. */
  readonly context: ExecutionContext | null;
  /** Variables besides those of the server. */
  readonly env: Told["env"];
  /** What `secrets.get` answers, by their names. */
  readonly secrets: Readonly<Record<string, string>>;
  /** What its text mentions of the powers that are made by looking at them, if the server did not know the text. */
  readonly mentions: readonly string[];
}

/** Modules that are loaded before the fork, by their paths. */
export const loaded: Record<string, Exports> = { __proto__: null } as never;

const { argv } = process;

/**
 * Does what one request asks, and answers; then `end`, before anything else of the program runs. `read` gives what comes
 * after the request.
 */
export async function answer(text: string, end: () => void, read: Reader = nothing): Promise<void> {
  let result: string;
  try {
    const request = parseJson(text) as Request;
    if (request.kind === "call") return call(request, end, read);
    result = serialise(await probe(), "result");
  } catch (error) {
    send("error", late().describeThrown(error, "read"));
    return end();
  }
  send("result", result);
  return end();
}

function nothing(): void {}

async function call(request: Call, end: () => void, read: Reader): Promise<void> {
  const { path, export: name } = request;
  lateCall().takeBytes(request, read);
  lateCall().putBytes(request.args);
  lateCall().tellProgram(request.context, request.env);
  details().secrets = request.secrets;
  if (request.mentions.length > 0) {
    table.mentions = request.mentions;
    lateOthers().tameMentioned();
  }
  let exports: Exports;
  try {
    exports = loaded[path] ?? (await importMain(path));
  } catch (error) {
    send("error", late().describeThrown(error, "read"));
    // Nobody handles it: Bun prints it and exits, as it does where its own import of the program fails.
    throw error;
  }
  const callable = callableOf(exports, name);
  if (callable === null) return lateCall().failMissing(exports, name, end);
  send("loaded", `{"kind":"function"}`);
  return lateCall().callWith(request.args, callable, requestOf(name), end);
}

/** Loads a module as Bun's main one. */
export function importMain(path: string): Promise<Exports> {
  // Bun's types do not know that it can be set: the module with this path is `import.meta.main`, and `require.main`.
  (Bun as { main: string }).main = path;
  argv[1] = path;
  return import(path) as Promise<Exports>;
}

function requestOf(name: string): CallRequest {
  return { export: name, required: true, waits: false, args: null, marker: null, logs: true };
}
