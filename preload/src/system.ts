// Other programs, native code, and what the machine tells: refusals and checks.
import type { Site } from "./error.ts";
import { refusal } from "./error.ts";
import { pathIn, refusedAccess } from "./file-access.ts";
import { block, guard } from "./guard.ts";
import type { SpawnSync } from "./narrow.ts";
import { narrow, sandboxOf } from "./narrow.ts";
import { absolute } from "./paths.ts";
import { enumerableKeys, indexOf, isArray, startsWith } from "./primordials.ts";
import type { SecurityError } from "./security-error.ts";
import { details } from "./table.ts";

/** The refusal of `(["git", …])`, `({ cmd: ["git", …] })` or `("/bin/git", …)`. */
export function refuseCommand(args: unknown[], site: Site): SecurityError | null {
  const first = args[0] as { cmd?: unknown } | string | null | undefined;
  const command: unknown = isArray(first) ? first : typeof first === "object" ? first?.cmd : [first];
  const program: unknown = isArray(command) ? command[0] : undefined;
  return refusal("run", typeof program === "string" ? program : null, site);
}

/** Checks a command where some programs are granted. What is no command at all, Bun refuses by itself. */
export function checkCommand(args: unknown[], site: Site, spawnSync: SpawnSync): SecurityError | null {
  const first = args[0];
  const given = isArray(first) ? args[1] : first;
  const options = (typeof given === "object" && given !== null ? given : {}) as Record<string, unknown>;
  const command: unknown = isArray(first) ? first : options["cmd"];
  const program: unknown = isArray(command) ? command[0] : undefined;
  if (typeof program !== "string") return null;
  const error = checkProgram(program, options["cwd"], site);
  const sandbox = sandboxOf(options);
  // Anything else than a policy is an error: ignoring it would leave the child with more than was asked for.
  return error !== null || sandbox === undefined || sandbox === null
    ? error
    : narrow(args, sandbox, site, spawnSync);
}

function checkProgram(program: string, cwd: unknown, site: Site): SecurityError | null {
  if (indexOf(program, "/") < 0) return refusal("run", program, site);
  // Relative to another folder than this one it is the kernel's to judge.
  return startsWith(program, "/") || cwd === undefined ? refusal("run", absolute(program), site) : null;
}

/** Guards bun:ffi: all of it where nothing native is granted, else the libraries it opens. */
export function tameFfi(ffi: Record<string, unknown>): void {
  if (details().policy.ffi.allow.length > 0) {
    guard(ffi, "dlopen", "ffi.", "throw", (args, site) => refuseLibrary(args[0], site));
    return;
  }
  const names = enumerableKeys(ffi);
  for (let index = 0; index < names.length; index++)
    block(ffi, names[index]!, "ffi.", "throw", (args, site) => {
      const library = args[0];
      return refuseLibrary(typeof library === "string" ? library : null, site);
    });
}

/** Guards node:os: what it tells about the machine's users and networks. */
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

function refuseLibrary(library: unknown, site: Site): SecurityError | null {
  // A bare name is looked up by the system's loader, not in the working directory.
  const isName = typeof library === "string" && indexOf(library, "/") < 0;
  return refusal("ffi", isName ? library : pathIn(library), site);
}
