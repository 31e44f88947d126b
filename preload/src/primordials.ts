// The language as it was before the program could change it. Every other file uses these instead of methods and
// globals, because a guard that calls `path.startsWith` calls whatever the program made of it.
//
// Only what costs next to nothing to mention, and what the answer of a call is written with. Many classes are made
// when their name is first linked, 20 to 60 µs each: those are in `late-primordials.ts`.

const { bind, call } = Function.prototype;

/** `uncurry(f)(self, ...args)` is `f.call(self, ...args)`, without looking up `call`. */
export const uncurry = bind.bind(call) as <This, Args extends unknown[], Result>(
  method: (this: This, ...args: Args) => Result,
) => (self: This, ...args: Args) => Result;

export const { apply, construct, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, setPrototypeOf } =
  Reflect;
export const { ownKeys } = Reflect;
export const { keys: enumerableKeys, freeze } = Object;
export const { isArray } = Array;
export const { parse: parseJson, stringify: stringifyJson } = JSON;

export const NativeError = Error;
export const NativePromise = Promise;

export const ObjectPrototype = Object.prototype;
export const ArrayPrototype = Array.prototype;
export const FunctionPrototype = Function.prototype;
export const NumberPrototype = Number.prototype;
export const StringPrototype = String.prototype;
export const BooleanPrototype = Boolean.prototype;
export const BigIntPrototype = BigInt.prototype;

export const codeUnitAt = uncurry(String.prototype.charCodeAt);
export const substring = uncurry(String.prototype.substring);
export const indexOf = uncurry(String.prototype.indexOf) as (
  text: string,
  part: string,
  from?: number,
) => number;
export const numberToString = uncurry(Number.prototype.toString);
export const toWellFormed = uncurry(String.prototype.toWellFormed);
export const stringValue = uncurry(String.prototype.valueOf);
export const numberValue = uncurry(Number.prototype.valueOf);
export const booleanValue = uncurry(Boolean.prototype.valueOf);
export const symbolToString = uncurry(Symbol.prototype.toString);
export const bigIntToString = uncurry(BigInt.prototype.toString);
export const numberFrom = Number;
export const { captureStackTrace } = Error;
export const { isMainThread, nanoseconds, sleepSync } = Bun;
export const { byteLength } = Buffer;

const { log, info, debug, warn, error, trace } = console;
/** The console's functions: a program that puts its own in their place keeps those. */
export const consoleNatives = { log, info, debug, warn, error, trace };

/** A property descriptor's `value` half that no polluted `Object.prototype` can add to. */
export function defineValue(target: object, key: PropertyKey, value: unknown, enumerable: boolean): void {
  // `__proto__: null` in the literal: a getter called `get` on Object.prototype would otherwise be read.
  defineProperty(target, key, {
    __proto__: null,
    value,
    writable: true,
    configurable: true,
    enumerable,
  } as PropertyDescriptor);
}

/** A property that cannot be changed or removed. */
export function defineConstant(target: object, key: PropertyKey, value: unknown): void {
  defineProperty(target, key, { __proto__: null, value, enumerable: true } as PropertyDescriptor);
}

/** A property whose value is made when it is first read. */
export function defineLazily(
  target: object,
  key: PropertyKey,
  enumerable: boolean,
  make: () => unknown,
): void {
  const set = (value: unknown) => defineValue(target, key, value, enumerable);
  const get = () => {
    const value = make();
    set(value);
    return value;
  };
  defineProperty(target, key, {
    __proto__: null,
    get,
    set,
    configurable: true,
    enumerable,
  } as PropertyDescriptor);
}

/** Whether `text` begins with `prefix`. */
export function startsWith(text: string, prefix: string): boolean {
  return substring(text, 0, prefix.length) === prefix;
}

/** Whether `text` ends with `suffix`. */
export function endsWith(text: string, suffix: string): boolean {
  return text.length >= suffix.length && substring(text, text.length - suffix.length) === suffix;
}

/** Adds to the end of a list without calling a method of it, or a setter somebody put on its prototype. */
export function append<Item>(list: Item[], item: Item): void {
  defineValue(list, list.length, item, true);
}

/** A promise that is rejected already. */
export function rejected(reason: unknown): Promise<never> {
  return new NativePromise<never>((_, reject) => reject(reason));
}

/** A promise that is fulfilled already. */
export function resolved<Value>(value: Value): Promise<Value> {
  return new NativePromise((resolve) => resolve(value));
}

/** Copies what a caller passed, without iterating with the program's iterators. */
export function toList(args: ArrayLike<unknown>): unknown[] {
  const list: unknown[] = [];
  for (let index = 0; index < args.length; index++) append(list, args[index]);
  return list;
}
