// Databases in files. What SQL opens by itself is the kernel's to refuse; the statement is read to explain that.
import type { Site } from "./error.ts";
import { refusal } from "./error.ts";
import { checkPath, pathIn, refusedAccess } from "./file-access.ts";
import { guard, guardClass, replace } from "./guard.ts";
import { absolute } from "./paths.ts";
import { apply, indexOf } from "./primordials.ts";

const FILE_IN_SQL = /\b(?:attach|attach\s+database|vacuum\s+into|vacuum\s+\w+\s+into)\s+'([^']+)'/i;
const { exec } = RegExp.prototype;

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
  explainStatements(Database.prototype, "run", "Database.");
  explainStatements(Database.prototype, "exec", "Database.");
}

/** Guards node:sqlite. */
export function tameNodeSqlite(sqlite: { DatabaseSync: { prototype: object } }): void {
  guardClass(sqlite, "DatabaseSync", "node:sqlite ", checkDatabase);
  guard(sqlite.DatabaseSync.prototype, "loadExtension", "DatabaseSync.", "throw", checkLibrary);
  explainStatements(sqlite.DatabaseSync.prototype, "exec", "DatabaseSync.");
  guard(sqlite, "backup", "node:sqlite ", "reject", (args, site) => checkPath("write", args, 1, site));
}

/** Explains a statement that failed to open a file. */
function explainStatements(owner: object, name: string, prefix: string): void {
  replace(owner, name, (native) => {
    const { run } = {
      run(this: unknown, ...args: unknown[]): unknown {
        try {
          return apply(native, this, args);
        } catch (error) {
          throw refusedFile(error, args[0], site) ?? error;
        }
      },
    };
    const site: Site = { api: prefix + name, entry: run };
    return run;
  });
}

function refusedFile(error: unknown, statement: unknown, site: Site): Error | null {
  const { message } = error as { message?: unknown };
  if (typeof statement !== "string" || typeof message !== "string") return null;
  if (indexOf(message, "unable to open database") < 0) return null;
  const found = apply(exec, FILE_IN_SQL, [statement]) as RegExpExecArray | null;
  return found === null ? null : refusedAccess("write", absolute(found[1]!), site);
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
