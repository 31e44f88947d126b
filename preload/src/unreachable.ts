// Connections and look-ups that failed: what the policy has to do with that. In a sandbox with a network, the launcher
// refuses a connection with EACCES, a name that is not granted is not found, and at a port of the machine itself nobody
// listens who is not inside, unless a rule grants it.
import { LOCALHOST, parseHost } from "./hosts.ts";
import type { Field } from "./native-failure.ts";
import { grantsSomePort, parsePlace } from "./net-rules.ts";
import { addressOf, destinationOfUrl, isStandIn } from "./network.ts";
import { startsWith } from "./primordials.ts";
import { details } from "./table.ts";

/** Most look-ups are for this port. */
const USUAL_PORT = 443;

/**
 * What a failed connection was to: `host:port`, of which the launcher knows whether it refused it, or `unknown`, where
 * only the launcher knows. `null` where the policy has nothing to do with it, `undefined` where it is no connection.
 */
export function refusedDestination(code: string, field: Field): string | null | undefined {
  if (code === "ENOTFOUND") return refusedName(field("hostname"), field("path"));
  const path = field("path");
  const isUrl = path !== null && (startsWith(path, "http://") || startsWith(path, "https://"));
  if (!isUrl && field("syscall") !== "connect") return undefined;
  const address = isUrl ? destinationOfUrl(path) : addressIn(field);
  const place = address === null ? null : parsePlace(address);
  // Where a granted name leads may be refused all the same.
  if (place !== null && !isStandIn(place.host)) return address;
  return code === "EACCES" ? "unknown" : null;
}

/** `host:port` that an error of a socket names. */
function addressIn(field: Field): string | null {
  const host = field("address");
  const port = field("port");
  return host === null || port === null ? null : addressOf({ host, port }, host, USUAL_PORT);
}

/** A name of which no port is granted; the URL that led to it may have another host, which sent the program there. */
function refusedName(name: string | null, url: string | null): string | null {
  const host = name === null ? null : parseHost(name);
  if (host === null || grantsSomePort(details().policy.net, host)) return null;
  const address = url === null ? null : destinationOfUrl(url);
  const place = address === null ? null : parsePlace(address);
  return place !== null && place.host === host ? address : addressOf({ host: name }, LOCALHOST, USUAL_PORT);
}
