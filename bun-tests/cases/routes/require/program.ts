// Alone in its program: another route would have set the guard already.
import { attempt } from "../../attempt.ts";

await attempt("require", () => require("fs").readFileSync("outside/file.txt"));
