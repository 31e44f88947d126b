// Putting guards into modules, where they have to look like what they replace.
import { callLater } from "./late-primordials.ts";
import { defineValue, ownKeys, rejected } from "./primordials.ts";
import type { Check, ConstructorCheck, Style } from "./stub.ts";
import * as stub from "./stub.ts";

/** Any function, `this` included. */
export type AnyFunction = (this: any, ...args: any[]) => unknown;

/** Replaces `owner[name]` by what `make` makes of it. An absent function stays absent. */
export function replace(owner: object, name: string, make: (native: AnyFunction) => AnyFunction): void {
  const functions = owner as Record<string, unknown>;
  const native = functions[name];
  if (typeof native !== "function") return;
  const replacement = make(native as AnyFunction);
  defineValue(replacement, "name", name, false);
  copyProperties(native, replacement);
  functions[name] = replacement;
}

/** Puts `check` before `owner[name]`. */
export function guard(owner: object, name: string, prefix: string, style: Style, check: Check): void {
  imitate(owner, name, () => stub.guard(owner, name, prefix + name, style, check));
}

/** Puts `check` before the constructor `owner[name]`. */
export function guardClass(owner: object, name: string, prefix: string, check: ConstructorCheck): void {
  imitate(owner, name, () => stub.guardClass(owner, name, prefix + name, check));
}

/** Replaces `owner[name]` by a function that always fails, with what `refuse` says. */
export function block(owner: object, name: string, prefix: string, style: Style, refuse: Check): void {
  imitate(owner, name, () => stub.block(owner, name, prefix + name, style, refuse));
}

/** Fails in the style of the API. */
export function answer(style: Style, error: Error, args: unknown[]): unknown {
  if (style === "reject") return rejected(error);
  const callback = args.length === 0 ? undefined : args[args.length - 1];
  if (style === "throw" || typeof callback !== "function") throw error;
  return callLater(callback as AnyFunction, error);
}

/** Puts something in the place of `owner[name]`, if that is a function, and makes it look the same. */
export function imitate(owner: object, name: string, put: () => void): void {
  const functions = owner as Record<string, unknown>;
  const native = functions[name];
  if (typeof native !== "function") return;
  put();
  copyProperties(native, functions[name] as object);
}

/** Gives a replacement the length, statics and promisified form of the original; its name it has already. */
function copyProperties(original: object, replacement: object): void {
  const names = ownKeys(original);
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    if (name !== "name" && name !== "prototype")
      defineValue(replacement, name, (original as Record<PropertyKey, unknown>)[name], false);
  }
}
