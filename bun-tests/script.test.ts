// Scripts: behind the preload, also when it looks for a function to call, they end and print as under bare Bun.
import { describe, expect, test } from "bun:test";
import { realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { callOf, runBare, runGuarded } from "./harness.ts";
import { withProgram } from "./programs.ts";

const scripts: Record<string, [source: string, name?: string]> = {
  "output and order of callbacks": [
    `console.log("start"); setTimeout(() => console.log("timeout"), 1); setImmediate(() => console.log("immediate"));
     queueMicrotask(() => console.log("microtask")); process.nextTick(() => console.log("tick"));
     process.on("beforeExit", (code) => console.log("beforeExit", code)); process.on("exit", (code) => console.log("exit", code));`,
  ],
  "an exit code": ["process.exitCode = 7; console.log(1)"],
  "process.exit": ["setTimeout(() => console.log('never'), 50); process.exit(3)"],
  "an uncaught error": ["console.log(1); throw new Error('boom')"],
  "an uncaught error later": ["setTimeout(() => { throw new Error('later') }, 1)"],
  "an unhandled rejection": [
    "Promise.reject(new Error('unhandled')); setTimeout(() => console.log('later'), 5)",
  ],
  "an uncaughtException handler": [
    "process.on('uncaughtException', (e) => console.log(e.message)); throw new Error('x')",
  ],
  "an uncaught error of a guarded function": ["import fs from 'fs'; [fs.readFileSync('./missing.txt')]"],
  "an uncaught rejection of a guarded function": ["await Bun.file('./missing.txt').text()"],
  "a syntax error": ["console.log("],
  "a missing module": ["import 'no-such-package'"],
  "top-level await": ["await Bun.sleep(5); console.log(import.meta.main, Bun.main === import.meta.path)"],
  CommonJS: [
    "console.log(require.main === module, module.filename === __filename, typeof exports)",
    "program.cjs",
  ],
  "arguments and environment": ["console.log(process.argv.length, Object.keys(process.env).sort().join())"],
  "TypeScript and JSON": ["enum E { A = 1 } const x: number = E.A; console.log(x, JSON.stringify({ x }))"],
  globals: [
    `console.log(typeof fetch, fetch.name, Object.keys(globalThis).includes("SecurityError"), typeof Worker, typeof WebSocket,
      WebSocket.OPEN, Bun.file.name, Bun.spawn.name, Object.keys(Bun).length)`,
  ],
};

describe("as under bare Bun", () => {
  for (const [name, [source, file]] of Object.entries(scripts))
    test(name, async () => {
      await withProgram(
        source,
        async (path) => {
          const clean = ({
            stdout,
            stderr,
            code,
          }: {
            stdout: string;
            stderr: string;
            code: number | null;
          }) => ({
            stdout: stdout.replace(/BUN_\w+,?/g, ""),
            stderr,
            code,
          });
          const bare = clean(await runBare(path));
          const cwd = realpathSync(tmpdir());
          const everything = { write: ["/"] };
          expect(clean(await runGuarded(path, everything, { cwd }))).toEqual(bare);
          expect(clean(await runGuarded(path, everything, { cwd, channel: 3, call: callOf() }))).toEqual(
            bare,
          );
        },
        file,
      );
    });
});

test("the launcher's variables are hidden", async () => {
  await withProgram(
    "console.log(Object.keys(process.env).join(), Object.keys(Bun.env).join())",
    async (path) => {
      expect((await runBare(path)).stdout).toContain("BUN_JSC_useShadowRealm");
      expect((await runGuarded(path, {})).stdout).toBe("PATH PATH\n");
    },
  );
});

test("an uncaught refusal is printed with the program's line, not the preload's", async () => {
  const source = 'import { readFileSync } from "node:fs";\nreadFileSync("/etc/hostname");\n';
  await withProgram(source, async (path) => {
    for (const options of [{}, { channel: 3, call: callOf() }]) {
      const { stderr, code } = await runGuarded(path, {}, options);
      expect(code).toBe(1);
      expect(stderr).toContain('2 | readFileSync("/etc/hostname");');
      expect(stderr).toContain("SecurityError: reading");
      expect(stderr).not.toContain("preload.js");
    }
  });
});

test("an uncaught error of a guarded class is printed with the program's line", async () => {
  const source = 'import { Database } from "bun:sqlite";\nnew Database("./no/such/folder");\n';
  await withProgram(source, async (path) => {
    const { stderr } = await runGuarded(path, { write: ["/"] });
    expect(stderr).toContain('2 | new Database("./no/such/folder");');
    expect(stderr).toContain("SQLiteError: unable to open database file");
    expect(stderr).not.toContain("preload.js");
  });
});

test("Object.prototype can be frozen, and objects can still have their own toString", async () => {
  const source = `const own = {}; own.toString = () => "own"; console.log(String(own));
    class A { toString() { return "A" } } console.log(String(new A()), {}.toString());
    try { Object.prototype.polluted = 1 } catch {} console.log({}.polluted, Object.keys({ ...own }).join());`;
  await withProgram(source, async (path) => {
    const { stdout, stderr } = await runGuarded(path, {}, { freeze: true });
    expect({ stdout, stderr }).toEqual({
      stdout: "own\nA [object Object]\nundefined toString\n",
      stderr: "",
    });
  });
});

test("without a table the program does not start", async () => {
  await withProgram("console.log('started')", async (path) => {
    const { stdout, stderr, code } = await runGuarded(path, {}, { v: 2 as never });
    expect({ stdout, code }).toEqual({ stdout: "", code: 1 });
    expect(stderr).toContain("secure-bun: no policy table");
  });
});
