// preload/apis.json knows all that this Bun has: a new version of Bun is looked at name by name before it is used.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { apis, bun, groups } from "../../preload/apis.json";
import { page } from "../../preload/page.ts";
import { runBare } from "../harness.ts";
import { withProgram } from "../programs.ts";

/** Modules that Bun has and does not list. */
const UNLISTED = ["node:test", "node:quic", "node-fetch", "@vercel/fetch", "isomorphic-fetch"];
const MORE_UNLISTED = ["abort-controller", "utf-8-validate", "bufferutil"];
const CLASSES = ["filesystem", "network", "process", "native", "leak", "exhaustion", "harmless"];

const modules = [...builtinModules, ...UNLISTED, ...MORE_UNLISTED];
const listed = (of: string) =>
  groups.filter((group) => group.of === of).flatMap(({ names }) => names.split(" "));

/** What the rows name of `of`: `Bun.file().stream` is about `file`. */
function inRows(of: string): string[] {
  const found = new Set<string>();
  for (const { api } of apis) {
    const member = of === "globalThis" ? api : api.startsWith(`${of}.`) ? api.slice(of.length + 1) : "";
    const name = /^[\w$]+(?=$|[.( ])/.exec(member)?.[0];
    // Rows of modules are about no global.
    if (name !== undefined && (of !== "globalThis" || !isModule(api))) found.add(name);
  }
  return [...found];
}

const isModule = (api: string) => modules.some((name) => api === name || api.startsWith(`${name}.`));

function members(of: object): string[] {
  return Reflect.ownKeys(of).filter((name) => typeof name === "string");
}

/** Each inventory, and what is in it. */
const inventories: Record<string, () => string[] | Promise<string[]>> = {
  Bun: () => members(Bun),
  globalThis: () => inProgram("Object.getOwnPropertyNames(globalThis)"),
  process: () => [...members(process), ...members(Object.getPrototypeOf(process))],
};

/** A list of names that a program prints: code from a text, and tests, see more. */
async function inProgram(list: string): Promise<string[]> {
  let names: string[] = [];
  await withProgram(`console.log(JSON.stringify(${list}))`, async (path) => {
    names = JSON.parse((await runBare(path)).stdout);
  });
  return names;
}

for (const group of groups)
  if (group.of === "modules" && reachesSystem(group.class) && !group.same)
    for (const name of group.names.split(" ")) inventories[name] = () => Object.keys(require(name));

function reachesSystem(kind: string): boolean {
  return kind !== "harmless" && kind !== "exhaustion";
}

test("the table is of this Bun", () => {
  expect(Bun.version).toBe(bun);
});

for (const [of, inventory] of Object.entries(inventories))
  test(`the table knows all of ${of}`, async () => {
    const there = (await inventory()).filter((name) => !isSyntax(of, name));
    const known = [...listed(of), ...inRows(of)];
    expect({ missing: there.filter((name) => !known.includes(name)) }).toEqual({ missing: [] });
    expect({ gone: known.filter((name) => !isSyntax(of, name) && !there.includes(name)) }).toEqual({
      gone: [],
    });
    const twice = listed(of).filter(
      (name, index, all) => all.indexOf(name) !== index || inRows(of).includes(name),
    );
    expect({ twice }).toEqual({ twice: [] });
  });

/** Rows of the language and of SQL, and what is switched off in a sandbox and here. */
function isSyntax(of: string, name: string): boolean {
  return of === "globalThis" && ["import", "require", "SQL", "ShadowRealm"].includes(name);
}

test("the table knows all modules, and of what is in them only what exists", () => {
  expect(listed("modules").toSorted()).toEqual(modules.toSorted());
  for (const { of } of groups) expect(["modules", ...Object.keys(inventories)]).toContain(of);
});

test("every entry says what it is", () => {
  for (const { class: kind } of [...apis, ...groups]) expect(CLASSES).toContain(kind);
  for (const row of apis) {
    expect([row.api, ["guarded", "answered", "kernel"].includes(row.policy)]).toEqual([row.api, true]);
    // A row is tried by tests/apis, or says why it is not.
    const { act, untried, kernel } = row as { act?: string; untried?: string; kernel: string | null };
    expect([row.api, act !== undefined, kernel !== null]).toEqual([row.api, !untried, !untried]);
  }
  expect(new Set(apis.map(({ api }) => api)).size).toBe(apis.length);
});

test("docs/apis.md is what the table gives", () => {
  const path = join(import.meta.dir, "..", "..", "docs", "apis.md");
  if (page() !== readFileSync(path, "utf8"))
    throw new Error("docs/apis.md is out of date. Run: npm run build:page");
});
