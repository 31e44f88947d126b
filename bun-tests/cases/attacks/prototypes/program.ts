// A program that replaces what guards might use gets the same refusals.
import fs from "node:fs";
import { attempt } from "../../attempt.ts";

const secret = "outside/file.txt";
const granted = "granted/file.txt";

const anything: any = globalThis;
const originals: [object: any, key: PropertyKey, descriptor: PropertyDescriptor][] = [];
function replace(object: any, key: PropertyKey, value: unknown): void {
  originals.push([object, key, Object.getOwnPropertyDescriptor(object, key)!]);
  object[key] = value;
}
function restore(): void {
  for (const [object, key, descriptor] of originals.splice(0))
    Reflect.defineProperty(object, key, descriptor);
}
/** Acts with replacements in place, but prints without them. */
function broken(act: () => unknown): () => unknown {
  return () => {
    const { apply, defineProperty } = Reflect;
    const { prototype: string } = String;
    const { prototype: array } = Array;
    const { prototype: map } = Map;
    for (const key of [
      "startsWith",
      "substring",
      "slice",
      "indexOf",
      "charCodeAt",
      "valueOf",
      "toString",
      "split",
    ])
      replace(string, key, () => granted);
    for (const key of ["push", "join", "map", "some", "every", "find", "includes", "indexOf"])
      replace(array, key, () => true);
    replace(array, Symbol.iterator, function* () {});
    for (const key of ["get", "has", "set"]) replace(map, key, () => true);
    replace(WeakMap.prototype, "get", () => undefined);
    replace(Function.prototype, "call", () => true);
    replace(Function.prototype, "apply", () => true);
    replace(Function.prototype, "bind", () => () => true);
    replace(RegExp.prototype, "test", () => true);
    replace(JSON, "stringify", () => '"forged"');
    replace(Reflect, "apply", () => "forged");
    replace(anything, "String", () => granted);
    replace(anything, "Promise", class {});
    replace(Object, "defineProperty", () => undefined);
    replace(Error, "captureStackTrace", () => undefined);
    void apply;
    void defineProperty;
    try {
      return act();
    } finally {
      restore();
    }
  };
}

// Under bare Bun the acts work in the same broken world.
await attempt(
  "readFileSync",
  broken(() => fs.readFileSync(secret)),
);
await attempt(
  "a Buffer",
  broken(() => fs.readFileSync(Buffer.from(secret))),
);
await attempt(
  "statSync",
  broken(() => fs.statSync(secret)),
);
await attempt(
  "writeFileSync",
  broken(() => fs.writeFileSync(secret, "x")),
);
await attempt(
  "Bun.write",
  broken(() => Bun.write(secret, "x")),
);
await attempt(
  "what is granted",
  broken(() => fs.readFileSync(granted)),
);

Object.defineProperty(Object.prototype, "get", { value: () => granted, configurable: true });
Object.defineProperty(Object.prototype, "allowed", { value: true, configurable: true });
await attempt("a polluted Object.prototype", () => fs.readFileSync(secret));
