// Builds `dist/preload.js` from `src/main.ts`: `bun preload/build.ts`; with `--check` it only compares, and exits 1
// if the file that is checked in is not what the sources give.
import { join } from "node:path";

const sources = join(import.meta.dir, "src", "main.ts");
const bundle = join(import.meta.dir, "dist", "preload.js");

/** The bundle's text. Stable: the same sources and the same Bun give the same bytes. */
export async function build(): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [sources],
    target: "bun",
    format: "cjs",
    minify: true,
  });
  const [output] = outputs;
  if (output === undefined || outputs.length !== 1)
    throw new Error(`expected one output, not ${outputs.length}`);
  // In a function and in strict mode, so that neither names nor `caller` of a guard lead the program into it. Without
  // Bun's own wrapper, because this text is compiled once more, to bytecode, on the user's machine.
  const wrapped = /^\/\/ @bun @bun-cjs\n\(function\([\w, ]*\) \{(.*)\}\)\s*$/s.exec(await output.text());
  if (wrapped === null) throw new Error("Bun's wrapper of CommonJS modules has changed");
  return `"use strict";(()=>{${wrapped[1]}})();\n`;
}

if (import.meta.main) {
  const text = await build();
  if (Bun.argv.includes("--check")) {
    const current = await Bun.file(bundle)
      .text()
      .catch(() => "");
    if (current !== text) {
      console.error("preload/dist/preload.js is not what preload/src gives. Run: npm run build:preload");
      process.exit(1);
    }
  } else {
    await Bun.write(bundle, text);
    console.log(`preload/dist/preload.js: ${text.length} bytes`);
  }
}
