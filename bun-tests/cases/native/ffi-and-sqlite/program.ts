import { Database } from "bun:sqlite";
import { DatabaseSync } from "node:sqlite";
import { dlopen, ptr } from "bun:ffi";
import os from "node:os";
import { attempt } from "../../attempt.ts";

await attempt("ffi.ptr", () => ptr(new Uint8Array(8)));
await attempt("ffi.dlopen", () => dlopen("libc.so.6", { getpid: { args: [], returns: "int" } }));
await attempt("a database in memory", () => new Database(":memory:").close());
await attempt("a granted database", () => new Database("granted/db.sqlite").close());
await attempt("a database to read", () => new Database("granted/db.sqlite", { readonly: true }).close());
await attempt("a database elsewhere", () => new Database("outside/db.sqlite").close());
await attempt("a class that extends Database", () => {
  class Own extends Database {}
  const own = new Own("granted/own.sqlite");
  if (!(own instanceof Own && own instanceof Database)) throw new Error("the classes are mixed up");
  own.run("create table t (x)");
  own.close();
});
await attempt("Database.open", () => Database.open("outside/db.sqlite").close());
await attempt("DatabaseSync in memory", () => new DatabaseSync(":memory:").close());
await attempt("DatabaseSync elsewhere", () => new DatabaseSync("outside/db2.sqlite").close());
await attempt("os.userInfo", () => os.userInfo());
await attempt("os.hostname", () => os.hostname());
