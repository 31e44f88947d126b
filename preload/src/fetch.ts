// fetch and WebSocket. What stays inside the process (data:, blob:) passes.
import { hostAndPort } from "./bun-net.ts";
import { grantsAny } from "./decide.ts";
import type { SecurityError, Site } from "./error.ts";
import { refusal } from "./error.ts";
import { pathIn, refusedAccess } from "./file-access.ts";
import type { Describe } from "./guard.ts";
import { guard, refuse, refusing } from "./guard.ts";
import {
  apply,
  defineValue,
  getOwnPropertyDescriptor,
  NativeRequest,
  NativeURL,
  stringValue,
} from "./primordials.ts";
import { table } from "./table.ts";

const urlGetter = (name: "hostname" | "href" | "port" | "protocol") => {
  const read = getOwnPropertyDescriptor(NativeURL.prototype, name)!.get!;
  return (url: URL): string => apply(read, url, []) as string;
};
const hostnameOf = urlGetter("hostname");
const hrefOf = urlGetter("href");
const portOf = urlGetter("port");
const protocolOf = urlGetter("protocol");
const readRequestUrl = getOwnPropertyDescriptor(NativeRequest.prototype, "url")!.get!;

/** Guards the global ways to the network. */
export function tameFetch(): void {
  if (grantsAny(table.policy, "net")) return;
  guard(globalThis, "fetch", "", "reject", checkFetch);
  const describe: Describe = (args) => resourceOf(parse(args[0]));
  const preconnect = refusing("preconnect", "fetch.", "throw", "net", describe);
  defineValue(globalThis.fetch, "preconnect", preconnect, true);
  refuse(globalThis, "WebSocket", "", "throw", "net", describe);
  const states = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];
  for (let state = 0; state < states.length; state++)
    defineValue(globalThis.WebSocket, states[state]!, state, true);
}

function checkFetch(args: unknown[], site: Site): SecurityError | null {
  const url = parse(args[0]);
  // Not a URL: fetch rejects with its own error.
  if (url === null) return null;
  const protocol = protocolOf(url);
  if (protocol === "data:" || protocol === "blob:") return null;
  if (protocol === "file:") {
    const path = pathIn(url);
    return path === null ? null : refusedAccess("read", path, site);
  }
  return refusal("net", resourceOf(url), site);
}

/** The URL in the first argument: a text, a URL, a Request, or what says so in a `new String`. */
function parse(argument: unknown): URL | null {
  try {
    if (typeof argument === "string") return new NativeURL(argument);
    if (argument instanceof NativeRequest)
      return new NativeURL(apply(readRequestUrl, argument, []) as string);
    if (argument instanceof NativeURL) return new NativeURL(hrefOf(argument));
    return new NativeURL(stringValue(argument as string));
  } catch {
    return null;
  }
}

function resourceOf(url: URL | null): string | null {
  if (url === null) return null;
  const protocol = protocolOf(url);
  const defaultPort = protocol === "https:" || protocol === "wss:" ? "443" : "80";
  return hostAndPort(hostnameOf(url), portOf(url) || defaultPort);
}
