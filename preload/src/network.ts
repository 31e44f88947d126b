// Refusals of sockets, servers and URLs. What stays inside the process (data:, blob:) passes, and so does what stays
// inside a sandbox that has a network of its own.
import type { Site } from "./error.ts";
import { refusal } from "./error.ts";
import { decideConnection } from "./fetch-rules.ts";
import { pathIn, refusedAccess } from "./file-access.ts";
import type { Address } from "./hosts.ts";
import { isLoopback, isUnspecified, sharesPrefix } from "./hosts.ts";
import { NativeURL } from "./late-primordials.ts";
import { grantsSomeAddress, hasPort, isSocketFile, parsePlace, UDP } from "./net-rules.ts";
import {
  apply,
  getOwnPropertyDescriptor,
  indexOf,
  numberFrom,
  numberToString,
  startsWith,
  stringValue,
} from "./primordials.ts";
import type { SecurityError } from "./security-error.ts";
import { details, table } from "./table.ts";

export const NativeRequest = Request;
export const hostnameOf = urlGetter("hostname");
export const hrefOf = urlGetter("href");
export const hostOf = urlGetter("host");
const portOf = urlGetter("port");
export const protocolOf = urlGetter("protocol");
const readRequestUrl = getOwnPropertyDescriptor(NativeRequest.prototype, "url")!.get!;

/** Whether the sandbox has a network of its own. There the launcher answers, and guards only say it sooner. */
export const hasNetwork = table.grants.net || table.grants.listen;

/** Addresses that the launcher makes up for names (`STAND_INS` in launcher/sandbox/src/network/names.rs). */
const STAND_INS: Address = [198, 18, 0, 0];
const STAND_INS_BITS = 15;
/** By which Bun finds a proxy for every request. */
const PROXY_VARIABLES = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"];

/** Whether a connection to `host:port` is granted, or can lead nowhere else than to the program itself. */
export function mayConnect(address: string): boolean {
  if (decideConnection(details().policy, address).allowed) return true;
  if (!hasNetwork) return false;
  const place = parsePlace(address);
  // A port that is none: the API says so itself.
  if (place === null) return !isSocketFile(address) && !hasPort(address);
  return isLoopback(place.host) || isUnspecified(place.host) || isStandIn(place.host);
}

/** Whether an address stands for a name that the program has asked for: the launcher knows which. */
export function isStandIn(host: Address | string): boolean {
  return typeof host !== "string" && sharesPrefix(host, STAND_INS, STAND_INS_BITS);
}

/** The error for connecting to `host:port`; `null` if that is allowed, or if there is none. */
export function refusedConnection(address: string | null, site: Site): SecurityError | null {
  if (address === null ? hasNetwork : mayConnect(address)) return null;
  return refusal("net", address, site);
}

/** The error for listening at `host:port`; `null` if that is allowed, or nobody outside can connect to it. */
export function refusedListening(address: string, site: Site): SecurityError | null {
  return hasNetwork && staysInside(address) ? null : refusal("listen", address, site);
}

/** Whether listening is not outside, or at another address than was asked for, which is granted. */
function staysInside(address: string): boolean {
  const place = parsePlace(address);
  // A port that is none: the API says so itself.
  if (place === null) return !isSocketFile(address) && !hasPort(address);
  const { policy, own_loopback } = details();
  if (own_loopback && !isSocketFile(address) && (place.port === 0 || isLoopback(place.host))) return true;
  return grantsSomeAddress(policy.listen, place);
}

/** Checks a socket described by an options object. */
export function checkSocket(args: unknown[], site: Site): SecurityError | null {
  return refusedConnection(addressOf(args[0], "localhost", 0), site);
}

/** The error for a socket for datagrams where there is no network. */
export function refuseDatagrams(args: unknown[], site: Site): SecurityError | null {
  const { connect } = (args[0] ?? {}) as { connect?: unknown };
  return typeof connect === "object" && connect !== null
    ? refusal("net", UDP + addressOf(connect, "localhost", 0), site)
    : refusal("net", addressOf(args[0], "0.0.0.0", 0), site);
}

