// What the program passed as a path, read exactly once: the text that was checked is the text that is used.
import {
  isView,
  NativeArrayBuffer,
  NativeSharedArrayBuffer,
  NativeTextDecoder,
  NativeURL,
} from "./late-primordials.ts";
import {
  apply,
  getOwnPropertyDescriptor,
  indexOf,
  startsWith,
  stringValue,
  substring,
} from "./primordials.ts";
import { details } from "./table.ts";

const { fileURLToPath } = Bun;
const { cwd } = process;
const readHref = getOwnPropertyDescriptor(NativeURL.prototype, "href")!.get!;
const { decode } = NativeTextDecoder.prototype;

/**
 * The path in an argument as text: strings, `new String`, file URLs, and bytes (also shared ones, which another
 * thread may be changing). `null`: not a path — a descriptor, a FileHandle, or nonsense that Bun shall reject itself.
 */
export function pathText(argument: unknown): string | null {
  if (typeof argument === "string") return argument === "" ? null : argument;
  if (argument === null || typeof argument !== "object") return null;
  try {
    if (isBytes(argument)) return decodePath(argument);
    if (argument instanceof NativeURL) return fileURLToPath(apply(readHref, argument, []) as string);
    return stringValue(argument as unknown as string);
  } catch {
    return null;
  }
}

/** The absolute form of a path, without `.`, `..` and doubled slashes. Symbolic links are the kernel's business. */
export function absolute(path: string): string {
  const full = path[0] === "/" ? path : `${currentDirectory()}/${path}`;
  // Most paths are in this form already.
  if (isPlain(full)) return full;
  let result = "";
  for (let start = 0; start <= full.length;) {
    let end = indexOf(full, "/", start);
    if (end < 0) end = full.length;
    const part = substring(full, start, end);
    if (part === "..") result = substring(result, 0, lastSlash(result));
    else if (part !== "" && part !== ".") result += "/" + part;
    start = end + 1;
  }
  return result === "" ? "/" : result;
}

/** Whether no part of an absolute path is empty or begins with a dot. */
function isPlain(path: string): boolean {
  const isFolder = path[path.length - 1] === "/" && path !== "/";
  return !isFolder && indexOf(path, "/.") < 0 && indexOf(path, "//") < 0;
}

/** Whether `path` is `directory` or lies below it; compared by component. */
export function isWithin(path: string, directory: string): boolean {
  if (directory === "/") return true;
  const { length } = directory;
  return (path.length === length || path[length] === "/") && startsWith(path, directory);
}

/** The directory that relative paths start from. */
export function currentDirectory(): string {
  try {
    return cwd();
  } catch {
    // It was removed.
    return details().cwd;
  }
}

function decodePath(bytes: unknown): string {
  return apply(decode, new NativeTextDecoder("utf-8", { fatal: true, ignoreBOM: true }), [bytes]) as string;
}

function isBytes(argument: object): boolean {
  if (isView(argument) || argument instanceof NativeArrayBuffer) return true;
  return NativeSharedArrayBuffer !== undefined && argument instanceof NativeSharedArrayBuffer;
}

/** The folder that an absolute path lies in, without a slash at its end: of a name at the root it is empty. */
export function folderOf(path: string): string {
  return substring(path, 0, lastSlash(path));
}

function lastSlash(path: string): number {
  let index = path.length - 1;
  while (index > 0 && path[index] !== "/") index--;
  return index < 0 ? 0 : index;
}
