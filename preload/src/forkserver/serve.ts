// The fork server's harness: what one Bun for each tenant runs to be forked for each call.
//
// The server gets ready without a thread, without a random number that it keeps, and without anything of a call. Then it
// blocks in `native.serve`, of which each child comes out once.
import { lateCall } from "../late-call.ts";
import { defineValue } from "../primordials.ts";
import { answer, loaded } from "./call.ts";
import { Channel } from "./channel.ts";
import { type Native, settings } from "./native.ts";
import { preload, requestOf } from "./preload.ts";
import { otherThreads } from "./threads.ts";

/** The generator starts from 32 bits; after that many draws its state is as large as it gets, and can be recognised. */
const DRAWS_BEFORE_SEARCH = 4;

/**
 * After some thirty calls of a function the engine compiles it; in a child that would take longer than the call, so the
 * harness stays below that. A module that is called more often than this before the fork gets it beyond.
 */
const MOST_CALLS_UNCOMPILED = 4;
const CALLS_UNTIL_COMPILED = 100;
/**
 * What is called until that: enough different functions that the compiled code expects none of them. Expecting one, it
 * would be compiled anew in each child that calls another.
 */
const STRANGERS: ((a: number, b: number) => number)[] = [
  (a, b) => a + b,
  (a, b) => a - b,
  (a, b) => a * b,
  (a, b) => a / b,
  (a, b) => a | b,
  (a, b) => a & b,
  (a, b) => a ^ b,
  (a, b) => a % b,
];
const STRANGER = "stranger-";

/** Who makes those calls. */
const NOBODY = {
  functionID: null,
  userID: null,
  executionID: "warm-up",
  traceparent: null,
  startTime: 0,
  deadline: null,
};

const { warm_up: warmUp, module, control, rounds, child_rounds: childRounds } = settings;

/** Gets ready and serves. */
export async function serve(native: Native): Promise<void> {
  const channel = new Channel(native);
  let refused = 0;
  try {
    refused = await prepare(native, channel);
  } catch (error) {
    process.stderr.write(`secure-bun: the fork server cannot serve: ${String(error)}\n`);
    native.end(1);
  }
  const gate = native.serve(control, refused);
  if (gate < 0) native.end(1);
  // The engine remembers that of the server.
  defineValue(process, "pid", native.process_id(), true);
  // Children of a server that has a module loaded are mostly asked for that.
  const isLoaded = module !== null && refused === 0;
  await warm(channel, childRounds, (index) => (isLoaded ? warmUp : `${warmUp}?child-${index}`));
  channel.drawToken();
  const descriptor = native.join(gate);
  if (descriptor < 0) native.end(1);
  channel.open(descriptor);
  const request = channel.receive();
  if (request === null) native.end(0);
  // The launcher has its answer and ends the process; leaving by itself would keep the launcher waiting for the
  // processor.
  return answer(request!, () => channel.waitForEnd(), channel.read);
}

/** Gets this process ready to be forked, and says why the module is not loaded, or 0. */
async function prepare(native: Native, channel: Channel): Promise<number> {
  await warm(channel, rounds, (index) => `${warmUp}?${index}`);
  findRandom(native);
  checkThreads(native);
  note(native);
  if (module === null) return 0;
  await preload({ path: warmUp, export: "default", calls: [] }, native);
  const refused = await preload(module, native);
  if (module.calls.length > MOST_CALLS_UNCOMPILED) {
    STRANGERS.forEach((stranger, index) => (loaded[`${STRANGER}${index}`] = { default: stranger }));
    await warm(channel, CALLS_UNTIL_COMPILED, (index) => `${STRANGER}${index % STRANGERS.length}`);
  }
  checkThreads(native);
  note(native);
  return refused;
}

/**
 * Makes calls that nobody asked for, of a module by as many names as calls, or of one that is loaded already. On the
 * same way as those of the launcher: each page that is touched here, a call need not wait for.
 */
async function warm(channel: Channel, times: number, path: (index: number) => string): Promise<void> {
  for (let index = 0; index < times; index++) {
    const loopback = channel.openLoopback(requestOf(path(index), "default", "[1,2]"));
    await answer(channel.receive()!, () => {}, channel.read);
    lateCall().tellProgram({ ...NOBODY }, [], {});
    lateCall().restoreConsole();
    channel.closeLoopback(loopback);
  }
}

function checkThreads(native: Native): void {
  const names = otherThreads(native);
  if (names.length > 0) throw new Error(`other threads run: ${names.join(", ")}`);
}

/** Finds what children must have anew. Before any module of the tenant is there, which could look like it. */
function findRandom(native: Native): void {
  for (let draw = 0; draw < DRAWS_BEFORE_SEARCH; draw++) Math.random();
  const found = native.find_random(Math.random());
  if (found < 0) throw new Error(`cannot search memory (error ${-found})`);
  if (native.confirm_random(Math.random()) !== 1)
    throw new Error("the generators of random numbers are not found");
}

function note(native: Native): void {
  const mended = native.prepare();
  if (mended < 0) throw new Error(`cannot prepare for forks (error ${-mended})`);
}
