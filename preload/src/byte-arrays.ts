// Byte arrays of a call, for which JSON has nothing: they come after it and go before its result, as they are. Set up
// before the program runs, and only where a call has any.
import { sendBytes } from "./channel.ts";
import { append, defineValue, getOwnPropertyDescriptor, getPrototypeOf, uncurry } from "./primordials.ts";
import { quoteExactly } from "./quote.ts";
import type { Place } from "./table.ts";

/** As launcher/wire/src/byte_arrays.rs has it. */
const MOST = 16;
const MOST_BYTES = 16 << 20;

const Bytes = Uint8Array;

type View = Uint8Array<ArrayBufferLike>;

/** Asks for a property that the class of a value has, whatever the program made of that class. */
function getter<Value>(holder: object, key: PropertyKey): (value: object) => Value {
  const { get } = getOwnPropertyDescriptor(holder, key)!;
  return uncurry(get as (this: object) => Value);
}
const OfViews = getPrototypeOf(Bytes.prototype)!;
const classOf = getter<string | undefined>(OfViews, Symbol.toStringTag);
const bufferOf = getter<ArrayBuffer>(OfViews, "buffer");
const offsetOf = getter<number>(OfViews, "byteOffset");
const lengthOf = getter<number>(OfViews, "byteLength");
const lengthOfBuffer = getter<number>(ArrayBuffer.prototype, "byteLength");

/** Fills an array with what comes next. */
export type Reader = (into: View, length: number) => void;

/** Reads the byte arrays for these places. */
export function readArrays(places: readonly Place[], read: Reader): View[] {
  const arrays: View[] = [];
  for (let index = 0; index < places.length; index++) {
    const length = places[index]![1];
    const into = new Bytes(length);
    read(into, length);
    append(arrays, into);
  }
  return arrays;
}

/** Puts byte arrays into arguments, in which the launcher has seen these places. */
export function putArrays(args: unknown[], places: readonly Place[], arrays: readonly View[]): void {
  for (let index = 0; index < places.length; index++) {
    const at = places[index]![0];
    let holder: unknown = args;
    const last = at.length - 1;
    for (let step = 0; step < last; step++) holder = (holder as Record<string, unknown>)[at[step]!];
    defineValue(holder as object, at[last]!, arrays[index], true);
  }
}

interface Found {
  readonly at: string;
  readonly value: object;
}

/** The byte arrays of a result, as `serialise` comes by them. */
export class Collector {
  readonly #found: Found[] = [];
  readonly #views: View[] = [];
  #lengths: number[] = [];

  /** Takes a value if it is one, with the keys that lead to it. */
  take(value: object, path: () => readonly string[]): boolean {
    if (!isByteArray(value)) return false;
    // More are an error, so they need not be kept.
    if (this.#found.length <= MOST) append(this.#found, { at: toJson(path()), value });
    return true;
  }

  /** Settles what there is to send. What is wrong with it; `null`: nothing. */
  settle(root: string): string | null {
    const found = this.#found;
    if (found.length > MOST) return `${root} has more than ${MOST} byte arrays`;
    let sum = 0;
    for (let index = 0; index < found.length; index++) {
      const { value } = found[index]!;
      const isView = classOf(value) !== undefined;
      const length = isView ? lengthOf(value) : lengthOfBuffer(value);
      sum += length;
      if (sum > MOST_BYTES) return `${root} has byte arrays of more than ${MOST_BYTES} bytes`;
      // What is detached has no bytes, and cannot be looked at.
      const view =
        length === 0
          ? new Bytes(0)
          : new Bytes(
              isView ? bufferOf(value) : (value as ArrayBuffer),
              isView ? offsetOf(value) : 0,
              length,
            );
      append(this.#views, view);
      append(this.#lengths, length);
    }
    return null;
  }

  send(): void {
    for (let index = 0; index < this.#views.length; index++) {
      const whole = this.#views[index]!;
      const length = this.#lengths[index]!;
      const part = (from: number, until: number): View =>
        from === 0 && until === length
          ? whole
          : new Bytes(bufferOf(whole), offsetOf(whole) + from, until - from);
      sendBytes(this.#found[index]!.at, length, part);
    }
  }
}

/** Whether this is a `Uint8Array`, of which `Buffer` is one, or an `ArrayBuffer`. */
function isByteArray(value: object): boolean {
  if (classOf(value) === "Uint8Array") return true;
  try {
    lengthOfBuffer(value);
    return true;
  } catch {
    return false;
  }
}

function toJson(keys: readonly string[]): string {
  let json = "[";
  for (let index = 0; index < keys.length; index++)
    json += (index === 0 ? "" : ",") + quoteExactly(keys[index]!);
  return json + "]";
}
