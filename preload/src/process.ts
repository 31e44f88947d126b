// The few powers that hang on `process` itself.
import { grantsAny } from "./decide.ts";
import { refusal } from "./error.ts";
import { pathIn, refusedAccess } from "./file-access.ts";
import { guard, refuse } from "./guard.ts";
import { absolute } from "./paths.ts";
import { table } from "./table.ts";

/** Guards `process`, and hides the launcher's own environment variables. */
export function tameProcess(): void {
  if (!grantsAny(table.policy, "run"))
    refuse(process, "execve", "process.", "throw", "run", (args) => pathIn(args[0]));
  guard(process, "loadEnvFile", "process.", "throw", (args, site) =>
    refusedAccess("read", pathIn(args[0]) ?? absolute(".env"), site),
  );
  const { env } = process;
  const { env_hide: hidden } = table;
  for (let index = 0; index < hidden.length; index++) delete env[hidden[index]!];
}

/** Guards node:os: what it tells about the machine and its users. */
export function tameOs(os: object): void {
  guard(os, "userInfo", "os.", "throw", (_, site) => refusal("sys", "userInfo", site));
  guard(os, "networkInterfaces", "os.", "throw", (_, site) => refusal("sys", "networkInterfaces", site));
}

/** Guards node:v8: a heap snapshot is a file. */
export function tameV8(v8: object): void {
  guard(v8, "writeHeapSnapshot", "v8.", "throw", (args, site) =>
    refusedAccess("write", pathIn(args[0]) ?? absolute("Heap.heapsnapshot"), site),
  );
}
