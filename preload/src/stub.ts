// Guards that cost next to nothing until they are called: what judges and answers is set up late.
import type { Site } from "./error.ts";
import { late } from "./late.ts";
import {
  apply,
  captureStackTrace,
  construct,
  defineValue,
  getPrototypeOf,
  setPrototypeOf,
} from "./primordials.ts";
import type { SecurityError } from "./security-error.ts";

/** How an API tells its caller that an act failed. */
export type Style = "throw" | "reject" | "callback";

/** Looks at the arguments, which it may replace by what it has checked; `null`: go on. */
export type Check = (args: unknown[], site: Site, self: unknown) => SecurityError | null;

/**
 * Looks at the arguments of a constructor, which it may replace, and throws to refuse.
 * The function that it may return is told of the new instance.
 */
export type ConstructorCheck = (args: unknown[], site: Site) => ((instance: object) => void) | undefined;

type Members = Record<string, unknown>;

/** Puts `check` before `owner[name]`. Assigned, not defined: defining a property of `Bun` makes all its lazy values. */
export function guard(owner: object, name: string, api: string, style: Style, check: Check): void {
  const native = (owner as Members)[name] as Function;
  // A method, so that it cannot be called with `new` where the original cannot. The native function is called last, as
  // a tail call: this one is not on the stack of its errors, nor in what Bun prints of them.
  const { guarded } = {
    guarded(this: unknown, ...args: unknown[]): unknown {
      const error = check(args, site, this);
      return error === null ? apply(native, this, args) : late().answer(style, error, args);
    },
  };
  const site: Site = { api, entry: guarded };
  defineValue(guarded, "name", name, false);
  (owner as Members)[name] = guarded;
}

/**
 * Replaces `owner[name]`, unread, by a function that always fails, with what `refuse` says. For powers that the policy
 * does not grant at all: reading a lazy property makes its value, which costs more than everything else here.
 */
export function block(owner: object, name: string, api: string, style: Style, refuse: Check): void {
  const refused = blocked(api, style, refuse);
  defineValue(refused, "name", name, false);
  (owner as Members)[name] = refused;
}

/** A function, or constructor, that always fails. */
export function blocked(api: string, style: Style, refuse: Check): (...args: unknown[]) => unknown {
  const refused = function (this: unknown, ...args: unknown[]): unknown {
    return late().answer(style, refuse(args, site, this)!, args);
  };
  const site: Site = { api, entry: refused };
  return refused;
}

/** Puts `check` before the constructor `owner[name]`; classes that extend it and `instanceof` keep working. */
export function guardClass(owner: object, name: string, api: string, check: ConstructorCheck): void {
  const native = (owner as Members)[name] as Function;
  const guarded = function (this: unknown, ...args: unknown[]): object {
    // Called without `new`: the class says so itself.
    if (new.target === undefined) return apply(native, this, args) as object;
    const started = check(args, site);
    const target = new.target === guarded ? native : new.target;
    const instance = constructUnseen(native, args, target, guarded);
    started?.(instance);
    return instance;
  };
  const site: Site = { api, entry: guarded };
  setPrototypeOf(guarded, getPrototypeOf(native));
  guarded.prototype = native.prototype;
  defineValue(native.prototype as object, "constructor", guarded, false);
  defineValue(guarded, "name", name, false);
  (owner as Members)[name] = guarded;
}

/** Constructs; an error of the constructor starts at the caller of `guarded`. */
function constructUnseen(native: Function, args: unknown[], target: Function, guarded: Function): object {
  try {
    return construct(native, args, target) as object;
  } catch (error) {
    if (typeof error === "object" && error !== null) captureStackTrace(error, guarded);
    throw error;
  }
}
