// Paths that the policy was asked about before. What it says of a path never changes, and asking takes longer than the
// kernel takes to look at a file.
import { NativeSet } from "./late-primordials.ts";
import { currentDirectory } from "./paths.ts";
import { defineValue, substring } from "./primordials.ts";

export type FilePermission = "read" | "write";

/** What is known of a path: that it may be read, that it may be written, or that it may be read and not be written. */
export type Knowledge = FilePermission | "read-only";

/** A program that uses more paths than this, or longer ones, pays for asking again. */
const MOST_PATHS = 1000;
const MOST_CHARACTERS = 250;
/** How many paths are not remembered after so many that were, and hardly ever came again: of a walk through a tree. */
const PAUSE = 10 * MOST_PATHS;

const { add, clear, has } = NativeSet.prototype;
const known: Readonly<Record<Knowledge, Set<string>>> = {
  read: newSet(),
  write: newSet(),
  "read-only": newSet(),
};
/** Where the relative ones among them start from. */
let base = "";
let count = 0;
let uses = 0;
let pause = 0;

/** Whether an argument is a path, as the program writes it, of which this is known. */
export function isKnown(knowledge: Knowledge, argument: unknown): argument is string {
  if (typeof argument !== "string" || !known[knowledge].has(argument)) return false;
  uses++;
  return argument[0] === "/" || currentDirectory() === base;
}

/** Remembers something of a path, as the program writes it. */
export function remember(knowledge: Knowledge, path: string): void {
  if (path.length > MOST_CHARACTERS) return;
  if (pause > 0) {
    pause--;
    return;
  }
  const directory = path[0] === "/" ? base : currentDirectory();
  if (count === MOST_PATHS && uses < MOST_PATHS) pause = PAUSE;
  if (directory !== base || count === MOST_PATHS) forget(directory);
  known[knowledge].add(copy(path));
  count++;
}

function forget(directory: string): void {
  known.read.clear();
  known.write.clear();
  known["read-only"].clear();
  base = directory;
  count = 0;
  uses = 0;
}

/** A part of a text keeps all of it in memory as long as it lives: a line of a long file, for example. */
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
