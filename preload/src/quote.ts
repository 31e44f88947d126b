// Strings for frames, which are ASCII: the number of their characters is that of their bytes.
import {
  byteLength,
  codeUnitAt,
  indexOf,
  numberToString,
  stringifyJson,
  substring,
  toWellFormed,
} from "./primordials.ts";

/** Longer text is asked about as a whole first, which takes a hundredth of looking at each character. */
const LONG = 64;

/** Text as an ASCII JSON string. Half a character, which strict readers refuse, becomes the replacement character. */
export function quote(text: string): string {
  return quoteExactly(toWellFormed(text));
}

/** A string as an ASCII JSON string, as JSON.stringify writes it. */
export function quoteExactly(text: string): string {
  // For a primitive string no method of the program is called.
  const quoted = stringifyJson(text);
  if (quoted.length > LONG && isPlain(quoted)) return quoted;
  let ascii = "";
  let written = 0;
  for (let index = 0; index < quoted.length; index++) {
    const unit = codeUnitAt(quoted, index);
    if (unit < 0x7f) continue;
    ascii += substring(quoted, written, index) + "\\u" + substring(numberToString(0x10000 + unit, 16), 1);
    written = index + 1;
  }
  return written === 0 ? quoted : ascii + substring(quoted, written);
}

/** Whether nothing of a text has to be escaped: it is ASCII, and no DEL is in it. */
function isPlain(text: string): boolean {
  return byteLength(text) === text.length && indexOf(text, "\x7f") < 0;
}
