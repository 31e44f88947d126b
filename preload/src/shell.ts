// Bun's shell without other programs. Its builtins (echo, ls, mkdir, rm, …) work in-process; `cat` is not one of them on
// Linux, yet scripts use it as if it were. A command that is nothing but `cat FILE…` is answered here.
import { apply, indexOf, substring } from "./primordials.ts";

type Shell = (strings: TemplateStringsArray, ...values: unknown[]) => unknown;

/** `echo -n` of one text, as a template. */
const ECHO: TemplateStringsArray = Object.freeze(
  Object.assign(["echo -n ", ""], { raw: Object.freeze(["echo -n ", ""]) }),
);
const PLAIN = /^[\w./+:@%=,\- ]*$/;
const { test } = RegExp.prototype;

/** Bun's `$` with `cat`. */
export function tameShell(native: Shell): Shell {
  return new Proxy(native, {
    __proto__: null,
    apply(target: Shell, self: unknown, args: [TemplateStringsArray, ...unknown[]]) {
      const text = catenated(args);
      return apply(target, self, text === null ? args : [ECHO, text]);
    },
  } as ProxyHandler<Shell>);
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
