// Errors of the operating system that the policy stands behind: the guards let an act pass, or never saw it, and the
// kernel refused. What is sent is what it was about; the launcher asks the policy again and finds the words.
import { decide } from "./decide.ts";
import type { Denial } from "./error.ts";
import { mayAccess } from "./file-access.ts";
import { fixFor } from "./explain.ts";
import type { Permission } from "./generated/policy.ts";
import { lateOthers } from "./late-others.ts";
import { absolute, folderOf } from "./paths.ts";
import { indexOf, startsWith, substring } from "./primordials.ts";
import { details, table } from "./table.ts";

/** What an error came from. */
export type Cause =
  | { readonly denial: Denial }
  /** The key of a limit, such as `open_files`. */
  | { readonly limit: string }
  /** A system call that the sandbox refuses whatever the policy says. */
  | { readonly call: string };

/** Reads a property of the error as text; may run code of the program. */
export type Field = (name: string) => string | null;

/** As many symbolic links as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;
/** Calls on a path that change nothing. */
const READING: Readonly<Record<string, true>> = {
  __proto__: null as never,
  access: true,
  chdir: true,
  fstat: true,
  lstat: true,
  read: true,
  readdir: true,
  readlink: true,
  realpath: true,
  scandir: true,
  stat: true,
  statfs: true,
};
/** Limits that give the program an error, by its code. */
const LIMITS: Readonly<Record<string, string>> = {
  __proto__: null as never,
  EMFILE: "open_files",
  EFBIG: "file_mb",
};
/** Calls about other processes, users and priorities. */
const REFUSED_CALLS: Readonly<Record<string, string>> = {
  __proto__: null as never,
  kill: "kill",
  setuid: "setuid",
  seteuid: "seteuid",
  setgid: "setgid",
  setegid: "setegid",
  setgroups: "setgroups",
  initgroups: "initgroups",
  uv_os_setpriority: "setpriority",
};
const DLOPEN = 'Failed to open library "';

/** What the policy has to do with an error; `null`: nothing, as far as can be seen. */
export function causeOf(field: Field): Cause | null {
  const code = field("code");
  const syscall = field("syscall");
  switch (code) {
    case "ENOTFOUND":
    case "ECONNREFUSED":
      return causeOfConnection(code, field) ?? null;
    case "EACCES": {
      const cause = causeOfConnection(code, field);
      if (cause !== undefined) return cause;
      return causeOfPath(code, syscall, field) ?? causeOfCall(code, syscall);
    }
    case "ENOENT":
    case "EPERM":
    case "EROFS":
      return causeOfPath(code, syscall, field) ?? causeOfCall(code, syscall);
    case "ERR_SYSTEM_ERROR":
      return causeOfCall(code, syscall);
    case "ERR_DLOPEN_FAILED":
      return causeOfLibrary(field("message"));
    case "ERR_MODULE_NOT_FOUND":
    case "MODULE_NOT_FOUND":
      return causeOfModule(field("specifier"), field("referrer"));
    case "ENOSPC":
      return causeOfFullFolder(field("path"));
    case null:
      return causeOfRange(field);
    default: {
      const limit = LIMITS[code];
      return limit === undefined ? null : { limit };
    }
  }
}

/** `undefined`: it is no connection that failed, or there is no network. */
function causeOfConnection(code: string, field: Field): Cause | null | undefined {
  const { net, listen, fetch } = table.grants;
  const address = net || listen || fetch ? lateOthers().refusedDestination(code, field) : undefined;
  if (address === null || address === undefined) return address;
  return refused("net", address === "unknown" ? null : address);
}

function causeOfPath(code: string, syscall: string | null, field: Field): Cause | null {
  const path = field("path");
  const target = field("dest");
  if (path === null) return null;
  // `chdir` names where it was as its path; the others read or move what is there.
  if (syscall !== "chdir") {
    const cause = causeAt(code, syscall, absolute(path));
    if (cause !== null) return cause;
  }
  return target === null ? null : causeAt(code, syscall, absolute(target));
}

function causeAt(code: string, syscall: string | null, path: string): Cause | null {
  const place = followed(path);
  const changes = code === "EROFS" || (syscall !== null && syscall !== "open" && READING[syscall] !== true);
  if (!changes && !mayAccess("read", place)) return refused("read", place);
  // Of a file that exists and may be read, opening it for writing is what the kernel refuses.
  const writes = changes || (syscall === "open" && code !== "ENOENT");
  return writes && !mayAccess("write", place) ? refused("write", place) : null;
}

/** Where a path leads to; a link that leaves what may be read is the end of it. */
function followed(path: string): string {
  let place = path;
  for (let links = 0; links < MAX_LINKS; links++) {
    const next = linkIn(place);
    if (next === null) return place;
    place = next;
    if (!mayAccess("read", place)) return place;
  }
  return place;
}

/** The path with its first symbolic link replaced by what it says; `null` if there is none. */
function linkIn(path: string): string | null {
  const { readlinkSync } = process.getBuiltinModule("node:fs");
  for (let end = indexOf(path, "/", 1); ; end = indexOf(path, "/", end + 1)) {
    const part = end < 0 ? path : substring(path, 0, end);
    if (mayAccess("read", part)) {
      let text: string | null = null;
      try {
        text = readlinkSync(part);
      } catch {
        // No link, or nothing at all.
      }
      if (typeof text === "string") {
        const target = startsWith(text, "/") ? text : `${folderOf(part)}/${text}`;
        return absolute(end < 0 ? target : target + substring(path, end));
      }
    }
    if (end < 0) return null;
  }
}

function causeOfCall(code: string | null, syscall: string | null): Cause | null {
  const call = code === "ENOENT" || syscall === null ? undefined : REFUSED_CALLS[syscall];
  return call === undefined ? null : { call };
}

/** A library that is not among those that are granted; whether it is, the launcher knows. */
function causeOfLibrary(message: string | null): Cause | null {
  if (message === null || !startsWith(message, DLOPEN)) return null;
  const rest = substring(message, DLOPEN.length);
  const end = indexOf(rest, '"');
  return end < 0 || !startsWith(rest, "/") ? null : refused("ffi", absolute(substring(rest, 0, end)));
}

/** A module that is named by its path; whether it lies where modules are imported from, the launcher knows. */
function causeOfModule(specifier: string | null, referrer: string | null): Cause | null {
  if (specifier === null) return null;
  if (startsWith(specifier, "/")) return refused("import", absolute(specifier));
  const isRelative = startsWith(specifier, "./") || startsWith(specifier, "../");
  if (!isRelative || referrer === null || !startsWith(referrer, "/")) return null;
  return refused("import", absolute(`${folderOf(referrer)}/${specifier}`));
}

/** A full folder of its own; a granted one on a full disk is not the policy's doing. */
function causeOfFullFolder(path: string | null): Cause | null {
  return path === null || startsWith(absolute(path), "/tmp/") ? { limit: "tmp_mb" } : null;
}

/** Errors without a code that a limit is behind. */
function causeOfRange(field: Field): Cause | null {
  if (field("name") !== "RangeError") return null;
  const message = field("message");
  return message !== null && startsWith(message, "Maximum call stack size exceeded")
    ? { limit: "stack_kb" }
    : null;
}

function refused(permission: Permission, resource: string | null): Cause {
  const { rule } = decide(details().policy, permission, resource);
  return { denial: { permission, resource, rule, fix: fixFor(permission, resource, rule) } };
}
