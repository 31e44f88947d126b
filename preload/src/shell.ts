// Bun's shell without other programs. Its builtins (echo, ls, mkdir, rm, …) work in-process; `cat` is not one of them on
// Linux, yet scripts use it as if it were. A command that is nothing but `cat FILE…` is answered here.
import { placeShell } from "./command-failure.ts";
import { deferred } from "./deferred.ts";
import type { Site } from "./error.ts";
import { refusal } from "./error.ts";
import { mayAccess, refusedAccess } from "./file-access.ts";
import { replace } from "./guard.ts";
import { absolute } from "./paths.ts";
import { apply, defineValue, getPrototypeOf, indexOf, isArray, substring } from "./primordials.ts";

type Shell = (strings: TemplateStringsArray, ...values: unknown[]) => unknown;

/** What `cat` says of a file that cannot be read, by the code of the error. */
const WORDS: Readonly<Record<string, string>> = {
  __proto__: null as never,
  EACCES: "Permission denied",
  EISDIR: "Is a directory",
  ENOENT: "No such file or directory",
};
/** What Bun's shell does itself, and its reserved words. */
const OWN_COMMANDS =
  " [[ basename cd dirname echo exit export false ls mkdir mv pwd rm seq touch true which yes if then elif else fi ! ";
const CHAINED = ["cwd", "env", "quiet", "throws"];
const RUNS = ["text", "json", "lines", "arrayBuffer", "bytes", "blob", "run"];

/** `echo -n` of one text, as a template. */
const ECHO = template("echo -n ", "");
/** A command that fails with these words. */
const FAIL = template("echo ", " 1>&2 && false");
const PLAIN = /^[\w./+:@%=,\- ]*$/;
const PLAIN_WORD = /^[\w./+:@%,-]+$/;
const COMMANDS = /^[\w./+:@%=,\-\s|;&<>!~*[\]]*$/;
const { test } = RegExp.prototype;

function template(...parts: string[]): TemplateStringsArray {
  return Object.freeze(Object.assign(parts, { raw: Object.freeze([...parts]) }));
}

/** Bun's `$` with `cat`. */
export function tameShell(native: Shell): Shell {
  watchDirectory(native);
  return new Proxy(native, {
    __proto__: null,
    apply(target: Shell, self: unknown, args: [TemplateStringsArray, ...unknown[]]) {
      if (changesDirectory(args)) placeShell("unknown");
      const run = () => apply(target, self, args);
      const files = argumentsOfCat(...args);
      if (files !== null)
        return catenate(files, (strings, text) => apply(target, self, [strings, text]), run);
      const command = otherProgram(args);
      if (command === null) return run();
      const site: Site = { api: "Bun.$", entry: refused };
      return refused(() => refusal("run", command, site)!, run);
    },
  } as ProxyHandler<Shell>);
}

/** Relative paths in the shell's words are explained for as long as it works where the program does. */
function watchDirectory(native: Shell): void {
  placeShell("ours");
  const { ShellPromise } = native as unknown as { ShellPromise: { prototype: object } };
  for (const owner of [ShellPromise.prototype, getPrototypeOf(native)!])
    replace(owner, "cwd", (cwd) => {
      const { moved } = {
        moved(this: unknown, ...args: unknown[]): unknown {
          placeShell("unknown");
          return apply(cwd, this, args);
        },
      };
      return moved;
    });
}

/** Whether a template may contain `cd`. */
function changesDirectory([strings, ...values]: [TemplateStringsArray, ...unknown[]]): boolean {
  for (let index = 0; index < strings.raw.length; index++)
    if (indexOf(strings.raw[index]!, "cd") >= 0) return true;
  return values.some((value) => typeof value === "object" && !isArray(value));
}

/** A command that cannot run. With `nothrow` the shell says so itself, by an exit code. */
function refused(fail: () => Error, run: () => unknown): unknown {
  const answer = deferred(fail, CHAINED, RUNS);
  defineValue(
    answer,
    "nothrow",
    () => {
      fail();
      return (run() as { nothrow(): unknown }).nothrow();
    },
    false,
  );
  return answer;
}

/** The first command of a template that is another program; `null` where there is none, or it cannot be told. */
function otherProgram([strings, ...values]: [TemplateStringsArray, ...unknown[]]): string | null {
  let text = "";
  for (let index = 0; index < strings.raw.length; index++) {
    text += strings.raw[index]!;
    const value = values[index];
    // A value is one word, whatever is in it.
    if (index < values.length)
      text += typeof value === "string" && apply(test, PLAIN_WORD, [value]) ? value : "_";
  }
  // Quotes, variables and grouping are the shell's to understand.
  if (!apply(test, COMMANDS, [text])) return null;
  for (const part of text.split(/&&|\|\||[|;\n]/)) {
    const [word] = part
      .trim()
      .split(/[ \t]+/)
      .filter((each) => !/^\w+=/.test(each));
    if (word !== undefined && word !== "" && word !== "cat" && indexOf(OWN_COMMANDS, ` ${word} `) < 0)
      return word;
  }
  return null;
}

/** `cat` of these files; by the real program, where only that can. */
function catenate(
  files: string[],
  echo: (strings: TemplateStringsArray, text: string) => unknown,
  run: () => unknown,
): unknown {
  const closed = files.find((file) => !mayAccess("read", absolute(file)));
  if (closed !== undefined) {
    const site: Site = { api: "Bun.$", entry: refused };
    const missing = () => echo(FAIL, `cat: ${closed}: No such file or directory`);
    return refused(() => refusedAccess("read", absolute(closed), site)!, missing);
  }
  const { readFileSync } = process.getBuiltinModule("node:fs");
  let text = "";
  for (const file of files)
    try {
      text += new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readFileSync(file));
    } catch (error) {
      const words = WORDS[String((error as { code?: unknown }).code)];
      return words === undefined ? run() : echo(FAIL, `cat: ${file}: ${words}`);
    }
  return indexOf(text, "\0") === -1 ? echo(ECHO, text) : run();
}

/** The arguments of a template that is `cat` and plain words, with values for words or parts of them. */
function argumentsOfCat(strings: TemplateStringsArray, ...values: unknown[]): string[] | null {
  const words: string[] = [];
  let word = "";
  for (let index = 0; index < strings.raw.length; index++) {
    const literal = strings.raw[index]!;
    if (!apply(test, PLAIN, [literal])) return null;
    for (let at = 0; at < literal.length; at++) {
      const letter = substring(literal, at, at + 1);
      if (letter !== " ") word += letter;
      else if (word !== "") {
        words[words.length] = word;
        word = "";
      }
    }
    if (index === values.length) break;
    const value = values[index];
    if (typeof value !== "string") return null;
    word += value;
  }
  if (word !== "") words[words.length] = word;
  const [command, ...files] = words;
  const isPlain =
    command === "cat" && files.length > 0 && files.every((file) => substring(file, 0, 1) !== "-");
  return isPlain ? files : null;
}
