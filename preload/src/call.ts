// Calling the program's function: give it its input, send what it returns or throws.
import type { Collector, Reader } from "./byte-arrays.ts";
import { send } from "./channel.ts";
import { redirectConsole } from "./console.ts";
import type { Callable, Exports } from "./entry.ts";
import { late } from "./late.ts";
import { lateBytes } from "./late-bytes.ts";
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
import type { Call, CallRequest, ExecutionContext, Place, WithBytes } from "./table.ts";

/** Of what says how long a call is. */
const LENGTH_BYTES = 4;
const A_DAY_MS = 86_400_000;

export { restoreConsole } from "./console.ts";

/** Calls the function and sends its answer. Does not return. */
export function call(callable: Callable, request: CallRequest): Promise<void> {
  const args = request.args === null ? [] : (parseJson(request.args) as unknown[]);
  putBytes(args);
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
    const result = await apply(callable, undefined, args);
    answer = serialise(result, "result", collector);
    const wrong = collector === null ? null : collector.settle("result");
    if (wrong !== null) throw new NotSerialisable(wrong);
  } catch (error) {
    send(
      "error",
      error instanceof NotSerialisable
        ? describeNotSerialisable(error)
        : late().describeThrown(error, "read"),
    );
    return end();
  }
  if (collector !== null) collector.send();
  send("result", answer);
  return end();
}

/** Waits until the program is called, of which nothing has run so far, and completes the request. */
export function takeCall(request: CallRequest): void {
  const read = inputReader();
  const told = parseJson(readText(read)) as Call;
  takeBytes(told, read);
  request.args = told.args;
  tellProgram(told.context, told.env);
}

let collector: Collector | null = null;
let received: { readonly places: readonly Place[]; readonly arrays: readonly Uint8Array[] } | null = null;

/** Before the program runs: reads the byte arrays of its call, and gets ready for those of its result. */
export function takeBytes({ bytes, returns_bytes }: WithBytes, read: Reader): void {
  collector = returns_bytes ? new (lateBytes().Collector)() : null;
  received = bytes.length === 0 ? null : { places: bytes, arrays: lateBytes().readArrays(bytes, read) };
}

/** Puts those that were read into the arguments. */
export function putBytes(args: unknown[]): void {
  if (received !== null) lateBytes().putArrays(args, received.places, received.arrays);
  received = null;
}

/** What the program finds of who calls it, and variables besides those that it was started with. */
export function tellProgram(
  context: ExecutionContext | null,
  env: Call["env"],
  globals: object = globalThis,
): void {
  if (context !== null) defineConstant(globals, "executionContext", freeze(context));
  for (let index = 0; index < env.length; index++) {
    const variable = env[index]!;
    process.env[variable[0]] = variable[1];
  }
}

/** Reads standard input. Nothing else runs meanwhile. */
function inputReader(): Reader {
  const { readSync } = process.getBuiltinModule("node:fs");
  return (into, length) => {
    for (let done = 0; done < length;) {
      const read = readSync(0, into, done, length - done, null);
      // The launcher is gone.
      if (read === 0) sleep();
      done += read;
    }
  };
}

/** A text: four bytes of length, the lowest first, and as many bytes. */
function readText(read: Reader): string {
  const header = Buffer.allocUnsafe(LENGTH_BYTES);
  read(header, LENGTH_BYTES);
  const length = header.readUInt32LE(0);
  const bytes = Buffer.allocUnsafe(length);
  read(bytes, length);
  return bytes.toString("utf8");
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
