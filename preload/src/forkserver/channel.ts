// A child's channel to the launcher. From the launcher there is one frame, the request: four bytes of length, the lowest
// first, and as many bytes of JSON. Towards it go the frames of every sandbox (channel.ts), authenticated by a token that
// is drawn in the child.
import type { Native } from "./native.ts";

/** What a child tells the launcher: those of the kinds of channel.ts that it has a use for. */
export type FrameKind = "hello" | "loaded" | "call" | "log" | "result" | "error";

const TOKEN_BYTES = 16;
const HEXADECIMAL = 16;
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

  constructor(native: Native) {
    this.#native = native;
  }

  /** From here on frames go to this descriptor; before, nowhere. */
  open(descriptor: number): void {
    this.#token = this.#drawToken();
    this.#descriptor = descriptor;
    this.send("hello", `{"v":1}`);
  }

  /** Waits for a request; `null`: the launcher has closed the channel, or what came is none. */
  receive(): string | null {
    const length = this.#native.next_length(this.#descriptor);
    if (length < 0 || length > MOST_REQUEST_BYTES) return null;
    const buffer = this.#room(length);
    if (length > 0 && this.#native.receive(this.#descriptor, buffer, length) < 0) return null;
    return decoder.decode(buffer.subarray(0, length));
  }

  /** Sends a frame. */
  send(kind: FrameKind, json: string): void {
    const buffer = this.#room(MOST_HEADER_BYTES + json.length * MOST_BYTES_PER_UNIT + 1);
    const { written } = encoder.encodeInto(json, buffer.subarray(MOST_HEADER_BYTES));
    const header = `SB1 ${this.#token} ${kind} ${written}\n`;
    const start = MOST_HEADER_BYTES - header.length;
    encoder.encodeInto(header, buffer.subarray(start));
    buffer[MOST_HEADER_BYTES + written] = NEWLINE;
    const frame = buffer.subarray(start, MOST_HEADER_BYTES + written + 1);
    // The launcher notices an answer that is missing; there is nobody else to tell.
    this.#native.send(this.#descriptor, frame, frame.length);
  }

  /** From the kernel and not from Bun, whose store of random numbers would have to be filled first. */
  #drawToken(): string {
    const bytes = new Uint8Array(TOKEN_BYTES);
    if (this.#native.random(bytes, bytes.length) < 0) return this.#native.end(1) as never;
    let token = "";
    for (const byte of bytes) token += byte.toString(HEXADECIMAL).padStart(DIGITS_PER_BYTE, "0");
    return token;
  }

  #room(bytes: number): Uint8Array {
    if (this.#buffer.length < bytes) this.#buffer = new Uint8Array(bytes);
    return this.#buffer;
  }
}
