// Workers start with a Bun of their own: they get the same preloads, or they would be outside all of this.
import type { Site } from "./error.ts";
import { refusal } from "./error.ts";
import { guardClass } from "./guard.ts";
import { NativeSharedArrayBuffer } from "./late-primordials.ts";
import { append, apply, isArray, numberToString, toList } from "./primordials.ts";
import { details } from "./table.ts";

/** Which threads there are, in memory that workers inherit: each one's place holds its parent's place, plus one. */
const PLACES = "secure-bun.workers";
/** A worker's own place. */
const PLACE = "secure-bun.worker";
/** Workers beyond these share the last place. */
const MOST_PLACES = 1024;
const BYTES_PER_PLACE = 4;

const { addEventListener } = EventTarget.prototype;
const { compareExchange, load, store } = Atomics;

type Threads = Pick<typeof import("node:worker_threads"), "getEnvironmentData" | "setEnvironmentData">;
let threads: Threads;
let places: Int32Array | undefined;
/** This thread's place; that of the first one is not counted. */
let own = 0;
/** The place of a worker that is being made. */
let pending = 0;

/** Checks the arguments of the global `Worker`; the answer is told of the new one. */
export function checkWorker(args: unknown[], site: Site): (worker: object) => void {
  const place = admit(args, site);
  return (worker) => {
    pending = 0;
    apply(addEventListener, worker, ["close", () => leave(place)]);
  };
}

/** Guards the `Worker` of node:worker_threads, which does not go through the global one. */
export function tameWorkerThreads(threads: object): void {
  guardClass(threads, "Worker", "worker_threads.", (args, site) => {
    const place = admit(args, site);
    return (worker) => {
      pending = 0;
      (worker as { once(event: string, listener: () => void): void }).once("exit", () => leave(place));
    };
  });
}

/** Admits one worker more, and gives it a place. */
function admit(args: unknown[], site: Site): number {
  const shared = (places ??= findPlaces());
  // The last one was not made: its constructor threw.
  if (pending > 0) leave(pending);
  let count = 0;
  for (let place = 1; place < shared.length; place++) if (load(shared, place) > 0) count++;
  const error = refusal("workers", numberToString(count + 1), site);
  if (error !== null) throw error;
  const options = args[1];
  args[1] = forcePreload(typeof options === "object" ? options : null);
  pending = enter(shared);
  threads.setEnvironmentData(PLACE, pending);
  return pending;
}

function findPlaces(): Int32Array {
  threads = process.getBuiltinModule("worker_threads");
  const inherited = threads.getEnvironmentData(PLACES);
  const place = threads.getEnvironmentData(PLACE);
  if (NativeSharedArrayBuffer !== undefined && inherited instanceof NativeSharedArrayBuffer) {
    if (typeof place === "number") own = place;
    return new Int32Array(inherited);
  }
  const memory = new SharedArrayBuffer(MOST_PLACES * BYTES_PER_PLACE);
  threads.setEnvironmentData(PLACES, memory);
  return new Int32Array(memory);
}

function enter(shared: Int32Array): number {
  let place = 1;
  while (place < shared.length - 1 && compareExchange(shared, place, 0, own + 1) !== 0) place++;
  return place;
}

/** Frees the place of a worker that has ended, and those of the workers that ended with it. */
function leave(place: number): void {
  store(places!, place, 0);
  for (let other = 1; other < places!.length; other++) if (load(places!, other) === place + 1) leave(other);
}

/** The options with our preloads before the program's own. */
function forcePreload(options: object | null): object {
  const forced: Record<string, unknown> = { ...options };
  const preload = toList(details().preload);
  const { preload: own } = forced;
  if (isArray(own)) for (let index = 0; index < own.length; index++) append(preload, own[index]);
  else if (own !== undefined) append(preload, own);
  forced["preload"] = preload;
  // Flags of Bun itself; ours stay in force without.
  delete forced["execArgv"];
  return forced;
}
