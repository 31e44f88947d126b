// Function files: what is called, and what the launcher is told.
import { describe, expect, test } from "bun:test";
import type { CallRequest, Table } from "../preload/src/table.ts";
import type { Ending } from "./harness.ts";
import { callOf, runGuarded } from "./harness.ts";
import { withProgram } from "./programs.ts";

function run(
  source: string,
  request: Partial<CallRequest> = {},
  name?: string,
  options: Partial<Table> = {},
) {
  const table = { channel: 3, call: callOf(request), ...options };
  return withProgram(source, (path) => runGuarded(path, {}, table), name);
}

const kinds = (ending: Ending) => ending.frames.map(({ kind }) => kind).join(" ");
const answer = (ending: Ending) => ending.frames.at(-1)!.payload;

describe("what is called", () => {
  const functions: Record<string, [source: string, name?: string]> = {
    "a function": ["export default function (n: number) { return n + 1 }"],
    "an async arrow": ["export default async (n: number) => { await Bun.sleep(1); return n + 1 }"],
    "a function behind top-level await": ["await Bun.sleep(5); export default (n) => n + 1"],
    "a generator's first value": ["function* g(n) { yield n + 1 } export default (n) => g(n).next().value"],
    "module.exports": ["module.exports = (n) => n + 1", "program.cjs"],
    "module.exports in JavaScript": ["module.exports = function (n) { return n + 1 }", "program.js"],
    "a thenable's value": ["export default (n) => ({ then(done) { done(n + 1) } })"],
    "a bound function": ["export default ((n) => n + 1).bind(null)"],
  };
  for (const [name, [source, file]] of Object.entries(functions))
    test(name, async () => {
      const ending = await run(source, { args: "[41]" }, file);
      expect(ending.stderr).toBe("");
      expect(kinds(ending)).toBe("hello loaded call result");
      expect(ending.frames[1]!.payload).toEqual({ kind: "function" });
      expect(answer(ending)).toBe(42);
    });

  test("a named export", async () => {
    const ending = await run("export const add = ({ a, b }) => a + b", {
      export: "add",
      args: '[{"a":1,"b":2}]',
    });
    expect(answer(ending)).toBe(3);
  });

  test("without input there is no argument", async () => {
    expect(answer(await run("export default (...args) => args.length"))).toBe(0);
    expect(answer(await run("export default (...args) => args.length", { args: "[null]" }))).toBe(1);
  });

  test("undefined is null", async () => {
    expect(answer(await run("export default () => {}"))).toBe(null);
  });
});

describe("what is not called", () => {
  const scripts: Record<string, string> = {
    "no export": "console.log('ran')",
    "a class": "export default class {}; console.log('ran')",
    "an object": "export default { a: 1 }; console.log('ran')",
    "a function that serves":
      "const f = () => 1; f.fetch = () => 1; export default f; console.log('ran'); process.exit()",
  };
  for (const [name, source] of Object.entries(scripts))
    test(name, async () => {
      const ending = await run(source);
      expect(ending.stdout).toBe("ran\n");
      expect(ending.frames.find(({ kind }) => kind === "call")).toBeUndefined();
    });

  test("without a request nothing is called", async () => {
    const ending = await run(
      "export default () => console.log('called'); console.log('ran')",
      {},
      undefined,
      {
        call: null,
      },
    );
    expect(ending.stdout).toBe("ran\n");
    expect(kinds(ending)).toBe("hello");
  });
});

