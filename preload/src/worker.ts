// Workers start with a Bun of their own: they get the same preloads, or they would be outside all of this.
import type { Site } from "./error.ts";
import { refusal } from "./error.ts";
import { guardClass } from "./guard.ts";
import { append, apply, isArray, numberToString, toList } from "./primordials.ts";
import { details } from "./table.ts";

const { addEventListener } = EventTarget.prototype;
let running = 0;

/** Checks the arguments of the global `Worker`; the answer is told of the new one. */
export function checkWorker(args: unknown[], site: Site): (worker: object) => void {
  admit(args, site);
  return (worker) => {
    running++;
    apply(addEventListener, worker, ["close", () => running--]);
  };
}

/** Guards the `Worker` of node:worker_threads, which does not go through the global one. */
export function tameWorkerThreads(threads: object): void {
  guardClass(threads, "Worker", "worker_threads.", (args, site) => {
    admit(args, site);
    return (worker) => {
      running++;
      (worker as { once(event: string, listener: () => void): void }).once("exit", () => running--);
    };
  });
}

function admit(args: unknown[], site: Site): void {
  const error = refusal("workers", numberToString(running + 1), site);
  if (error !== null) throw error;
  const options = args[1];
  args[1] = forcePreload(typeof options === "object" ? options : null);
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
