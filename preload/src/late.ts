// The part that most starts do not need: everything that judges, explains and answers. In the bundle it is a function
// whose code is not even decoded before the first call (see build.ts), which halves what the preload costs.
import type * as Guards from "./guards.ts";

let guards: typeof Guards | undefined;

/** The guards, set up on first use. */
export function late(): typeof Guards {
  return (guards ??= require("./guards.ts") as typeof Guards);
}
