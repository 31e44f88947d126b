// Datagrams. They leave the sandbox from connected sockets alone, to what a rule of `net` for `udp://` grants; what is
// sent to anybody else never arrives, of which the kernel says next to nothing.
import type { Site } from "./error.ts";
import type { AnyFunction } from "./guard.ts";
import { replace } from "./guard.ts";
import { isLoopback, isUnspecified } from "./hosts.ts";
import { callLater } from "./late-primordials.ts";
import { parsePlace, UDP } from "./net-rules.ts";
import { addressOf, hasNetwork, refusedConnection } from "./network.ts";
import {
  apply,
  captureStackTrace,
  defineValue,
  getPrototypeOf,
  isArray,
  NativeError,
  NativePromise,
  rejected,
} from "./primordials.ts";

const { then } = NativePromise.prototype;

/** What Bun.udpSocket makes. */
interface NativeSocket {
  readonly remoteAddress: object | undefined;
}

/** Makes a socket, and guards what it sends with. */
export function openDatagrams(native: Function, args: unknown[], site: Site): unknown {
  const { connect } = (args[0] ?? {}) as { connect?: unknown };
  const isConnected = typeof connect === "object" && connect !== null;
  const error = isConnected ? refusedConnection(destination(connect), site) : null;
  if (error !== null) return rejected(error);
  const made = apply(native, Bun, args) as Promise<object>;
  return isGuarded ? made : apply(then, made, [guardSocket]);
}

let isGuarded = false;

/** Guards the class of all such sockets, which nothing else leads to. */
function guardSocket(socket: object): object {
  if (isGuarded) return socket;
  isGuarded = true;
  const prototype = getPrototypeOf(socket) as object;
  replace(prototype, "send", (native) =>
    guarded(native, "send", (args, site) =>
      refusedSending(destination({ port: args[1], host: args[2] }), site),
    ),
  );
  replace(prototype, "sendMany", (native) =>
    guarded(native, "sendMany", ([list], site) => {
      if (!isArray(list)) return null;
      for (let index = 0; index + 2 < list.length; index += 3) {
        const error = refusedSending(destination({ port: list[index + 1], host: list[index + 2] }), site);
        if (error !== null) return error;
      }
      return null;
    }),
  );
  return socket;
}

function guarded(
  native: AnyFunction,
  name: string,
  check: (args: unknown[], site: Site) => Error | null,
): AnyFunction {
  const { send } = {
    send(this: NativeSocket, ...args: unknown[]): unknown {
      const error = this.remoteAddress === undefined ? check(args, site) : null;
      if (error !== null) throw error;
      return apply(native, this, args);
    },
  };
  const site: Site = { api: "udpSocket." + name, entry: send };
  return send;
}

/** Guards node:dgram: what is refused fails in its callback, or else with an `error` event. */
export function tameDgram(dgram: { Socket: { prototype: object } }): void {
  guardMethod(dgram.Socket.prototype, "connect", (_, [port, host], site) =>
    refusedConnection(destination({ port, host }), site),
  );
  guardMethod(dgram.Socket.prototype, "send", (socket, args, site) =>
    isConnected(socket) ? null : refusedSending(destination(recipient(args)), site),
  );
}

interface DgramSocket {
  emit(event: "error", error: Error): void;
  remoteAddress(): unknown;
}

function guardMethod(
  prototype: object,
  name: "connect" | "send",
  check: (socket: DgramSocket, args: unknown[], site: Site) => Error | null,
): void {
  replace(prototype, name, (native) => {
    const { method } = {
      method(this: DgramSocket, ...args: unknown[]): unknown {
        const error = check(this, args, site);
        if (error === null) return apply(native, this, args);
        const callback = args[args.length - 1];
        if (typeof callback === "function") callLater(callback as AnyFunction, error);
        else callLater(() => this.emit("error", error));
        return undefined;
      },
    };
    const site: Site = { api: "dgram." + name, entry: method };
    return method;
  });
}

function isConnected(socket: DgramSocket): boolean {
  try {
    return socket.remoteAddress() !== undefined;
  } catch {
    return false;
  }
}

/** Of `send(message, port, host)` or `send(message, offset, length, port, host)`. */
function recipient([, second, third, fourth, fifth]: unknown[]): { port: unknown; host: unknown } {
  const isPart = Boolean(fifth) || (Boolean(fourth) && typeof fourth !== "function");
  return isPart ? { port: fourth, host: fifth } : { port: second, host: third };
}

/** `udp://host:port`. What is no port is left to the API. */
function destination({
  port,
  host,
  hostname,
}: {
  port?: unknown;
  host?: unknown;
  hostname?: unknown;
}): string {
  return UDP + addressOf({ port, host, hostname }, "localhost", 0);
}

/** The error for sending from a socket that is not connected; `null` where it stays within the sandbox. */
function refusedSending(address: string, site: Site): Error | null {
  if (!hasNetwork) return refusedConnection(address, site);
  const place = parsePlace(address);
  if (place === null || place.port === 0 || isLoopback(place.host) || isUnspecified(place.host)) return null;
  return refusedConnection(address, site) ?? unconnected(address, site);
}

function unconnected(address: string, site: Site): Error {
  const error = new NativeError(
    `sending to "${address}": datagrams leave the sandbox from a connected socket alone. Connect it to that address first`,
  );
  defineValue(error, "code", "ERR_SOCKET_DGRAM_NOT_CONNECTED", true);
  captureStackTrace(error, site.entry);
  return error;
}
