// WebSocket to what rules of `fetch` name. Bun tells of one that failed nothing but the status that the launcher
// answered with: why, the launcher is asked before the program hears of it.
import type { Site } from "./error.ts";
import type { Failure } from "./launcher.ts";
import {
  errorFor,
  FAILED,
  getHeader,
  getter,
  headersOf,
  LAUNCHER,
  NativeHeaders,
  PLACE,
  setHeader,
  textOf,
  TICKET,
  URL_HEADER,
} from "./launcher.ts";
import { NativeWeakMap, weakMapGet, weakMapSet } from "./late-primordials.ts";
import { checkWebSocket, hrefOf, parse, refusedConnection } from "./network.ts";
import {
  apply,
  defineProperty,
  defineValue,
  getOwnPropertyDescriptor,
  indexOf,
  isArray,
  NativeError,
  parseJson,
  startsWith,
  substring,
} from "./primordials.ts";
import { destinationOfProxy, isCarriedOut } from "./requests.ts";

/** A connection through the launcher. */
interface Connection {
  /** Its URL, as the program wrote it. */
  readonly href: string;
  readonly ticket: string;
  readonly site: Site;
  /** The launcher is asked why it failed, and the program waits. */
  isAsked: boolean;
  /** The program is told, by events that come once more. */
  isTold: boolean;
  /** The end, which comes after the error. */
  close: Event | null;
}

type Fetch = (url: string, options: object) => Promise<Response>;

const NativeTypeError = TypeError;
const { randomUUIDv7 } = Bun;
const ADDRESS = "ws+unix://" + PLACE;
/** What Bun says where there was an answer. */
const ANSWERED = "Expected 101 status code";

const connections = new NativeWeakMap<object, Connection>();

/** Looks at the arguments of `WebSocket`; the function that it returns is told of the new one. */
export function openSocket(
  native: Fetch,
  args: unknown[],
  site: Site,
): ((socket: object) => void) | undefined {
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
  const ticket = randomUUIDv7();
  setHeader(sent, URL_HEADER, (isPlain ? "http" : "https") + substring(href, indexOf(href, ":")));
  setHeader(sent, TICKET, ticket);
  args[0] = ADDRESS;
  args[1] = { protocols: isOptions ? (protocols ?? protocol) : given, headers: sent };
  return (socket) => {
    tameSockets();
    const connection = { href, ticket, site, isAsked: false, isTold: false, close: null };
    weakMapSet(connections, socket, connection);
    explain(socket, connection, native);
  };
}

/** Listens before the program does. */
function explain(socket: object, connection: Connection, native: Fetch): void {
  const { addEventListener, dispatchEvent } = EventTarget.prototype;
  const { stopImmediatePropagation } = Event.prototype;
  const messageOf = getter(ErrorEvent.prototype, "message") as (event: unknown) => string;
  const failed = (event: Event) => {
    if (connection.isTold) return;
    const text = messageOf(event);
    if (indexOf(text, ANSWERED) < 0) return rename(event, text, connection);
    apply(stopImmediatePropagation, event, []);
    connection.isAsked = true;
    void ask(native, connection).then((failure) => {
      const { href, site, close } = connection;
      if (failure === null) rename(event, text, connection);
      else replace(event, errorOfSocket(failure, href, site));
      connection.isTold = true;
      apply(dispatchEvent, socket, [event]);
      if (close !== null) apply(dispatchEvent, socket, [close]);
    });
  };
  const closed = (event: Event) => {
    if (!connection.isAsked || connection.isTold) return;
    apply(stopImmediatePropagation, event, []);
    connection.close = event;
  };
  apply(addEventListener, socket, ["error", failed]);
  apply(addEventListener, socket, ["close", closed]);
}

/** Why the launcher did not connect; `null` where the server did not agree, or nobody knows. */
async function ask(native: Fetch, { ticket }: Connection): Promise<Failure | null> {
  try {
    const answer = await native(LAUNCHER, { unix: PLACE, headers: { [TICKET]: ticket } });
    const isTold = getHeader(headersOf(answer), FAILED) !== null;
    return isTold ? (parseJson(await textOf(answer)) as Failure) : null;
  } catch {
    return null;
  }
}

function errorOfSocket(failure: Failure, href: string, site: Site): Error {
  const error = errorFor(failure, href, site);
  if (failure.resource !== undefined) return error;
  const told = new NativeError(
    `WebSocket connection to '${href}' failed: Failed to connect: ${failure.message}`,
  );
  defineValue(told, "code", failure.code, true);
  return told;
}

/** Has an error say where the connection leads, and not that the launcher was asked. */
function rename(event: Event, text: string, { href }: Connection): void {
  const at = indexOf(text, ADDRESS);
  if (at < 0) return;
  const named = substring(text, 0, at) + href + substring(text, at + ADDRESS.length);
  const { error } = event as ErrorEvent;
  if (typeof error === "object" && error !== null) defineValue(error, "message", named, false);
  defineValue(event, "message", named, true);
}

function replace(event: Event, error: Error): void {
  defineValue(event, "message", error.message, true);
  defineValue(event, "error", error, true);
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
        return weakMapGet(connections, this as object)?.href ?? apply(native.get!, this, []);
      },
    },
    "value",
  )!;
  // `get` and `set` of nobody's prototype.
  defineProperty(prototype, name, { ...native, __proto__: null, get } as PropertyDescriptor);
}
