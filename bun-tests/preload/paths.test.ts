import "./setup.ts";
import { expect, test } from "bun:test";
import { absolute, isWithin, pathText } from "../../preload/src/paths.ts";
import { isAmbient } from "../../preload/src/ambient.ts";

test("absolute makes a path normal without looking at files", () => {
  const cases: Record<string, string> = {
    "/": "/",
    "//": "/",
    "/a/b": "/a/b",
    "/a//b/": "/a/b",
    "/a/./b/../c": "/a/c",
    "/..": "/",
    "/../../a": "/a",
    "/a/..": "/",
    "/a/...": "/a/...",
    "/.hidden/x": "/.hidden/x",
    "x/../y": `${process.cwd()}/y`,
    ".": process.cwd(),
  };
  for (const [path, normal] of Object.entries(cases)) expect([path, absolute(path)]).toEqual([path, normal]);
});

test("isWithin compares components", () => {
  expect(isWithin("/a/b", "/a")).toBe(true);
  expect(isWithin("/a", "/a")).toBe(true);
  expect(isWithin("/ab", "/a")).toBe(false);
  expect(isWithin("/a", "/a/b")).toBe(false);
  expect(isWithin("/anything", "/")).toBe(true);
});

test("pathText reads each kind of path once", () => {
  const bytes = new TextEncoder().encode("/a/é");
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  for (const path of [
    "/a/é",
    new String("/a/é"),
    bytes,
    bytes.buffer,
    Buffer.from(bytes),
    shared,
    shared.buffer,
  ])
    expect(pathText(path)).toBe("/a/é");
  expect(pathText(new DataView(bytes.buffer))).toBe("/a/é");
  expect(pathText(new URL("file:///a/%C3%A9"))).toBe("/a/é");
});

test("pathText leaves alone what is no path", () => {
  const liar = { toString: () => "/a" };
  for (const value of [3, null, undefined, "", liar, [], { href: "file:///a" }, new URL("http://a/b")])
    expect(pathText(value)).toBeNull();
  // Not UTF-8: only the kernel can tell what it names.
  expect(pathText(new Uint8Array([0x2f, 0xff]))).toBeNull();
});

test("a subclass that lies about itself is read by its bytes", () => {
  class Liar extends Uint8Array {
    override toString() {
      return "/granted";
    }
  }
  expect(pathText(new Liar(new TextEncoder().encode("/secret")))).toBe("/secret");
});

test("ambient paths have no doors to other files", () => {
  for (const path of ["/dev/null", "/dev/urandom", "/proc/self/fd/1", "/proc/self/status"])
    expect([path, isAmbient("read", path)]).toEqual([path, true]);
  for (const path of [
    "/dev/sda",
    "/proc/1/environ",
    "/proc/self/root/etc/passwd",
    "/proc/self/cwd/x",
    "/dev/nullx",
  ])
    expect([path, isAmbient("read", path)]).toEqual([path, false]);
  expect(isAmbient("write", "/dev/null")).toBe(true);
  expect(isAmbient("write", "/dev/urandom")).toBe(false);
});
