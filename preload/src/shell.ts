// Bun's shell without other programs. Its builtins (echo, ls, mkdir, rm, …) work in-process; `cat` is not one of them on
// Linux, yet scripts use it as if it were. A command that is nothing but `cat FILE…` is answered here.
import { deferred } from "./deferred.ts";
import type { Site } from "./error.ts";
import { refusal } from "./error.ts";
import { apply, defineValue, indexOf, substring } from "./primordials.ts";

type Shell = (strings: TemplateStringsArray, ...values: unknown[]) => unknown;

/** What Bun's shell does itself, and its reserved words. */
const OWN_COMMANDS =
  " [[ basename cd dirname echo exit export false ls mkdir mv pwd rm seq touch true which yes if then elif else fi ! ";
const CHAINED = ["cwd", "env", "quiet", "throws"];
const RUNS = ["text", "json", "lines", "arrayBuffer", "bytes", "blob", "run"];

/** `echo -n` of one text, as a template. */
const ECHO: TemplateStringsArray = Object.freeze(
  Object.assign(["echo -n ", ""], { raw: Object.freeze(["echo -n ", ""]) }),
);
const PLAIN = /^[\w./+:@%=,\- ]*$/;
const PLAIN_WORD = /^[\w./+:@%,-]+$/;
const COMMANDS = /^[\w./+:@%=,\-\s|;&<>!~*[\]]*$/;
const { test } = RegExp.prototype;

/** Bun's `$` with `cat`. */
export function tameShell(native: Shell): Shell {
  return new Proxy(native, {
    __proto__: null,
    apply(target: Shell, self: unknown, args: [TemplateStringsArray, ...unknown[]]) {
      const text = catenated(args);
      if (text !== null) return apply(target, self, [ECHO, text]);
      const command = otherProgram(args);
      return command === null ? apply(target, self, args) : refused(command, () => apply(target, self, args));
    },
  } as ProxyHandler<Shell>);
}

/** A command that cannot run. With `nothrow` the shell says so itself, by an exit code. */
function refused(command: string, run: () => unknown): unknown {
  const site: Site = { api: "Bun.$", entry: refused };
  const answer = deferred(() => refusal("run", command, site)!, CHAINED, RUNS);
  defineValue(
    answer,
    "nothrow",
    () => {
      refusal("run", command, site);
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

/** What `cat` would print, or `null` where the command is another one or only the real program can do it. */
function catenated([strings, ...values]: [TemplateStringsArray, ...unknown[]]): string | null {
  const files = argumentsOfCat(strings, values);
  if (files === null) return null;
  const { existsSync, readFileSync } = process.getBuiltinModule("node:fs");
  let text = "";
  for (const file of files) {
    // The shell's own error for what is not there; what may not be read is refused by the guard of node:fs.
    if (!existsSync(file)) readFileSync(file);
    text += new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readFileSync(file));
  }
  return indexOf(text, "\0") === -1 ? text : null;
}

/** The arguments of a template that is `cat` and plain words, with values for words or parts of them. */
function argumentsOfCat(strings: TemplateStringsArray, values: unknown[]): string[] | null {
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
