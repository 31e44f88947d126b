import { attempt } from "../../attempt.ts";

await attempt("import", async () => (await import("fs")).readFileSync("outside/file.txt"));
