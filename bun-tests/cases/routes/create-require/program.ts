import { createRequire } from "node:module";
import { attempt } from "../../attempt.ts";

await attempt("createRequire", () =>
  createRequire(import.meta.url)("fs/promises").readFile("outside/file.txt"),
);