/** Checks a server described by an options object. */
export function checkServer(args: unknown[], site: Site): SecurityError | null {
  return refusedListening(addressOf(args[0], "0.0.0.0", site.api === "Bun.serve" ? usualPort() : 0), site);
}

function usualPort(): number {
  const { BUN_PORT, PORT, NODE_PORT } = process.env;
  return numberFrom(BUN_PORT ?? PORT ?? NODE_PORT ?? 3000);
}

/** Checks what a URL leads to, or the proxy that is asked instead. */
export function checkUrl(args: unknown[], site: Site): SecurityError | null {
  const url = parse(args[0]);
  return refusedUrl(url, args[1], site);
}

/** Checks what a WebSocket is to connect to. */
export function checkWebSocket(args: unknown[], site: Site): undefined {
  const error = checkUrl(args, site);
  if (error !== null) throw error;
}

/** Whether a URL begins with that origin, as it is written in full: then no parser finds another one. */
export function isAt(target: unknown, origin: string): boolean {
  return typeof target === "string" && target[origin.length] === "/" && startsWith(target, origin + "/");
}

/** Whether a request with these arguments goes where the last one was allowed to. */
export function isAllowedAgain(target: unknown, options: unknown): boolean {
  return isAt(target, lastOrigin) && (options === undefined || !goesElsewhere(options));
}

/** Whether options of a request say where to connect to. */
function goesElsewhere(options: unknown): boolean {
  if (typeof options !== "object" || options === null) return false;
  const { proxy, unix } = options as { proxy?: unknown; unix?: unknown };
  return proxy !== undefined || unix !== undefined;
}

function refusedUrl(url: URL | null, options: unknown, site: Site): SecurityError | null {
  const address = url === null ? null : destination(url);
  if (!hasNetwork || address === null) return refusedConnection(address, site);
  const { proxy, unix } = (typeof options === "object" && options !== null ? options : {}) as Record<
    string,
    unknown
  >;
  if (typeof unix === "string") return refusedConnection("unix:" + unix, site);
  if (proxy) return refusedConnection(destinationOfUrl((proxy as { url?: unknown }).url ?? proxy), site);
  return mayConnect(address) || hasProxy() ? null : refusal("net", address, site);
}

function hasProxy(): boolean {
  const { env } = process;
  for (let index = 0; index < PROXY_VARIABLES.length; index++) if (env[PROXY_VARIABLES[index]!]) return true;
  return false;
}

/** `host:port` of a URL, or `null` where the argument is none. */
export function destinationOfUrl(argument: unknown, port?: string): string | null {
  const url = typeof argument === "string" || argument instanceof NativeURL ? parse(argument) : null;
  return url === null ? null : destination(url, port);
}

/** Where the last request was allowed to: programs ask the same server many times. */
let lastOrigin = "";

/** Checks the arguments of `fetch`. */
export function checkFetch(args: unknown[], site: Site): SecurityError | null {
  const target = args[0];
  const options = args[1];
  if (isAllowedAgain(target, options)) return null;
  const url = parse(target);
  // Not a URL: fetch rejects with its own error.
  if (url === null) return null;
  const protocol = protocolOf(url);
  if (protocol === "data:" || protocol === "blob:") return null;
  if (protocol !== "file:") {
    // Other ones are none of fetch, or files of a store, whose host its client knows.
    const isWeb = protocol === "http:" || protocol === "https:";
    if (hasNetwork && !isWeb) return null;
    const error = refusedUrl(url, options, site);
    if (error === null && isWeb && !goesElsewhere(options)) lastOrigin = `${protocol}//${hostOf(url)}`;
    return error;
  }
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

function urlGetter(name: "host" | "hostname" | "href" | "port" | "protocol"): (url: URL) => string {
  const read = getOwnPropertyDescriptor(NativeURL.prototype, name)!.get!;
  return (url) => apply(read, url, []) as string;
}
