// What the program sees of a refusal: a SecurityError that says what, which rule, and how to allow it.
import { decide } from "./decide.ts";
import { reportDenial } from "./denials.ts";
import { explain, fixFor } from "./explain.ts";
import type { Permission } from "./generated/policy.ts";
import { ACCESS_DENIED_PAGE } from "./generated/policy.ts";
import { NativeWeakMap, weakMapGet, weakMapSet } from "./late-primordials.ts";
import { captureStackTrace, defineValue, NativeError, setPrototypeOf } from "./primordials.ts";
import { SecurityError } from "./security-error.ts";
import { details } from "./table.ts";

/** One refused act. */
export interface Denial {
  readonly permission: Permission;
  /** What the act was about: a path, `host:port`, a command; `null` where the permission says it all. */
  readonly resource: string | null;
  readonly rule: string;
  readonly fix: string;
}

/** Where the program asked: the name it knows, and the guard it called. */
export interface Site {
  readonly api: string;
  /** The stack of an error begins at this function's caller. */
  readonly entry: Function;
}

const { prototype } = SecurityError;
/** The errors made here. The launcher is told what stands in this map, not what the error says of itself. */
const denials = new NativeWeakMap<object, Denial>();

/** Asks the policy: `null` if it allows the act, else the error for it, already reported to the launcher. */
export function refusal(permission: Permission, resource: string | null, site: Site): SecurityError | null {
  const verdict = decide(details().policy, permission, resource);
  if (verdict.allowed) return null;
  const { rule } = verdict;
  const denial: Denial = { permission, resource, rule, fix: fixFor(permission, resource, rule) };
  return deny(denial, explain(permission, resource, rule), site);
}

/** The error for a refused act, already reported to the launcher. */
export function deny(denial: Denial, message: string, site: Site): SecurityError {
  // Not `new SecurityError`: `super()` would run whatever the program made the parent of the class.
  const error = new NativeError(message) as SecurityError;
  setPrototypeOf(error, prototype);
  defineValue(error, "code", "ERR_ACCESS_DENIED", true);
  defineValue(error, "permission", denial.permission, true);
  defineValue(error, "resource", denial.resource, true);
  defineValue(error, "rule", denial.rule, true);
  defineValue(error, "fix", denial.fix, true);
  defineValue(error, "docs", ACCESS_DENIED_PAGE, true);
  weakMapSet(denials, error, denial);
  captureStackTrace(error, site.entry);
  reportDenial(denial, site);
  return error;
}

/** What was refused, if this error was made here. */
export function denialOf(error: object): Denial | undefined {
  return weakMapGet(denials, error) as Denial | undefined;
}
