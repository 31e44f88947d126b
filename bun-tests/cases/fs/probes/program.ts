// Questions about existence are answered as if what is not granted did not exist.
import fs from "node:fs";
import { attempt, called } from "../../attempt.ts";

const secret = "outside/file.txt";
const answers: unknown[] = [];

await attempt("existsSync", () => answers.push(fs.existsSync(secret)));
await attempt(
  "exists",
  () => new Promise<void>((done) => fs.exists(secret, (found) => done(void answers.push(found)))),
);
await attempt("Bun.file().exists", async () => answers.push(await Bun.file(secret).exists()));
await attempt("statSync without throwing", () =>
  answers.push(fs.statSync(secret, { throwIfNoEntry: false }) !== undefined),
);
await attempt("accessSync", () => fs.accessSync(secret));
await attempt("access", () => called((done) => fs.access(secret, done)));
await attempt("promises.access", () => fs.promises.access(secret));
if (answers.includes(false)) console.log(answers.join());
