// What the rules of `net` and `listen` say about a host and port.
import type { Verdict } from "./decide.ts";
import type { PatternRow, PatternTable } from "./generated/policy.ts";
import type { Address, Host } from "./hosts.ts";
import {
  isApart,
  isLoopback,
  isUnspecified,
  LOCALHOST,
  parseAddress,
  parseHost,
  sharesPrefix,
} from "./hosts.ts";
import { NativeWeakMap, weakMapGet, weakMapSet } from "./late-primordials.ts";
import { absolute } from "./paths.ts";
import {
  append,
  codeUnitAt,
  endsWith,
  indexOf,
  numberFrom,
  numberToString,
  startsWith,
  substring,
} from "./primordials.ts";

const UNSTATED: Verdict = { allowed: false, rule: "default" };
const LAST_PORT = 65_535;
/** Before the path of a unix socket. */
const UNIX = "unix:";
/** Before a host and port that datagrams go to. */
export const UDP = "udp://";

type Transport = "tcp" | "udp";

/** A host and port that somebody wants to connect to, or to listen at. */
export interface Place {
  readonly host: Host;
  readonly port: number;
  readonly transport: Transport;
}

/** A rule, read. */
interface Rule {
  /** `null` is any. */
  readonly transport: Transport | null;
  /** Any host, this one, those below a name, those of a block, or a unix socket. */
  readonly kind: "any" | "host" | "below" | "block" | "socket";
  readonly host: Host;
  /** Of a block: how many bits are the same in all of its addresses. */
  readonly bits: number;
  readonly first: number;
  readonly last: number;
  readonly row: PatternRow;
}

interface Rules {
  readonly allow: readonly Rule[];
  readonly deny: readonly Rule[];
  /** What was asked last: programs ask for the same many times. */
  asked: string;
  answer: Verdict;
}

type Side = "allow" | "deny";

/** Rules that were read, by the table that they came from. */
const known = new NativeWeakMap<object, Rules>();

/** Whether `table` allows connecting to, or listening at, `host:port`. */
export function decideAddress(table: PatternTable, address: string): Verdict {
  const rules = rulesOf(table);
  if (rules.asked !== address) {
    rules.answer = verdict(rules, parsePlace(address));
    rules.asked = address;
  }
  return rules.answer;
}

/** Whether `table` grants any port of `host`, so that it may be asked where that is. */
export function grantsSomePort(table: PatternTable, host: Host): boolean {
  const rules = rulesOf(table);
  return grantsPortFor(rules, "tcp", host) || grantsPortFor(rules, "udp", host);
}

function grantsPortFor({ allow, deny }: Rules, transport: Transport, host: Host): boolean {
  for (let index = 0; index < deny.length; index++) {
    const rule = deny[index]!;
    const deniesAll = rule.first === 0 && rule.last === LAST_PORT && carries(rule, transport);
    if (deniesAll && speaksOfHost(rule, host, "deny")) return false;
  }
  for (let index = 0; index < allow.length; index++)
    if (carries(allow[index]!, transport) && speaksOfHost(allow[index]!, host, "allow")) return true;
  return false;
}

function carries(rule: Rule, transport: Transport): boolean {
  return rule.transport === null || rule.transport === transport;
}

/**
 * Whether who wants to listen at all addresses can listen at one that is granted: the launcher gives him that one.
 */
export function grantsSomeAddress(table: PatternTable, { host, port }: Place): boolean {
  if (!isUnspecified(host)) return false;
  const rules = rulesOf(table);
  for (let index = 0; index < rules.allow.length; index++) {
    const { kind, host: granted, first, last } = rules.allow[index]!;
    if (kind !== "host" || port < first || port > last) continue;
    const at = granted === LOCALHOST ? LOOPBACK : granted;
    if (typeof at !== "string" && verdict(rules, { host: at, port, transport: "tcp" }).allowed) return true;
  }
  return false;
}

const LOOPBACK: Address = [127, 0, 0, 1];
const LOOPBACK_V6: Address = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/** Whether an address is `unix:` and the path of a socket. */
export function isSocketFile(address: string): boolean {
  return startsWith(address, UNIX);
}

/** Reads `host:port`, `udp://host:port`, or `unix:` and a full path; `null` if it is none. */
export function parsePlace(address: string): Place | null {
  if (startsWith(address, UDP)) {
    const place = parsePlace(substring(address, UDP.length));
    return place === null ? null : { host: place.host, port: place.port, transport: "udp" };
  }
  if (isSocketFile(address)) {
    const path = substring(address, UNIX.length);
    return startsWith(path, "/") ? { host: UNIX + absolute(path), port: 0, transport: "tcp" } : null;
  }
  const colon = lastColon(address);
  const port = colon < 0 ? null : parsePort(substring(address, colon + 1));
  const host = port === null ? null : parseHost(substring(address, 0, colon));
  return host === null ? null : { host, port: port!, transport: "tcp" };
}

