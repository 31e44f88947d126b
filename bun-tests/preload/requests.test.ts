// Which requests the launcher carries out, by the hosts and ports that rules of `fetch` name.
import "./setup.ts";
import { describe, expect, test } from "bun:test";
import { parseHost } from "../../preload/src/hosts.ts";
import { destination, hostnameOf } from "../../preload/src/network.ts";
import { decideConnection, names } from "../../preload/src/fetch-rules.ts";

const isNamed = (pattern: string, text: string) => {
  const url = new URL(text);
  return names(pattern, parseHost(hostnameOf(url)), destination(url));
};

describe("a rule names", () => {
  for (const [pattern, url] of [
    ["*", "http://a.example/"],
    ["https://a.example/v1/*", "https://a.example/other"],
    ["https://a.example/v1/*", "https://A.example.:443/"],
    ["https://a.example/*", "wss://a.example/"],
    ["http://a.example:8080/*", "ws://a.example:8080/"],
    ["https://*.a.example/*", "https://x.y.a.example/"],
    ["https://*/x", "https://a.example/"],
    ["http://localhost:3000/*", "http://127.0.0.1:3000/"],
    ["http://localhost:3000/*", "http://[::1]:3000/"],
    ["http://[::1]:3000/*", "http://[::1]:3000/"],
    ["http://127.0.0.1/*", "http://127.0.0.1/"],
  ] as const)
    test(`${pattern}: ${url}`, () => expect(isNamed(pattern, url)).toBe(true));
});

describe("a rule does not name", () => {
  for (const [pattern, url] of [
    ["https://a.example/*", "http://a.example/"],
    ["https://a.example/*", "https://a.example:8443/"],
    ["https://a.example/*", "https://b.a.example/"],
    ["https://a.example/*", "https://ba.example/"],
    ["https://*.a.example/*", "https://a.example/"],
    ["https://*.a.example/*", "https://xa.example/"],
    ["https://*/x", "http://a.example/"],
    ["http://localhost:3000/*", "http://localhost:3001/"],
    ["http://localhost:3000/*", "http://localhost.example:3000/"],
    ["http://127.0.0.1/*", "http://127.0.0.2/"],
    ["http://[::1]:3000/*", "http://[::1]/"],
  ] as const)
    test(`${pattern}: ${url}`, () => expect(isNamed(pattern, url)).toBe(false));
});

describe("what a rule names is not connected to", () => {
  const rows = (...patterns: string[]) => ({
    allow: patterns.map((pattern) => ({ pattern, rule: `allow "${pattern}"` })),
    deny: [],
  });
  const verdict = (net: string[], fetch: string[], address: string) =>
    decideConnection({ net: rows(...net), fetch: rows(...fetch) } as never, address);

  for (const [net, fetch, address, rule] of [
    [["a.example:443"], ["https://a.example/*"], "a.example:443", 'allow "https://a.example/*"'],
    [[], ["https://*.a.example/*"], "b.a.example:443", 'allow "https://*.a.example/*"'],
    [[], ["https://a.example/*"], "a.example:80", "default"],
    [["a.example:443"], ["*"], "a.example:443", 'allow "a.example:443"'],
    [["a.example:443"], ["https://*/*", "https://*:443/*"], "a.example:443", 'allow "a.example:443"'],
  ] as const)
    test(`${address} by ${fetch.join()}`, () =>
      expect(verdict([...net], [...fetch], address).rule).toBe(rule));
});
