// Stubs before the powers that no import is needed for: properties of `Bun`, and globals.
import { late } from "./late.ts";
import { defineValue } from "./primordials.ts";
import { block, blocked, guard, guardClass, type Check } from "./stub.ts";
import { table } from "./table.ts";

const { policy } = table;
const canRun = policy.run.allow.length > 0;

/** Guards them all. */
export function tameGlobals(): void {
  tameBunFiles();
  if (!canRun) tameBunProcesses();
  if (policy.net.allow.length === 0) tameConnections();
  if (policy.listen.allow.length === 0) tameServers();
  tameWorker();
  tameEnvironment();
}

function tameBunFiles(): void {
  const native = Bun.file as (...args: unknown[]) => Blob;
  const file = (path: unknown, options?: unknown): Blob => late().openFile(native, path, options);
  defineValue(file, "name", "file", false);
  (Bun as { file: unknown }).file = file;
  guard(Bun, "write", "Bun.write", "reject", (args, site) => late().checkWrite(args, site));
  guard(Bun, "mmap", "Bun.mmap", "throw", (args, site) => late().checkPath("read", args, 0, site));
}

/** node:child_process and node:cluster start programs through these. */
function tameBunProcesses(): void {
  const refuse: Check = (args, site) => late().refuseCommand(args, site);
  block(Bun, "spawn", "Bun.spawn", "throw", refuse);
  block(Bun, "spawnSync", "Bun.spawnSync", "throw", refuse);
  block(Bun, "openInEditor", "Bun.openInEditor", "throw", refuse);
  block(Bun, "Terminal", "Bun.Terminal", "throw", refuse);
  block(Bun, "cron", "Bun.cron", "throw", refuse);
}

function tameConnections(): void {
  const refuse: Check = (args, site) => late().refuseConnection(args, site);
  block(Bun, "connect", "Bun.connect", "reject", refuse);
  block(Bun, "udpSocket", "Bun.udpSocket", "reject", refuse);
  guard(globalThis, "fetch", "fetch", "reject", (args, site) => late().checkFetch(args, site));
  const refuseUrl: Check = (args, site) => late().refuseUrl(args, site);
  defineValue(globalThis.fetch, "preconnect", blocked("fetch.preconnect", "throw", refuseUrl), true);
  block(globalThis, "WebSocket", "WebSocket", "throw", refuseUrl);
  const states = globalThis.WebSocket as unknown as Record<string, number>;
  states["CONNECTING"] = 0;
  states["OPEN"] = 1;
  states["CLOSING"] = 2;
  states["CLOSED"] = 3;
}

/** node:net, http, https, http2, tls and dgram listen through these. */
function tameServers(): void {
  const refuse: Check = (args, site) => late().refuseServer(args, site);
  block(Bun, "serve", "Bun.serve", "throw", refuse);
  block(Bun, "listen", "Bun.listen", "throw", refuse);
}

function tameWorker(): void {
  if (policy.workers.most > 0)
    guardClass(globalThis, "Worker", "Worker", (args, site) => late().checkWorker(args, site));
  else block(globalThis, "Worker", "Worker", "throw", (_, site) => late().refusal("workers", "1", site));
}

/** Hides the launcher's own variables. */
function tameEnvironment(): void {
  const { env_hide: hidden } = table;
  if (hidden.length === 0) return;
  const { env } = process;
  for (let index = 0; index < hidden.length; index++) delete env[hidden[index]!];
}
