// May this path be read or written? The questions that every guard of files asks.
import { isAmbient } from "./ambient.ts";
import { decide } from "./decide.ts";
import type { Site } from "./error.ts";
import { refusal } from "./error.ts";
import type { FilePermission } from "./known-paths.ts";
import { isKnown, remember } from "./known-paths.ts";
import { absolute, pathText } from "./paths.ts";
import type { SecurityError } from "./security-error.ts";
import { details } from "./table.ts";

export type { FilePermission } from "./known-paths.ts";

/** Whether the policy lets the program read, or write, this absolute path. */
export function mayAccess(permission: FilePermission, path: string): boolean {
  return isAmbient(permission, path) || decide(details().policy, permission, path).allowed;
}

/** The error for reading, or writing, this absolute path; `null` if that is allowed. */
export function refusedAccess(permission: FilePermission, path: string, site: Site): SecurityError | null {
  return isAmbient(permission, path) ? null : refusal(permission, path, site);
}

/** Checks the path in `args[index]`, and puts the text that was checked in its place. */
export function checkPath(
  permission: FilePermission,
  args: unknown[],
  index: number,
  site: Site,
): SecurityError | null {
  if (index >= args.length || isKnown(permission, args[index])) return null;
  const text = pathText(args[index]);
  if (text === null) return null;
  const error = refusedAccess(permission, absolute(text), site);
  if (error !== null) return error;
  args[index] = text;
  remember(permission, text);
  return null;
}

/** Whether an argument is a path that the program may not read. */
export function isHidden(argument: unknown): boolean {
  if (isKnown("read", argument)) return false;
  const text = pathText(argument);
  if (text === null) return false;
  if (!mayAccess("read", absolute(text))) return true;
  remember("read", text);
  return false;
}

/** The absolute path in an argument; `null` where it has none. */
export function pathIn(argument: unknown): string | null {
  const text = pathText(argument);
  return text === null ? null : absolute(text);
}
