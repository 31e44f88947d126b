// The fork server's harness: what one Bun per tenant runs to be forked for each call. Arguments: one JSON `Settings`.
//
// The server gets ready without a thread, without a random number that it keeps, and without anything of a call. Then it
// blocks in `serve`, of which each child comes out once.
import { answer, redirectConsole } from "./call.ts";
import { Channel } from "./channel.ts";
import { load } from "./native.ts";
import { preload, type Preloaded } from "./preload.ts";
import { otherThreads } from "./threads.ts";

interface Settings {
  /** A descriptor of the shared library: a sealed file in memory. */
  readonly library: number;
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

/** The generator starts from 32 bits; after that many draws its state is as large as it gets, and can be recognised. */
const DRAWS_BEFORE_SEARCH = 4;

const settings = JSON.parse(process.argv[2] ?? "") as Settings;
const native = load(settings.library);
const channel = new Channel(native);

/** Makes calls that nobody asked for, of a module by as many names as calls, or of one that is loaded already. */
async function warm(rounds: number, path: (index: number) => string): Promise<void> {
  for (let index = 0; index < rounds; index++)
    await answer(
      JSON.stringify({ kind: "call", path: path(index), export: "default", args: [1, 2], context: null }),
      channel,
    );
}

function checkThreads(): void {
  const names = otherThreads(native);
  if (names.length > 0) throw new Error(`other threads run: ${names.join(", ")}`);
}

/** Finds what children must have anew. Before any module of the tenant is there, which could look like it. */
function findRandom(): void {
  for (let draw = 0; draw < DRAWS_BEFORE_SEARCH; draw++) Math.random();
  const found = native.find_random(Math.random());
  if (found < 0) throw new Error(`cannot search memory (error ${-found})`);
  if (native.confirm_random(Math.random()) !== 1)
    throw new Error("the generators of random numbers are not found");
}

function prepare(): void {
  const mended = native.prepare();
  if (mended < 0) throw new Error(`cannot prepare for forks (error ${-mended})`);
}

async function main(): Promise<void> {
  redirectConsole(channel);
  const { warmUp, modules } = settings;
  await warm(settings.rounds, (index) => `${warmUp}?${index}`);
  findRandom();
  checkThreads();
  prepare();
  if (modules.length > 0) {
    await preload({ path: warmUp, calls: [] }, native, channel);
    for (const module of modules) await preload(module, native, channel);
    checkThreads();
    prepare();
  }
  const gate = native.serve(settings.control);
  if (gate < 0) native.end(1);
  const pid = native.process_id();
  Object.defineProperty(process, "pid", { value: pid, enumerable: true, configurable: true, writable: true });
  // Children of a server that has modules loaded are mostly asked for those.
  await warm(settings.childRounds, (index) => (modules.length > 0 ? warmUp : `${warmUp}?child-${index}`));
  channel.drawToken();
  const descriptor = native.join(gate);
  if (descriptor < 0) native.end(1);
  channel.open(descriptor);
  const request = channel.receive();
  if (request === null) native.end(0);
  await answer(request!, channel);
  // The launcher has its answer and ends the process; leaving by itself would keep the launcher waiting for the
  // processor.
  channel.waitForEnd();
}

main().catch((error: unknown) => {
  process.stderr.write(`secure-bun: the fork server cannot serve: ${String(error)}\n`);
  native.end(1);
});
