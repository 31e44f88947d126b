// Byte arrays of calls: a part of its own, like that which calls, since few calls have any.
import type * as ByteArrays from "./byte-arrays.ts";

let byteArrays: typeof ByteArrays | undefined;

/** What reads and sends byte arrays, set up on first use. */
export function lateBytes(): typeof ByteArrays {
  return (byteArrays ??= require("./byte-arrays.ts") as typeof ByteArrays);
}
