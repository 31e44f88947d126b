// Values as JSON, without asking anything that the program may have replaced: no JSON.stringify of objects, no
// `toJSON` that appeared on Object.prototype. What a value's own class says about itself is honoured.
import {
  append,
  apply,
  ArrayPrototype,
  BigIntPrototype,
  BooleanPrototype,
  booleanValue,
  codeUnitAt,
  enumerableKeys,
  FunctionPrototype,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  isArray,
  numberToString,
  NumberPrototype,
  numberValue,
  ObjectPrototype,
  StringPrototype,
  stringValue,
} from "./primordials.ts";
import { quote, quoteExactly } from "./quote.ts";

/** Values that nest deeper are refused: readers of JSON have such limits too, and a crash says less. */
const MAX_DEPTH = 512;

/** Why a value has no JSON: the path to the culprit and what is wrong with it. */
export class NotSerialisable {
  constructor(readonly reason: string) {}
}

/** One object on the way from the root to the value being written. */
interface Level {
  readonly parent: Level | null;
  readonly value: object;
  readonly depth: number;
  key: string | number;
}

/** Takes what goes beside the JSON, which then has `null` there: whether this value does, with the keys that lead to it. */
export interface Taker {
  take(value: object, path: () => readonly string[]): boolean;
}

/** The value as ASCII JSON, `null` where JSON has nothing for it. Throws `NotSerialisable`, or what a getter throws. */
export function serialise(value: unknown, root: string, taker: Taker | null = null): string {
  return write(value, "", null, { name: root, taker }) ?? "null";
}

/** What is being written. */
interface Root {
  readonly name: string;
  readonly taker: Taker | null;
}

function write(
  original: unknown,
  key: string | number,
  parent: Level | null,
  root: Root,
): string | undefined {
  if (isTaken(original, parent, root)) return "null";
  const value = simplify(original, key);
  if (value !== original && isTaken(value, parent, root)) return "null";
  switch (typeof value) {
    case "string":
      return quoteExactly(value);
    case "number":
      // NaN and the infinities: the only numbers whose difference with themselves is not zero.
      return value - value === 0 ? numberToString(value) : "null";
    case "boolean":
      return value ? "true" : "false";
    case "bigint":
      throw new NotSerialisable(`${pathTo(parent, root.name)} is a BigInt, which JSON cannot express`);
    case "object":
      return value === null ? "null" : writeObject(value, parent, root);
    default:
      return undefined;
  }
}

function isTaken(value: unknown, parent: Level | null, { taker }: Root): boolean {
  if (taker === null || typeof value !== "object" || value === null) return false;
  return taker.take(value, () => keysTo(parent));
}

function writeObject(value: object, parent: Level | null, root: Root): string {
  for (let level = parent; level !== null; level = level.parent)
    if (level.value === value)
      throw new NotSerialisable(
        `${pathTo(parent, root.name)} refers back to ${pathTo(level.parent, root.name)}`,
      );
  const depth = parent === null ? 1 : parent.depth + 1;
  if (depth > MAX_DEPTH) throw new NotSerialisable(`${root.name} nests deeper than ${MAX_DEPTH} levels`);
  const level: Level = { parent, value, depth, key: 0 };
  return isArray(value) ? writeList(value, level, root) : writeRecord(value, level, root);
}

function writeList(list: unknown[], level: Level, root: Root): string {
  let json = "[";
  const { length } = list;
  for (let index = 0; index < length; index++) {
    level.key = index;
    json += (index === 0 ? "" : ",") + (write(list[index], index, level, root) ?? "null");
  }
  return json + "]";
}

function writeRecord(record: object, level: Level, root: Root): string {
  let json = "{";
  const keys = enumerableKeys(record);
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index]!;
    level.key = key;
    const field = write((record as Record<string, unknown>)[key], key, level, root);
    if (field !== undefined) json += (json === "{" ? "" : ",") + quoteExactly(key) + ":" + field;
  }
  return json + "}";
}

/** What JSON.stringify sees of a value: the answer of its `toJSON`, or the primitive in a wrapper object. */
function simplify(value: unknown, key: string | number): unknown {
  if (value === null || typeof value !== "object") return value;
  const toJson = ownToJson(value);
  const simple =
    toJson === undefined
      ? value
      : apply(toJson, value, [typeof key === "number" ? numberToString(key) : key]);
  if (simple === null || typeof simple !== "object") return simple;
  try {
    const prototype = getPrototypeOf(simple);
    if (prototype === StringPrototype) return stringValue(simple as string);
    if (prototype === NumberPrototype) return numberValue(simple as number);
    if (prototype === BooleanPrototype) return booleanValue(simple as boolean);
  } catch {
    // An ordinary object that only borrowed the prototype.
  }
  return simple;
}

/** The `toJSON` of the value or of its class; one that was put on the prototype of all values is not asked. */
function ownToJson(value: object): (() => unknown) | undefined {
  for (let holder: object | null = value; holder !== null; holder = getPrototypeOf(holder)) {
    if (isSharedPrototype(holder)) return undefined;
    const found = getOwnPropertyDescriptor(holder, "toJSON");
    if (found === undefined) continue;
    const method: unknown = (value as { toJSON?: unknown }).toJSON;
    return typeof method === "function" ? (method as () => unknown) : undefined;
  }
  return undefined;
}

function isSharedPrototype(holder: object): boolean {
  return (
    holder === ObjectPrototype ||
    holder === ArrayPrototype ||
    holder === FunctionPrototype ||
    holder === StringPrototype ||
    holder === NumberPrototype ||
    holder === BooleanPrototype ||
    holder === BigIntPrototype
  );
}

/** The keys that lead from the root to what stands at `level.key`. */
function keysTo(level: Level | null): string[] {
  if (level === null) return [];
  const keys = keysTo(level.parent);
  append(keys, typeof level.key === "number" ? numberToString(level.key) : level.key);
  return keys;
}

function pathTo(level: Level | null, root: string): string {
  if (level === null) return root;
  const { key } = level;
  const above = pathTo(level.parent, root);
  if (typeof key === "number") return `${above}[${key}]`;
  return isPlainName(key) ? `${above}.${key}` : `${above}[${quote(key)}]`;
}

function isPlainName(key: string): boolean {
  for (let index = 0; index < key.length; index++) {
    const unit = codeUnitAt(key, index);
    const letter = (unit >= 65 && unit <= 90) || (unit >= 97 && unit <= 122) || unit === 95 || unit === 36;
    if (!letter && !(index > 0 && unit >= 48 && unit <= 57)) return false;
  }
  return key.length > 0;
}
