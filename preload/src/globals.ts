// Stubs before the powers that no import is needed for: properties of `Bun`, and globals.
//
// Written as data and one loop: each function that runs at start costs some 5 µs for its first call alone.
import type * as Guards from "./guards.ts";
import { late } from "./late.ts";
import { defineValue } from "./primordials.ts";
import { block, blocked, guard, guardClass, type Check, type Style } from "./stub.ts";
import { table } from "./table.ts";

/** The functions of `guards.ts` that look at the arguments of a call. */
type CheckName = {
  [Name in keyof typeof Guards]: (typeof Guards)[Name] extends Check ? Name : never;
}[keyof typeof Guards];

/** `owner[name]`, the check before it, and the permission without which it is always refused. */
interface Stub {
  readonly owner: object;
  readonly name: string;
  readonly style: Style;
  readonly check: CheckName;
  readonly only: Listed | null;
}
type Listed = "net" | "listen" | "run";

const STUBS: readonly Stub[] = [
  { owner: Bun, name: "write", style: "reject", check: "checkWrite", only: null },
  { owner: Bun, name: "mmap", style: "throw", check: "checkMap", only: null },
  // node:child_process and node:cluster start programs through these.
  { owner: Bun, name: "spawn", style: "throw", check: "refuseCommand", only: "run" },
  { owner: Bun, name: "spawnSync", style: "throw", check: "refuseCommand", only: "run" },
  { owner: Bun, name: "openInEditor", style: "throw", check: "refuseCommand", only: "run" },
  { owner: Bun, name: "Terminal", style: "throw", check: "refuseCommand", only: "run" },
  { owner: Bun, name: "cron", style: "throw", check: "refuseCommand", only: "run" },
  { owner: Bun, name: "connect", style: "reject", check: "refuseConnection", only: "net" },
  { owner: Bun, name: "udpSocket", style: "reject", check: "refuseConnection", only: "net" },
  // node:net, http, https, http2, tls and dgram listen through these.
  { owner: Bun, name: "serve", style: "throw", check: "refuseServer", only: "listen" },
  { owner: Bun, name: "listen", style: "throw", check: "refuseServer", only: "listen" },
  { owner: globalThis, name: "WebSocket", style: "throw", check: "refuseUrl", only: "net" },
];

/** Puts the stubs in place, and hides the launcher's own variables. */
export function tameGlobals(): void {
  const { policy, env_hide: hidden } = table;
  for (let index = 0; index < STUBS.length; index++) {
    const { owner, name, style, check: checkName, only } = STUBS[index]!;
    const api = owner === Bun ? "Bun." + name : name;
    const check: Check = (args, site, self) => (late()[checkName] as Check)(args, site, self);
    if (only === null) guard(owner, name, api, style, check);
    else if (policy[only].allow.length === 0) block(owner, name, api, style, check);
  }

  const native = Bun.file as (...args: unknown[]) => Blob;
  const file = (path: unknown, options?: unknown): Blob => late().openFile(native, path, options);
  defineValue(file, "name", "file", false);
  (Bun as { file: unknown }).file = file;

  if (table.shell && policy.run.allow.length === 0)
    (Bun as { $: unknown }).$ = late().tameShell(Bun.$ as unknown as Parameters<typeof Guards.tameShell>[0]);

  if (policy.net.allow.length === 0) {
    guard(globalThis, "fetch", "fetch", "reject", (args, site) => late().checkFetch(args, site));
    const refuse: Check = (args, site) => late().refuseUrl(args, site);
    defineValue(globalThis.fetch, "preconnect", blocked("fetch.preconnect", "throw", refuse), true);
    const states = globalThis.WebSocket as unknown as Record<string, number>;
    states["CONNECTING"] = 0;
    states["OPEN"] = 1;
    states["CLOSING"] = 2;
    states["CLOSED"] = 3;
  }

  // Reading the class makes it: it is only done where it can be used.
  if (policy.workers.most > 0)
    guardClass(globalThis, "Worker", "Worker", (args, site) => late().checkWorker(args, site));
  else block(globalThis, "Worker", "Worker", "throw", (_, site) => late().refusal("workers", "1", site));

  if (hidden.length === 0) return;
  const { env } = process;
  for (let index = 0; index < hidden.length; index++) delete env[hidden[index]!];
}
