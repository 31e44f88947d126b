// More of the language and the web, as it is when the first guard is asked something: each of these is made when it is
// first mentioned, and most starts need none. A program may have replaced them by then. It fools its own explanations
// with that; the kernel does not ask them, and results and errors are not written with them.
import { uncurry } from "./primordials.ts";

export const { isView } = ArrayBuffer;
export const NativeArrayBuffer = ArrayBuffer;
/** Absent where an option of JavaScriptCore removed it. */
export const NativeSharedArrayBuffer = globalThis.SharedArrayBuffer as
  SharedArrayBufferConstructor | undefined;
export const NativeTextDecoder = TextDecoder;
export const NativeUint8Array = Uint8Array;
export const NativeURL = URL;
export const NativeSet = Set;
export const NativeWeakMap = WeakMap;
export const weakMapGet = uncurry(WeakMap.prototype.get);
export const weakMapSet = uncurry(WeakMap.prototype.set);
export const mapGet = uncurry(Map.prototype.get);
export const mapSet = uncurry(Map.prototype.set);
export const toLowerCase = uncurry(String.prototype.toLowerCase);
const { queueMicrotask } = globalThis;

/** Calls back when the current code has ended. Not `process.nextTick`: reading that property alone takes 1 ms. */
export function callLater(callback: (answer?: unknown) => unknown, answer?: unknown): void {
  queueMicrotask(() => callback(answer));
}
