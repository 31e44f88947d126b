// Calling the program's function: find it, give it its input, send what it returns or throws.
import { connected, send } from "./channel.ts";
import { redirectConsole } from "./console.ts";
import { describeFailure, describeThrown } from "./describe.ts";
import type { AnyFunction } from "./guard.ts";
import {
  apply,
  enumerableKeys,
  getOwnPropertyDescriptor,
  parseJson,
  sleepSync,
  stringifyJson,
} from "./primordials.ts";
import { NotSerialisable, serialise } from "./serialise.ts";
import type { CallRequest } from "./table.ts";
import { table } from "./table.ts";

const A_DAY_MS = 86_400_000;

type Exports = Readonly<Record<string, unknown>>;

/**
 * Arranges the call. The program is imported from a microtask, after the preloads and before Bun would load it
 * itself: there is one instance of it, it sees no difference, and here its exports and its failure are at hand.
 */
export function arrangeCall(): void {
  const { call } = table;
  if (call !== null && connected) queueMicrotask(() => void load(call));
}

async function load(call: CallRequest): Promise<void> {
  let exports: Exports;
  try {
    exports = (await import(Bun.main)) as Exports;
  } catch (error) {
    // Bun prints it and exits, since its own import of the program fails likewise.
    send("error", describeThrown(error));
    return;
  }
  const callable = exports[call.export];
  if (isFunctionToCall(callable) && !isServer(exports["default"])) {
    send("loaded", `{"kind":"function"}`);
    await run(callable, call);
  } else if (call.required) {
    send("error", describeMissing(exports, call.export));
  } else {
    send("loaded", `{"kind":"script"}`);
    return;
  }
  // Nothing of the program runs any more: the launcher has its answer and ends the process.
  for (;;) sleepSync(A_DAY_MS);
}

async function run(callable: AnyFunction, call: CallRequest): Promise<void> {
  const { input } = call;
  const args = input === null ? [] : [parseJson(input)];
  redirectConsole(call);
  send("call", "{}");
  let answer: string;
  try {
    answer = serialise(await apply(callable, undefined, args), "result");
  } catch (error) {
    send("error", error instanceof NotSerialisable ? notSerialisable(error) : describeThrown(error));
    return;
  }
  send("result", answer);
}

/** Whether an export is called: a function, but no class and no server. */
function isFunctionToCall(value: unknown): value is AnyFunction {
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

function notSerialisable(error: NotSerialisable): string {
  return describeFailure("TypeError", "ERR_RESULT_NOT_SERIALIZABLE", error.reason);
}

/** Why the export that was asked for cannot be called. */
function describeMissing(exports: Exports, name: string): string {
  const names = enumerableKeys(exports);
  let found = false;
  let list = "";
  for (let index = 0; index < names.length; index++) {
    found ||= names[index] === name;
    list += (index === 0 ? "" : ", ") + stringifyJson(names[index]);
  }
  const quoted = stringifyJson(name);
  if (found) {
    const message = `the export ${quoted} is not a function that can be called (a class, a server, or another value)`;
    return describeFailure("TypeError", "ERR_EXPORT_NOT_CALLABLE", message);
  }
  const present = list === "" ? "it has no exports" : `its exports are ${list}`;
  return describeFailure(
    "Error",
    "ERR_EXPORT_NOT_FOUND",
    `the program does not export ${quoted}: ${present}`,
  );
}
