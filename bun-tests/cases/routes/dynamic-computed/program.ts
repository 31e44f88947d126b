import { attempt } from "../../attempt.ts";

const name = ["node", "fs"].join(":");
await attempt("import", async () => (await import(name)).readFileSync("outside/file.txt"));
