import "./setup.ts";
import { describe, expect, test } from "bun:test";
import { Collector, putArrays } from "../../preload/src/byte-arrays.ts";
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

describe("byte arrays", () => {
  const collected = (value: unknown) => {
    const collector = new Collector();
    const taken: string[][] = [];
    const take = (found: object, path: () => readonly string[]) => {
      const isTaken = collector.take(found, path);
      if (isTaken) taken.push([...path()]);
      return isTaken;
    };
    return { json: serialise(value, "result", { take }), taken, wrong: collector.settle("result") };
  };

  test("are taken out, with the keys that lead to them", () => {
    const one = new Uint8Array(3);
    class Packed {
      toJSON() {
        return new Uint8Array(1);
      }
    }
    const value = {
      a: [1, one, { "b.c": Buffer.from("hi") }],
      d: new ArrayBuffer(2),
      e: new Packed(),
      f: one,
    };
    expect(collected(value)).toEqual({
      json: '{"a":[1,null,{"b.c":null}],"d":null,"e":null,"f":null}',
      taken: [["a", "1"], ["a", "2", "b.c"], ["d"], ["e"], ["f"]],
      wrong: null,
    });
    expect(collected(one)).toEqual({ json: "null", taken: [[]], wrong: null });
  });

  test("are those of bytes alone, and only where they are wanted", () => {
    const value = {
      a: new Uint16Array([1]),
      b: { [Symbol.toStringTag]: "Uint8Array" },
      c: new DataView(new ArrayBuffer(1)),
    };
    expect(collected(value)).toEqual({ json: JSON.stringify(value), taken: [], wrong: null });
    expect(serialise([new Uint8Array([7]), new ArrayBuffer(1)], "result")).toBe('[{"0":7},{}]');
  });

  test("are only so many", () => {
    const array = new Uint8Array(1);
    expect(collected(new Array(16).fill(array)).wrong).toBe(null);
    expect(collected(new Array(17).fill(array)).wrong).toBe("result has more than 16 byte arrays");
    expect(collected([new Uint8Array(16 << 20)]).wrong).toBe(null);
    expect(collected([new Uint8Array(16 << 20), array]).wrong).toBe(
      "result has byte arrays of more than 16777216 bytes",
    );
  });

  test("are put where they belong", () => {
    const args = JSON.parse('[null,{"__proto__":[null]}]') as any[];
    const [first, second] = [new Uint8Array(1), new Uint8Array(2)];
    putArrays(
      args,
      [
        [["0"], 1],
        [["1", "__proto__", "0"], 2],
      ],
      [first, second],
    );
    expect(args[0]).toBe(first);
    expect(Object.getOwnPropertyDescriptor(args[1], "__proto__")!.value[0]).toBe(second);
  });
});

test("quote writes ASCII only", () => {
  expect(quote("aé\u{1f600}\u007f\n")).toBe('"a\\u00e9\\ud83d\\ude00\\u007f\\n"');
});
