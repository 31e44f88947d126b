// Paths that every sandbox has and no policy names: Bun and harmless programs open them all the time.
import { isWithin } from "./paths.ts";

const READABLE = [
  "/dev/null",
  "/dev/zero",
  "/dev/random",
  "/dev/urandom",
  "/dev/tty",
  "/dev/stdin",
  "/dev/fd",
];
const WRITABLE = [
  "/dev/null",
  "/dev/zero",
  "/dev/tty",
  "/dev/stdout",
  "/dev/stderr",
  "/dev/fd",
  "/proc/self/fd",
];
/** Doors from /proc/self to the rest of the file system, and what it tells of the host's network. */
const DOORS = ["/proc/self/root", "/proc/self/cwd", "/proc/self/task", "/proc/self/net"];

/** Whether every program may read, or write, this path. */
export function isAmbient(permission: "read" | "write", path: string): boolean {
  // Nearly every path is an ordinary one.
  if (path[1] !== "d" && path[1] !== "p") return false;
  if (permission === "write") return isAny(path, WRITABLE);
  return (
    isAny(path, READABLE) || (isWithin(path, "/proc/self") && !isAny(path, DOORS)) || isAny(path, WRITABLE)
  );
}

function isAny(path: string, list: readonly string[]): boolean {
  for (let index = 0; index < list.length; index++) if (isWithin(path, list[index]!)) return true;
  return false;
}
