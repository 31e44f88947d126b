// node:fs and node:fs/promises, guarded in place when the program first asks for one of them.
import type { Site } from "./error.ts";
import type { FilePermission } from "./file-access.ts";
import { checkPath, mayAccess, pathIn, refusedAccess } from "./file-access.ts";
import type { AnyFunction } from "./guard.ts";
import { guard, replace } from "./guard.ts";
import { callLater } from "./late-primordials.ts";
import { currentDirectory } from "./paths.ts";
import {
  apply,
  enumerableKeys,
  NativeError,
  defineValue,
  rejected,
  resolved,
  startsWith,
} from "./primordials.ts";
import type { SecurityError } from "./security-error.ts";
import type { Check, Style } from "./stub.ts";

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
  stat: READS,
  lstat: READS,
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

/** Guards node:fs. Streams, `Dir` and the like open their files through these functions. */
export function tameFs(fs: object): void {
  const names = enumerableKeys(FUNCTIONS);
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    const check = checkPaths(FUNCTIONS[name]!);
    guard(fs, name, "fs.", "callback", check);
    guard(fs, name + "Sync", "fs.", "throw", check);
  }
  const { realpath, realpathSync } = fs as { realpath: object; realpathSync: object };
  guard(realpath, "native", "fs.realpath.", "callback", checkPaths(READS));
  guard(realpathSync, "native", "fs.realpathSync.", "throw", checkPaths(READS));
  guard(fs, "open", "fs.", "callback", checkOpen);
  guard(fs, "openSync", "fs.", "throw", checkOpen);
  guard(fs, "watch", "fs.", "throw", checkPaths(READS));
  guard(fs, "watchFile", "fs.", "throw", checkPaths(READS));
  guard(fs, "openAsBlob", "fs.", "reject", checkPaths(READS));
  guard(fs, "globSync", "fs.", "throw", checkGlob);
  guard(fs, "glob", "fs.", "callback", checkGlob);
  tameProbes(fs);
}

/** Guards node:fs/promises. */
export function tameFsPromises(promises: object): void {
  const names = enumerableKeys(FUNCTIONS);
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    guard(promises, name, "fs.promises.", "reject", checkPaths(FUNCTIONS[name]!));
  }
  guard(promises, "open", "fs.promises.", "reject", checkOpen);
  guard(promises, "watch", "fs.promises.", "throw", checkPaths(READS));
  guard(promises, "glob", "fs.promises.", "throw", checkGlob);
  replace(
    promises,
    "exists",
    (native) => (path: unknown) => (isHidden(path) ? resolved(false) : apply(native, promises, [path])),
  );
  tameAccess(promises, "access", "reject");
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

const checkOpen: Check = (args, site) => checkPath(opensToWrite(args[1]) ? "write" : "read", args, 0, site);

/** Whether the flags of an `open` ask for more than reading: `"r+"`, `"w"`, `O_RDWR`, `O_CREAT`, `O_TRUNC` … */
function opensToWrite(flags: unknown): boolean {
  if (typeof flags === "number") return (flags & 0o1103) !== 0;
  if (typeof flags !== "string") return false;
  return !startsWith(flags, "r") || flags[1] === "+" || flags[2] === "+";
}

/** Questions about existence are answered, with no: for the program, what is not granted does not exist. */
function tameProbes(fs: object): void {
  replace(fs, "existsSync", (native) => (path: unknown) => !isHidden(path) && apply(native, fs, [path]));
  replace(fs, "exists", (native) => (path: unknown, callback: unknown) => {
    if (typeof callback !== "function" || !isHidden(path)) return apply(native, fs, [path, callback]);
    return callLater(callback as AnyFunction, false);
  });
  tameAccess(fs, "access", "callback");
  tameAccess(fs, "accessSync", "throw");
  tameStat(fs, "statSync");
  tameStat(fs, "lstatSync");
}

/** `stat` that does not throw for what is missing is a question, too. */
function tameStat(fs: object, name: string): void {
  replace(fs, name, (guarded) => (path: unknown, options: unknown) => {
    const asks = (options as { throwIfNoEntry?: unknown } | null | undefined)?.throwIfNoEntry === false;
    return asks && isHidden(path) ? undefined : apply(guarded, fs, [path, options]);
  });
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
