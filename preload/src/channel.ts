// Frames to the launcher, one direction, written synchronously. The token that authenticates them exists only here, and
// in a forked child with what carries them there.
import { isMainThread, substring } from "./primordials.ts";
import { table } from "./table.ts";

/** Everything a frame can say. */
export type FrameKind =
  "hello" | "loaded" | "call" | "log" | "denial" | "bytes" | "result" | "error" | "uncaught";

/** Longer strings are written asynchronously by Bun, which would reorder frames and lose the last ones. */
const CHUNK_LENGTH = 65_536;

const { write, file } = Bun;
const number = isMainThread && table.fork === null ? table.channel : null;

/** Whether somebody listens. Workers have no channel: their denials are explained to the program alone. */
export const connected = number !== null || (isMainThread && table.fork !== null);

/** Takes a frame to the launcher; with `bytes` in it, its beginning, these and its end. */
export type Carrier = (kind: FrameKind, frame: string, bytes?: Uint8Array, length?: number) => void;

let pipe: ReturnType<typeof file> | undefined;
let carrier: Carrier | undefined;
let token = "";
let failed = false;

/** Opens the channel: the first frame announces the token. */
export function hello(): void {
  if (number === null) return;
  pipe = file(number);
  token = drawToken();
  send("hello", `{"v":1}`);
}

/** In a server that forks, and again in each child: has frames carried in another way. Without a token nobody hears. */
export function carryBy(other: Carrier, its: string): void {
  carrier = other;
  token = its;
  failed = false;
}

/** Whether somebody listens already. */
export function isHeard(): boolean {
  return connected && (carrier === undefined || token !== "");
}

/** Whether the launcher has been told why the program failed. */
export function hasFailed(): boolean {
  return failed;
}

/** Sends one frame. `json` is ASCII, so its length is its length in bytes. */
export function send(kind: FrameKind, json: string): void {
  if (pipe === undefined && carrier === undefined) {
    if (number === null) return;
    hello();
  }
  failed ||= kind === "error";
  const frame = `SB1 ${token} ${kind} ${json.length}\n${json}\n`;
  if (carrier !== undefined) return carrier(kind, frame);
  try {
    for (let start = 0; start < frame.length; start += CHUNK_LENGTH)
      void write(pipe!, substring(frame, start, start + CHUNK_LENGTH));
  } catch {
    // The program closed the descriptor. The launcher notices that frames are missing; there is nobody else to tell.
  }
}

/** Sends a byte array of `length`, a part of which `part` gives. `place` is where it belongs, as ASCII JSON. */
export function sendBytes(
  place: string,
  length: number,
  part: (from: number, until: number) => Uint8Array,
): void {
  const frame = `SB1 ${token} bytes ${place.length + 1 + length}\n${place}\n`;
  if (carrier !== undefined) return carrier("bytes", frame, part(0, length), length);
  try {
    void write(pipe!, frame);
    for (let from = 0; from < length; from += CHUNK_LENGTH)
      void write(pipe!, part(from, from + CHUNK_LENGTH < length ? from + CHUNK_LENGTH : length));
    void write(pipe!, "\n");
  } catch {
    // As above.
  }
}

/**
 * 32 hexadecimal digits with 62 random bits in them: the launcher lets nobody guess twice. A UUID, because its random
 * bytes cost a third of those of `crypto`, whose classes have to be made first.
 */
function drawToken(): string {
  const uuid = Bun.randomUUIDv7();
  let digits = "";
  for (let index = 0; index < uuid.length; index++) if (uuid[index] !== "-") digits += uuid[index];
  return digits;
}
