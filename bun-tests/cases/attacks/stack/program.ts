// What a stack shows of the guards leads nowhere.
import fs from "node:fs";
import { attempt } from "../../attempt.ts";

const secret = "outside/file.txt";
const found: unknown[] = [];
const { prepareStackTrace } = Error;
Error.prepareStackTrace = (error, sites) => {
  for (const site of sites) found.push(site.getThis(), site.getFunction());
  return `${error}`;
};
const probe = {
  toString() {
    found.push((probe.toString as any).caller);
    return "granted/file.txt";
  },
};
for (const act of [
  () => fs.readFileSync(probe as never),
  () => fs.readFileSync(secret),
  () => Bun.file(probe as never),
])
  try {
    act();
  } catch (error) {
    found.push((error as Error).stack, (error as Error).cause, ...Object.values(error as object));
  }
Error.prepareStackTrace = prepareStackTrace;

await attempt("functions on the stack", () => {
  let refusal: unknown;
  for (const candidate of [fs.readFileSync, ...found] as any[])
    for (const read of [candidate, candidate?.readFileSync])
      if (typeof read === "function")
        try {
          read(secret);
          return;
        } catch (error) {
          refusal ??= error;
        }
  throw refusal;
});