describe("errors", () => {
  test("a missing export names those there are", async () => {
    const ending = await run("export const a = 1; export const b = 2", { required: true, export: "c" });
    expect(kinds(ending)).toBe("hello error");
    expect(answer(ending)).toMatchObject({
      code: "ERR_EXPORT_NOT_FOUND",
      message: 'the program does not export "c": its exports are "a", "b"',
    });
  });

  test("an export that is no function", async () => {
    const ending = await run("export default class {}", { required: true });
    expect(answer(ending).code).toBe("ERR_EXPORT_NOT_CALLABLE");
  });

  test("what the function throws", async () => {
    const ending = await run(
      "export default function fails() { throw Object.assign(new RangeError('too big'), { code: 'E_BIG' }) }",
    );
    const { name, code, message, stack } = answer(ending);
    expect({ name, code, message }).toEqual({ name: "RangeError", code: "E_BIG", message: "too big" });
    expect(stack).toContain("fails");
    expect(stack).not.toContain("preload.js");
  });

  test("what it throws need not be an error", async () => {
    expect(answer(await run("export default () => { throw 'text' }")).message).toBe(
      'the program threw "text"',
    );
    expect(answer(await run("export default () => { throw null }")).message).toBe("the program threw null");
    expect(answer(await run("export default () => Promise.reject(5n)")).message).toBe("the program threw 5n");
    expect(answer(await run("export default () => { throw { message: 'x' } }")).message).toBe("x");
  });

  test("an error while loading is sent, and Bun prints it", async () => {
    const ending = await run("throw new TypeError('at load')");
    expect(kinds(ending)).toBe("hello error");
    expect(answer(ending)).toMatchObject({ name: "TypeError", message: "at load" });
    expect(ending.stderr).toContain("at load");
    expect(ending.code).toBe(1);
  });

  test("a syntax error", async () => {
    const ending = await run("export default (");
    expect(kinds(ending)).toBe("hello error");
    expect(ending.code).toBe(1);
  });

  test("a refusal carries what the policy says", async () => {
    const ending = await run("import fs from 'fs'; export default () => [fs.readFileSync('/etc/passwd')]");
    expect(kinds(ending)).toBe("hello loaded call denial error");
    expect(ending.frames[3]!.payload).toEqual({
      permission: "read",
      resource: "/etc/passwd",
      api: "fs.readFileSync",
      at: expect.stringMatching(/program\.ts:1:\d+$/),
      count: 1,
    });
    expect(answer(ending)).toMatchObject({
      name: "SecurityError",
      code: "ERR_ACCESS_DENIED",
      message:
        'reading "/etc/passwd" is not allowed: no rule of the policy grants it. To allow it: allow.read: ["/etc/passwd"]',
      permission: "read",
      resource: "/etc/passwd",
      rule: "default",
      fix: 'allow.read: ["/etc/passwd"]',
    });
  });

  test("code from a string", async () => {
    const ending = await run("export default () => [eval('1')]");
    expect(answer(ending)).toMatchObject({
      name: "EvalError",
      code: "ERR_ACCESS_DENIED",
      message:
        "compiling code from a string is not allowed: no rule of the policy grants it. To allow it: allow.eval: true",
      permission: "eval",
    });
  });

  test("a result that JSON cannot express", async () => {
    const ending = await run("export default () => ({ a: [0, { b: 1n }] })");
    expect(answer(ending)).toMatchObject({
      code: "ERR_RESULT_NOT_SERIALIZABLE",
      message: "result.a[1].b is a BigInt, which JSON cannot express",
    });
  });
});

describe("the console of a call", () => {
  const source =
    "console.log('before'); export default () => { console.log('a', { b: 1 }); console.error('c'); return 1 }";

  test("goes to standard error, after a mark on standard output", async () => {
    const ending = await run(source, { marker: "\0mark" });
    expect(ending.stdout).toBe("before\n\0mark\n");
    expect(ending.stderr).toBe("a {\n  b: 1,\n}\nc\n");
  });

  test("shows the mark to nobody but standard output", async () => {
    const ending = await run(
      "let seen = []; console.log = (...args) => void seen.push(args); export default () => seen",
      { marker: "\0mark" },
    );
    expect(ending.stdout).toBe("\0mark\n");
    expect(answer(ending)).toEqual([]);
  });

  test("becomes frames", async () => {
    const ending = await run(source, { logs: true });
    expect(ending.stdout).toBe("before\n");
    expect(ending.stderr).toBe("");
    expect(kinds(ending)).toBe("hello loaded call log log result");
    expect(ending.frames[3]!.payload).toEqual({
      t_ms: expect.any(Number),
      level: "log",
      text: "a {\n  b: 1,\n}",
    });
    expect(ending.frames[4]!.payload.level).toBe("error");
  });

  test("formats as the console does", async () => {
    const ending = await run("export default () => console.info('%s is %d', 'x', 3)", { logs: true });
    expect(ending.frames[3]!.payload).toMatchObject({ level: "info", text: "x is 3" });
  });
});

