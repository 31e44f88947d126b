// A child's channel to the launcher. From the launcher there is one frame, the request: four bytes of length, the lowest
// first, and as many bytes of JSON. Towards it go the frames of every sandbox (channel.ts), authenticated by a token that
// is drawn in the child.
import type { Native } from "./native.ts";

/** What a child tells the launcher: those of the kinds of channel.ts that it has a use for. */
export type FrameKind = "hello" | "loaded" | "call" | "log" | "result" | "error";

const TOKEN_BYTES = 16;
const DIGITS_PER_BYTE = 2;
/** Room for a header before the payload, whose length in bytes is known once it is encoded. */
const MOST_HEADER_BYTES = 80;
const NEWLINE = 0x0a;
const FIRST_BUFFER_BYTES = 65_536;
/** The longest request that is accepted. */
const MOST_REQUEST_BYTES = 64 << 20;
/** In UTF-8 a unit of UTF-16 takes three bytes at most. */
const MOST_BYTES_PER_UNIT = 3;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Channel {
  readonly #native: Native;
  #descriptor = -1;
  #token = "0".repeat(TOKEN_BYTES * DIGITS_PER_BYTE);
  #buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  /** How much of the buffer waits to be sent. */
  #waiting = 0;

  constructor(native: Native) {
    this.#native = native;
  }

  /** In a child: draws its token. From the kernel and not from Bun, whose store would have to be filled first. */
  drawToken(): void {
    const bytes = new Uint8Array(TOKEN_BYTES);
    if (this.#native.random(bytes, bytes.length) < 0) this.#native.end(1);
    this.#token = bytes.toHex();
  }

  /** From here on frames go to this descriptor; before, nowhere. */
  open(descriptor: number): void {
    this.#descriptor = descriptor;
    this.#waiting = 0;
    this.add("hello", `{"v":1}`);
  }

  /** Waits for a request; `null`: the launcher has closed the channel, or what came is none. */
  receive(): string | null {
    const length = this.#native.next_length(this.#descriptor);
    if (length < 0 || length > MOST_REQUEST_BYTES) return null;
    const buffer = new Uint8Array(length);
    if (length > 0 && this.#native.receive(this.#descriptor, buffer, length) < 0) return null;
    return decoder.decode(buffer);
  }

  /** Sends a frame, and those that wait. */
  send(kind: FrameKind, json: string): void {
    this.add(kind, json);
    // The launcher notices an answer that is missing; there is nobody else to tell.
    this.#native.send(this.#descriptor, this.#buffer, this.#waiting);
    this.#waiting = 0;
  }

  /** A frame that is sent with the next one: each that is sent wakes the launcher, which wants the processor then. */
  add(kind: FrameKind, json: string): void {
    const most = MOST_HEADER_BYTES + json.length * MOST_BYTES_PER_UNIT + 1;
    const free = this.#room(this.#waiting + most).subarray(this.#waiting);
    // The payload first, since the header says how many bytes it is.
    const { written } = encoder.encodeInto(json, free.subarray(MOST_HEADER_BYTES));
    const header = `SB1 ${this.#token} ${kind} ${written}\n`;
    encoder.encodeInto(header, free);
    free.copyWithin(header.length, MOST_HEADER_BYTES, MOST_HEADER_BYTES + written);
    free[header.length + written] = NEWLINE;
    this.#waiting += header.length + written + 1;
  }

  #room(bytes: number): Uint8Array {
    if (this.#buffer.length < bytes) {
      const larger = new Uint8Array(bytes);
      larger.set(this.#buffer.subarray(0, this.#waiting));
      this.#buffer = larger;
    }
    return this.#buffer;
  }
}
