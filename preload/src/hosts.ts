// Hosts as programs and policies name them: addresses by their bytes, and names. The Rust side reads them alike
// (launcher/policy/src/net.rs and reach.rs); both run the cases of launcher/policy/cases/decisions.json.
import { toLowerCase } from "./late-primordials.ts";
import { append, codeUnitAt, endsWith, indexOf, startsWith, substring } from "./primordials.ts";

/** The bytes of an address, four or sixteen. An IPv4 address that is written as an IPv6 one is an IPv4 address. */
export type Address = readonly number[];

/** An address, or a name in lower case without a dot at its end. */
export type Host = Address | string;

export const LOCALHOST = "localhost";
/** The longest name, and the longest part of one (RFC 1035). */
const MAX_NAME_LENGTH = 253;
const MAX_LABEL_LENGTH = 63;
/** An IPv4 address in IPv6 (RFC 4291). */
const MAPPED: Address = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
/** What a translator sends on to the IPv4 address in it (RFC 6052). */
const TRANSLATED: Address = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const BROADCAST: Address = [255, 255, 255, 255];
/** Where clouds hand out credentials, apart from link-local addresses. */
const CREDENTIALS: readonly Address[] = [
  [100, 100, 100, 200],
  [0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54],
];

const DOT = 0x2e;
const COLON = 0x3a;
const HYPHEN = 0x2d;
const UNDERSCORE = 0x5f;

/** Reads a host as a program gives it; `null` if it can be neither a name nor an address. */
export function parseHost(text: string): Host | null {
  const bracketed = startsWith(text, "[") && endsWith(text, "]");
  const address = parseAddress(bracketed ? substring(text, 1, text.length - 1) : text);
  return address ?? parseName(text);
}

/** Reads an address, in the one spelling that every program takes for the same. */
export function parseAddress(text: string): Address | null {
  return indexOf(text, ":") < 0 ? parseV4(text) : parseV6(text);
}

/** Whether the first `length` bits of two addresses of one kind are the same. */
export function sharesPrefix(one: Address, other: Address, length: number): boolean {
  if (one.length !== other.length) return false;
  for (let bit = 0, index = 0; bit < length; bit += 8, index++) {
    const unused = bit + 8 > length ? bit + 8 - length : 0;
    if (one[index]! >> unused !== other[index]! >> unused) return false;
  }
  return true;
}

/** Whether a host is this machine itself: what is there stays within a sandbox that has a network. */
export function isLoopback(host: Host): boolean {
  if (typeof host === "string") return host === LOCALHOST;
  return host.length === 4 ? host[0] === 127 : isZero(host, 15) && host[15] === 1;
}

/** Whether an address stands for all addresses of the machine. */
export function isUnspecified(host: Host): boolean {
  return typeof host !== "string" && isZero(host, host.length);
}

/**
 * Addresses that even a rule for any host does not mean: of the link, of many at once, and where clouds hand out
 * credentials.
 */
export function isApart(address: Address): boolean {
  for (let index = 0; index < CREDENTIALS.length; index++)
    if (sharesPrefix(address, CREDENTIALS[index]!, 128)) return true;
  const first = address[0]!;
  const second = address[1]!;
  if (address.length === 4)
    return (
      (first === 169 && second === 254) ||
      (first >= 224 && first < 240) ||
      sharesPrefix(address, BROADCAST, 32)
    );
  if ((first === 0xfe && second >> 6 === 2) || first === 0xff) return true;
  const within = embedded(address);
  return within !== null && isApart(within);
}

/** The IPv4 address that a translator sends an address on to, or a tunnel (6to4, RFC 3056). */
function embedded(address: Address): Address | null {
  if (address[0] === 0x20 && address[1] === 0x02) return part(address, 2);
  return sharesPrefix(address, TRANSLATED, 96) ? part(address, 12) : null;
}

/** Four bytes of an address. */
function part(address: Address, start: number): Address {
  return [address[start]!, address[start + 1]!, address[start + 2]!, address[start + 3]!];
}

function isZero(address: Address, length: number): boolean {
  for (let index = 0; index < length; index++) if (address[index] !== 0) return false;
  return true;
}

