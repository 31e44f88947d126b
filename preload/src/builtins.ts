// The routes to Node's and Bun's modules. A module is guarded in place when the program first asks for it, by
// whichever route, and before it is handed out; none is loaded before that.
import { late } from "./late.ts";
import { lateOthers } from "./late-others.ts";
import { apply, defineLazily, enumerableKeys, indexOf, startsWith, substring } from "./primordials.ts";
import type { Asks } from "./table.ts";
import { table } from "./table.ts";

const { getBuiltinModule } = process;
let asked: Asks;

function load(name: string): never {
  return apply(getBuiltinModule, process, [name]) as never;
}

function once(tame: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    try {
      tame();
    } catch {
      // The program broke something that loading needs. It gets the module as it is, and the kernel's own refusals.
    }
  };
}

const promises = once(() => late().tameFsPromises(load("fs/promises")));
const fs = once(() => {
  const module: object = load("fs");
  late().tameFs(module);
  // Loaded when it is first read, which takes 1.5 ms: so is the guard. An import reads it then, unlike Bun's own getter.
  if (asked.promises)
    defineLazily(module, "promises", true, () => {
      promises();
      return load("fs/promises");
    });
});
const net = once(() => lateOthers().tameNet(load("net")));
const requests = (name: "http" | "https", port: number) =>
  once(() => {
    net();
    lateOthers().tameRequests(load(name), name, port);
  });
const dns = once(() => lateOthers().tameDns(load("dns")));

/** What has to happen before a module is handed out. Powers that are not here end in a guarded property of `Bun`. */
const GUARDS: Readonly<Record<string, () => void>> = {
  // Names are looked up in this object: none may come from Object.prototype.
  __proto__: null as never,
  "node:fs": fs,
  "node:fs/promises": promises,
  "node:net": net,
  "node:tls": net,
  "node:http": requests("http", 80),
  "node:https": requests("https", 443),
  "node:http2": net,
  "node:dns": dns,
  "node:dns/promises": dns,
  "node:os": once(() => lateOthers().tameOs(load("os"))),
  "node:v8": once(() => lateOthers().tameV8(load("v8"))),
  "node:worker_threads": once(() => lateOthers().tameWorkerThreads(load("worker_threads"))),
  "node:sqlite": once(() => lateOthers().tameNodeSqlite(load("node:sqlite"))),
  "bun:sqlite": once(() => lateOthers().tameBunSqlite(load("bun:sqlite"))),
  "bun:ffi": once(() => lateOthers().tameFfi(load("bun:ffi"))),
};

/** Modules that few programs use: no cache entries for them, which would take their time at every start. */
const RARE =
  " node:child_process node:cluster node:dgram node:process node:inspector node:inspector/promises node:module node:wasi node:quic bun:jsc ";

function tame(id: string): void {
  const guard = GUARDS[id];
  if (guard !== undefined) guard();
  else if (indexOf(RARE, ` ${id} `) >= 0) lateOthers().tameRare(id);
}

/** Guards every route by which the program can come to a builtin module. */
export function tameBuiltins(asks: Asks): void {
  asked = asks;
  guardResolution();
  // The first look at this cache alone takes a quarter of a millisecond.
  if (asks.require) guardRequireCache();
  guardGetBuiltinModule();
}

/** `import` in all its forms, and `require` of names with a scheme. */
function guardResolution(): void {
  Bun.plugin({
    name: "secure-bun",
    setup(build) {
      // Answering nothing leaves the resolution to Bun.
      build.onResolve({ filter: /.*/, namespace: "node" }, (request) => void tame("node:" + request.path));
      build.onResolve({ filter: /.*/, namespace: "bun" }, (request) => void tame("bun:" + request.path));
    },
  });
}

/** `require` of bare names, `import.meta.require` and `createRequire`: all look into this cache first. */
function guardRequireCache(): void {
  const cache = require.cache as Record<string, unknown>;
  const names = enumerableKeys(GUARDS);
  for (let index = 0; index < names.length; index++) {
    const id = names[index]!;
    const name = startsWith(id, "node:") && id !== "node:sqlite" ? substring(id, "node:".length) : id;
    guardCached(cache, name, GUARDS[id]!);
  }
  // Where programs can be started, a package that asks for a narrower sandbox must not be handed a function without one.
  if (table.grants.run) guardCached(cache, "child_process", () => tame("node:child_process"));
}

function guardCached(cache: Record<string, unknown>, name: string, guard: () => void): void {
  cache[name] = {
    get exports(): unknown {
      guard();
      return load(name);
    },
  };
}

function guardGetBuiltinModule(): void {
  const { guarded } = {
    guarded(id: unknown): unknown {
      if (typeof id === "string") tame(startsWith(id, "bun:") || startsWith(id, "node:") ? id : "node:" + id);
      return apply(getBuiltinModule, process, [id]);
    },
  };
  (process as { getBuiltinModule: unknown }).getBuiltinModule = guarded;
}
