// A child's channel to the launcher. From the launcher there is one frame, the request: four bytes of length, the lowest
// first, and as many bytes of JSON. Towards it go the frames of every sandbox (../channel.ts), authenticated by a token
// that is drawn in the child. Once the program runs, nothing here asks what the program could have replaced.
import { carryBy, type Carrier, type FrameKind, send } from "../channel.ts";
import { uncurry } from "../primordials.ts";
import type { Native } from "./native.ts";

/** No descriptor: what is sent there gets lost. */
const NOWHERE = -1;
const TOKEN_BYTES = 16;
const FIRST_BUFFER_BYTES = 65_536;
/** The longest request that is accepted. */
const MOST_REQUEST_BYTES = 64 << 20;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const encodeInto = uncurry(TextEncoder.prototype.encodeInto);
const decode = uncurry(TextDecoder.prototype.decode);
const toHex = uncurry(Uint8Array.prototype.toHex);
const Bytes = Uint8Array;

/** The functions of the library that a channel calls, taken out: a method of an object is looked up by its name. */
type Calls = Pick<
  Native,
  "loopback" | "close_loopback" | "next_length" | "receive" | "send" | "random" | "end"
>;

export class Channel {
  readonly #calls: Calls;
  #descriptor = NOWHERE;
  #token = "";
  #buffer = new Bytes(FIRST_BUFFER_BYTES);
  /** Frames that go with the next one. */
  #waiting = "";

  readonly #carrier: Carrier = (kind, frame, bytes, length = 0) => this.#carry(kind, frame, bytes, length);

  constructor(native: Native) {
    const { loopback, close_loopback, next_length, receive, send, random, end } = native;
    this.#calls = { loopback, close_loopback, next_length, receive, send, random, end };
    carryBy(this.#carrier, "");
  }

  /** In a child: draws its token. From the kernel and not from Bun, whose store would have to be filled first. */
  drawToken(): void {
    const bytes = new Bytes(TOKEN_BYTES);
    if (this.#calls.random(bytes, TOKEN_BYTES) < 0) this.#calls.end(1);
    this.#token = toHex(bytes);
  }

  /**
   * From here on frames go to this descriptor; before, nowhere. The first one announces the token, at once: whatever
   * token comes first is believed, and from here on code of the program could run and send one.
   */
  open(descriptor: number): void {
    this.#descriptor = descriptor;
    this.#waiting = "";
    carryBy(this.#carrier, this.#token);
    send("hello", `{"v":1}`);
  }

  /** Opens a channel that leads back here, with a request to receive. What has to be closed when that is answered. */
  openLoopback(request: string): number {
    const { written } = encodeInto(encoder, request, this.#buffer);
    const both = this.#calls.loopback(this.#buffer, written);
    if (both < 0) throw new Error(`cannot make a channel (error ${-both})`);
    this.open(both & 0xffff);
    return both;
  }

  closeLoopback(both: number): void {
    this.#descriptor = NOWHERE;
    this.#calls.close_loopback(both);
  }

  /** Waits for a request; `null`: the launcher has closed the channel, or what came is none. */
  receive(): string | null {
    const length = this.#calls.next_length(this.#descriptor);
    if (length < 0 || length > MOST_REQUEST_BYTES) return null;
    const bytes = new Bytes(length);
    if (length > 0 && this.#calls.receive(this.#descriptor, bytes, length) < 0) return null;
    return decode(decoder, bytes);
  }

  /** Fills an array with what comes after a request. Without it there is nothing to call. */
  readonly read = (into: Uint8Array, length: number): void => {
    if (length > 0 && this.#calls.receive(this.#descriptor, into, length) < 0) this.#calls.end(1);
  };

  /** Waits until the launcher closes the channel, or ends the process before that. */
  waitForEnd(): void {
    this.#calls.next_length(this.#descriptor);
    this.#calls.end(0);
  }

  /** Sends a frame, and those that wait. Each that is sent wakes the launcher, which wants the processor then. */
  #carry(kind: FrameKind, frame: string, bytes: Uint8Array | undefined, length: number): void {
    this.#waiting += frame;
    if (kind === "loaded") return;
    const text = this.#waiting;
    this.#waiting = "";
    if (this.#buffer.length < text.length) this.#buffer = new Bytes(text.length);
    // It is ASCII, so its length is its length in bytes.
    encodeInto(encoder, text, this.#buffer);
    // The launcher notices an answer that is missing; there is nobody else to tell.
    this.#calls.send(this.#descriptor, this.#buffer, text.length);
    if (bytes === undefined) return;
    if (length > 0) this.#calls.send(this.#descriptor, bytes, length);
    this.#waiting = "\n";
  }
}
