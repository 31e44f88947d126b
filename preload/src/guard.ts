// Putting a guard before a function of the program's world.
import type { SecurityError, Site } from "./error.ts";
import { refusal } from "./error.ts";
import type { Permission } from "./generated/policy.ts";
import {
  apply,
  defineProperty,
  defineValue,
  getOwnPropertyDescriptor,
  nextTick,
  ownKeys,
  rejected,
} from "./primordials.ts";

/** How an API tells its caller that an act failed. */
export type Style = "throw" | "reject" | "callback";

/** Looks at the arguments, which it may replace by what it has checked; `null`: go on. */
export type Check = (args: unknown[], site: Site, self: unknown) => SecurityError | null;

/** Names the resource of a call. */
export type Describe = (args: unknown[]) => string | null;

type AnyFunction = (...args: unknown[]) => unknown;

/** Replaces `owner[name]` by a function that runs `check` first. An absent function stays absent. */
export function guard(owner: object, name: string, prefix: string, style: Style, check: Check): void {
  const functions = owner as Record<string, unknown>;
  const native = functions[name];
  if (typeof native !== "function") return;
  const guarded: AnyFunction = {
    [name](this: unknown, ...args: unknown[]): unknown {
      const error = check(args, site, this);
      return error === null ? apply(native, this, args) : answer(style, error, args);
    },
  }[name]!;
  const site: Site = { api: prefix + name, entry: guarded };
  copyProperties(native, guarded);
  // Assigned, not defined: defining a property of `Bun` makes all of its lazy values.
  functions[name] = guarded;
}

/**
 * Replaces `owner[name]`, unread, by a function that fails. For powers that the policy does not grant at all:
 * reading a lazy property makes its value, which costs more than everything else here.
 */
export function refuse(
  owner: object,
  name: string,
  prefix: string,
  style: Style,
  permission: Permission,
  describe: Describe,
): void {
  // Some of these are classes, called with `new`.
  const refused = function (...args: unknown[]): unknown {
    return answer(style, refusal(permission, describe(args), site)!, args);
  };
  const site: Site = { api: prefix + name, entry: refused };
  defineValue(refused, "name", name, false);
  (owner as Record<string, unknown>)[name] = refused;
}

/** Fails in the style of the API. */
export function answer(style: Style, error: Error, args: unknown[]): unknown {
  if (style === "reject") return rejected(error);
  const callback = args.length === 0 ? undefined : args[args.length - 1];
  if (style === "throw" || typeof callback !== "function") throw error;
  nextTick(callback as AnyFunction, error);
  return undefined;
}

/** Makes `replacement` look like the original: its name, length, promisified form. */
export function copyProperties(original: object, replacement: object): void {
  const names = ownKeys(original);
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    const own = getOwnPropertyDescriptor(replacement, name);
    if (own === undefined || own.configurable === true)
      defineProperty(replacement, name, getOwnPropertyDescriptor(original, name)!);
  }
}
