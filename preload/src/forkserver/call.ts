// One call of a tenant's function, in a child that was forked for it.
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
  readonly args: readonly unknown[];
  /** What the function sees as the global `executionContext`. */
  readonly context: Readonly<Record<string, unknown>> | null;
}

type Module = Readonly<Record<string, unknown>>;

/** Modules that the tenant has opted into loading before the fork. */
export const loaded = new Map<string, Module>();

const LEVELS = ["log", "info", "debug", "warn", "error", "trace"] as const;
const { inspect, nanoseconds } = Bun;
const { parse, stringify } = JSON;

/** When the request came. */
let start = 0;

/** Does what one request asks, and answers. */
export async function answer(text: string, channel: Channel): Promise<void> {
  start = nanoseconds();
  try {
    const request = parse(text) as Request;
    const result = request.kind === "probe" ? await probe() : await call(request, channel);
    channel.send("result", stringify(result ?? null));
  } catch (error) {
    channel.send("error", describe(error));
  }
}

async function call(request: Call, channel: Channel): Promise<unknown> {
  const { context } = request;
  if (context !== null)
    Object.defineProperty(globalThis, "executionContext", {
      value: Object.freeze(context),
      enumerable: true,
    });
  const module = loaded.get(request.path) ?? ((await import(request.path)) as Module);
  const callable = module[request.export];
  if (typeof callable !== "function")
    throw new TypeError(`the module does not export a function ${stringify(request.export)}`);
  channel.add("loaded", `{"kind":"function"}`);
  channel.add("call", "{}");
  return (callable as (...args: readonly unknown[]) => unknown)(...request.args);
}

function describe(thrown: unknown): string {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const code = (error as { code?: unknown }).code;
  return stringify({
    name: error.name,
    code: typeof code === "string" ? code : null,
    message: error.message,
    stack: error.stack ?? null,
  });
}

/** Console output becomes frames. */
export function redirectConsole(channel: Channel): void {
  for (const level of LEVELS)
    console[level] = (...args: unknown[]) => {
      const text = args.map((value) => (typeof value === "string" ? value : inspect(value))).join(" ");
      channel.send("log", stringify({ t_ms: (nanoseconds() - start) / 1e6, level, text }));
    };
}
