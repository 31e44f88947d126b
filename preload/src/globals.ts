// Stubs before the powers that no import is needed for: properties of `Bun`, and globals.
//
// One call after the other, with as little as possible made for it: each object, each closure and each function's first
// call costs some 5 µs at every start.
import { late } from "./late.ts";
import { lateOthers } from "./late-others.ts";
import { defineValue } from "./primordials.ts";
import { block, blocked, guard, guardClass, type Check } from "./stub.ts";
import type { Asks } from "./table.ts";
import { table } from "./table.ts";

const refuseUrl: Check = (args, site) => lateOthers().refuseUrl(args, site);

/** Puts the stubs in place that the program can ask for, and hides the launcher's own variables. */
export function tameGlobals(asks: Asks): void {
  if (asks.bun) tameBun();
  if (asks.web && table.grants.fetch) tameRequests();
  else if (asks.web && !table.grants.net) tameWeb();
  // Reading the class makes it: it is only done where it can be used.
  if (table.grants.workers)
    guardClass(globalThis, "Worker", "Worker", (args, site) => lateOthers().checkWorker(args, site));
  else block(globalThis, "Worker", "Worker", "throw", (_, site) => late().refusal("workers", "1", site));

  const { env_hide: hidden } = table;
  if (hidden.length === 0) return;
  const { env } = process;
  for (let index = 0; index < hidden.length; index++) delete env[hidden[index]!];
}

function tameBun(): void {
  const { grants } = table;
  guard(Bun, "write", "Bun.write", "reject", (args, site) => late().checkWrite(args, site));
  guard(Bun, "mmap", "Bun.mmap", "throw", (args, site) => late().checkMap(args, site));
  const native = Bun.file as (...args: unknown[]) => Blob;
  const file = (path: unknown, options?: unknown): Blob => late().openFile(native, path, options);
  defineValue(file, "name", "file", false);
  (Bun as { file: unknown }).file = file;

  if (grants.run) {
    const check: Check = (args, site) => lateOthers().checkCommand(args, site);
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
  if (!grants.listen) {
    const refuse: Check = (args, site) => lateOthers().refuseServer(args, site);
    // node:net, http, https, http2, tls and dgram listen through these.
    block(Bun, "serve", "Bun.serve", "throw", refuse);
    block(Bun, "listen", "Bun.listen", "throw", refuse);
  }
  if (!grants.net) {
    const refuse: Check = (args, site) => lateOthers().refuseConnection(args, site);
    block(Bun, "connect", "Bun.connect", "reject", refuse);
    block(Bun, "udpSocket", "Bun.udpSocket", "reject", refuse);
  }
}

/** Has the launcher make the requests that rules of `fetch` are about. */
function tameRequests(): void {
  const native = globalThis.fetch as (...args: unknown[]) => Promise<Response>;
  const { fetch } = {
    fetch(...args: unknown[]): Promise<Response> {
      return lateOthers().request(native, args, site);
    },
  };
  const site = { api: "fetch", entry: fetch };
  defineValue(fetch, "length", native.length, false);
  const { preconnect } = native as unknown as typeof globalThis.fetch;
  const refused = table.grants.net ? preconnect : blocked("fetch.preconnect", "throw", refuseUrl);
  defineValue(fetch, "preconnect", refused, true);
  globalThis.fetch = fetch as unknown as typeof globalThis.fetch;
  guardClass(globalThis, "WebSocket", "WebSocket", (args, site) => lateOthers().openSocket(args, site));
  const socket = globalThis.WebSocket as unknown as Record<string, number>;
  socket["CONNECTING"] = 0;
  socket["OPEN"] = 1;
  socket["CLOSING"] = 2;
  socket["CLOSED"] = 3;
}

function tameWeb(): void {
  guard(globalThis, "fetch", "fetch", "reject", (args, site) => lateOthers().checkFetch(args, site));
  defineValue(globalThis.fetch, "preconnect", blocked("fetch.preconnect", "throw", refuseUrl), true);
  block(globalThis, "WebSocket", "WebSocket", "throw", refuseUrl);
  const states = globalThis.WebSocket as unknown as Record<string, number>;
  states["CONNECTING"] = 0;
  states["OPEN"] = 1;
  states["CLOSING"] = 2;
  states["CLOSED"] = 3;
}
