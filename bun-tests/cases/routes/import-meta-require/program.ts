import { attempt } from "../../attempt.ts";

await attempt("import.meta.require", () => import.meta.require("fs").readFileSync("outside/file.txt"));
