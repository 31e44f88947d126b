import { execFile, execSync, spawn, spawnSync } from "node:child_process";
import { attempt, called, event } from "../../attempt.ts";

await attempt("Bun.spawn", () => Bun.spawn(["/bin/true"]).exited);
await attempt("Bun.spawn with options", () => Bun.spawn({ cmd: ["/bin/true"] }).exited);
await attempt("Bun.spawnSync", () => Bun.spawnSync(["/bin/true"]));
await attempt("spawn", () => event(spawn("/bin/true"), "exit"));
await attempt("spawnSync", () => {
  const { error } = spawnSync("/bin/true");
  if (error) throw error;
});
await attempt("execSync", () => execSync("true"));
await attempt("execFile", () => called((done) => execFile("/bin/true", done)));
