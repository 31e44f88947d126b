// The part that calls a program's function: like the guards, a function in the bundle that is decoded on first use.
import type * as Call from "./call.ts";

let call: typeof Call | undefined;

/** What calls functions, set up on first use. */
export function lateCall(): typeof Call {
  return (call ??= require("./call.ts") as typeof Call);
}
