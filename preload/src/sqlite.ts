// Databases in files. ATTACH and the like are the kernel's to refuse: SQL is not read here.
import type { Site } from "./error.ts";
import { refusal } from "./error.ts";
import { checkPath, pathIn } from "./file-access.ts";
import { guard, guardClass } from "./guard.ts";

interface BunSqlite {
  Database: { prototype: object };
  default: unknown;
}

/** Guards bun:sqlite. */
export function tameBunSqlite(sqlite: BunSqlite): void {
  guardClass(sqlite, "Database", "bun:sqlite ", checkDatabase);
  const { Database } = sqlite;
  sqlite.default = Database;
  guard(Database, "open", "Database.", "throw", (args, site) => {
    checkDatabase(args, site);
    return null;
  });
  guard(Database, "setCustomSQLite", "Database.", "throw", checkLibrary);
  guard(Database.prototype, "loadExtension", "Database.", "throw", checkLibrary);
}

/** Guards node:sqlite. */
export function tameNodeSqlite(sqlite: { DatabaseSync: { prototype: object } }): void {
  guardClass(sqlite, "DatabaseSync", "node:sqlite ", checkDatabase);
  guard(sqlite.DatabaseSync.prototype, "loadExtension", "DatabaseSync.", "throw", checkLibrary);
  guard(sqlite, "backup", "node:sqlite ", "reject", (args, site) => checkPath("write", args, 1, site));
}

function checkDatabase(args: unknown[], site: Site): undefined {
  if (args[0] === ":memory:") return undefined;
  const error = checkPath(isReadOnly(args[1]) ? "read" : "write", args, 0, site);
  if (error !== null) throw error;
  return undefined;
}

/** Whether the options, in the spelling of either module, open for reading alone. */
function isReadOnly(options: unknown): boolean {
  const SQLITE_OPEN_READONLY = 1;
  if (typeof options === "number") return (options & SQLITE_OPEN_READONLY) !== 0;
  if (options === null || typeof options !== "object") return false;
  const { readonly, readOnly } = options as { readonly?: unknown; readOnly?: unknown };
  return readonly === true || readOnly === true;
}

function checkLibrary(args: unknown[], site: Site): Error | null {
  return refusal("ffi", pathIn(args[0]), site);
}
