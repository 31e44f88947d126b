// Every route to a module meets the same guard.
import * as namespace from "fs";
import named, { promises, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { attempt } from "../../attempt.ts";

const secret = "outside/file.txt";
const computed = ["f", "s"].join("");
type Fs = typeof namespace;

await attempt("a named import", () => readFileSync(secret));
await attempt("the default import", () => named.readFileSync(secret));
await attempt("the namespace of a bare name", () => namespace.readFileSync(secret));
await attempt("a dynamic import", async () => (await import("node:fs")).readFileSync(secret));
await attempt("a dynamic import of a bare name", async () => (await import("fs")).readFileSync(secret));
await attempt("a computed import", async () =>
  ((await import(`node:${computed}`)) as Fs).readFileSync(secret),
);
await attempt("require of a bare name", () => (require("fs") as Fs).readFileSync(secret));
await attempt("require with a scheme", () => (require("node:fs") as Fs).readFileSync(secret));
await attempt("a computed require", () => (require(computed) as Fs).readFileSync(secret));
await attempt("import.meta.require", () => (import.meta.require(computed) as Fs).readFileSync(secret));
await attempt("createRequire", () => (createRequire(import.meta.url)("fs") as Fs).readFileSync(secret));
await attempt("getBuiltinModule", () => (process.getBuiltinModule("fs") as Fs).readFileSync(secret));
await attempt("a CommonJS module", () => (require("./reader.cjs") as (path: string) => unknown)(secret));
await attempt("an import of promises", () => promises.readFile(secret));
await attempt("promises of a require", () => (require("fs") as Fs).promises.readFile(secret));