/** Four decimal numbers: no other base, no number left out, no zero in front. */
function parseV4(text: string): Address | null {
  const bytes: number[] = [];
  let value = 0;
  let digits = 0;
  for (let index = 0; index <= text.length; index++) {
    const unit = index < text.length ? codeUnitAt(text, index) : DOT;
    if (unit === DOT) {
      if (digits === 0 || value > 255 || bytes.length === 4) return null;
      append(bytes, value);
      value = digits = 0;
    } else {
      if (!isDigit(unit) || digits === 3 || (digits === 1 && value === 0)) return null;
      value = value * 10 + unit - 0x30;
      digits++;
    }
  }
  return bytes.length === 4 ? bytes : null;
}

/** Eight groups, of which one `::` leaves out at least one; the last two may be an IPv4 address. */
function parseV6(text: string): Address | null {
  const gap = indexOf(text, "::");
  const head = groups(gap < 0 ? text : substring(text, 0, gap), gap < 0);
  const tail = gap < 0 ? [] : groups(substring(text, gap + 2), true);
  if (head === null || tail === null) return null;
  const missing = 16 - head.length - tail.length;
  if (gap < 0 ? missing !== 0 : missing < 2) return null;
  const bytes: number[] = [];
  for (let index = 0; index < head.length; index++) append(bytes, head[index]!);
  for (let index = 0; index < missing; index++) append(bytes, 0);
  for (let index = 0; index < tail.length; index++) append(bytes, tail[index]!);
  for (let index = 0; index < MAPPED.length; index++) if (bytes[index] !== MAPPED[index]) return bytes;
  return part(bytes, 12);
}

/** The bytes of groups with colons between them; `null` if there are too many, or others. */
function groups(text: string, mayEndInV4: boolean): Address | null {
  const bytes: number[] = [];
  for (let start = 0; start < text.length;) {
    const colon = indexOf(text, ":", start);
    const end = colon < 0 ? text.length : colon;
    const group = substring(text, start, end);
    const v4 = colon < 0 && mayEndInV4 ? parseV4(group) : null;
    if (v4 !== null) for (let index = 0; index < 4; index++) append(bytes, v4[index]!);
    else {
      const value = hexadecimal(group);
      if (value === null) return null;
      append(bytes, value >> 8);
      append(bytes, value & 0xff);
    }
    // A colon with nothing behind it.
    if (colon === text.length - 1 || bytes.length > 16) return null;
    start = end + 1;
  }
  return bytes;
}

function hexadecimal(text: string): number | null {
  if (text.length === 0 || text.length > 4) return null;
  let value = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = codeUnitAt(text, index);
    const letter = unit | 0x20;
    if (isDigit(unit)) value = value * 16 + unit - 0x30;
    else if (letter >= 0x61 && letter <= 0x66) value = value * 16 + letter - 0x57;
    else return null;
  }
  return value;
}

/** A name in lower case, if it can be one. What ends in a number is read as an address by some programs. */
function parseName(text: string): string | null {
  const trimmed = endsWith(text, ".") ? substring(text, 0, text.length - 1) : text;
  if (trimmed.length === 0 || trimmed.length > MAX_NAME_LENGTH) return null;
  let start = 0;
  let isNumber = true;
  for (let index = 0; index <= trimmed.length; index++) {
    const unit = index < trimmed.length ? codeUnitAt(trimmed, index) : DOT;
    if (unit === DOT) {
      if (index === start || index - start > MAX_LABEL_LENGTH) return null;
      if (index === trimmed.length) break;
      start = index + 1;
      isNumber = true;
    } else if (!isDigit(unit)) {
      if (!isLetter(unit) && unit !== HYPHEN && unit !== UNDERSCORE) return null;
      isNumber = false;
    }
  }
  const name = toLowerCase(trimmed);
  return isNumber || substring(name, start, start + 2) === "0x" ? null : name;
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit < COLON;
}

function isLetter(unit: number): boolean {
  const letter = unit | 0x20;
  return letter >= 0x61 && letter <= 0x7a;
}
