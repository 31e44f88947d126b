// Rejections that nobody handles: the launcher is told of them, and the program sees and prints what it does under bare
// Bun.
import { describe, expect, test } from "bun:test";
import { realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { runBare, runGuarded } from "./harness.ts";
import { withProgram } from "./programs.ts";

/** Something that a guard is asked about: from there on rejections are watched. */
const ASK = 'import fs from "node:fs"; fs.statSync("/");\n';

async function bothWays(source: string) {
  return withProgram(ASK + source, async (path) => {
    const bare = await runBare(path);
    const cwd = realpathSync(tmpdir());
    const guarded = await runGuarded(path, { write: ["/"] }, { cwd, channel: 3, hello: false });
    const seen = ({ stdout, stderr, code }: typeof bare) => ({ stdout, stderr, code });
    expect(seen(guarded)).toEqual(seen(bare));
    const told = guarded.frames.filter(({ kind }) => kind === "uncaught").map(({ payload }) => payload);
    return { ...seen(bare), told };
  });
}

describe("ends as under bare Bun, and the launcher is told", () => {
  const programs: Record<string, [source: string, message: string]> = {
    "at once": ["void Promise.reject(new Error('now'));", "now"],
    "in a callback": ["setTimeout(async () => { throw new TypeError('later'); }, 1);", "later"],
    "after an await": [
      "const deep = async () => { await 1; throw Object.assign(new Error('deep', { cause: 1 }), { code: 'X' }); };\nvoid deep();",
      "deep",
    ],
    "of a file": [
      "void Bun.file('./missing').text();",
      "ENOENT: no such file or directory, open './missing'",
    ],
    "of fs.promises": [
      "void fs.promises.readFile('./missing');",
      "ENOENT: no such file or directory, open './missing'",
    ],
    "at the top": ["console.log(1);\nawait Promise.reject(new Error('top'));", "top"],
    "with a text": ["void Promise.reject('text');", 'the program threw "text"'],
    "with nothing": ["void Promise.reject();", "the program threw undefined"],
    "with an object": ["void Promise.reject({ a: [1] });", "the program threw a value that is no error"],
    "with a proxy that throws": [
      "void Promise.reject(new Proxy({}, { get() { throw 1; }, getOwnPropertyDescriptor() { throw 2; } }));",
      "the program threw a value that is no error",
    ],
    "with listeners for something else": [
      "for (const event of ['uncaughtException', 'rejectionHandled', 'exit'])\n  process.on(event, () => console.log(event));\nvoid Promise.reject(new Error('x'));",
      "x",
    ],
  };
  for (const [name, [source, message]] of Object.entries(programs))
    test(name, async () => {
      const { code, told } = await bothWays(source);
      expect(code).toBe(1);
      expect(told.map((payload) => payload.message)).toEqual([message]);
    });
});

test("several at a time keep their order", async () => {
  const { code, stderr, told } = await bothWays(
    "for (const name of ['one', 'two', 'three']) void Promise.reject(new Error(name));",
  );
  expect(code).toBe(1);
  expect(stderr).toMatch(/error: one[^]*error: two[^]*error: three/);
  expect(told.map(({ message }) => message)).toEqual(["one", "two", "three"]);
});

describe("a listener of the program's wins", () => {
  const programs: Record<string, string> = {
    "that stays": "process.on('unhandledRejection', (reason) => console.log('handled', reason.message));",
    "that is there once":
      "process.once('unhandledRejection', (reason) => console.log('handled', reason.message));",
    "that is put first and goes":
      "process.prependOnceListener('unhandledRejection', (reason) => console.log('handled', reason.message));",
    "that looks whether there is one":
      "if (process.listenerCount('unhandledRejection') === 0)\n  process.on('unhandledRejection', (reason, promise) => console.log('handled', reason.message, promise === rejected));",
  };
  for (const [name, source] of Object.entries(programs))
    test(name, async () => {
      const { code, stdout, told } = await bothWays(
        `${source}\nconst rejected = Promise.reject(new Error("mine"));`,
      );
      expect({ code, told }).toEqual({ code: 0, told: [] });
      expect(stdout).toStartWith("handled mine");
    });
});

test("one that is handled in time is nobody's concern", async () => {
  const { code, told } = await bothWays(
    "const rejected = Promise.reject(new Error('x'));\nqueueMicrotask(() => rejected.catch(() => console.log('caught')));",
  );
  expect({ code, told }).toEqual({ code: 0, told: [] });
});

test("a program that counts its listeners counts its own", async () => {
  const { stdout } = await bothWays(
    `const count = () => console.log(process.eventNames().join(), JSON.stringify(["unhandledRejection", "newListener", "uncaughtExceptionMonitor"].map(
       (event) => [process.listenerCount(event), process.listeners(event).length, process.rawListeners(event).length])));
     count();
     process.on("uncaughtExceptionMonitor", () => {});
     process.on("unhandledRejection", () => {});
     count();
     process.removeAllListeners("unhandledRejection");
     count();`,
  );
  expect(stdout.split("\n")).toHaveLength(4);
});

test("a listener that is added while the reason is looked at", async () => {
  const source = `${ASK}const reason = { get message() {
      process.on("unhandledRejection", (value) => console.log("mine", value === reason));
      return "m";
    } };
    void Promise.reject(reason);`;
  await withProgram(source, async (path) => {
    const { stdout } = await runGuarded(path, { write: ["/"] }, { channel: 3, hello: false });
    expect(stdout).toBe("mine true\n");
  });
});
