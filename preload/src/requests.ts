// fetch() to what rules of `fetch` name: the launcher carries them out. It is spoken to through a socket
// that leads to it, in HTTP, with the URL in a header: bodies, their pace and their end are those of Bun's own fetch.
import { attribute, nameUrl } from "./answers.ts";
import type { Site } from "./error.ts";
import { isLoopback, parseHost } from "./hosts.ts";
import { isNamed } from "./fetch-rules.ts";
import { NativeURL } from "./late-primordials.ts";
import type { Failure } from "./launcher.ts";
import {
  deleteHeader,
  errorFor,
  FAILED,
  getHeader,
  getter,
  headersOf,
  LAUNCHER,
  NativeHeaders,
  PLACE,
  REDIRECT,
  setHeader,
  textOf,
  URL_HEADER,
} from "./launcher.ts";
import {
  checkFetch,
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
  getPrototypeOf,
  indexOf,
  ObjectPrototype,
  parseJson,
  rejected,
  substring,
} from "./primordials.ts";
import { details, table } from "./table.ts";

type Fetch = (...args: unknown[]) => Promise<Response>;

const NativeTypeError = TypeError;
const headersOfRequest = getter(NativeRequest.prototype, "headers") as (request: Request) => Headers;
const redirectOf = getter(NativeRequest.prototype, "redirect") as (request: Request) => string;
const signalOf = getter(NativeRequest.prototype, "signal") as (request: Request) => AbortSignal;

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
        site.api +
          ": the launcher makes this request, and trusts whom the host trusts: tls is not for the program to set",
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
  const { decompress, timeout, keepalive } = options ?? {};
  const how = { unix: PLACE, redirect: "manual", decompress, timeout, keepalive };
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
    nameUrl(error, href);
    throw error;
  }
  const received = headersOf(answer);
  if (getHeader(received, FAILED) !== null)
    throw errorFor(parseJson(await textOf(answer)) as Failure, href, site);
  const led = getHeader(received, URL_HEADER);
  if (led !== null) deleteHeader(received, URL_HEADER);
  return attribute(answer, led ?? href, led !== null);
}

/** Whether the launcher carries requests to a URL out. What no rule of `fetch` names goes there, too, to be refused. */
export function isCarriedOut(url: URL): boolean {
  const protocol = protocolOf(url);
  if (protocol !== "http:" && protocol !== "https:" && protocol !== "ws:" && protocol !== "wss:")
    return false;
  const host = parseHost(hostnameOf(url));
  if (isNamed(details().policy, host, destination(url))) return true;
  // There it may be a server of the program itself.
  const staysInside = table.grants.listen && host !== null && isLoopback(host);
  return !table.grants.net && !staysInside;
}

/** Whether the launcher makes requests to a URL because a rule names its host. */
export function isRequested(argument: unknown): boolean {
  const url = parse(argument);
  return url !== null && isNamed(details().policy, parseHost(hostnameOf(url)), destination(url));
}

export function destinationOfProxy(proxy: unknown): string {
  const { url } = (typeof proxy === "object" ? proxy : {}) as { url?: unknown };
  const parsed = parse(url ?? proxy);
  return parsed === null ? "the proxy" : destination(parsed);
}

function withoutFragment(href: string): string {
  const at = indexOf(href, "#");
  return at < 0 ? href : substring(href, 0, at);
}
