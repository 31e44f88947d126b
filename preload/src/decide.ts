// The policy's verdicts, from the table that the launcher made of it. The Rust side decides by the same rules; both
// run the cases of launcher/policy/cases/decisions.json.
import type { PathRow, Permission, PreloadTable } from "./generated/policy.ts";
import { PROGRAM_FOLDERS, PROTECTED_WRITES, SECRET_PATTERNS } from "./generated/policy.ts";
import { lateOthers } from "./late-others.ts";
import { folderOf, isWithin } from "./paths.ts";
import { indexOf, numberFrom, startsWith, substring } from "./primordials.ts";

export interface Verdict {
  readonly allowed: boolean;
  /** The rule that decided: `default` where none speaks of it, or its text and place in the policy. */
  readonly rule: string;
}

/** Permissions that come as lists: where nothing is granted, nothing of that kind can be done at all. */
export type Listed = "net" | "listen" | "run" | "ffi";

const UNSTATED: Verdict = { allowed: false, rule: "default" };
const SECRET: Verdict = { allowed: false, rule: "secret" };

const ABSENT: Verdict = { allowed: false, rule: "absent" };

/** Whether the policy grants anything of a kind. */
export function grantsAny(policy: PreloadTable, permission: Listed): boolean {
  return policy[permission].allow.length > 0;
}

/**
 * Whether a policy lets the program do something. Paths are absolute; the number of workers is a decimal text.
 * URLs and modules are judged by the launcher and the kernel: what is not granted here is refused.
 */
export function decide(policy: PreloadTable, permission: Permission, resource: string | null): Verdict {
  switch (permission) {
    case "read":
      return decideRead(policy, resource ?? "/");
    case "write":
      return decideWrite(policy, resource ?? "/");
    case "env":
    case "sys":
      return decideName(policy, permission, resource ?? "");
    case "workers": {
      const { most, rule } = policy.workers;
      return { allowed: numberFrom(resource ?? "1") <= most, rule };
    }
    case "ffi":
      return decideLibrary(policy, resource);
    case "run":
      return decideProgram(policy, resource ?? "");
    case "net":
      return lateOthers().decideConnection(policy, resource ?? "");
    case "listen":
      if (resource !== null && startsWith(resource, "unix:")) return ABSENT;
      return lateOthers().decideAddress(policy.listen, resource ?? "");
    case "eval":
    case "wasm":
      return policy[permission];
    default:
      return UNSTATED;
  }
}

/** `deny.read` alone denies reading: what `deny.write` names may still be looked at. */
function decideRead(policy: PreloadTable, path: string): Verdict {
  const { read, write } = policy;
  const denial = covering(read.deny, path);
  if (denial !== null) return refused(denial);
  const grant = granting(policy, read.allow, path) ?? granting(policy, write.allow, path);
  if (grant !== null) return { allowed: true, rule: grant.rule };
  return (covering(read.allow, path) ?? covering(write.allow, path)) ? SECRET : UNSTATED;
}

/** A write grant includes reading, so `deny.read` denies writing as well. */
function decideWrite(policy: PreloadTable, path: string): Verdict {
  const { read, write } = policy;
  const denial = covering(write.deny, path) ?? covering(read.deny, path);
  if (denial !== null) return refused(denial);
  if (covering(write.allow, path) === null) return UNSTATED;
  if (isProtected(write.allow, path)) return { allowed: false, rule: "protected" };
  const grant = granting(policy, write.allow, path);
  return grant === null ? SECRET : { allowed: true, rule: grant.rule };
}

/** The grant that includes `path`; a grant of a whole import root does not include the secrets at its top. */
function granting(policy: PreloadTable, rows: readonly PathRow[], path: string): PathRow | null {
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index]!;
    if (isWithin(path, row.path) && !(isImportRoot(policy, row.path) && isSecret(row.path, path))) return row;
  }
  return null;
}

function isImportRoot(policy: PreloadTable, folder: string): boolean {
  const roots = policy.import.allow;
  for (let index = 0; index < roots.length; index++) if (roots[index]!.path === folder) return true;
  return false;
}

/** Whether `path` is or lies in a secret at the top of `root`. */
function isSecret(root: string, path: string): boolean {
  const start = root === "/" ? 1 : root.length + 1;
  const slash = indexOf(path, "/", start);
  const end = slash < 0 ? path.length : slash;
  for (let index = 0; index < SECRET_PATTERNS.length; index++) {
    const pattern = SECRET_PATTERNS[index]!;
    // Nearly every name begins or ends like none of them.
    if (!canBe(pattern[0]!, path[start]) || !canBe(pattern[pattern.length - 1]!, path[end - 1])) continue;
    if (matches(pattern, substring(path, start, end))) return true;
  }
  return false;
}

/** Whether a character can stand where a pattern has `wanted`. */
function canBe(wanted: string, character: string | undefined): boolean {
  return wanted === "*" || wanted === character;
}

