import "./setup.ts";
import { expect, test } from "bun:test";
import { handOn, narrow, sandboxOf, type SpawnSync } from "../../preload/src/narrow.ts";

const site = { api: "Bun.spawn", entry: () => {} };
const answering =
  (answer: object, seen: unknown[] = []): SpawnSync =>
  (command, options) => {
    seen.push(command, options);
    return { stdout: JSON.stringify({ error: null, ...answer }) };
  };

/** Fails if a command is asked about that is known already. */
const never: SpawnSync = () => {
  throw new Error("asked again");
};

test("a command is put behind the binary, with what it was given", () => {
  const options = { argv0: "name", cwd: "/data", env: { PATH: "/bin" }, stdin: "pipe" };
  const lists: unknown[] = [["sh", "-c", ":"], { ...options, sandbox: 1 }];
  const seen: unknown[] = [];
  expect(narrow(lists, { read: "./a" }, site, answering({}, seen))).toBeNull();
  const words = ["/run/secure-bun/narrow", "--name", "name", '{"read":"./a"}', "sh", "-c", ":"];
  const { argv0: _, ...rest } = options;
  expect(lists).toEqual([words, rest]);
  expect(seen).toEqual([
    ["/run/secure-bun/narrow", "--check", '{"read":"./a"}', "sh"],
    { cwd: "/data", env: { PATH: "/bin" }, stdin: "ignore", stdout: "pipe", stderr: "ignore" },
  ]);

  const object: unknown[] = [{ cmd: ["sh", "-c", ":"], ...options, sandbox: 1 }];
  expect(narrow(object, { read: "./a" }, site, never)).toBeNull();
  expect(object).toEqual([{ ...rest, cmd: words }]);
});

test("the caller's own options stay as they are", () => {
  const options = { sandbox: "script", cwd: "/elsewhere" };
  const command = ["sh"];
  narrow([command, options], options.sandbox, site, answering({}));
  expect([command, options]).toEqual([["sh"], { sandbox: "script", cwd: "/elsewhere" }]);
});

test("a text is what a policy extends", () => {
  const args: unknown[] = [["sh"], {}];
  narrow(args, "./child.json", site, answering({}));
  expect(args[0]).toEqual(["/run/secure-bun/narrow", '{"extends":"./child.json"}', "sh"]);
});

test("what is no policy is a TypeError", () => {
  for (const value of [
    5,
    true,
    [],
    () => {},
    Symbol("x"),
    { toJSON: () => undefined },
    { read: "x".repeat(1 << 17) },
  ]) {
    const attempt = () => narrow([["sh"], {}], value, site, never);
    expect(attempt).toThrow(TypeError);
    expect(attempt).toThrow('Bun.spawn: "sandbox"');
  }
});

test("a mistake is asked about again, and told by its kind", () => {
  const attempt = (answer: object) => narrow([["nobody"], {}], {}, site, answering(answer));
  expect(() => attempt({ error: "invalid", message: "no key" })).toThrow(
    '"sandbox" is not a valid policy: no key',
  );
  expect(() => attempt({ error: "failed", message: "no tmp" })).toThrow("Bun.spawn: no tmp");
  const missing = expect.objectContaining({ code: "ENOENT", message: "Bun.spawn: nobody is not there" });
  expect(() => attempt({ error: "missing", message: "nobody is not there" })).toThrow(missing);
  const wider = {
    permission: "read",
    resource: "/x",
    rule: 'allow.read "/x" (sandbox:1:9)',
    fix: "leave it out",
  };
  expect(attempt({ error: "wider", message: "it is wider", ...wider })).toMatchObject({
    name: "SecurityError",
    message: "it is wider. To start it, leave it out",
    ...wider,
  });
});

test("where there is no binary nothing is started", () => {
  const absent: SpawnSync = () => {
    throw new Error("ENOENT");
  };
  const attempt = () => narrow([["other"], {}], {}, site, absent);
  expect(attempt).toThrow("no narrower sandbox can be made here: ENOENT");
});

test("functions of Node hand the policy on, while they run", () => {
  const seen: unknown[] = [];
  const module = {
    spawn: (..._: unknown[]) => void seen.push(sandboxOf({})),
    fork: (..._: unknown[]) => {
      throw new Error("failed");
    },
  };
  handOn(module);
  module.spawn("sh", ["-c"], { sandbox: "script" });
  module.spawn("sh", { sandbox: "function" }, () => {});
  module.spawn("sh", ["-c"]);
  expect(() => module.fork("x", { sandbox: "script" })).toThrow("failed");
  module.spawn("sh");
  expect(seen).toEqual(["script", "function", undefined, undefined, undefined]);
  expect(module.spawn.name).toBe("spawn");
});