describe("frames", () => {
  test("of large results arrive whole and in order", async () => {
    const ending = await run("export default () => ({ text: 'é'.repeat(300_000) })");
    expect(answer(ending).text).toBe("é".repeat(300_000));
  });

  test("count repeated refusals, and bound different ones", async () => {
    const ending = await run(`import fs from "fs"; export default () => {
      const read = (path) => { try { fs.readFileSync(path) } catch {} };
      for (let index = 0; index < 100; index++) read("/same");
      for (let index = 0; index < 1000; index++) read("/other/" + index);
    }`);
    const denials = ending.frames.filter(({ kind }) => kind === "denial").map(({ payload }) => payload);
    const same = denials.filter(({ resource }) => resource === "/same");
    expect(same.map(({ count }) => count)).toEqual([1, 2, 4, 8, 16, 32, 64]);
    expect(new Set(denials.map(({ resource }) => resource)).size).toBe(101);
    expect(denials.at(-1)).toEqual({ dropped: true, count: 512 });
  });

  test("all carry the one token, which the program does not see", async () => {
    const ending = await run("export default () => JSON.stringify(Reflect.ownKeys(globalThis).map(String))");
    const { token } = ending.frames[0]!;
    expect(ending.frames.every((frame) => frame.token === token)).toBe(true);
    expect(answer(ending)).not.toContain("secure-bun");
  });
});

describe("a program that lies about its answer", () => {
  test("with toJSON on the prototypes of all values", async () => {
    const ending = await run(`
      for (const { prototype } of [Object, Array, String, Number, Function]) prototype.toJSON = () => "FORGED";
      export default () => ({ text: "HONEST", list: [1, "HONEST"], own: { toJSON: () => "MINE" } });
    `);
    expect(answer(ending)).toEqual({ text: "HONEST", list: [1, "HONEST"], own: "MINE" });
  });

  test("with everything replaced that an error goes through", async () => {
    const ending = await run(`
      Object.defineProperty(Object.prototype, "error", { set() { this.ok = true; this.result = "FORGED" } });
      globalThis.String = new Proxy(String, { apply: () => "FORGED" });
      JSON.stringify = () => '{"ok":true,"result":"FORGED"}';
      Error.prototype.toString = () => "FORGED";
      String.prototype.charCodeAt = () => 70;
      Array.prototype.push = () => 1;
      process.exit = () => {};
      process.on("uncaughtException", () => console.log("FORGED"));
      export default async () => { throw new RangeError("honest") };
    `);
    expect(kinds(ending)).toBe("hello loaded call error");
    expect(answer(ending)).toMatchObject({ name: "RangeError", message: "honest" });
    expect(ending.stdout).toBe("");
  });

  test("with an error that answers differently each time", async () => {
    const ending = await run(`export default () => { throw {
      get name() { throw new Error("no") }, get message() { return { toString: () => "FORGED" } }, get stack() { return 5 } } }`);
    expect(answer(ending)).toEqual({
      name: "Error",
      code: null,
      message: "the program threw a value that is no error",
      stack: null,
    });
  });

  test("with frames of its own, whose token it cannot know", async () => {
    const ending = await run(`import fs from "fs"; export default () => {
      const forged = '"FORGED"';
      fs.writeSync(3, "SB1 " + "0".repeat(32) + " result " + forged.length + "\\n" + forged + "\\n");
      return "HONEST";
    }`);
    const { token } = ending.frames[0]!;
    const believed = ending.frames.filter((frame) => frame.token === token);
    expect(believed.at(-1)!.payload).toBe("HONEST");
  });

  test("by leaving before it answers", async () => {
    const ending = await run("export default () => { console.log('{\"ok\":true}'); process.exit(0) }", {
      logs: true,
    });
    expect(kinds(ending)).toBe("hello loaded call log");
    expect(ending.code).toBe(0);
  });
});

test("the program runs once, as the main module", async () => {
  const ending = await run(
    "globalThis.count = (globalThis.count ?? 0) + 1; export default () => [globalThis.count, import.meta.main, Bun.main === import.meta.path]",
  );
  expect(answer(ending)).toEqual([1, true, true]);
});

test("nothing of the program runs after its answer", async () => {
  const ending = await run("setInterval(() => console.log('tick'), 1); export default () => 1");
  expect(ending.stdout).toBe("");
});

test("the context is a frozen global", async () => {
  const context = {
    functionID: "f",
    userID: "u",
    executionID: "e",
    traceparent: null,
    startTime: 5,
    deadline: 10,
  };
  const ending = await run(
    "export default () => { try { executionContext.userID = 'x' } catch {} try { executionContext = 1 } catch {} return executionContext }",
    {},
    undefined,
    { context },
  );
  expect(answer(ending)).toEqual(context);
});
