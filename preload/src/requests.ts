// fetch() and WebSocket to what rules of `fetch` name: the launcher carries them out. It is spoken to through a socket
// that leads to it, in HTTP, with the URL in a header: bodies, their pace and their end are those of Bun's own fetch.
import type { Site } from "./error.ts";
import { deny } from "./error.ts";
import type { Host } from "./hosts.ts";
import { isLoopback, LOCALHOST, parseHost } from "./hosts.ts";
import { NativeURL, NativeWeakMap, weakMapGet, weakMapSet } from "./late-primordials.ts";
import {
  checkFetch,
  checkWebSocket,
  destination,
  hostnameOf,
  hostOf,
  hrefOf,
  isAllowedAgain,
  isAt,
  NativeRequest,
  parse,
  protocolOf,
  refusedConnection,
} from "./network.ts";
import {
  apply,
  defineProperty,
  defineValue,
  endsWith,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  indexOf,
  isArray,
  NativeError,
  ObjectPrototype,
  parseJson,
  rejected,
  startsWith,
  substring,
  uncurry,
} from "./primordials.ts";
import { details, table } from "./table.ts";

/** Where the launcher is found. What is asked of it stands in headers, so this URL only has to be one. */
const PLACE = "/run/secure-bun.fetch";
const LAUNCHER = "http://secure-bun/";
const URL_HEADER = "x-secure-bun-url";
const REDIRECT = "x-secure-bun-redirect";
const FAILED = "x-secure-bun-failed";

type Fetch = (...args: unknown[]) => Promise<Response>;

const NativeHeaders = Headers;
const NativeTypeError = TypeError;
const { prototype: headers } = Headers;
const getHeader = uncurry(headers.get);
const setHeader = uncurry(headers.set);
const deleteHeader = uncurry(headers.delete);
const textOf = uncurry(Response.prototype.text);
const { clone: nativeClone } = Response.prototype;
const headersOfRequest = getter(NativeRequest.prototype, "headers") as (request: Request) => Headers;
const headersOf = getter(Response.prototype, "headers") as (response: Response) => Headers;
const redirectOf = getter(NativeRequest.prototype, "redirect") as (request: Request) => string;
const signalOf = getter(NativeRequest.prototype, "signal") as (request: Request) => AbortSignal;

/** The URL of each connection of WebSocket, as the program wrote it. */
const urls = new NativeWeakMap<object, string>();

/** What the launcher says of a request that it did not carry out. */
interface Failure {
  readonly resource?: string;
  readonly rule?: string;
  readonly fix?: string | null;
  readonly message: string;
  readonly code?: string;
  readonly limit?: string;
  readonly allowed?: number;
}

/** `fetch()`: through the launcher where a rule of `fetch` is about it, else as without any. */
export function request(native: Fetch, args: unknown[], site: Site): Promise<Response> {
  if (isAllowedAgain(args[0], args[1])) return apply(native, undefined, args) as Promise<Response>;
  const url = parse(args[0]);
  const options = (typeof args[1] === "object" ? args[1] : null) as Record<string, unknown> | null;
  const { unix, proxy, tls } = options ?? {};
  if (url === null || !(isAt(args[0], lastOrigin) || isCarriedOut(url))) {
    const error = checkFetch(args, site);
    return error === null ? (apply(native, undefined, args) as Promise<Response>) : rejected(error);
  }
  // Whoever is between is connected to, and that is another permission.
  const between = typeof unix === "string" ? "unix:" + unix : proxy ? destinationOfProxy(proxy) : null;
  if (between !== null) {
    const error = refusedConnection(between, site);
    return error === null ? (apply(native, undefined, args) as Promise<Response>) : rejected(error);
  }
  if (tls !== undefined && tls !== null)
    return rejected(
      new NativeTypeError(
        "fetch: the launcher makes this request, and trusts whom the host trusts: tls is not for the program to set",
      ),
    );
  lastOrigin = `${protocolOf(url)}//${hostOf(url)}`;
  const href = hrefOf(url);
  let asked: [unknown, object];
  try {
    asked = askedOfLauncher(args[0], options, withoutFragment(href));
  } catch (error) {
    return rejected(error);
  }
  return finish(apply(native, undefined, asked) as Promise<Response>, href, site);
}

