// Guards of what fewer programs use than files: a part of its own, since decoding it takes as long as that of files.
import type * as Others from "./others.ts";

let others: typeof Others | undefined;

/** Those guards, set up on first use. */
export function lateOthers(): typeof Others {
  return (others ??= require("./others.ts") as typeof Others);
}
