// An error that nobody handles is printed by Bun. What the policy has to do with it is for the launcher to say.
import { connected, hasFailed, send } from "./channel.ts";
import { describeThrown } from "./describe.ts";
import type { AnyFunction } from "./guard.ts";
import { replace } from "./guard.ts";
import { append, apply, getPrototypeOf, NativePromise, rejected } from "./primordials.ts";

type Listener = (...args: unknown[]) => void;

/** Our listeners, each after its event. */
const own: unknown[] = [];
const { then } = NativePromise.prototype;
/** Comes after all rejections that Bun found at the same time. */
const END = {};
let end: Promise<never> | null = null;

/** Tells the launcher about errors that nobody handles, which changes nothing about them. */
export function watchUncaught(): void {
  if (!connected) return;
  listen("uncaughtExceptionMonitor", (error: unknown) => {
    // One that the program has a handler for does not end it; that of loading is told already.
    if (process.listenerCount("uncaughtException") === 0) tell(error);
  });
  hideListeners();
  // For a rejection Bun has no monitor, and prints those that have no listener. A program's own listener wins, and
  // ours leaves when one is added.
  if (process.listenerCount("unhandledRejection") > 0) return;
  listen("unhandledRejection", tellRejection);
  listen("newListener", (event: unknown) => {
    if (event !== "unhandledRejection") return;
    leaveRejections();
    // Nobody else hears of it.
    if (end !== null) void apply(then, end, [undefined, () => undefined]);
  });
}

/**
 * Rejects once more with the same reason, in the same order, and leaves: Bun finds these next, before anything else runs,
 * and does with them what it would have done.
 */
function tellRejection(reason: unknown): void {
  if (reason === END) return leaveRejections();
  end ??= rejected(END);
  tell(reason);
  void rejected(reason);
}

function leaveRejections(): void {
  for (let index = 0; index < own.length; index += 2)
    if (own[index] !== "uncaughtExceptionMonitor")
      process.off(own[index] as string, own[index + 1] as Listener);
}

function tell(error: unknown): void {
  if (!hasFailed()) send("uncaught", describeThrown(error, "leave"));
}

function listen(event: string, listener: Listener): void {
  append(own, event);
  append(own, listener);
  process.on(event, listener);
}

/** A program that looks at its listeners finds its own: some add one only where there is none. */
function hideListeners(): void {
  const prototype = getPrototypeOf(process)!;
  const { rawListeners } = prototype as { rawListeners: AnyFunction };
  const others = (emitter: unknown, event: unknown) => foreign(apply(rawListeners, emitter, [event]));
  hide(prototype, "listeners", foreign);
  hide(prototype, "rawListeners", foreign);
  hide(prototype, "eventNames", (names, emitter) => kept(names, (name) => others(emitter, name).length > 0));
  replace(prototype, "listenerCount", (native) => {
    const { listenerCount } = {
      listenerCount(this: unknown, ...args: unknown[]): unknown {
        return args.length === 1 ? others(this, args[0]).length : apply(native, this, args);
      },
    };
    return listenerCount;
  });
}

function hide(owner: object, name: string, change: (list: unknown, self: unknown) => unknown): void {
  replace(
    owner,
    name,
    (native) =>
      function (this: unknown, ...args) {
        return change(apply(native, this, args), this);
      },
  );
}

/** The listeners that are not ours. */
function foreign(listeners: unknown): unknown[] {
  return kept(listeners, (listener) => {
    for (let index = 1; index < own.length; index += 2) if (own[index] === listener) return false;
    return true;
  });
}

function kept(list: unknown, keep: (item: unknown) => boolean): unknown[] {
  const items: unknown[] = [];
  const { length } = list as unknown[];
  for (let index = 0; index < length; index++) {
    const item = (list as unknown[])[index];
    if (keep(item)) append(items, item);
  }
  return items;
}
