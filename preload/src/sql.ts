// Bun.SQL and Bun.sql. A client connects, or opens its file, with its first query: that is what is refused.
import { deferred } from "./deferred.ts";
import type { Site } from "./error.ts";
import { refusal } from "./error.ts";
import { mayAccess } from "./file-access.ts";
import { addressOf, mayConnect, refusedConnection } from "./network.ts";
import { absolute } from "./paths.ts";
import { apply, construct, isArray, rejected } from "./primordials.ts";

type Client = ((...args: unknown[]) => unknown) & { options: ClientOptions };
interface ClientOptions {
  adapter: string;
  filename?: string;
  hostname?: string;
  port?: number;
  path?: string;
}

const QUERIES = ["unsafe", "file", "begin", "transaction", "beginDistributed", "distributed", "reserve"];
const ACTS = ["connect", "listen", "notify", "commitDistributed", "rollbackDistributed"];
const CHAINED = ["values", "raw", "simple", "cancel"];

/** Guards the constructor, which several properties of `Bun` may hold. */
export function tameSql(native: Function): Function {
  return new Proxy(native, {
    __proto__: null,
    construct: (target: Function, args: unknown[]) =>
      tameClient(construct(target, args, target) as Client, "SQL") as object,
    apply: (target: Function, self: unknown, args: unknown[]) =>
      tameClient(apply(target, self, args) as Client, "SQL"),
  } as ProxyHandler<Function>);
}

/** The client, or one that refuses to query where it may not connect. */
export function tameClient(client: Client, name: string): Client {
  const { adapter, filename } = client.options;
  const isFile = adapter === "sqlite";
  const path = isFile && typeof filename === "string" && filename !== ":memory:" ? absolute(filename) : null;
  const port = adapter === "postgres" ? 5432 : 3306;
  const address = isFile ? null : addressOf(connection(client.options), "localhost", port);
  const mayUse = address === null ? path === null || mayAccess("write", path) : mayConnect(address);
  if (mayUse) return client;
  const fail = (site: Site): Error =>
    path === null ? refusedConnection(address, site)! : refusal("write", path, site)!;
  const query = (...args: unknown[]): unknown => {
    // A list or an object is a part of a query.
    if (!isArray(args[0]) || !("raw" in args[0])) return apply(client, undefined, args);
    return deferred(() => fail({ api: `Bun.${name}`, entry: query }), CHAINED, ["execute"]);
  };
  return new Proxy(client, {
    __proto__: null,
    apply: (_target: Client, _self: unknown, args: unknown[]) => apply(query, undefined, args),
    get(target: Client, key: string | symbol) {
      const isQuery = QUERIES.indexOf(key as string) >= 0;
      if (!isQuery && ACTS.indexOf(key as string) < 0) return target[key as keyof Client];
      const refused = () => rejected(fail({ api: `Bun.${name}.${String(key)}`, entry: refused }));
      return refused;
    },
  } as ProxyHandler<Client>);
}

function connection({ hostname, port, path }: ClientOptions): object {
  // A socket's file goes with a port that is not used.
  return path ? { path } : { hostname, port };
}