/** Whether `path` is or lies in something that trusted tools obey, and no grant names that very thing. */
function isProtected(grants: readonly PathRow[], path: string): boolean {
  for (let start = 1; start < path.length; start++) {
    // Nearly every part of a path begins like none of them.
    if (path[start - 1] !== "/" || !isInitial(path[start]!)) continue;
    for (let index = 0; index < PROTECTED_WRITES.length; index++) {
      const name = PROTECTED_WRITES[index]!;
      const end = start + name.length;
      if (end !== path.length && path[end] !== "/") continue;
      if (substring(path, start, end) === name && !isOpened(grants, path, end)) return true;
    }
  }
  return false;
}

let initials = "";
for (let index = 0; index < PROTECTED_WRITES.length; index++)
  if (!isInitial(PROTECTED_WRITES[index]![0]!)) initials += PROTECTED_WRITES[index]![0]!;

function isInitial(character: string): boolean {
  for (let index = 0; index < initials.length; index++) if (initials[index] === character) return true;
  return false;
}

/** Whether a grant names the folder or file of the first `length` characters of `path`, or something in it. */
function isOpened(grants: readonly PathRow[], path: string, length: number): boolean {
  for (let index = 0; index < grants.length; index++) {
    const grant = grants[index]!.path;
    if (grant.length >= length && isWithin(path, grant)) return true;
  }
  return false;
}

function decideName(policy: PreloadTable, permission: "env" | "sys", name: string): Verdict {
  const { allow, deny } = policy[permission];
  for (let index = 0; index < deny.length; index++)
    if (matches(deny[index]!.pattern, name)) return refused(deny[index]!);
  for (let index = 0; index < allow.length; index++)
    if (matches(allow[index]!.pattern, name)) return { allowed: true, rule: allow[index]!.rule };
  return UNSTATED;
}

/** A program is an absolute path, or a bare name that is looked up in the sandbox's PATH. */
function decideProgram(policy: PreloadTable, program: string): Verdict {
  const { allow, deny } = policy.run;
  for (let index = 0; index < deny.length; index++)
    if (deniesProgram(deny[index]!.pattern, program)) return refused(deny[index]!);
  for (let index = 0; index < allow.length; index++)
    if (grantsProgram(allow[index]!.pattern, program)) return { allowed: true, rule: allow[index]!.rule };
  return UNSTATED;
}

/** A name is granted in the folders where programs are; a path also grants the bare name that is found there. */
function grantsProgram(pattern: string, program: string): boolean {
  if (pattern === "*" || pattern === program) return true;
  if (startsWith(pattern, "/")) return isWithin(program, pattern) || isFoundWithin(program, pattern);
  for (let index = 0; index < PROGRAM_FOLDERS.length; index++)
    if (program === PROGRAM_FOLDERS[index]! + "/" + pattern) return true;
  return false;
}

/** A name is denied in whatever folder it is found; a path also denies the bare name that could be found there. */
function deniesProgram(pattern: string, program: string): boolean {
  if (pattern === "*" || pattern === program) return true;
  if (!startsWith(pattern, "/")) return program === `${folderOf(program)}/${pattern}`;
  return isWithin(program, pattern) || isFoundWithin(program, pattern);
}

/** Whether a bare name stands for a program at or below `path`. */
function isFoundWithin(program: string, path: string): boolean {
  if (indexOf(program, "/") >= 0) return false;
  for (let index = 0; index < PROGRAM_FOLDERS.length; index++)
    if (isWithin(PROGRAM_FOLDERS[index]! + "/" + program, path)) return true;
  return false;
}

/** Without a library, the question is whether any native code may be loaded. */
function decideLibrary(policy: PreloadTable, library: string | null): Verdict {
  const { allow, deny } = policy.ffi;
  for (let index = 0; index < deny.length; index++) {
    const { path } = deny[index]!;
    if (path === null || (library !== null && isWithin(library, path))) return refused(deny[index]!);
  }
  for (let index = 0; index < allow.length; index++) {
    const { path, rule } = allow[index]!;
    if (library === null || path === null || isWithin(library, path)) return { allowed: true, rule };
  }
  return UNSTATED;
}

function covering(rows: readonly PathRow[], path: string): PathRow | null {
  for (let index = 0; index < rows.length; index++)
    if (isWithin(path, rows[index]!.path)) return rows[index]!;
  return null;
}

function refused(row: { readonly rule: string }): Verdict {
  return { allowed: false, rule: row.rule };
}

/** Whether a name matches a pattern in which each `*` stands for any text. */
function matches(pattern: string, name: string): boolean {
  let p = 0;
  let n = 0;
  let star = -1;
  let resume = 0;
  while (n < name.length) {
    if (pattern[p] === "*") {
      star = p++;
      resume = n;
    } else if (pattern[p] === name[n]) {
      p++;
      n++;
    } else if (star >= 0) {
      // Let the last star take one character more.
      p = star + 1;
      n = ++resume;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
