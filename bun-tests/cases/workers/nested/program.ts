// Workers of workers meet the same guards, and all of them count against one limit.
import { attempt } from "../../attempt.ts";

const worker = () => new Worker(new URL("./outer.ts", import.meta.url));
const told = (from: Worker) =>
  new Promise<MessageEvent>((resolve, reject) =>
    Object.assign(from, { onmessage: resolve, onerror: reject }),
  );
const ended = (of: Worker) => new Promise((resolve) => of.addEventListener("close", resolve));

const outer = worker();
const { data } = await told(outer);
for (const [what, outcome] of Object.entries<string>(data))
  await attempt(what, () => {
    if (outcome !== "worked") throw Object.assign(new Error(outcome), { name: outcome });
  });
await attempt("one more than granted, from outside", () => worker().terminate());
const end = ended(outer);
outer.terminate();
await end;
await attempt("what it had started ended with it", async () => {
  const again = [worker(), worker()];
  for (const each of again) each.terminate();
});
process.exit();
