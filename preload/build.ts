// Builds `dist` from `src`: `bun preload/build.ts`; with `--check` it only compares, and exits 1 if a file that is
// checked in is not what the sources give.
//
// The bundle has four parts. The early one (everything `main.ts` imports) runs at each start. The guards of files, those
// of other things, and what calls functions, are functions inside the early one, made of bundles of their own: Bun's bundler would put their
// functions beside the early ones, and decoding those at each start takes as long as running the early part.
import { join } from "node:path";
import type { BunPlugin } from "bun";

const folder = join(import.meta.dir, "src");
const dist = join(import.meta.dir, "dist");
/**
 * What is built from which module: the guards and, for tests of the kernel alone, the protocol without them; both for a
 * program that is started for its call, and for children that are forked for theirs.
 */
export const BUNDLES = {
  "preload.js": "main.ts",
  "inert.js": "inert.ts",
  "forkserver.js": "forkserver/main.ts",
  "forkserver-inert.js": "forkserver/inert.ts",
} as const;

/** The late parts: the early module that stands for each, and the module it sets up. */
const PARTS = {
  late: "guards",
  "late-others": "others",
  "late-call": "call",
  "late-bytes": "byte-arrays",
} as const;
/** Early modules that late ones import. Their exports are handed in, so that there is one instance of each. */
const SHARED = ["primordials", "table", "channel", "stub", "late", "late-others", "late-bytes"];
const PREFIX = "shared_";
/** What the first late part hands on to the others. */
const CORE = ["command-failure", "error", "file-access", "guard", "late-primordials", "paths"];

/** The bundle's text. Stable: the same sources and the same Bun give the same bytes. */
export async function build(name: keyof typeof BUNDLES): Promise<string> {
  const plugins = [];
  for (const [stand, part] of Object.entries(PARTS)) {
    const shares = part === "guards" ? [sharedAsVariables] : [sharedAsVariables, coreFromGuards];
    plugins.push(partAsFunction(stand, returning(await bundled(`${part}.ts`, "esm", shares))));
  }
  const text = await bundled(BUNDLES[name], "cjs", plugins);
  // In a function and in strict mode, so that neither names nor `caller` of a guard lead the program into it. Without
  // Bun's own wrapper, because this text is compiled once more, to bytecode, on the user's machine.
  const wrapped = /^\/\/ @bun @bun-cjs\n\(function\([\w, ]*\) \{(.*)\}\)\s*$/s.exec(text);
  if (wrapped === null) throw new Error("Bun's wrapper of CommonJS modules has changed");
  return `"use strict";(()=>{${wrapped[1]}})();\n`;
}

async function bundled(entry: string, format: "cjs" | "esm", plugins: BunPlugin[]): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [join(folder, entry)],
    target: "bun",
    format,
    // Names must survive the first pass: its text is bundled once more.
    minify: format === "cjs" ? true : { syntax: true },
    plugins,
  });
  const [output] = outputs;
  if (output === undefined || outputs.length !== 1)
    throw new Error(`expected one output, not ${outputs.length}`);
  return output.text();
}

/** In the late bundle: shared modules are variables of the early one. */
const sharedAsVariables: BunPlugin = {
  name: "shared modules as variables",
  setup(builder) {
    const filter = new RegExp(`/(${SHARED.join("|")})\\.ts$`);
    builder.onLoad({ filter }, async ({ path }) => ({
      contents: (await exportsOf(path)).map((name) => `export const ${name} = ${PREFIX}${name};`).join("\n"),
      loader: "js",
    }));
  },
};

/** In a late bundle but the first: modules of which the first has the only instance. */
const coreFromGuards: BunPlugin = {
  name: "modules of the guards",
  setup(builder) {
    builder.onLoad({ filter: new RegExp(`/(${CORE.join("|")})\\.ts$`) }, async ({ path }) => ({
      contents: `export const { ${(await exportsOf(path)).join(", ")} } = ${PREFIX}late();`,
      loader: "js",
    }));
  },
};

/** In the early bundle: a stand-in, whose one export sets up its late part. */
function partAsFunction(stand: string, part: string): BunPlugin {
  return {
    name: `${stand} as a function`,
    setup(builder) {
      builder.onLoad({ filter: new RegExp(`/${stand}\\.ts$`) }, async ({ path }) => {
        const [accessor] = await exportsOf(path);
        const imports = await Promise.all(
          SHARED.filter((name) => name !== stand).map(async (name) => {
            const names = await exportsOf(join(folder, `${name}.ts`));
            return `import { ${names.map((each) => `${each} as ${PREFIX}${each}`).join(", ")} } from "./${name}.ts";`;
          }),
        );
        const code = `let part;\nexport function ${accessor}() { return (part ??= setUp()); }\nfunction setUp() {\n${part}\n}`;
        return { contents: `${imports.join("\n")}\n${code}`, loader: "js", resolveDir: folder };
      });
    },
  };
}

async function exportsOf(path: string): Promise<string[]> {
  return new Bun.Transpiler({ loader: "ts" }).scan(await Bun.file(path).text()).exports.sort();
}

/** Turns the last statement, `export { a, b as c };`, into `return { a, c: b };`. */
function returning(text: string): string {
  const found = /\nexport \{([^}]*)\};\s*$/.exec(text);
  if (found === null) throw new Error(`the late bundle does not end with its exports`);
  const members = found[1]!.split(",").map((member) => {
    const [local, exported = local] = member.trim().split(" as ");
    return `${exported}: ${local}`;
  });
  return `${text.slice(0, found.index).replace(/^\/\/ @bun.*\n/, "")}\nreturn { ${members.join(", ")} };`;
}

if (import.meta.main) {
  for (const name of Object.keys(BUNDLES) as (keyof typeof BUNDLES)[]) {
    const text = await build(name);
    const file = Bun.file(join(dist, name));
    if (Bun.argv.includes("--check")) {
      if ((await file.text().catch(() => "")) !== text) {
        console.error(`preload/dist/${name} is not what preload/src gives. Run: npm run build:preload`);
        process.exit(1);
      }
    } else {
      await file.write(text);
      console.log(`preload/dist/${name}: ${text.length} bytes`);
    }
  }
}
