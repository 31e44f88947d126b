// Classes and functions of the web, as they are when the first guard is asked something. A program may have replaced
// them by then: it fools its own explanations with that, the kernel does not ask them.

export const { isView } = ArrayBuffer;
export const NativeArrayBuffer = ArrayBuffer;
export const NativeBlob = Blob;
export const NativeRequest = Request;
/** Absent where an option of JavaScriptCore removed it. */
export const NativeSharedArrayBuffer = globalThis.SharedArrayBuffer as
  SharedArrayBufferConstructor | undefined;
export const NativeTextDecoder = TextDecoder;
export const NativeURL = URL;
export const { addEventListener } = EventTarget.prototype;
const { queueMicrotask } = globalThis;

/** Calls back when the current code has ended. Not `process.nextTick`: reading that property alone takes 1 ms. */
export function callLater(callback: (answer?: unknown) => unknown, answer?: unknown): void {
  queueMicrotask(() => callback(answer));
}
