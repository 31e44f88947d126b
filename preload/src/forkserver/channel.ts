// A child's channel to the launcher. Both ways it is frames of four bytes of length and as many bytes of JSON.
// Towards the launcher the first field of the JSON is the frame's kind; of the launcher there is one frame, the call.
import type { Native } from "./native.ts";

/** What a child tells the launcher. */
export type FrameKind = "log" | "result" | "error" | "probe";

const LENGTH_BYTES = 4;
const FIRST_BUFFER_BYTES = 65_536;
/** The longest frame that is accepted: an input of a call. */
const MOST_FRAME_BYTES = 64 << 20;
/** In UTF-8 a unit of UTF-16 takes three bytes at most. */
const MOST_BYTES_PER_UNIT = 3;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Channel {
  readonly #native: Native;
  #descriptor = -1;
  #buffer = new Uint8Array(FIRST_BUFFER_BYTES);

  constructor(native: Native) {
    this.#native = native;
  }

  /** From here on frames go to this descriptor; before, nowhere. */
  open(descriptor: number): void {
    this.#descriptor = descriptor;
  }

  /** Waits for a frame; `null`: the launcher has closed the channel, or what came is no frame. */
  receive(): string | null {
    const length = this.#native.next_length(this.#descriptor);
    if (length < 0 || length > MOST_FRAME_BYTES) return null;
    const buffer = this.#room(length);
    if (length > 0 && this.#native.receive(this.#descriptor, buffer, length) < 0) return null;
    return decoder.decode(buffer.subarray(0, length));
  }

  /** Sends a frame. */
  send(kind: FrameKind, json: string): void {
    const text = `{"kind":"${kind}","body":${json}}`;
    const buffer = this.#room(LENGTH_BYTES + text.length * MOST_BYTES_PER_UNIT);
    const { written } = encoder.encodeInto(text, buffer.subarray(LENGTH_BYTES));
    for (let index = 0; index < LENGTH_BYTES; index++) buffer[index] = written >>> (8 * index);
    // The launcher notices an answer that is missing; there is nobody else to tell.
    this.#native.send(this.#descriptor, buffer, LENGTH_BYTES + written);
  }

  #room(bytes: number): Uint8Array {
    if (this.#buffer.length < bytes) this.#buffer = new Uint8Array(bytes);
    return this.#buffer;
  }
}
