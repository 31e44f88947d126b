// Powers that are made, slowly, by looking at them: guarded where the launcher found them in the program's text.
import * as bunPaths from "./bun-paths.ts";
import { tameLookups } from "./node-net.ts";
import { tameShell } from "./shell.ts";
import { tameClient, tameSql } from "./sql.ts";
import { tameRedis, tameS3 } from "./stores.ts";
import { table } from "./table.ts";
import { tameRare } from "./rare.ts";

// Loose: these are replaced by what imitates them.
const bun = Bun as unknown as Record<string, any>;

/** How each power is guarded; absent ones are guarded by how others are. */
const TAMES: Readonly<Record<string, () => void>> = {
  __proto__: null as never,
  $: () => (bun["$"] = tameShell(bun["$"])),
  Archive: () => bunPaths.tameArchive(bun["Archive"]),
  FileSystemRouter: () => bunPaths.tameRouter(bun),
  Glob: () => bunPaths.tameGlob(bun["Glob"]),
  Image: () => bunPaths.tameImage(Bun),
  build: () => bunPaths.tameBuild(bun),
  secrets: () => bunPaths.tameKeychain(bun["secrets"]),
  SQL: () => (bun["SQL"] = tameSql(bun["SQL"])),
  sql: () => (bun["sql"] = tameClient(bun["sql"], "sql")),
  postgres: () => (bun["postgres"] = tameClient(bun["postgres"], "postgres")),
  dns: () => tameLookups(bun["dns"], "Bun.dns.", "reject"),
  redis: () => tameRedis(Bun, bun["redis"]),
  s3: () => tameS3(Bun, bun["s3"]),
};
/** Two names for what is guarded at once. */
const SAME: Readonly<Record<string, string>> = {
  __proto__: null as never,
  RedisClient: "redis",
  S3Client: "s3",
};

/** Guards what the program mentions. */
export function tameMentioned(): void {
  const { mentions, grants } = table;
  const done: Record<string, boolean> = { __proto__: null as never };
  for (let index = 0; index < mentions.length; index++) {
    const name = SAME[mentions[index]!] ?? mentions[index]!;
    if (done[name]) continue;
    done[name] = true;
    try {
      if (!(name === "$" && grants.run)) TAMES[name]?.();
      tameRare(name);
    } catch {
      // A property that cannot be guarded in this Bun: the kernel refuses in its own words. No reason not to start.
    }
  }
}
