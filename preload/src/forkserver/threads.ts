// The threads beside the one of JavaScript. A child has none of them, nor what they held at the moment of the fork.
//
// The launcher starts this Bun with a compiler and a collector that work on the thread of JavaScript, so there are none.
import type { Native } from "./native.ts";

const MOST_NAMES_BYTES = 4096;
const STEP_MS = 10;
/** A thread of Bun's start is called like its process until it has given itself the name by which it is known. */
const STEPS_TO_A_NAME = 10;

/** The names of the other threads, as far as they matter. */
export function otherThreads(native: Native): string[] {
  for (let step = 0; ; step++) {
    const names = list(native);
    if (names.length === 0 || step === STEPS_TO_A_NAME) return names;
    Bun.sleepSync(STEP_MS);
  }
}

function list(native: Native): string[] {
  const bytes = new Uint8Array(MOST_NAMES_BYTES);
  const length = native.threads(bytes, bytes.length);
  if (length < 0) throw new Error(`cannot list threads (error ${-length})`);
  return new TextDecoder().decode(bytes.subarray(0, length)).split("\n").slice(0, -1);
}
