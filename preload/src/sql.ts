// Bun.SQL and Bun.sql. A client connects, or opens its file, with its first query: that is what is refused.
import { deferred } from "./deferred.ts";
import type { Site } from "./error.ts";
import { refusal } from "./error.ts";
import { mayAccess } from "./file-access.ts";
import { NativeWeakMap, weakMapGet, weakMapSet } from "./late-primordials.ts";
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

/** The default clients, which `Bun` has under more than one name. */
const guarded = new NativeWeakMap<object, Client>();

/** Guards the constructor, which several properties of `Bun` may hold. */
export function tameSql(native: Function): Function {
  const made = (client: Client): Client => (refusalOf(client) === null ? client : guardClient(client, "SQL"));
  return new Proxy(native, {
    __proto__: null,
    construct: (target: Function, args: unknown[]) =>
      made(construct(target, args, target) as Client) as object,
    apply: (target: Function, self: unknown, args: unknown[]) => made(apply(target, self, args) as Client),
  } as ProxyHandler<Function>);
}

/** The default client. It looks for its address (`DATABASE_URL`) when it is used, and so does this. */
export function tameClient(client: Client, name: string): Client {
  let own = weakMapGet(guarded, client) as Client | undefined;
  if (own === undefined) weakMapSet(guarded, client, (own = guardClient(client, name)));
  return own;
}

type Fail = (site: Site) => Error;

/** What fails where a client may not connect, or open its file; `null` where it may. */
function refusalOf(client: Client): Fail | null {
  const { adapter, filename } = client.options;
  if (adapter === "sqlite") {
    const path = typeof filename === "string" && filename !== ":memory:" ? absolute(filename) : null;
    return path === null || mayAccess("write", path) ? null : (site) => refusal("write", path, site)!;
  }
  const port = adapter === "postgres" ? 5432 : 3306;
  const address = addressOf(connection(client.options), "localhost", port);
  return mayConnect(address) ? null : (site) => refusedConnection(address, site)!;
}

/** A client that refuses to query where it may not connect. */
function guardClient(client: Client, name: string): Client {
  const query = (...args: unknown[]): unknown => {
    // A list or an object is a part of a query.
    const fail = !isArray(args[0]) || !("raw" in args[0]) ? null : refusalOf(client);
    if (fail === null) return apply(client, undefined, args);
    return deferred(() => fail({ api: `Bun.${name}`, entry: query }), CHAINED, ["execute"]);
  };
  return new Proxy(client, {
    __proto__: null,
    apply: (_target: Client, _self: unknown, args: unknown[]) => apply(query, undefined, args),
    get(target: Client, key: string | symbol) {
      const native: unknown = target[key as keyof Client];
      const isAct = QUERIES.indexOf(key as string) >= 0 || ACTS.indexOf(key as string) >= 0;
      if (!isAct || typeof native !== "function") return native;
      const act = (...args: unknown[]): unknown => {
        const fail = refusalOf(client);
        if (fail === null) return apply(native, target, args);
        return rejected(fail({ api: `Bun.${name}.${String(key)}`, entry: act }));
      };
      return act;
    },
  } as ProxyHandler<Client>);
}

function connection({ hostname, port, path }: ClientOptions): object {
  // A socket's file goes with a port that is not used.
  return path ? { path } : { hostname, port };
}
