// fetch() to what rules of `fetch` name: the launcher carries them out. It is spoken to through a socket
// that leads to it, in HTTP, with the URL in a header: bodies, their pace and their end are those of Bun's own fetch.
import { attribute, nameUrl } from "./answers.ts";
import type { Site } from "./error.ts";
import { isLoopback, parseHost } from "./hosts.ts";
import { isNamed } from "./fetch-rules.ts";
import type { Failure } from "./launcher.ts";
import {
  deleteHeader,
  errorFor,
  FAILED,
  getHeader,
  getter,
  headersOf,
  LAUNCHER,
  PLACE,
  REDIRECT,
  REDIRECTED,
  setHeader,
  textOf,
  URL_HEADER,
} from "./launcher.ts";
import {
  checkFetch,
  destination,
  hostnameOf,
  hrefOf,
  NativeRequest,
  parse,
  protocolOf,
  refusedConnection,
} from "./network.ts";
import { apply, indexOf, parseJson, rejected, substring } from "./primordials.ts";
import { details, table } from "./table.ts";

type Fetch = (...args: unknown[]) => Promise<Response>;

const NativeTypeError = TypeError;
const headersOfRequest = getter(NativeRequest.prototype, "headers") as (request: Request) => Headers;
const redirectOf = getter(NativeRequest.prototype, "redirect") as (request: Request) => string;
const signalOf = getter(NativeRequest.prototype, "signal") as (request: Request) => AbortSignal;

/** `fetch()`: through the launcher where a rule of `fetch` is about it, else as without any. */
export function request(native: Fetch, args: unknown[], site: Site): Promise<Response> {
  const url = parse(args[0]);
  const options = (typeof args[1] === "object" ? args[1] : null) as Record<string, unknown> | null;
  const { unix, proxy, tls, decompress, timeout, keepalive } = options ?? {};
  if (url === null || !isCarriedOut(url)) {
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
  let asked: Request;
  let made: Request;
  try {
    asked = new NativeRequest(args[0] as string, args[1] as RequestInit);
    made = new NativeRequest(LAUNCHER, asked);
  } catch (error) {
    return rejected(error);
  }
  const href = withoutFragment(hrefOf(url));
  const sent = headersOfRequest(made);
  setHeader(sent, URL_HEADER, href);
  setHeader(sent, REDIRECT, redirectOf(asked));
  const how = {
    unix: PLACE,
    redirect: "manual",
    signal: signalOf(asked),
    decompress,
    timeout,
    keepalive,
  };
  return finish(apply(native, undefined, [made, how]) as Promise<Response>, hrefOf(url), site);
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
  const redirected = getHeader(received, REDIRECTED) !== null;
  const url = (redirected && getHeader(received, URL_HEADER)) || href;
  deleteHeader(received, URL_HEADER);
  deleteHeader(received, REDIRECTED);
  return attribute(answer, url, redirected);
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
