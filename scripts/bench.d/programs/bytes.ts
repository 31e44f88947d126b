// The program's end of `scripts/bench bytes`: takes or gives bytes once, in a process of its own, as a call does.
import { closeSync, fstatSync, readFileSync, readSync, writeSync } from "node:fs";
import { serialise } from "../../../preload/src/serialise.ts";

/** What the preload writes at once. */
const CHUNK = 65_536;

const [way, direction, size, descriptor] = process.argv.slice(2);
const length = Number(size);
const memory = Number(descriptor);

function take(): Uint8Array {
  switch (way) {
    case "base64": {
      // The arguments are JSON within JSON.
      const { args } = JSON.parse(readFileSync(0, "utf8")) as { args: string };
      const [text] = JSON.parse(args) as [string];
      return Uint8Array.fromBase64(text);
    }
    case "pipe":
      return readFileSync(0);
    default: {
      readSync(0, new Uint8Array(1));
      const bytes = new Uint8Array(fstatSync(memory).size);
      readSync(memory, bytes, 0, bytes.length, 0);
      return bytes;
    }
  }
}

function give(bytes: Uint8Array): void {
  switch (way) {
    case "base64": {
      const text = serialise(bytes.toBase64(), "result") + "\n";
      const pipe = Bun.file(1);
      for (let start = 0; start < text.length; start += CHUNK)
        void Bun.write(pipe, text.substring(start, start + CHUNK));
      return;
    }
    case "pipe":
      for (let written = 0; written < bytes.length;)
        written += writeSync(1, bytes, written, Math.min(CHUNK, bytes.length - written));
      return;
    default:
      for (let written = 0; written < bytes.length;)
        written += writeSync(memory, bytes, written, bytes.length - written, written);
      writeSync(1, ".");
  }
}

const bytes = new Uint8Array(direction === "give" ? length : 0).fill(0xa5);
writeSync(1, "!");
if (direction === "give") {
  readSync(0, new Uint8Array(1));
  give(bytes);
} else {
  const taken = take();
  if (taken.length !== length || taken[length - 1] !== 0xa5) process.exit(1);
  writeSync(1, ".");
}
closeSync(0);
