import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build, BUNDLES } from "../../preload/build.ts";

const dist = join(import.meta.dir, "..", "..", "preload", "dist");
const bundle = join(dist, "preload.js");

for (const name of Object.keys(BUNDLES) as (keyof typeof BUNDLES)[])
  test(`preload/dist/${name} is what preload/src gives`, async () => {
    if ((await build(name)) !== readFileSync(join(dist, name), "utf8"))
      throw new Error(`preload/dist/${name} is out of date. Run: npm run build:preload`);
  });

test("the bundle becomes bytecode, strict and ASCII", async () => {
  const text = readFileSync(bundle, "utf8");
  expect(text).toStartWith('"use strict";');
  expect(text).toMatch(/^[\x09\x0a\x20-\x7e]*$/);
  const { outputs } = await Bun.build({
    entrypoints: [bundle],
    target: "bun",
    format: "cjs",
    minify: true,
    bytecode: true,
  });
  expect(outputs.map(({ kind }) => kind).sort()).toEqual(["bytecode", "entry-point"]);
});
