// What is said to the launcher, which makes requests: where it is found, the headers, and what it answers of a failure.
import type { Site } from "./error.ts";
import { deny } from "./error.ts";
import { defineValue, getOwnPropertyDescriptor, apply, NativeError, uncurry } from "./primordials.ts";

/** Where the launcher is found. What is asked of it stands in headers, so this URL only has to be one. */
export const PLACE = "/run/secure-bun.fetch";
export const LAUNCHER = "http://secure-bun/";
export const URL_HEADER = "x-secure-bun-url";
export const REDIRECT = "x-secure-bun-redirect";
export const FAILED = "x-secure-bun-failed";
export const TICKET = "x-secure-bun-ticket";

const NativeTypeError = TypeError;
const { prototype: headers } = Headers;
export const NativeHeaders = Headers;
export const getHeader = uncurry(headers.get);
export const setHeader = uncurry(headers.set);
export const deleteHeader = uncurry(headers.delete);
export const textOf = uncurry(Response.prototype.text);
export const headersOf = getter(Response.prototype, "headers") as (response: Response) => Headers;

/** What the launcher says of a request that it did not carry out. */
export interface Failure {
  readonly resource?: string;
  readonly rule?: string;
  readonly fix?: string | null;
  readonly message: string;
  readonly code?: string;
  readonly limit?: string;
  readonly allowed?: number;
}

/** The error of a request for `href`. */
export function errorFor(failure: Failure, href: string, site: Site): Error {
  const { resource, rule, fix, message, code, limit, allowed } = failure;
  if (resource !== undefined && rule !== undefined)
    return deny({ permission: "fetch", resource, rule, fix: fix ?? "" }, message, site);
  const error = limit === undefined ? new NativeTypeError(message) : new NativeError(message);
  defineValue(error, "code", code, true);
  if (limit === undefined) {
    defineValue(error, "path", href, true);
    defineValue(error, "errno", 0, true);
  } else {
    defineValue(error, "name", "LimitError", false);
    defineValue(error, "limit", limit, true);
    defineValue(error, "allowed", allowed, true);
  }
  return error;
}

/** Reads a property by the getter of its class. */
export function getter(prototype: object, name: string): (self: never) => unknown {
  const read = getOwnPropertyDescriptor(prototype, name)!.get!;
  return (self) => apply(read, self, []);
}
