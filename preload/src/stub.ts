// Guards that cost next to nothing until they are called: the check itself is part of what is set up late.
import type { SecurityError, Site } from "./error.ts";
import type { Style } from "./guard.ts";
import { late } from "./late.ts";
import { apply } from "./primordials.ts";

/** Looks at the arguments, which it may replace by what it has checked; `null`: go on. */
export type Check = (args: unknown[], site: Site, self: unknown) => SecurityError | null;

type Functions = Record<string, unknown>;

/** Puts `check` before `owner[name]`. Assigned, not defined: defining a property of `Bun` makes all its lazy values. */
export function guard(owner: object, name: string, api: string, style: Style, check: Check): void {
  const native = (owner as Functions)[name] as Function;
  // A method, so that it cannot be called with `new` where the original cannot.
  const { guarded } = {
    guarded(this: unknown, ...args: unknown[]): unknown {
      const error = check(args, site, this);
      return error === null ? apply(native, this, args) : late().answer(style, error, args);
    },
  };
  const site: Site = { api, entry: guarded };
  (owner as Functions)[name] = guarded;
}

/**
 * Replaces `owner[name]`, unread, by a function that always fails, with what `refuse` says. For powers that the policy
 * does not grant at all: reading a lazy property makes its value, which costs more than everything else here.
 */
export function block(owner: object, name: string, api: string, style: Style, refuse: Check): void {
  (owner as Functions)[name] = blocked(api, style, refuse);
}

/** A function, or constructor, that always fails. */
export function blocked(api: string, style: Style, refuse: Check): (...args: unknown[]) => unknown {
  const function_ = function (this: unknown, ...args: unknown[]): unknown {
    return late().answer(style, refuse(args, site, this)!, args);
  };
  const site: Site = { api, entry: function_ };
  return function_;
}
