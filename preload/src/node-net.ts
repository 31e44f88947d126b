// Outgoing connections and name look-ups of Node's modules. http, https, http2 and tls connect through net.Socket.
import type { Site } from "./error.ts";
import { refusal } from "./error.ts";
import { guard, guardClass, replace } from "./guard.ts";
import { callLater } from "./late-primordials.ts";
import { isLoopback, LOCALHOST, parseHost } from "./hosts.ts";
import { grantsSomePort } from "./net-rules.ts";
import { addressOf, destinationOfUrl, hasNetwork, isStandIn, refusedConnection } from "./network.ts";
import { apply, isArray, numberFrom, ownKeys, startsWith } from "./primordials.ts";
import { details } from "./table.ts";

/** Guards node:net: a refused connection fails like any other, with an `error` event. */
export function tameNet(net: { Socket: { prototype: object } }): void {
  replace(net.Socket.prototype, "connect", (native) => {
    const { connect } = {
      connect(this: { destroy(error: Error): void }, ...args: unknown[]): unknown {
        const error = refusedConnection(destinationOf(args), site);
        if (error === null) return apply(native, this, args);
        callLater(() => this.destroy(error));
        return this;
      },
    };
    const site: Site = { api: "net.connect", entry: connect };
    return connect;
  });
}

/** Guards node:http or node:https: a refused request fails with an `error` event, before its socket can. */
export function tameRequests(module: object, api: string, port: number): void {
  for (const name of ["request", "get"]) {
    replace(module, name, (native) => {
      const { request } = {
        request(this: unknown, ...args: unknown[]): unknown {
          const error = refusedRequest(args, port, site);
          const made = apply(native, this, args) as { destroy(error: Error): void };
          if (error !== null) made.destroy(error);
          return made;
        },
      };
      const site: Site = { api: api + "." + name, entry: request };
      return request;
    });
  }
  if (api === "http")
    guardClass(module, "ClientRequest", "http.", (args, site) => {
      const error = refusedRequest(args, port, site);
      return (made) => {
        if (error !== null) (made as { destroy(error: Error): void }).destroy(error);
      };
    });
}

/** The error for `request(url, options)` or `request(options)`; `null` if it is allowed. */
function refusedRequest(args: unknown[], port: number, site: Site): Error | null {
  const address = destinationOfUrl(args[0]);
  const options = address === null ? args[0] : args[1];
  if (address !== null && (typeof options !== "object" || options === null))
    return refusedConnection(address, site);
  // `path` is of the URL here, not of a socket.
  const {
    socketPath,
    hostname,
    host,
    port: given,
    agent,
    createConnection,
  } = (options ?? {}) as Record<string, unknown>;
  // Where these connect to is theirs to know, and may be a proxy.
  if (hasNetwork && (agent || createConnection)) return null;
  if (typeof socketPath === "string") return refusedConnection("unix:" + socketPath, site);
  return refusedConnection(address ?? addressOf({ hostname, host, port: given }, "localhost", port), site);
}

/** Guards node:dns and its promises. */
export function tameDns(dns: DnsModule): void {
  tameLookups(dns, "dns.", "callback");
  tameLookups(dns.promises, "dns.promises.", "reject");
  tameLookups(dns.Resolver.prototype, "dns.Resolver.", "callback");
  tameLookups(dns.promises.Resolver.prototype, "dns.promises.Resolver.", "reject");
}

interface DnsModule {
  promises: { Resolver: { prototype: object } };
  Resolver: { prototype: object };
}

/** Guards the functions of `owner` that look names up. */
export function tameLookups(owner: object, prefix: string, style: "callback" | "reject"): void {
  const names = ownKeys(owner);
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    if (typeof name !== "string" || !isLookup(name)) continue;
    guard(owner, name, prefix, style, (args, site) => {
      const host = typeof args[0] === "string" && args[0] !== "" ? args[0] : LOCALHOST;
      // Rules name a port; most look-ups are for this one.
      return mayLookUp(name, host) ? null : refusal("net", addressOf({ host }, host, 443), site);
    });
  }
}

/** Whether the sandbox's name server answers: names of which some port is granted have addresses there. */
function mayLookUp(name: string, text: string): boolean {
  const host = hasNetwork ? parseHost(text) : null;
  if (host === null) return false;
  if (isLoopback(host) || isStandIn(host)) return true;
  const isItself = typeof host !== "string" && startsWith(name, "lookup") && name !== "lookupService";
  return isItself || grantsSomePort(details().policy.net, host);
}

function isLookup(name: string): boolean {
  return (
    name === "reverse" || name === "prefetch" || startsWith(name, "lookup") || startsWith(name, "resolve")
  );
}

/** Where `connect(options)`, `connect(port, host)` or `connect(path)` goes. */
function destinationOf(args: unknown[]): string {
  // The module's own functions pass one list that holds the arguments.
  const given: readonly unknown[] = isArray(args[0]) ? args[0] : args;
  const [first, second] = [given[0], given[1]];
  if (typeof first === "object") return addressOf(first, "localhost", 0);
  if (typeof first === "string" && !(numberFrom(first) >= 0))
    return addressOf({ path: first }, "localhost", 0);
  return addressOf({ port: first, host: typeof second === "string" ? second : undefined }, "localhost", 0);
}
