// Refusals of sockets, servers and URLs. What stays inside the process (data:, blob:) passes.
import type { Site } from "./error.ts";
import { refusal } from "./error.ts";
import { pathIn, refusedAccess } from "./file-access.ts";
import { NativeURL } from "./late-primordials.ts";
import { apply, getOwnPropertyDescriptor, indexOf, numberToString, stringValue } from "./primordials.ts";
import type { SecurityError } from "./security-error.ts";

export const NativeRequest = Request;
export const hostnameOf = urlGetter("hostname");
export const hrefOf = urlGetter("href");
const portOf = urlGetter("port");
export const protocolOf = urlGetter("protocol");
const readRequestUrl = getOwnPropertyDescriptor(NativeRequest.prototype, "url")!.get!;

/** The refusal of a socket described by an options object. */
export function refuseConnection(args: unknown[], site: Site): SecurityError | null {
  return refusal("net", addressOf(args[0], site.api === "Bun.connect" ? "localhost" : "0.0.0.0", 0), site);
}

/** The refusal of a server described by an options object. */
export function refuseServer(args: unknown[], site: Site): SecurityError | null {
  return refusal("listen", addressOf(args[0], "0.0.0.0", site.api === "Bun.serve" ? 3000 : 0), site);
}

/** The refusal of what a URL leads to. */
export function refuseUrl(args: unknown[], site: Site): SecurityError | null {
  const url = parse(args[0]);
  return refusal("net", url === null ? null : destination(url), site);
}

/** `host:port` of a URL, or `null` where the argument is none. */
export function destinationOfUrl(argument: unknown, port?: string): string | null {
  const url = typeof argument === "string" || argument instanceof NativeURL ? parse(argument) : null;
  return url === null ? null : destination(url, port);
}

/** Checks the arguments of `fetch`. */
export function checkFetch(args: unknown[], site: Site): SecurityError | null {
  const url = parse(args[0]);
  // Not a URL: fetch rejects with its own error.
  if (url === null) return null;
  const protocol = protocolOf(url);
  if (protocol === "data:" || protocol === "blob:") return null;
  if (protocol !== "file:") return refusal("net", destination(url), site);
  const path = pathIn(url);
  return path === null ? null : refusedAccess("read", path, site);
}

/** `host:port` or `unix:path` of an options object. */
export function addressOf(options: unknown, defaultHost: string, defaultPort: number): string {
  const { hostname, host, port, unix, path } = (options ?? {}) as Record<string, unknown>;
  if (typeof unix === "string") return "unix:" + unix;
  if (typeof path === "string" && port === undefined) return "unix:" + path;
  return hostAndPort(text(hostname) ?? text(host) ?? defaultHost, text(port) ?? numberToString(defaultPort));
}

/** The URL in an argument: a text, a URL, a Request, a `new String`. */
export function parse(argument: unknown): URL | null {
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

export function destination(url: URL, port?: string): string {
  const protocol = protocolOf(url);
  const usual = protocol === "https:" || protocol === "wss:" ? "443" : "80";
  return hostAndPort(hostnameOf(url), portOf(url) || (port ?? usual));
}

/** Host and port as policies write them: IPv6 addresses in brackets. */
function hostAndPort(host: string, port: string): string {
  return host[0] !== "[" && indexOf(host, ":") >= 0 ? `[${host}]:${port}` : `${host}:${port}`;
}

function text(value: unknown): string | undefined {
  if (typeof value === "number") return numberToString(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

function urlGetter(name: "hostname" | "href" | "port" | "protocol"): (url: URL) => string {
  const read = getOwnPropertyDescriptor(NativeURL.prototype, name)!.get!;
  return (url) => apply(read, url, []) as string;
}
