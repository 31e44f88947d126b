// node:fs and node:fs/promises, guarded in place when the program first asks for one of them.
import type { Site } from "./error.ts";
import type { FilePermission } from "./file-access.ts";
import { checkPath, isHidden, pathIn, refusedAccess } from "./file-access.ts";
import type { AnyFunction } from "./guard.ts";
import { guard, replace } from "./guard.ts";
import { guardPath } from "./guard-path.ts";
import { callLater } from "./late-primordials.ts";
import { currentDirectory } from "./paths.ts";
import { apply, enumerableKeys, NativeError, defineValue, rejected, resolved } from "./primordials.ts";
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
    guardPaths(fs, name, "fs.", "callback", FUNCTIONS[name]!);
    guardPaths(fs, name + "Sync", "fs.", "throw", FUNCTIONS[name]!);
  }
  const { realpath, realpathSync } = fs as { realpath: object; realpathSync: object };
  guardPath(realpath, "native", "fs.realpath.", "callback", toRead);
  guardPath(realpathSync, "native", "fs.realpathSync.", "throw", toRead);
  guardPath(fs, "open", "fs.", "callback", toOpen);
  guardPath(fs, "openSync", "fs.", "throw", toOpen);
  guardPath(fs, "watch", "fs.", "throw", toRead);
  guardPath(fs, "watchFile", "fs.", "throw", toRead);
  guardPath(fs, "openAsBlob", "fs.", "reject", toRead);
  guard(fs, "globSync", "fs.", "throw", checkGlob);
  guard(fs, "glob", "fs.", "callback", checkGlob);
  tameProbes(fs);
}

/** Guards node:fs/promises. */
export function tameFsPromises(promises: object): void {
  const names = enumerableKeys(FUNCTIONS);
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    guardPaths(promises, name, "fs.promises.", "reject", FUNCTIONS[name]!);
  }
  guardPath(promises, "open", "fs.promises.", "reject", toOpen);
  guardPath(promises, "watch", "fs.promises.", "throw", toRead);
  guard(promises, "glob", "fs.promises.", "throw", checkGlob);
  replace(
    promises,
    "exists",
    (native) => (path: unknown) => (isHidden(path) ? resolved(false) : native(path)),
  );
  tameAccess(promises, "access", "reject");
}

/** Guards a function of one path or several. */
function guardPaths(owner: object, name: string, prefix: string, style: Style, needs: Needs): void {
  const only = needs.length === 1 ? needs[0] : undefined;
  if (only === "read") guardPath(owner, name, prefix, style, toRead);
  else if (only === "write") guardPath(owner, name, prefix, style, toWrite);
  else guard(owner, name, prefix, style, checkPaths(needs));
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

const toRead = (): FilePermission => "read";
const toWrite = (): FilePermission => "write";
const toOpen = (flags: unknown): FilePermission => (opensToWrite(flags) ? "write" : "read");

/** Whether the flags of an `open` ask for more than reading: `"r+"`, `"w"`, `O_RDWR`, `O_CREAT`, `O_TRUNC` … */
function opensToWrite(flags: unknown): boolean {
  if (typeof flags === "number") return (flags & 0o1103) !== 0;
  if (typeof flags !== "string") return false;
  return flags[0] !== "r" || flags[1] === "+" || flags[2] === "+";
}

/** Questions about existence are answered, with no: for the program, what is not granted does not exist. */
function tameProbes(fs: object): void {
  replace(fs, "existsSync", (native) => (path: unknown) => !isHidden(path) && native(path));
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
    return asks && isHidden(path) ? undefined : guarded(path, options);
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
