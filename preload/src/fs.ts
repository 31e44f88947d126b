// node:fs and node:fs/promises, guarded in place when the program first asks for one of them.
import type { Site } from "./error.ts";
import type { SecurityError } from "./security-error.ts";
import type { FilePermission } from "./file-access.ts";
import { checkPath, mayAccess, pathIn, refusedAccess } from "./file-access.ts";
import type { AnyFunction } from "./guard.ts";
import { guard, replace } from "./guard.ts";
import { currentDirectory } from "./paths.ts";
import { apply, NativeError, defineValue, rejected, resolved, startsWith } from "./primordials.ts";
import type { Check, Style } from "./stub.ts";
import { callLater } from "./web.ts";

/** The permission that each path argument needs, in the order of the arguments. */
type Needs = readonly (FilePermission | null)[];

const READS: Needs = ["read"];
const WRITES: Needs = ["write"];
const MOVES: Needs = ["write", "write"];
const COPIES: Needs = ["read", "write"];
/** A symbolic link may say what it likes; following it is another matter. */
const LINKS: Needs = [null, "write"];

/** Functions that exist three times: with a callback, with `Sync`, and as a promise. */
const FUNCTIONS: Readonly<Record<string, Needs>> = {
  readFile: READS,
  readdir: READS,
  opendir: READS,
  statfs: READS,
  realpath: READS,
  readlink: READS,
  writeFile: WRITES,
  appendFile: WRITES,
  mkdir: WRITES,
  mkdtemp: WRITES,
  mkdtempDisposable: WRITES,
  rm: WRITES,
  rmdir: WRITES,
  unlink: WRITES,
  truncate: WRITES,
  chmod: WRITES,
  chown: WRITES,
  lchmod: WRITES,
  lchown: WRITES,
  utimes: WRITES,
  lutimes: WRITES,
  rename: MOVES,
  copyFile: COPIES,
  cp: COPIES,
  link: COPIES,
  symlink: LINKS,
};

const ENOENT = -2;

/** Guards both modules. Streams, `Dir` and the like open their files through these functions. */
export function tameFs(fs: object, promises: object): void {
  for (const name in FUNCTIONS) {
    const check = checkPaths(FUNCTIONS[name]!);
    guard(fs, name, "fs.", "callback", check);
    guard(fs, name + "Sync", "fs.", "throw", check);
    guard(promises, name, "fs.promises.", "reject", check);
  }
  const { realpath, realpathSync } = fs as { realpath: object; realpathSync: object };
  guard(realpath, "native", "fs.realpath.", "callback", checkPaths(READS));
  guard(realpathSync, "native", "fs.realpathSync.", "throw", checkPaths(READS));
  tameStat(fs, promises);
  tameOpen(fs, promises);
  tameProbes(fs, promises);
  guard(fs, "watch", "fs.", "throw", checkPaths(READS));
  guard(fs, "watchFile", "fs.", "throw", checkPaths(READS));
  guard(fs, "openAsBlob", "fs.", "reject", checkPaths(READS));
  guard(fs, "globSync", "fs.", "throw", checkGlob);
  guard(fs, "glob", "fs.", "callback", checkGlob);
  guard(promises, "watch", "fs.promises.", "throw", checkPaths(READS));
  guard(promises, "glob", "fs.promises.", "throw", checkGlob);
}

function checkPaths(needs: Needs): Check {
  return (args, site) => {
    for (let index = 0; index < needs.length; index++) {
      const permission = needs[index]!;
      const error = permission === null ? null : checkPath(permission, args, index, site);
      if (error !== null) return error;
    }
    return null;
  };
}

/** `stat` and `lstat`, whose synchronous form can be a question about existence. */
function tameStat(fs: object, promises: object): void {
  for (let index = 0; index < 2; index++) {
    const name = index === 0 ? "stat" : "lstat";
    guard(fs, name, "fs.", "callback", checkPaths(READS));
    guard(promises, name, "fs.promises.", "reject", checkPaths(READS));
    guard(fs, name + "Sync", "fs.", "throw", checkPaths(READS));
    replace(
      fs,
      name + "Sync",
      (guarded) =>
        ({
          stat(path: unknown, options: unknown): unknown {
            const asks =
              (options as { throwIfNoEntry?: unknown } | null | undefined)?.throwIfNoEntry === false;
            return asks && isHidden(path) ? undefined : apply(guarded, fs, [path, options]);
          },
        }).stat,
    );
  }
}

function tameOpen(fs: object, promises: object): void {
  const check: Check = (args, site) => checkPath(opensToWrite(args[1]) ? "write" : "read", args, 0, site);
  guard(fs, "open", "fs.", "callback", check);
  guard(fs, "openSync", "fs.", "throw", check);
  guard(promises, "open", "fs.promises.", "reject", check);
}

/** Whether the flags of an `open` ask for more than reading: `"r+"`, `"w"`, `O_RDWR`, `O_CREAT`, `O_TRUNC` … */
function opensToWrite(flags: unknown): boolean {
  if (typeof flags === "number") return (flags & 0o1103) !== 0;
  if (typeof flags !== "string") return false;
  return !startsWith(flags, "r") || flags[1] === "+" || flags[2] === "+";
}

/** Questions about existence are answered, with no: for the program, what is not granted does not exist. */
function tameProbes(fs: object, promises: object): void {
  replace(
    fs,
    "existsSync",
    (native) =>
      ({
        existsSync: (path: unknown) => !isHidden(path) && apply(native, fs, [path]),
      }).existsSync,
  );
  replace(
    fs,
    "exists",
    (native) =>
      ({
        exists(path: unknown, callback: unknown): unknown {
          if (typeof callback !== "function" || !isHidden(path)) return apply(native, fs, [path, callback]);
          return callLater(callback as AnyFunction, false);
        },
      }).exists,
  );
  replace(
    promises,
    "exists",
    (native) =>
      ({
        exists: (path: unknown) => (isHidden(path) ? resolved(false) : apply(native, promises, [path])),
      }).exists,
  );
  tameAccess(fs, "access", "callback");
  tameAccess(fs, "accessSync", "throw");
  tameAccess(promises, "access", "reject");
}

function tameAccess(owner: object, name: string, style: Style): void {
  replace(
    owner,
    name,
    (native) =>
      ({
        access(...args: unknown[]): unknown {
          if (!isHidden(args[0])) return apply(native, owner, args);
          const error = missing("access", pathIn(args[0])!);
          const callback = args[args.length - 1];
          if (style === "reject") return rejected(error);
          if (style === "throw" || typeof callback !== "function") throw error;
          return callLater(callback as AnyFunction, error);
        },
      }).access,
  );
}

/** Whether an argument is a path that the program may not read. */
function isHidden(argument: unknown): boolean {
  const path = pathIn(argument);
  return path !== null && !mayAccess("read", path);
}

/** What the kernel says of a path that does not exist. */
function missing(call: string, path: string): Error {
  const error = new NativeError(`ENOENT: no such file or directory, ${call} '${path}'`);
  defineValue(error, "errno", ENOENT, true);
  defineValue(error, "code", "ENOENT", true);
  defineValue(error, "syscall", call, true);
  defineValue(error, "path", path, true);
  return error;
}

function checkGlob(args: unknown[], site: Site): SecurityError | null {
  const options = args[1] as { cwd?: unknown } | null | undefined;
  const directory = typeof options === "object" ? options?.cwd : undefined;
  return refusedAccess("read", pathIn(directory) ?? currentDirectory(), site);
}
