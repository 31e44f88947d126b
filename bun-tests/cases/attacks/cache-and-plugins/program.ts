// Once a module is guarded, taking the routes' guards away changes nothing.
import fs from "node:fs";
import { attempt } from "../../attempt.ts";

await attempt("before", () => fs.readFileSync("outside/file.txt"));
Bun.plugin.clearAll();
for (const name of Object.keys(require.cache)) delete require.cache[name];
await attempt("require", () => require("fs").readFileSync("outside/file.txt"));
await attempt("import", async () => (await import(["f", "s"].join(""))).readFileSync("outside/file.txt"));
