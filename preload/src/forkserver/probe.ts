// What a child can be asked about itself, so that the launcher knows that forking works with this Bun: two children
// must not draw equal random numbers, events must arrive, and machine code must be made.
import { settings } from "./native.ts";

// The program's powers, as they are before they are tamed: what is asked here is whether forking works.
const { file, nanoseconds, password, randomUUIDv7 } = Bun;
const { getBuiltinModule } = process;

/** Enough work for every stage of the compiler. */
const ROUNDS = 3_000_000;
const TIMER_MS = 1;

export interface Probe {
  /** Random output by where it came from. No two children may agree in any. */
  readonly random: Readonly<Record<string, string>>;
  /** Events that arrived, each by a way of its own. */
  readonly events: readonly string[];
  /** How long a loop took that is slow unless it is compiled. */
  readonly loop_ms: number;
  readonly pid: number;
}

export async function probe(): Promise<Probe> {
  return { random: await draw(), events: await events(), loop_ms: loop(), pid: process.pid };
}

async function draw(): Promise<Record<string, string>> {
  const node = getBuiltinModule("node:crypto");
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["encrypt"]);
  return {
    "Math.random": String([Math.random(), Math.random()]),
    ...drawInContext(),
    "crypto.randomUUID": crypto.randomUUID(),
    "crypto.getRandomValues": String(crypto.getRandomValues(new Uint32Array(4))),
    "crypto.subtle": String(new Uint8Array(await crypto.subtle.exportKey("raw", key))),
    "Bun.randomUUIDv7": randomUUIDv7().slice(-12),
    "Bun.password": password.hashSync("x", { algorithm: "bcrypt", cost: 4 }),
    randomBytes: node.randomBytes(16).toString("hex"),
    randomInt: String(node.randomInt(2 ** 47)),
    "node:crypto.randomUUID": node.randomUUID(),
    generateKeyPair: node.createECDH("prime256v1").generateKeys("hex"),
    FormData: boundary(),
  };
}

/** Another global object has a generator of its own. There is none where strings do not become code. */
function drawInContext(): Record<string, string> {
  const { runInNewContext } = getBuiltinModule("node:vm");
  try {
    return { "Math.random of a context": String(runInNewContext("[Math.random(), Math.random()]")) };
  } catch (error) {
    if (error instanceof EvalError) return {};
    throw error;
  }
}

function boundary(): string {
  const form = new FormData();
  form.set("", "");
  return new Response(form).headers.get("content-type") ?? "";
}

async function events(): Promise<string[]> {
  const seen: string[] = [];
  await new Promise((resolve) => setTimeout(resolve, TIMER_MS));
  seen.push("timer");
  await new Promise(setImmediate);
  seen.push("immediate");
  // Is done by another thread, which wakes the event loop.
  await file(settings.warm_up).text();
  seen.push("file");
  await crypto.subtle.digest("SHA-256", new Uint8Array(1 << 16));
  seen.push("digest");
  return seen;
}

function loop(): number {
  const start = nanoseconds();
  let state = 1;
  for (let round = 0; round < ROUNDS; round++) state = (Math.imul(state, 1103515245) + 12345) | 0;
  if (state === 0) throw new Error("unreachable");
  return (nanoseconds() - start) / 1e6;
}
