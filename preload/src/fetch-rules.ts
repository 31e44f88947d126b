// Which hosts and ports the rules of `fetch` name: the launcher requests what is there, and nobody connects to it.
import type { Verdict } from "./decide.ts";
import type { PreloadTable } from "./generated/policy.ts";
import type { Host } from "./hosts.ts";
import { isLoopback, LOCALHOST } from "./hosts.ts";
import { decideAddress, parsePlace, UDP } from "./net-rules.ts";
import { endsWith, indexOf, startsWith, substring } from "./primordials.ts";

/** Whether a rule of `fetch` names a host, which is at the end of `place`, and its port. */
export function isNamed({ fetch }: PreloadTable, host: Host | null, place: string): boolean {
  const { allow } = fetch;
  for (let index = 0; index < allow.length; index++)
    if (names(allow[index]!.pattern, host, place)) return true;
  return false;
}

/** Whether a policy lets the program connect to `host:port`, as far as that goes by its name. */
export function decideConnection({ net, fetch }: PreloadTable, address: string): Verdict {
  const verdict = decideAddress(net, address);
  const { allow } = fetch;
  const named = startsWith(address, UDP) ? substring(address, UDP.length) : address;
  const place = allow.length === 0 || startsWith(verdict.rule, "deny.") ? null : parsePlace(named);
  if (place === null) return verdict;
  for (let index = 0; index < allow.length; index++) {
    const { pattern, rule } = allow[index]!;
    if (!isForAnyHost(pattern) && names(pattern, place.host, named)) return { allowed: false, rule };
  }
  return verdict;
}

function isForAnyHost(pattern: string): boolean {
  const host = indexOf(pattern, "://") + 3;
  return pattern === "*" || (pattern[host] === "*" && pattern[host + 1] !== ".");
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
