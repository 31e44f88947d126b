// Stubs before the powers that no import is needed for: properties of `Bun`, and globals.
//
// One call after the other, with as little as possible made for it: each object, each closure and each function's first
// call costs some 5 µs at every start.
import { late } from "./late.ts";
import { lateOthers } from "./late-others.ts";
import type { SpawnSync } from "./narrow.ts";
import { apply, defineConstant, defineValue } from "./primordials.ts";
import { block, blocked, guard, guardClass, type Check, type ConstructorCheck } from "./stub.ts";
import type { Asks } from "./table.ts";
import { BROKERED, table } from "./table.ts";

const checkUrl: Check = (args, site) => lateOthers().checkUrl(args, site);

type Fetch = Function & { preconnect: Function };

/** Puts the stubs in place that the program can ask for, and hides the launcher's own variables. */
export function tameGlobals(asks: Asks): void {
  const hasNetwork = table.grants.net || table.grants.listen;
  if (asks.bun) tameBun(hasNetwork);
  if (table.grants.fetch) tameRequests(asks, hasNetwork);
  else if (asks.web) tameWeb(hasNetwork, asks.sockets);
  // Reading the class makes it: it is only done where it can be used.
  if (table.grants.workers)
    guardClass(globalThis, "Worker", "Worker", (args, site) => lateOthers().checkWorker(args, site));
  else block(globalThis, "Worker", "Worker", "throw", (_, site) => late().refusal("workers", "1", site));

  const { env_hide: hidden } = table;
  if (hidden.length === 0) return;
  const { env } = process;
  for (let index = 0; index < hidden.length; index++) delete env[hidden[index]!];
}

function tameBun(hasNetwork: boolean): void {
  const { grants } = table;
  guard(Bun, "write", "Bun.write", "reject", (args, site) => late().checkWrite(args, site));
  guard(Bun, "mmap", "Bun.mmap", "throw", (args, site) => late().checkMap(args, site));
  const native = Bun.file as (...args: unknown[]) => Blob;
  const file = (path: unknown, options?: unknown): Blob => late().openFile(native, path, options);
  defineValue(file, "name", "file", false);
  (Bun as { file: unknown }).file = file;

  if (grants.run) {
    const { spawnSync } = Bun as unknown as { spawnSync: SpawnSync };
    const check: Check = (args, site) => lateOthers().checkCommand(args, site, spawnSync);
    guard(Bun, "spawn", "Bun.spawn", "throw", check);
    guard(Bun, "spawnSync", "Bun.spawnSync", "throw", check);
  } else {
    const refuse: Check = (args, site) => lateOthers().refuseCommand(args, site);
    // node:child_process and node:cluster start programs through these.
    block(Bun, "spawn", "Bun.spawn", "throw", refuse);
    block(Bun, "spawnSync", "Bun.spawnSync", "throw", refuse);
    block(Bun, "openInEditor", "Bun.openInEditor", "throw", refuse);
    block(Bun, "Terminal", "Bun.Terminal", "throw", refuse);
    block(Bun, "cron", "Bun.cron", "throw", refuse);
  }
  tameSockets(hasNetwork);
}

/** Has the launcher make the requests that rules of `fetch` are about. */
function tameRequests(asks: Asks, hasNetwork: boolean): void {
  const { fetch } = globalThis;
  globalThis.fetch = brokered("fetch", fetch, hasNetwork) as unknown as typeof globalThis.fetch;
  const { fetch: ofBun } = Bun;
  defineConstant(ofBun, BROKERED, brokered("Bun.fetch", ofBun, hasNetwork));
  if (!asks.web) return;
  const open: ConstructorCheck = (args, site) => lateOthers().openSocket(fetch, args, site);
  guardClass(globalThis, "WebSocket", "WebSocket", open);
  nameStates();
}

/** `fetch()` that looks like the native one, and has the launcher make the request. */
function brokered(api: string, native: Fetch, hasNetwork: boolean): object {
  const { fetch } = {
    fetch(...args: unknown[]): Promise<Response> {
      return lateOthers().request(native as never, args, site);
    },
  };
  const site = { api, entry: fetch };
  defineValue(fetch, "length", native.length, false);
  defineConstant(fetch, "preconnect", preconnectOf(native, api, hasNetwork));
  return fetch;
}

/** node:net, http, https, http2, tls and dgram listen and connect through these. */
function tameSockets(hasNetwork: boolean): void {
  // Where there is no network, they are not even read.
  const put = hasNetwork ? guard : block;
  const server: Check = (args, site) => lateOthers().checkServer(args, site);
  put(Bun, "serve", "Bun.serve", "throw", server);
  put(Bun, "listen", "Bun.listen", "throw", server);
  const socket: Check = (args, site) => lateOthers().checkSocket(args, site);
  put(Bun, "connect", "Bun.connect", "reject", socket);
  if (!hasNetwork) {
    const refuse: Check = (args, site) => lateOthers().refuseDatagrams(args, site);
    return block(Bun, "udpSocket", "Bun.udpSocket", "reject", refuse);
  }
  const native = Bun.udpSocket as Function;
  const { udpSocket } = {
    udpSocket(...args: unknown[]): unknown {
      return lateOthers().openDatagrams(native, args, site);
    },
  };
  const site = { api: "Bun.udpSocket", entry: udpSocket };
  (Bun as { udpSocket: unknown }).udpSocket = udpSocket;
}

function tameWeb(hasNetwork: boolean, hasSockets: boolean): void {
  const { fetch } = globalThis;
  guard(globalThis, "fetch", "fetch", "reject", (args, site) => lateOthers().checkFetch(args, site));
  defineValue(globalThis.fetch, "preconnect", preconnectOf(fetch, "fetch", hasNetwork), true);
  // Reading the class makes it: it is only done where it can be used.
  if (!hasNetwork) block(globalThis, "WebSocket", "WebSocket", "throw", checkUrl);
  else if (hasSockets)
    guardClass(globalThis, "WebSocket", "WebSocket", (args, site) => lateOthers().checkWebSocket(args, site));
  else return;
  nameStates();
}

/** The constants of `WebSocket`, which its replacement has as well. */
function nameStates(): void {
  const states = globalThis.WebSocket as unknown as Record<string, number>;
  states["CONNECTING"] = 0;
  states["OPEN"] = 1;
  states["CLOSING"] = 2;
  states["CLOSED"] = 3;
}

function preconnectOf(fetch: Fetch, api: string, hasNetwork: boolean): (...args: unknown[]) => unknown {
  if (!hasNetwork && !table.grants.fetch) return blocked("fetch.preconnect", "throw", checkUrl);
  const { preconnect } = {
    preconnect(...args: unknown[]): unknown {
      // The launcher keeps connections of its own.
      if (table.grants.fetch && lateOthers().isRequested(args[0])) return undefined;
      const error = lateOthers().parse(args[0]) === null ? null : checkUrl(args, site, undefined);
      if (error !== null) throw error;
      return apply(fetch.preconnect, fetch, args);
    },
  };
  const site = { api: api + ".preconnect", entry: preconnect };
  defineValue(preconnect, "length", fetch.preconnect.length, false);
  return preconnect;
}
