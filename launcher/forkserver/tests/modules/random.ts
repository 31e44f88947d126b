// Draws from everything cheap that gives random numbers.
import { randomBytes } from "node:crypto";
import { runInNewContext } from "node:vm";

export default function draw(): Record<string, string> {
  return {
    "Math.random": String(Math.random()),
    "Math.random of a context": String(runInNewContext("Math.random()")),
    "crypto.randomUUID": crypto.randomUUID(),
    "crypto.getRandomValues": String(crypto.getRandomValues(new Uint32Array(4))),
    "Bun.randomUUIDv7": Bun.randomUUIDv7().slice(-16),
    randomBytes: randomBytes(16).toString("hex"),
  };
}
