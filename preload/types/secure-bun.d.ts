// What programs find inside the sandbox, beside Bun itself.
// Use: `/// <reference path="…/secure-bun.d.ts" />`, or list it in "types" of tsconfig.json.

declare global {
  /**
   * What the policy did not allow. Synchronous functions throw it, promises are rejected with it, callbacks and
   * `error` events get it.
   */
  class SecurityError extends Error {
    readonly name: "SecurityError";
    readonly code: "ERR_ACCESS_DENIED";
    /** The key of the policy: `"read"`, `"write"`, `"net"`, `"listen"`, `"run"`, `"workers"`, `"ffi"`, `"sys"` … */
    readonly permission: string;
    /** What it was about: a path, `host:port`, a command. */
    readonly resource: string | null;
    /** The line of the policy that decided; `"default"` where none speaks of it. */
    readonly rule: string;
    /** What to write into the policy, or to remove from it, to allow this. */
    readonly fix: string;
  }

  /** For whom a function runs; absent where the service that called it did not say. */
  const executionContext:
    | {
        readonly functionID: string | null;
        readonly userID: string | null;
        readonly executionID: string | null;
        /** Milliseconds since 1970. */
        readonly startTime: number;
      }
    | undefined;
}

/** What a child may do, in the format of a policy file: `read`, `write`, `run`, `env`, `limits` and so on. */
export interface ChildPolicy {
  readonly [key: string]: unknown;
}

/** A policy, the name of a preset, or the path of a policy file. It may not be wider than the program's own. */
export type ChildSandbox = ChildPolicy | string | null | undefined;

declare module "bun" {
  namespace Spawn {
    interface BaseOptions<In extends Writable, Out extends Readable, Err extends Readable> {
      /** What this child may do, of what the program may. */
      sandbox?: ChildSandbox;
    }
  }
}

declare module "child_process" {
  interface ProcessEnvOptions {
    /** What this child may do, of what the program may. */
    sandbox?: ChildSandbox;
  }
}
