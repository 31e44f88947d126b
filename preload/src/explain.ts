// The words of a refusal. The Rust side says the same; launcher/policy/cases/decisions.json holds both to it.
import type { Permission } from "./generated/policy.ts";
import { PHRASES, REASONS } from "./generated/policy.ts";
import { startsWith, stringifyJson } from "./primordials.ts";

/** What is refused, why, and how to allow it. */
export function explain(permission: Permission, resource: string | null, rule: string): string {
  const phrase = PHRASES[permission];
  const quoted = resource === null || permission === "workers" ? resource : stringifyJson(resource);
  const act = quoted === null ? phrase : `${phrase} ${quoted}`;
  const fix = fixFor(permission, resource, rule);
  return `${act} is not allowed: ${reason(permission, rule)}${fix === "" ? "" : `. To allow it: ${fix}`}`;
}

/** What to write into the policy, or to remove from it, to allow this very act. */
export function fixFor(permission: Permission, resource: string | null, rule: string): string {
  const stands = startsWith(rule, "deny.") || startsWith(rule, "js.") || isFetched(permission, rule);
  if (stands) return `remove ${rule}`;
  // What no rule can grant.
  if (rule === "absent") return "";
  if (permission === "workers") return `allow.workers: ${resource}`;
  return resource === null
    ? `allow.${permission}: true`
    : `allow.${permission}: [${stringifyJson(resource)}]`;
}

/** Whether a connection is refused because there are requests in its place. */
function isFetched(permission: Permission, rule: string): boolean {
  return permission === "net" && startsWith(rule, "allow.fetch ");
}

function reason(permission: Permission, rule: string): string {
  if (isFetched(permission, rule)) return REASONS.fetched;
  if (rule === "default" || rule === "secret" || rule === "protected" || rule === "absent")
    return REASONS[rule];
  const none = startsWith(rule, "allow.workers 0 ") || startsWith(rule, "allow.workers false ");
  return permission === "workers" && startsWith(rule, "allow.") && !none ? REASONS.limit : REASONS.denied;
}
