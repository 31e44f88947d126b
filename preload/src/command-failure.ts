// Commands that failed, by what they wrote to standard error, where an error carries that: Bun's shell names a path or a
// command and what the kernel said. Lines of another form say nothing here; whether the policy is behind one of these is
// for the policy to say.
import { decide } from "./decide.ts";
import type { Denial } from "./error.ts";
import { fixFor } from "./explain.ts";
import { mayAccess } from "./file-access.ts";
import type { Permission } from "./generated/policy.ts";
import { isView, NativeTextDecoder, NativeUint8Array } from "./late-primordials.ts";
import { absolute } from "./paths.ts";
import { endsWith, indexOf, startsWith, substring } from "./primordials.ts";
import { details, table } from "./table.ts";

/** What is looked at of standard error: its beginning. */
const MAX_BYTES = 8192;
const MAX_LINES = 64;
const MISSING = "No such file or directory";
const READ_ONLY = "Read-only file system";
/** What the kernel says of a refusal. */
const SAID = [MISSING, READ_ONLY, "Permission denied", "Operation not permitted"];
const OWN = "bun: ";
const NO_COMMAND = `${OWN}command not found: `;
const NO_MATCH = `${OWN}no matches found: `;
const NO_FOLDER = "cd: not a directory: ";
/** Commands of Bun's shell that change what they name. */
const WRITING = ["mkdir", "mv", "rm", "touch"];
/** What a path in a pattern ends before. */
const WILD = ["*", "?", "[", "{"];

let directory: "unknown" | "ours" = "unknown";

/** Says whether relative paths in the words of Bun's shell start where the program is. */
export function placeShell(where: typeof directory): void {
  directory = where;
}

/** What the policy refused, if that is what an error about a command tells of; `null`: nothing, as far as can be seen. */
export function refusedCommand(thrown: object): Denial | null {
  let rest = stderrOf(thrown);
  for (let count = 0; rest !== "" && count < MAX_LINES; count++) {
    const end = indexOf(rest, "\n");
    const line = end < 0 ? rest : substring(rest, 0, end);
    rest = end < 0 ? "" : substring(rest, end + 1);
    const denial = refusedIn(line);
    if (denial !== null) return denial;
  }
  return null;
}

function refusedIn(line: string): Denial | null {
  const command = after(line, NO_COMMAND);
  if (command !== null) return refused("run", command);
  const pattern = after(line, NO_MATCH);
  if (pattern !== null) return refusedPath("read", folderOfPattern(pattern));
  const folder = after(line, NO_FOLDER);
  if (folder !== null) return refusedPath("read", folder);
  const redirection = after(line, OWN);
  return redirection === null ? refusedOperand(line) : refusedRedirection(redirection);
}

/** `what the kernel said: path`, of `> path`, or of `< path` where there is a program to read it. */
function refusedRedirection(text: string): Denial | null {
  const path = after(text, `${READ_ONLY}: `) ?? (table.grants.run ? null : after(text, `${MISSING}: `));
  return path === null ? null : refusedPath("write", path);
}

/** `command: path: what the kernel said`. */
function refusedOperand(line: string): Denial | null {
  const start = indexOf(line, ": ");
  const words = SAID.find((each) => endsWith(line, `: ${each}`));
  const end = words === undefined ? -1 : line.length - words.length - 2;
  if (start < 0 || start + 2 >= end) return null;
  const path = substring(line, start + 2, end);
  const writes = words === READ_ONLY || WRITING.indexOf(substring(line, 0, start)) >= 0;
  return refusedPath(writes ? "write" : "read", path);
}

function refusedPath(permission: "read" | "write", path: string): Denial | null {
  if (path === "" || (!startsWith(path, "/") && directory === "unknown")) return null;
  const place = absolute(path);
  return mayAccess(permission, place) ? null : refused(permission, place);
}

function refused(permission: Permission, resource: string): Denial | null {
  const { allowed, rule } = decide(details().policy, permission, resource);
  return allowed ? null : { permission, resource, rule, fix: fixFor(permission, resource, rule) };
}

/** The part of a pattern that names one folder. */
function folderOfPattern(pattern: string): string {
  let end = 0;
  for (let at = 0; at < pattern.length; at++) {
    const letter = substring(pattern, at, at + 1);
    if (WILD.indexOf(letter) >= 0) break;
    if (letter === "/") end = at + 1;
  }
  return end === 0 ? "." : substring(pattern, 0, end);
}

function after(text: string, prefix: string): string | null {
  return startsWith(text, prefix) ? substring(text, prefix.length) : null;
}

/** The beginning of what an error carries as standard error; asking may run code of the program. */
function stderrOf(thrown: object): string {
  try {
    const { stderr } = thrown as { stderr?: unknown };
    if (typeof stderr === "string") return substring(stderr, 0, MAX_BYTES);
    if (!isView(stderr)) return "";
    const { buffer, byteOffset, byteLength } = stderr;
    return new NativeTextDecoder().decode(
      new NativeUint8Array(buffer, byteOffset, byteLength < MAX_BYTES ? byteLength : MAX_BYTES),
    );
  } catch {
    return "";
  }
}
