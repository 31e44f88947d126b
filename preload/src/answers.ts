// Answers of the launcher look like those of the server: Bun lets nobody replace the properties that all answers have, and
// shows the URL that it was given itself.
import { replace } from "./guard.ts";
import { LAUNCHER } from "./launcher.ts";
import { NativeWeakMap, weakMapGet, weakMapSet } from "./late-primordials.ts";
import {
  apply,
  defineProperty,
  defineValue,
  getOwnPropertyDescriptor,
  indexOf,
  NativePromise,
  substring,
} from "./primordials.ts";

type Inspect = (value: unknown, options: unknown) => string;

const inspect = Bun.inspect as unknown as Inspect;
const custom = Symbol.for("nodejs.util.inspect.custom");

/** Where answers of the launcher are from. */
const sources = new NativeWeakMap<object, { url: string; redirected: boolean }>();
/** What reads a body to its end. */
const READING = ["arrayBuffer", "blob", "bytes", "formData", "json", "text"];
const { then } = NativePromise.prototype;
let answersAreTame = false;

/** Has an answer say where it is from. */
export function attribute(answer: Response, url: string, redirected: boolean): Response {
  tameAnswers();
  const { show } = {
    show: (depth: number, options: Options, inspectOfNode: Inspect) => {
      // Node's, which shows nothing of an answer.
      if (options.customInspect !== undefined) return plainly(answer, inspectOfNode, options);
      const { colors, depth: most } = options;
      return indented(named(plainly(answer, inspect, { depth, colors }), url, redirected), most - depth);
    },
  };
  weakMapSet(sources, answer, { url, redirected });
  defineValue(answer, "url", url, false);
  defineValue(answer, "redirected", redirected, false);
  defineValue(answer, custom, show, false);
  return answer;
}

/** Functions of answers that others are made by, or that fail. */
function tameAnswers(): void {
  if (answersAreTame) return;
  answersAreTame = true;
  const { prototype } = Response;
  replace(prototype, "clone", (native) => {
    const { clone } = {
      clone(this: Response): unknown {
        const source = weakMapGet(sources, this);
        const copy = apply(native, this, []) as Response;
        return source === undefined ? copy : attribute(copy, source.url, source.redirected);
      },
    };
    return clone;
  });
  for (let index = 0; index < READING.length; index++)
    replace(prototype, READING[index]!, (native) => {
      const { read } = {
        read(this: object): unknown {
          const source = weakMapGet(sources, this);
          const reading = apply(native, this, []);
          if (source === undefined) return reading;
          return apply(then, reading, [undefined, (error: unknown) => fail(error, source.url)]);
        },
      };
      return read;
    });
}

function fail(error: unknown, url: string): never {
  nameUrl(error, url);
  throw error;
}

/** Has an error of Bun's say what was asked for: it names the launcher. */
export function nameUrl(error: unknown, url: string): void {
  if (typeof error === "object" && error !== null && getOwnPropertyDescriptor(error, "path")?.writable)
    (error as { path: string }).path = url;
}

interface Options {
  readonly depth: number;
  readonly colors: boolean;
  readonly customInspect?: boolean;
}

/** As it is shown without us. */
function plainly(answer: Response, show: Inspect, options: unknown): string {
  const own = getOwnPropertyDescriptor(answer, custom)!;
  defineValue(answer, custom, undefined, false);
  try {
    return show(answer, options);
  } finally {
    defineProperty(answer, custom, own);
  }
}

/** The URL stands before all that the server has chosen, whether there was a redirect after it. */
function named(text: string, url: string, redirected: boolean): string {
  const shown = replaced(text, indexOf(text, LAUNCHER), LAUNCHER, url);
  if (!redirected) return shown;
  let last = -1;
  for (let at = indexOf(shown, "redirected"); at >= 0; at = indexOf(shown, "redirected", at + 1)) last = at;
  return replaced(shown, last < 0 ? -1 : indexOf(shown, "false", last), "false", "true");
}

function replaced(text: string, at: number, part: string, by: string): string {
  return at < 0 ? text : substring(text, 0, at) + by + substring(text, at + part.length);
}

/** As part of something else, whose levels are two spaces each. */
function indented(text: string, levels: number): string {
  let spaces = "";
  for (let level = 0; level < levels; level++) spaces += "  ";
  let shown = "";
  let start = 0;
  for (let end = indexOf(text, "\n"); end >= 0; end = indexOf(text, "\n", start)) {
    shown += substring(text, start, end + 1) + spaces;
    start = end + 1;
  }
  return shown + substring(text, start);
}
