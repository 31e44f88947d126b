// Sockets and servers of Bun. node:http, node:net, node:tls and node:dgram listen through them.
import { grantsAny } from "./decide.ts";
import { refuse } from "./guard.ts";
import { numberToString } from "./primordials.ts";
import { table } from "./table.ts";

/** Guards the ways of `Bun` to the network. */
export function tameBunNet(): void {
  if (!grantsAny(table.policy, "net")) {
    refuse(Bun, "connect", "Bun.", "reject", "net", (args) => addressOf(args[0], "localhost", 0));
    refuse(Bun, "udpSocket", "Bun.", "reject", "net", (args) => addressOf(args[0], "0.0.0.0", 0));
  }
  if (!grantsAny(table.policy, "listen")) {
    refuse(Bun, "serve", "Bun.", "throw", "listen", (args) => addressOf(args[0], "0.0.0.0", 3000));
    refuse(Bun, "listen", "Bun.", "throw", "listen", (args) => addressOf(args[0], "0.0.0.0", 0));
  }
}

/** `host:port` or `unix:path` of an options object. */
export function addressOf(options: unknown, defaultHost: string, defaultPort: number): string {
  const { hostname, host, port, unix, path } = (options ?? {}) as Record<string, unknown>;
  if (typeof unix === "string") return "unix:" + unix;
  if (typeof path === "string" && port === undefined) return "unix:" + path;
  return hostAndPort(
    textOf(hostname) ?? textOf(host) ?? defaultHost,
    textOf(port) ?? numberToString(defaultPort),
  );
}

/** Host and port as policies write them: IPv6 addresses in brackets. */
export function hostAndPort(host: string, port: string): string {
  for (let index = 0; index < host.length; index++)
    if (host[index] === ":" && host[0] !== "[") return `[${host}]:${port}`;
  return `${host}:${port}`;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "number") return numberToString(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}