/** Where the last request was carried out: programs ask the same server many times. */
let lastOrigin = "";

/** The arguments with which the native `fetch` asks the launcher for what a program asks for. */
function askedOfLauncher(
  input: unknown,
  options: Record<string, unknown> | null,
  href: string,
): [unknown, object] {
  const { decompress, verbose, timeout, keepalive } = options ?? {};
  const how = { unix: PLACE, redirect: "manual", decompress, verbose, timeout, keepalive };
  // Plain options need no request made of them first, which takes as long as all else.
  const isUrl = typeof input === "string" || input instanceof NativeURL;
  if (isUrl && (options === null || getPrototypeOf(options) === ObjectPrototype)) {
    const { method, body, signal, headers: own, redirect = "follow" } = options ?? {};
    const isPlain = own === undefined || (typeof own === "object" && own !== null);
    if (isPlain && (redirect === "follow" || redirect === "manual" || redirect === "error")) {
      const sent = new NativeHeaders(own as HeadersInit | undefined);
      setHeader(sent, URL_HEADER, href);
      setHeader(sent, REDIRECT, redirect);
      return [LAUNCHER, { ...how, method, body, signal, headers: sent }];
    }
  }
  const asked = new NativeRequest(input as string, options as RequestInit);
  const made = new NativeRequest(LAUNCHER, asked);
  const sent = headersOfRequest(made);
  setHeader(sent, URL_HEADER, href);
  setHeader(sent, REDIRECT, redirectOf(asked));
  return [made, { ...how, signal: signalOf(asked) }];
}

async function finish(answering: Promise<Response>, href: string, site: Site): Promise<Response> {
  let answer: Response;
  try {
    answer = await answering;
  } catch (error) {
    // It names the launcher.
    if (typeof error === "object" && error !== null && getOwnPropertyDescriptor(error, "path") !== undefined)
      defineValue(error, "path", href, true);
    throw error;
  }
  const received = headersOf(answer);
  if (getHeader(received, FAILED) !== null)
    throw errorFor(parseJson(await textOf(answer)) as Failure, href, site);
  const led = getHeader(received, URL_HEADER);
  if (led !== null) deleteHeader(received, URL_HEADER);
  return attribute(answer, led ?? href, led !== null);
}

function errorFor(failure: Failure, href: string, site: Site): Error {
  const { resource, rule, fix, message, code, limit, allowed } = failure;
  if (resource !== undefined && rule !== undefined)
    return deny({ permission: "fetch", resource, rule, fix: fix ?? "" }, message, site);
  const error = limit === undefined ? new NativeTypeError(message) : new NativeError(message);
  defineValue(error, "code", code, true);
  if (limit === undefined) {
    defineValue(error, "path", href, true);
    defineValue(error, "errno", 0, true);
  } else {
    defineValue(error, "name", "LimitError", false);
    defineValue(error, "limit", limit, true);
    defineValue(error, "allowed", allowed, true);
  }
  return error;
}

/** Looks at the arguments of `WebSocket`; the function that it returns is told of the new one. */
export function openSocket(args: unknown[], site: Site): ((socket: object) => void) | undefined {
  const url = parse(args[0]);
  if (url === null) return undefined;
  if (!isCarriedOut(url)) {
    checkWebSocket(args, site);
    return undefined;
  }
  const given = args[1];
  const isOptions = typeof given === "object" && given !== null && !isArray(given);
  const {
    protocols,
    protocol,
    headers: own,
    proxy,
    tls,
  } = (isOptions ? given : {}) as Record<string, unknown>;
  if (proxy) {
    const error = refusedConnection(destinationOfProxy(proxy), site);
    if (error !== null) throw error;
    return undefined;
  }
  if (tls !== undefined && tls !== null)
    throw new NativeTypeError(
      "WebSocket: the launcher connects, and trusts whom the host trusts: tls is not for the program to set",
    );
  const href = hrefOf(url);
  // The native one says what is wrong with it.
  if (indexOf(href, "#") >= 0) return undefined;
  const sent = new NativeHeaders((own ?? undefined) as HeadersInit | undefined);
  const isPlain = startsWith(href, "ws:") || startsWith(href, "http:");
  setHeader(sent, URL_HEADER, (isPlain ? "http" : "https") + substring(href, indexOf(href, ":")));
  args[0] = "ws+unix://" + PLACE;
  args[1] = { protocols: isOptions ? (protocols ?? protocol) : given, headers: sent };
  return (socket) => {
    tameSockets();
    weakMapSet(urls, socket, href);
  };
}

