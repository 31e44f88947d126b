// Starting programs. node:child_process and node:cluster call Bun.spawn, so they are guarded here too.
import { grantsAny } from "./decide.ts";
import { refuse } from "./guard.ts";
import { isArray } from "./primordials.ts";
import { table } from "./table.ts";

/** Guards the ways of `Bun` to other programs. */
export function tameBunProcess(): void {
  if (grantsAny(table.policy, "run")) return;
  refuse(Bun, "spawn", "Bun.", "throw", "run", commandOf);
  refuse(Bun, "spawnSync", "Bun.", "throw", "run", commandOf);
  refuse(Bun, "openInEditor", "Bun.", "throw", "run", () => "editor");
  refuse(Bun, "Terminal", "Bun.", "throw", "run", () => "terminal");
  refuse(Bun, "cron", "Bun.", "throw", "run", () => "crontab");
}

/** The program in `(["git", …])` or `({ cmd: ["git", …] })`. */
function commandOf(args: unknown[]): string | null {
  const first = args[0] as { cmd?: unknown } | null | undefined;
  const command: unknown = isArray(first) ? first : typeof first === "object" ? first?.cmd : undefined;
  const program: unknown = isArray(command) ? command[0] : undefined;
  return typeof program === "string" ? program : null;
}
