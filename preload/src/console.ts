// Console output of a call: kept out of standard output, where the result goes, or sent as frames.
import { send } from "./channel.ts";
import type { AnyFunction } from "./guard.ts";
import { apply, consoleNatives, indexOf, nanoseconds, numberToString, substring } from "./primordials.ts";
import { quote } from "./quote.ts";
import type { CallRequest } from "./table.ts";

const MAX_TEXT_LENGTH = 65_536;
const NANOSECONDS_PER_TENTH = 100_000;
const LEVELS = ["log", "info", "debug", "warn", "error", "trace"] as const;

type Level = (typeof LEVELS)[number];
type Printer = (...args: unknown[]) => void;

const printers = console as Record<Level, Printer>;
const natives: Readonly<Record<Level, Printer>> = consoleNatives;
const { log, error } = natives;
const { inspect } = Bun;

/** What stands in the console's place for a call. */
const redirected: Partial<Record<Level, Printer>> = { __proto__: null } as never;

/** From here on the console belongs to the call. Functions that the program replaced itself stay as they are. */
export function redirectConsole(call: CallRequest): void {
  // Functions that are not redirected (`console.table`) and direct writes still reach standard output: the launcher
  // takes everything after the mark for output of the call.
  if (call.marker !== null) apply(log, console, [call.marker]);
  const start = nanoseconds();
  for (let index = 0; index < LEVELS.length; index++) {
    const level = LEVELS[index]!;
    if (printers[level] !== natives[level]) continue;
    if (call.logs)
      redirected[level] = printers[level] = (...args) => send("log", logFrame(level, args, start));
    else if (level === "log" || level === "info" || level === "debug") printers[level] = error;
  }
}

/** The console is as it was before a call whose output became frames. */
export function restoreConsole(): void {
  for (let index = 0; index < LEVELS.length; index++) {
    const level = LEVELS[index]!;
    if (printers[level] === redirected[level]) printers[level] = natives[level];
  }
}

function logFrame(level: Level, args: unknown[], start: number): string {
  const tenths = (nanoseconds() - start) / NANOSECONDS_PER_TENTH;
  const time = numberToString((tenths - (tenths % 1)) / 10);
  return `{"t_ms":${time},"level":"${level}","text":${quote(substring(textOf(args), 0, MAX_TEXT_LENGTH))}}`;
}

/** What the console would print. */
function textOf(args: unknown[]): string {
  const first = args[0];
  if (args.length > 1 && typeof first === "string" && indexOf(first, "%") >= 0) {
    const { format } = process.getBuiltinModule("util") as { format: AnyFunction };
    return apply(format, undefined, args) as string;
  }
  let text = "";
  for (let index = 0; index < args.length; index++) {
    const value = args[index];
    text += (index === 0 ? "" : " ") + (typeof value === "string" ? value : inspect(value));
  }
  return text;
}
