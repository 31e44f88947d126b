// The bytes of a path can be changed by another thread: they are read once.
import fs from "node:fs";
import { attempt } from "../../attempt.ts";

const bytes = new Uint8Array(new SharedArrayBuffer(16));
bytes.set(new TextEncoder().encode("outside/file.txt"));

await attempt("a path in shared memory", () => fs.readFileSync(bytes));
await attempt("a Buffer over shared memory", () => fs.readFileSync(Buffer.from(bytes.buffer)));
await attempt("granted bytes in shared memory", () => {
  bytes.set(new TextEncoder().encode("granted/file.txt"));
  fs.readFileSync(bytes);
});
