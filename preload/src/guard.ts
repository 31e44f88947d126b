// Putting a guard before a function of the program's world.
import type { SecurityError, Site } from "./error.ts";
import { refusal } from "./error.ts";
import type { Permission } from "./generated/policy.ts";
import {
  apply,
  construct,
  defineProperty,
  defineValue,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  callLater,
  ownKeys,
  rejected,
  setPrototypeOf,
} from "./primordials.ts";

/** How an API tells its caller that an act failed. */
export type Style = "throw" | "reject" | "callback";

/** Looks at the arguments, which it may replace by what it has checked; `null`: go on. */
export type Check = (args: unknown[], site: Site, self: unknown) => SecurityError | null;

/**
 * Looks at the arguments of a constructor, which it may replace, and throws to refuse.
 * The function that it may return is told of the new instance.
 */
export type ConstructorCheck = (args: unknown[], site: Site) => ((instance: object) => void) | void;

/** Names the resource of a call. */
export type Describe = (args: unknown[]) => string | null;

/** Any function, `this` included. */
export type AnyFunction = (this: any, ...args: any[]) => unknown;

/** Replaces `owner[name]` by what `make` makes of it. An absent function stays absent. */
export function replace(owner: object, name: string, make: (native: AnyFunction) => AnyFunction): void {
  const functions = owner as Record<string, unknown>;
  const native = functions[name];
  if (typeof native !== "function") return;
  const replacement = make(native as AnyFunction);
  copyProperties(native, replacement);
  // Assigned, not defined: defining a property of `Bun` makes all of its lazy values.
  functions[name] = replacement;
}

/** Puts `check` before `owner[name]`. */
export function guard(owner: object, name: string, prefix: string, style: Style, check: Check): void {
  replace(owner, name, (native) => {
    // A method, so that it cannot be called with `new` where the original cannot.
    const { guarded } = {
      guarded(this: unknown, ...args: unknown[]): unknown {
        const error = check(args, site, this);
        return error === null ? apply(native, this, args) : answer(style, error, args);
      },
    };
    const site: Site = { api: prefix + name, entry: guarded };
    return guarded;
  });
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
  (owner as Record<string, unknown>)[name] = refusing(name, prefix, style, permission, describe);
}

/** A function that fails with the refusal of what `describe` makes of its arguments. */
export function refusing(
  name: string,
  prefix: string,
  style: Style,
  permission: Permission,
  describe: Describe,
): AnyFunction {
  // Some of these are classes, called with `new`.
  const refused = function (...args: unknown[]): unknown {
    return answer(style, refusal(permission, describe(args), site)!, args);
  };
  const site: Site = { api: prefix + name, entry: refused };
  defineValue(refused, "name", name, false);
  return refused;
}

/** Puts `check` before the constructor `owner[name]`; classes that extend it, statics and `instanceof` keep working. */
export function guardClass(owner: object, name: string, prefix: string, check: ConstructorCheck): void {
  const classes = owner as Record<string, unknown>;
  const native = classes[name];
  if (typeof native !== "function") return;
  const guarded = function (this: unknown, ...args: unknown[]): object {
    // Called without `new`: the class says so itself.
    if (new.target === undefined) return apply(native, this, args) as object;
    const started = check(args, site);
    const instance = construct(native, args, new.target === guarded ? native : new.target) as object;
    started?.(instance);
    return instance;
  };
  const site: Site = { api: prefix + name, entry: guarded };
  copyProperties(native, guarded);
  setPrototypeOf(guarded, getPrototypeOf(native));
  guarded.prototype = native.prototype;
  defineValue(native.prototype as object, "constructor", guarded, false);
  classes[name] = guarded;
}

/** Fails in the style of the API. */
export function answer(style: Style, error: Error, args: unknown[]): unknown {
  if (style === "reject") return rejected(error);
  const callback = args.length === 0 ? undefined : args[args.length - 1];
  if (style === "throw" || typeof callback !== "function") throw error;
  callLater(callback as AnyFunction, error);
  return undefined;
}

/** Makes `replacement` look like the original: its name, length, promisified form. */
export function copyProperties(original: object, replacement: object): void {
  const names = ownKeys(original);
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    const own = getOwnPropertyDescriptor(replacement, name);
    if (own !== undefined && own.configurable !== true) continue;
    const property = getOwnPropertyDescriptor(original, name)!;
    // Else a `get` on Object.prototype would count as a part of it.
    setPrototypeOf(property, null);
    defineProperty(replacement, name, property);
  }
}