/** Whether what follows the last colon is a port. */
export function hasPort(address: string): boolean {
  const colon = lastColon(address);
  return colon >= 0 && parsePort(substring(address, colon + 1)) !== null;
}

function parsePort(text: string): number | null {
  const port = numberFrom(text);
  // In one spelling, so that neither `0x50` nor `` is one.
  return port >= 0 && port <= LAST_PORT && numberToString(port) === text && indexOf(text, ".") < 0
    ? port
    : null;
}

function verdict({ allow, deny }: Pick<Rules, Side>, place: Place | null): Verdict {
  if (place === null) return UNSTATED;
  for (let index = 0; index < deny.length; index++)
    if (speaksOf(deny[index]!, place, "deny")) return { allowed: false, rule: deny[index]!.row.rule };
  for (let index = 0; index < allow.length; index++)
    if (speaksOf(allow[index]!, place, "allow")) return { allowed: true, rule: allow[index]!.row.rule };
  return UNSTATED;
}

function speaksOf(rule: Rule, { host, port, transport }: Place, side: Side): boolean {
  return (
    carries(rule, transport) && port >= rule.first && port <= rule.last && speaksOfHost(rule, host, side)
  );
}

function speaksOfHost({ kind, host: named, bits }: Rule, host: Host, side: Side): boolean {
  if (typeof host === "string" && isSocketFile(host))
    return kind === "socket" ? host === named : kind === "any" && side === "deny";
  switch (kind) {
    case "any":
      return side === "deny" || typeof host === "string" || !isApart(host);
    case "below":
      return (
        typeof host === "string" && endsWith(host, `.${named as string}`) && host.length > named.length + 1
      );
    default:
      if (typeof named === "string")
        return typeof host === "string" ? host === named : named === LOCALHOST && isLoopback(host);
      if (typeof host !== "string") return sharesPrefix(host, named, bits);
      // What a name resolves to is only known later, except for this one.
      return (
        side === "deny" &&
        host === LOCALHOST &&
        (sharesPrefix(LOOPBACK, named, bits) || sharesPrefix(LOOPBACK_V6, named, bits))
      );
  }
}

function rulesOf(table: PatternTable): Rules {
  let rules = weakMapGet(known, table) as Rules | undefined;
  if (rules === undefined) {
    rules = {
      allow: readRules(table.allow, "allow"),
      deny: readRules(table.deny, "deny"),
      asked: "",
      answer: UNSTATED,
    };
    weakMapSet(known, table, rules);
  }
  return rules;
}

function readRules(rows: readonly PatternRow[], side: Side): Rule[] {
  const rules: Rule[] = [];
  for (let index = 0; index < rows.length; index++) append(rules, readRule(rows[index]!, side));
  return rules;
}

/** Reads a rule as the launcher writes it: `host:ports`, with IPv6 addresses in brackets. */
function readRule(row: PatternRow, side: Side): Rule {
  const { pattern } = row;
  if (isSocketFile(pattern))
    return { transport: "tcp", kind: "socket", host: pattern, bits: 0, first: 0, last: LAST_PORT, row };
  const isUdp = startsWith(pattern, UDP);
  // A denial that names no transport means both.
  const transport = isUdp ? "udp" : side === "allow" ? "tcp" : null;
  const colon = lastColon(pattern);
  const text = substring(pattern, isUdp ? UDP.length : 0, colon);
  const ports = substring(pattern, colon + 1);
  const hyphen = indexOf(ports, "-");
  const first = ports === "*" ? 0 : numberFrom(hyphen < 0 ? ports : substring(ports, 0, hyphen));
  const last = ports === "*" ? LAST_PORT : numberFrom(hyphen < 0 ? ports : substring(ports, hyphen + 1));
  if (text === "*") return { transport, kind: "any", host: text, bits: 0, first, last, row };
  if (startsWith(text, "*."))
    return { transport, kind: "below", host: substring(text, 2), bits: 0, first, last, row };
  const bare = startsWith(text, "[") ? substring(text, 1, text.length - 1) : text;
  const slash = indexOf(bare, "/");
  const host = parseAddress(slash < 0 ? bare : substring(bare, 0, slash)) ?? bare;
  if (slash < 0) return { transport, kind: "host", host, bits: host.length * 8, first, last, row };
  return { transport, kind: "block", host, bits: numberFrom(substring(bare, slash + 1)), first, last, row };
}

function lastColon(text: string): number {
  let index = text.length - 1;
  while (index >= 0 && codeUnitAt(text, index) !== 0x3a) index--;
  return index;
}
