// Calling the program's function: give it its input, send what it returns or throws.
import { send } from "./channel.ts";
import { redirectConsole } from "./console.ts";
import type { Callable, Exports } from "./entry.ts";
import { late } from "./late.ts";
import {
  apply,
  defineConstant,
  enumerableKeys,
  freeze,
  parseJson,
  sleepSync,
  stringifyJson,
} from "./primordials.ts";
import { NotSerialisable, serialise } from "./serialise.ts";
import type { Call, CallRequest, ExecutionContext } from "./table.ts";

const A_DAY_MS = 86_400_000;

export { restoreConsole } from "./console.ts";

/** Calls the function and sends its answer. Does not return. */
export function call(callable: Callable, request: CallRequest): Promise<void> {
  const args = request.args === null ? [] : (parseJson(request.args) as unknown[]);
  return callWith(args, callable, request, sleep);
}

/** Calls the function and sends its answer. Then `end`, before anything else of the program runs. */
export async function callWith(
  args: unknown[],
  callable: Callable,
  request: CallRequest,
  end: () => void,
): Promise<void> {
  redirectConsole(request);
  send("call", "{}");
  let answer: string;
  try {
    answer = serialise(await apply(callable, undefined, args), "result");
  } catch (error) {
    send(
      "error",
      error instanceof NotSerialisable
        ? describeNotSerialisable(error)
        : late().describeThrown(error, "read"),
    );
    return end();
  }
  send("result", answer);
  return end();
}

/** Waits until the program is called, of which nothing has run so far, and completes the request. */
export function takeCall(request: CallRequest): void {
  const { args, context, env } = parseJson(readInput()) as Call;
  request.args = args;
  tellProgram(context, env);
}

/** What the program finds of who calls it, and variables besides those that it was started with. */
export function tellProgram(context: ExecutionContext | null, env: Call["env"]): void {
  if (context !== null) defineConstant(globalThis, "executionContext", freeze(context));
  for (let index = 0; index < env.length; index++) {
    const variable = env[index]!;
    process.env[variable[0]] = variable[1];
  }
}

/** All of standard input. Nothing else runs meanwhile. */
function readInput(): string {
  const { readFileSync } = process.getBuiltinModule("node:fs");
  return readFileSync(0, "utf8");
}

/** Says why the export that was asked for cannot be called. Does not return, unless `end` does. */
export function failMissing(exports: Exports, name: string, end: () => void = sleep): void {
  send("error", describeMissing(exports, name));
  end();
}

/** Nothing of the program runs any more: the launcher has its answer, and ends the process. */
function sleep(): never {
  for (;;) sleepSync(A_DAY_MS);
}

function describeNotSerialisable(error: NotSerialisable): string {
  return late().describeFailure("TypeError", "ERR_RESULT_NOT_SERIALIZABLE", error.reason);
}

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
    return late().describeFailure("TypeError", "ERR_EXPORT_NOT_CALLABLE", message);
  }
  const present = list === "" ? "it has no exports" : `its exports are ${list}`;
  return late().describeFailure(
    "Error",
    "ERR_EXPORT_NOT_FOUND",
    `the program does not export ${quoted}: ${present}`,
  );
}
