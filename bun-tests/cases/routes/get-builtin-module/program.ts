import { attempt } from "../../attempt.ts";

await attempt("getBuiltinModule", () => process.getBuiltinModule("node:fs").readFileSync("outside/file.txt"));
