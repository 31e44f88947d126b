// Modules and members of `process` that few programs use. They are guarded when one asks for the module by `import` or
// `process.getBuiltinModule`, or mentions it in its text; other routes lead to the kernel's own refusals.
import { tameDgram } from "./datagrams.ts";
import type { Site } from "./error.ts";
import { denialOf, refusal } from "./error.ts";
import { checkPath, pathIn, refusedAccess } from "./file-access.ts";
import { guard, guardClass, replace } from "./guard.ts";
import { callLater } from "./late-primordials.ts";
import { handOn } from "./narrow.ts";
import { UDP } from "./net-rules.ts";
import { addressOf, checkUrl, checkWebSocket, refusedConnection, refusedListening } from "./network.ts";
import { absolute } from "./paths.ts";
import { apply, enumerableKeys, isArray } from "./primordials.ts";
import type { SecurityError } from "./security-error.ts";
import { request } from "./requests.ts";
import { refuseCommand } from "./system.ts";
import { table } from "./table.ts";

type Load = (name: string) => never;

/** Members of `process` that a program mentions by name. */
const MEMBERS = ["chdir", "dlopen", "execve", "loadEnvFile"];

const TAMES: Readonly<Record<string, (load: Load) => void>> = {
  __proto__: null as never,
  "node:process": tameProcess,
  "node:inspector": (load) => guard(load("inspector"), "open", "inspector.", "throw", refuseInspector),
  "node:inspector/promises": (load) =>
    guard(load("inspector/promises"), "open", "inspector/promises.", "throw", refuseInspector),
  "node:module": (load) =>
    guard(load("module"), "enableCompileCache", "module.", "throw", (args, site) =>
      checkPath("write", args, 0, site),
    ),
  "node:wasi": (load) => guardClass(load("wasi"), "WASI", "wasi.", checkPreopens),
  "node:child_process": tameChildProcesses,
  "node:cluster": tameChildProcesses,
  "node:dgram": (load) => tameDgram(load("dgram")),
  "bun:jsc": (load) => {
    const jsc = load("bun:jsc");
    guard(jsc, "startSamplingProfiler", "jsc.", "throw", (args, site) => checkPath("write", args, 0, site));
    guard(jsc, "startRemoteDebugger", "jsc.", "throw", refuseDebugger);
  },
  "node:quic": (load) => {
    guard(load("node:quic"), "connect", "quic.", "reject", refuseQuic);
    guard(load("node:quic"), "listen", "quic.", "reject", (_, site) =>
      refusedListening(addressOf({}, "0.0.0.0", 0), site),
    );
  },
  "node:undici": (load) => {
    const undici = load("undici");
    if (table.grants.fetch) tameUndici(undici);
    else guard(undici, "fetch", "undici.", "reject", checkUrl);
    guard(undici, "request", "undici.", "reject", checkUrl);
    guardClass(undici, "WebSocket", "undici.", checkWebSocket);
  },
  "node:ws": (load) => explainEvents((load("ws") as { prototype: object }).prototype),
};

const done: Record<string, boolean> = { __proto__: null as never };
const load = (name: string): never => process.getBuiltinModule(name) as never;

/** Guards a module, or the members of `process`, if `name` is one of them. */
export function tameRare(name: string): void {
  const id = MEMBERS.indexOf(name) >= 0 ? "node:process" : TAMES[name] === undefined ? `node:${name}` : name;
  if (done[id]) return;
  done[id] = true;
  TAMES[id]?.(load);
}

/** Its `fetch` is that of Bun under another name. */
function tameUndici(undici: object): void {
  replace(undici, "fetch", (native) => {
    const { fetch } = {
      fetch(this: unknown, ...args: unknown[]): unknown {
        return request(native as never, args, site);
      },
    };
    const site: Site = { api: "undici.fetch", entry: fetch };
    return fetch;
  });
}

function tameProcess(): void {
  guard(process, "chdir", "process.", "throw", (args, site) => checkPath("read", args, 0, site));
  guard(process, "loadEnvFile", "process.", "throw", (args, site) =>
    args.length === 0 ? refusedAccess("read", absolute(".env"), site) : checkPath("read", args, 0, site),
  );
  guard(process, "dlopen", "process.", "throw", (args, site) => refusal("ffi", pathIn(args[1]), site));
  if (!table.grants.run) guard(process, "execve", "process.", "throw", refuseCommand);
}

/** A program that cannot be started is told by an event. */
function tameChildProcesses(load: Load): void {
  if (table.grants.run) {
    handOn(load("child_process"));
    return;
  }
  const { ChildProcess } = load("child_process") as { ChildProcess: { prototype: object } };
  replace(ChildProcess.prototype, "spawn", (native) => {
    const { spawn } = {
      spawn(this: { emit(event: string, value: unknown): void }, ...args: unknown[]): unknown {
        try {
          return apply(native, this, args);
        } catch (error) {
          if (denialOf(error as object) === undefined) throw error;
          callLater(() => {
            this.emit("error", error);
            this.emit("close", -1);
          });
          return undefined;
        }
      },
    };
    return spawn;
  });
}

/** The sockets of `ws` connect by means of their own: what they say of a failure is replaced. */
function explainEvents(prototype: object): void {
  replace(prototype, "emit", (native) => {
    const { emit } = {
      emit(this: { url: unknown }, event: unknown, failure: unknown, ...rest: unknown[]): unknown {
        const failed = event === "error" && (failure as { syscall?: unknown } | null)?.syscall === "connect";
        const told = (failed ? checkUrl([this.url], site) : null) ?? failure;
        return apply(native, this, [event, told, ...rest]);
      },
    };
    const site: Site = { api: "ws.WebSocket", entry: emit };
    return emit;
  });
}

function refuseInspector(args: unknown[], site: Site): SecurityError | null {
  return refusedListening(addressOf({ port: args[0], host: args[1] }, "127.0.0.1", 9229), site);
}

function refuseDebugger(args: unknown[], site: Site): SecurityError | null {
  return refusedListening(addressOf({ host: args[0], port: args[1] }, "127.0.0.1", 2230), site);
}

function refuseQuic(args: unknown[], site: Site): SecurityError | null {
  const address = typeof args[0] === "string" ? args[0] : addressOf(args[0], "localhost", 443);
  return refusedConnection(UDP + address, site);
}

/** The folders that a WebAssembly program is to see. */
function checkPreopens(args: unknown[], site: Site): undefined {
  const { preopens } = (args[0] ?? {}) as { preopens?: unknown };
  if (typeof preopens !== "object" || preopens === null || isArray(preopens)) return undefined;
  const names = enumerableKeys(preopens);
  for (let index = 0; index < names.length; index++) {
    const path = pathIn((preopens as Record<string, unknown>)[names[index]!]);
    const error = path === null ? null : refusedAccess("read", path, site);
    if (error !== null) throw error;
  }
  return undefined;
}
