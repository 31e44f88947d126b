// One call of a tenant's function, in a child that was forked for it.
import {
  apply,
  defineConstant,
  freeze,
  nanoseconds,
  NativeError,
  numberToString,
  parseJson,
} from "../primordials.ts";
import { quote } from "../quote.ts";
import { NotSerialisable, serialise } from "../serialise.ts";
import type { Channel } from "./channel.ts";
import { probe } from "./probe.ts";

/** What the launcher asks of a child. */
export type Request = Call | { readonly kind: "probe" };

export interface Call {
  readonly kind: "call";
  /** The module: the path of a file. */
  readonly path: string;
  /** Which of its exports is called. */
  readonly export: string;
  readonly args: unknown[];
  /** What the function sees as the global `executionContext`. */
  readonly context: Readonly<Record<string, unknown>> | null;
}

type Module = Readonly<Record<string, unknown>>;

/** Modules that the tenant has opted into loading before the fork. */
export const loaded: Record<string, Module> = { __proto__: null } as never;

const LEVELS = ["log", "info", "debug", "warn", "error", "trace"] as const;
const NANOSECONDS_PER_MILLISECOND = 1e6;
const { inspect } = Bun;

/** When the request came. */
let start = 0;

/** Does what one request asks, and answers. */
export async function answer(text: string, channel: Channel): Promise<void> {
  start = nanoseconds();
  let result: string;
  try {
    const request = parseJson(text) as Request;
    result = serialise(request.kind === "probe" ? await probe() : await call(request, channel), "result");
  } catch (error) {
    channel.send("error", describe(error));
    return;
  }
  channel.send("result", result);
}

async function call(request: Call, channel: Channel): Promise<unknown> {
  const { context } = request;
  if (context !== null) defineConstant(globalThis, "executionContext", freeze(context));
  const module = loaded[request.path] ?? ((await import(request.path)) as Module);
  const callable = module[request.export];
  if (typeof callable !== "function")
    throw new TypeError(`the module does not export a function ${quote(request.export)}`);
  channel.add("loaded", `{"kind":"function"}`);
  channel.add("call", "{}");
  return apply(callable as (...args: unknown[]) => unknown, undefined, request.args);
}

function describe(thrown: unknown): string {
  if (thrown instanceof NotSerialisable) {
    const code = "ERR_RESULT_NOT_SERIALIZABLE";
    return serialise({ name: "TypeError", code, message: thrown.reason, stack: null }, "error");
  }
  // Whatever was thrown is the program's: asking it may throw as well.
  try {
    const error = thrown instanceof NativeError ? thrown : new NativeError(`${thrown as string}`);
    const { name, message, stack = null, code } = error as Error & { code?: unknown };
    return serialise(
      { name: `${name}`, code: typeof code === "string" ? code : null, message: `${message}`, stack },
      "error",
    );
  } catch {
    return `{"name":"Error","message":"what was thrown cannot be described"}`;
  }
}

/** Console output becomes frames. */
export function redirectConsole(channel: Channel): void {
  for (const level of LEVELS)
    console[level] = (...args: unknown[]) => {
      const time = numberToString((nanoseconds() - start) / NANOSECONDS_PER_MILLISECOND);
      channel.send("log", `{"t_ms":${time},"level":"${level}","text":${quote(textOf(args))}}`);
    };
}

function textOf(args: unknown[]): string {
  let text = "";
  for (let index = 0; index < args.length; index++) {
    const value = args[index];
    text += (index === 0 ? "" : " ") + (typeof value === "string" ? value : inspect(value));
  }
  return text;
}
