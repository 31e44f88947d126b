// The fork server's harness: what one Bun per tenant runs to be forked for each call. Arguments: one JSON `Settings`.
//
// The server gets ready without a thread, without a random number that it keeps, and without anything of a call. Then it
// blocks in `serve`, of which each child comes out once.
import { answer, type Call, loaded, redirectConsole } from "./call.ts";
import { Channel } from "./channel.ts";
import { load } from "./native.ts";

interface Settings {
  /** The shared library. */
  readonly library: string;
  /** The descriptor of the control socket. */
  readonly control: number;
  /** A module with a default export of two arguments: the harness warms up with it. */
  readonly warmUp: string;
  /** How often, in the server. */
  readonly rounds: number;
  /** How often again in each child, before it gets its channel. */
  readonly childRounds: number;
  /** Modules to load before the fork. */
  readonly modules: readonly Preloaded[];
}

/** A module that its tenant wants loaded before the fork. */
interface Preloaded {
  readonly path: string;
  /** Requests to answer before the fork, so that the module is as warm as those leave it. Their results are dropped. */
  readonly calls: readonly Call[];
}

const MOST_NAMES_BYTES = 4096;
/** Threads of the compiler and the collector, which end after some 10 s without work. */
const ENGINE_THREADS = ["JITWorker", "HeapHelper"];
const STEP_MS = 50;
const MOST_WAIT_MS = 20_000;
/** The generator starts from 32 bits; after that many draws its state is as large as it gets, and can be recognised. */
const DRAWS_BEFORE_SEARCH = 4;

const settings = JSON.parse(process.argv[2] ?? "") as Settings;
const native = load(settings.library);
const channel = new Channel(native);

const call = (index: number) =>
  JSON.stringify({ kind: "call", path: `${settings.warmUp}?${index}`, export: "default", args: [1, 2], context: null });

async function warm(rounds: number, from: number): Promise<void> {
  for (let index = 0; index < rounds; index++) await answer(call(from + index), channel);
}

/** Names of the threads beside this one. */
function otherThreads(): string[] {
  const bytes = new Uint8Array(MOST_NAMES_BYTES);
  const length = native.threads(bytes, bytes.length);
  if (length < 0) throw new Error(`cannot list threads (error ${-length})`);
  return new TextDecoder().decode(bytes.subarray(0, length)).split("\n").slice(0, -1);
}

/** Throws where threads run that will not end by themselves, and waits for those that will. */
function waitForThreads(): void {
  for (let waited = 0; ; waited += STEP_MS) {
    const names = otherThreads();
    if (names.length === 0) return;
    const foreign = names.find((name) => !ENGINE_THREADS.includes(name));
    if (foreign !== undefined) throw new Error(`a thread runs: ${foreign}`);
    if (waited > MOST_WAIT_MS) throw new Error(`threads of the engine do not end: ${names.join(", ")}`);
    Bun.sleepSync(STEP_MS);
  }
}

/** Finds what children must have anew. Before any module of the tenant is there, which could look like it. */
function findRandom(): void {
  for (let draw = 0; draw < DRAWS_BEFORE_SEARCH; draw++) Math.random();
  const found = native.find_random(Math.random());
  if (found < 0) throw new Error(`cannot search memory (error ${-found})`);
  if (native.confirm_random(Math.random()) !== 1) throw new Error("the generators of random numbers are not found");
}

function prepare(): void {
  const mended = native.prepare();
  if (mended < 0) throw new Error(`cannot prepare for forks (error ${-mended})`);
}

async function preload({ path, calls }: Preloaded): Promise<void> {
  loaded.set(path, (await import(path)) as Record<string, unknown>);
  for (const request of calls) await answer(JSON.stringify(request), channel);
}

async function main(): Promise<void> {
  redirectConsole(channel);
  await warm(settings.rounds, 0);
  findRandom();
  for (const module of settings.modules) await preload(module);
  waitForThreads();
  prepare();
  const gate = native.serve(settings.control);
  if (gate < 0) native.end(1);
  const pid = native.process_id();
  Object.defineProperty(process, "pid", { value: pid, enumerable: true, configurable: true, writable: true });
  await warm(settings.childRounds, settings.rounds);
  const descriptor = native.join(gate);
  if (descriptor < 0) native.end(1);
  channel.open(descriptor);
  const request = channel.receive();
  if (request === null) native.end(0);
  await answer(request!, channel);
  // The launcher has its answer and ends the process; leaving by itself would keep the launcher waiting for the processor.
  channel.receive();
  native.end(0);
}

main().catch((error: unknown) => {
  process.stderr.write(`secure-bun: the fork server cannot serve: ${String(error)}\n`);
  native.end(1);
});
