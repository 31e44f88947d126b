import "./setup.ts";
import { describe, expect, test } from "bun:test";
import { quote } from "../../preload/src/quote.ts";
import { NotSerialisable, serialise } from "../../preload/src/serialise.ts";

const reasonOf = (value: unknown): string => {
  try {
    serialise(value, "result");
  } catch (error) {
    if (error instanceof NotSerialisable) return error.reason;
    throw error;
  }
  throw new Error("it was serialised");
};

describe("serialise", () => {
  const shared = { b: 2 };
  class Point {
    x = 1;
    #hidden = 2;
    get y() {
      return this.#hidden;
    }
  }
  class Money {
    toJSON(key: string) {
      return { money: key };
    }
  }
  const values: Record<string, unknown> = {
    null: null,
    numbers: [0, -0, 1.5, 1e21, -1e-7, NaN, Infinity, -Infinity],
    "long texts": ["a", '"', "\x7f", "é", "\ud800", "\u{1f600}"].map((text) => "x".repeat(100) + text),
    texts: ["", 'a"b\\c', "\n\t\u0000", "é", "\u{1f600}", "\ud800", "\u2028"],
    nested: { a: [1, { b: [] }], c: {} },
    "what JSON leaves out": { a: undefined, f() {}, [Symbol("s")]: 1, s: Symbol("t") },
    "holes in lists": [undefined, () => 1, Symbol("x"), , 1],
    "the same object twice": [shared, shared],
    dates: [new Date(0), new Date(NaN)],
    "a URL": new URL("https://example.com/?q=é"),
    "wrapped primitives": [new String("s"), new Number(1), new Boolean(false)],
    classes: [new Point(), new Money(), { inner: new Money() }],
    collections: [new Map([[1, 2]]), new Set([1]), /x/, new Error("e"), new Uint8Array(2)],
    "no prototype": Object.assign(Object.create(null), { a: 1 }),
    "keys that are numbers": { 2: "b", 1: "a", x: 0 },
    "a Buffer": Buffer.from("ab"),
    "a Proxy": new Proxy({ a: 1, b: [2] }, {}),
    "a proxied list": new Proxy([1, 2], {}),
  };
  for (const [name, value] of Object.entries(values))
    test(`says what JSON.stringify says of ${name}`, () => {
      const json = serialise(value, "result");
      expect(json).toMatch(/^[\x20-\x7e]*$/);
      expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value) ?? "null"));
    });

  test("makes null of what has no JSON at all", () => {
    for (const value of [undefined, () => 1, Symbol("x")]) expect(serialise(value, "result")).toBe("null");
  });

  test("names the place of what cannot be written", () => {
    expect(reasonOf({ a: [0, 1, { b: 1n }] })).toBe("result.a[2].b is a BigInt, which JSON cannot express");
    expect(reasonOf(1n)).toBe("result is a BigInt, which JSON cannot express");
    expect(reasonOf({ "a b": [1n] })).toBe('result["a b"][0] is a BigInt, which JSON cannot express');
    const cycle: any = { list: [{}] };
    cycle.list[0].up = cycle.list;
    expect(reasonOf(cycle)).toBe("result.list[0].up refers back to result.list");
    const self: any = {};
    self.self = self;
    expect(reasonOf(self)).toBe("result.self refers back to result");
  });

  test("refuses what nests without end", () => {
    let value: unknown = 1;
    for (let depth = 0; depth < 5000; depth++) value = [value];
    expect(reasonOf(value)).toBe("result nests deeper than 512 levels");
  });

  test("passes on what a getter throws", () => {
    const value = {
      get a() {
        throw new RangeError("mine");
      },
    };
    expect(() => serialise(value, "result")).toThrow("mine");
  });
});

test("quote writes ASCII only", () => {
  expect(quote("aé\u{1f600}\u007f\n")).toBe('"a\\u00e9\\ud83d\\ude00\\u007f\\n"');
});
