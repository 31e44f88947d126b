// Reading the stack of an error: where the program stood, without the frames of the preload.
import { currentDirectory, isWithin } from "./paths.ts";
import {
  captureStackTrace,
  getOwnPropertyDescriptor,
  indexOf,
  isMainThread,
  NativeError,
  startsWith,
  substring,
} from "./primordials.ts";
import { details, table } from "./table.ts";

/** The longest stack that is passed on. */
const MAX_STACK_LENGTH = 16_384;

/** In a server that forks, what runs so far is its harness. */
const ownFiles = isMainThread && table.fork !== null ? [Bun.main, ...details().preload] : details().preload;

/** `file:line:column` of whoever called `guard`, relative to the working directory; `null` if unknown. */
export function callerOf(guard: Function): string | null {
  // An error of its own: one whose stack was read is printed in another way by Bun.
  const probe = new NativeError();
  captureStackTrace(probe, guard);
  return placeOf(textOf(probe));
}

/** The same of where an error was made, if its stack says so; Bun prints it as if nobody had asked. */
export function originOf(error: object): string | null {
  try {
    // Not `error.stack`, for that reason. May run code of the program, as reading that may.
    const stack: unknown = getOwnPropertyDescriptor(error, "stack")?.value;
    return typeof stack === "string" ? placeOf(substring(stack, 0, MAX_STACK_LENGTH)) : null;
  } catch {
    return null;
  }
}

/** The first place in a stack that is the program's. */
function placeOf(stack: string | null): string | null {
  for (let rest = stack; rest !== null;) {
    const line: string = firstLine(rest);
    rest = line.length < rest.length ? substring(rest, line.length + 1) : null;
    const place = placeIn(line);
    if (place === null || isOwn(place)) continue;
    const directory = currentDirectory();
    return isWithin(place, directory) && directory !== "/" ? substring(place, directory.length + 1) : place;
  }
  return null;
}

/** The stack of an error as text, bounded, without the preload's frames; `null` if it has none. */
export function stackOf(error: object): string | null {
  const stack = textOf(error);
  if (stack === null) return null;
  let kept = "";
  for (let rest: string | null = stack; rest !== null && kept.length < MAX_STACK_LENGTH;) {
    const line = firstLine(rest);
    rest = line.length < rest.length ? substring(rest, line.length + 1) : null;
    const place = placeIn(line);
    if (place === null || !isOwn(place)) kept += (kept === "" ? "" : "\n") + line;
  }
  return substring(kept, 0, MAX_STACK_LENGTH);
}

function textOf(error: object): string | null {
  try {
    // May run code of the program: a getter, or its Error.prepareStackTrace.
    const { stack } = error as { stack?: unknown };
    return typeof stack === "string" ? stack : null;
  } catch {
    return null;
  }
}

function firstLine(text: string): string {
  const end = indexOf(text, "\n");
  return end < 0 ? text : substring(text, 0, end);
}

/** The absolute `file:line:column` in a line such as `    at name (/file.ts:1:2)`. */
function placeIn(line: string): string | null {
  if (!startsWith(line, "    at ") && !startsWith(line, "      at ")) return null;
  const bracket = indexOf(line, "(/");
  if (bracket >= 0) return substring(line, bracket + 1, line.length - 1);
  const start = indexOf(line, "at /");
  return start < 0 ? null : substring(line, start + 3);
}

function isOwn(place: string): boolean {
  for (let index = 0; index < ownFiles.length; index++)
    if (startsWith(place, ownFiles[index]! + ":")) return true;
  return false;
}
