// Paths that the policy was asked about before, and allows. What it says of a path never changes, and asking takes longer
// than the kernel takes to look at a file.
import { NativeSet } from "./late-primordials.ts";
import { currentDirectory } from "./paths.ts";
import { defineValue, substring } from "./primordials.ts";

export type FilePermission = "read" | "write";

/** A program that uses more paths than this, or longer ones, pays for asking again. */
const MOST_PATHS = 1000;
const MOST_CHARACTERS = 250;

const { add, clear, has } = NativeSet.prototype;
const known: Readonly<Record<FilePermission, Set<string>>> = { read: newSet(), write: newSet() };
/** Where the relative ones among them start from. */
let base = "";
let count = 0;

/** Whether an argument is a path, as the program writes it, that is known to be allowed. */
export function isKnown(permission: FilePermission, argument: unknown): argument is string {
  if (typeof argument !== "string" || !known[permission].has(argument)) return false;
  return argument[0] === "/" || currentDirectory() === base;
}

/** Remembers a path, as the program writes it, that is allowed. */
export function remember(permission: FilePermission, path: string): void {
  if (path.length > MOST_CHARACTERS) return;
  const directory = path[0] === "/" ? base : currentDirectory();
  if (directory !== base || count === MOST_PATHS) {
    known.read.clear();
    known.write.clear();
    base = directory;
    count = 0;
  }
  known[permission].add(copy(path));
  count++;
}

/** A part of a text keeps all of it in memory, as long as it lives: a line of a long file, for example. */
function copy(text: string): string {
  return substring(`${text}/`, 0, text.length);
}

/** Its methods are properties of its own: the program cannot change them, and they are called as fast as any. */
function newSet(): Set<string> {
  const set = new NativeSet<string>();
  defineValue(set, "add", add, false);
  defineValue(set, "clear", clear, false);
  defineValue(set, "has", has, false);
  return set;
}