/** Whether the launcher carries requests to a URL out. What no rule of `fetch` names goes there, too, to be refused. */
function isCarriedOut(url: URL): boolean {
  const protocol = protocolOf(url);
  if (protocol !== "http:" && protocol !== "https:" && protocol !== "ws:" && protocol !== "wss:")
    return false;
  const host = parseHost(hostnameOf(url));
  const place = destination(url);
  const { allow } = details().policy.fetch;
  for (let index = 0; index < allow.length; index++)
    if (names(allow[index]!.pattern, host, place)) return true;
  // There it may be a server of the program itself.
  const staysInside = table.grants.listen && host !== null && isLoopback(host);
  return !table.grants.net && !staysInside;
}

/** Whether the URL of a rule names a host, which is at the end of `place`, and its port. */
export function names(pattern: string, host: Host | null, place: string): boolean {
  if (pattern === "*") return true;
  const start = indexOf(pattern, "://") + 3;
  const path = indexOf(pattern, "/", start);
  let named = substring(pattern, start, path < 0 ? pattern.length : path);
  let port = indexOf(named, ":", indexOf(named, "]") + 1);
  if (port < 0) {
    port = named.length;
    named += startsWith(pattern, "https:") ? ":443" : ":80";
  }
  const bare = substring(named, 0, port);
  const atPort = endsWith(place, substring(named, port));
  if (bare === "*") return atPort;
  if (named[0] === "*") return atPort && typeof host === "string" && endsWith(host, substring(bare, 1));
  if (bare === LOCALHOST) return atPort && host !== null && isLoopback(host);
  return typeof host === "string" ? atPort && host === bare : place === named;
}

function destinationOfProxy(proxy: unknown): string {
  const { url } = (typeof proxy === "object" ? proxy : {}) as { url?: unknown };
  const parsed = parse(url ?? proxy);
  return parsed === null ? "the proxy" : destination(parsed);
}

function withoutFragment(href: string): string {
  const at = indexOf(href, "#");
  return at < 0 ? href : substring(href, 0, at);
}

/** Has an answer of the launcher say where it is from. Bun lets nobody replace what answers have in common. */
function attribute(answer: Response, url: string, redirected: boolean): Response {
  defineValue(answer, "url", url, false);
  defineValue(answer, "redirected", redirected, false);
  const { clone } = {
    clone: () => attribute(apply(nativeClone, answer, []) as Response, url, redirected),
  };
  defineValue(answer, "clone", clone, false);
  return answer;
}

let socketsAreTame = false;
/** Has connections through the launcher say where they lead. */
function tameSockets(): void {
  if (socketsAreTame) return;
  socketsAreTame = true;
  const { prototype } = WebSocket;
  tameUrl(prototype, "url");
  tameUrl(prototype, "URL");
}

function tameUrl(prototype: object, name: string): void {
  const native = getOwnPropertyDescriptor(prototype, name)!;
  const { get } = getOwnPropertyDescriptor(
    {
      get value(): unknown {
        return weakMapGet(urls, this as object) ?? apply(native.get!, this, []);
      },
    },
    "value",
  )!;
  // `get` and `set` of nobody's prototype.
  defineProperty(prototype, name, { ...native, __proto__: null, get } as PropertyDescriptor);
}

function getter(prototype: object, name: string): (self: never) => unknown {
  const read = getOwnPropertyDescriptor(prototype, name)!.get!;
  return (self) => apply(read, self, []);
}
