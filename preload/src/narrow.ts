// A narrower sandbox for one child: `Bun.spawn(command, { sandbox })`. The launcher's own binary, which lies in every
// sandbox that may start programs, makes it and then becomes the program: same process, same streams, same end. It is
// asked first whether it would, so that a program hears of a mistake as it hears of any other.
import type { Site } from "./error.ts";
import { deny } from "./error.ts";
import type { Permission } from "./generated/policy.ts";
import { replace } from "./guard.ts";
import { mapGet, mapSet } from "./late-primordials.ts";
import { currentDirectory } from "./paths.ts";
import {
  append,
  apply,
  defineValue,
  isArray,
  NativeError,
  parseJson,
  stringifyJson,
  toList,
} from "./primordials.ts";
import type { SecurityError } from "./security-error.ts";

/** Where the binary lies; `launcher/sandbox/src/narrow/mod.rs` puts it there. */
const NARROW = "/run/secure-bun/narrow";
/** Commands of which it is known that they can be run; more are asked about again. */
const MOST_KNOWN = 256;

/** The kernel takes no longer arguments (`MAX_ARG_STRLEN`). */
const MOST_TEXT = 127 * 1024;

/** Bun's own function, without its guard. */
export type SpawnSync = (command: string[], options: object) => { stdout: { toString(): string } };
type Options = Record<string, unknown>;

/** What the binary answers; `launcher/cli/src/commands/narrow.rs` declares the same. */
interface Answer {
  readonly error: "invalid" | "wider" | "denied" | "missing" | "failed" | null;
  readonly message: string;
  readonly permission: Permission | null;
  readonly resource: string | null;
  readonly rule: string;
  readonly fix: string;
}

const NativeTypeError = TypeError;
const promisified = Symbol.for("nodejs.util.promisify.custom");
const known = new Map<string, true>();
let knownCount = 0;
/** What a function of node:child_process was given, for the function of `Bun` that it ends in. */
let handedOn: unknown;

/** The policy for a child in its options, or in those of the function of Node that starts it. */
export function sandboxOf(options: Options): unknown {
  return options["sandbox"] ?? handedOn;
}

/** Puts the binary before a command, in place. Its options lose what it is told by its arguments. */
export function narrow(
  args: unknown[],
  sandbox: unknown,
  site: Site,
  spawnSync: SpawnSync,
): SecurityError | null {
  const text = policyText(sandbox, site);
  const [first] = args;
  const given = isArray(first) ? args[1] : first;
  // Read once: what is checked is what is used.
  const options: Options = { ...(given as object) };
  const { argv0 } = options;
  delete options["sandbox"];
  delete options["argv0"];
  const command = toList((isArray(first) ? first : options["cmd"]) as unknown[]);
  const error = ask(text, command[0] as string, options, site, spawnSync);
  if (error !== null) return error;
  const narrowed: unknown[] = [NARROW];
  if (argv0 !== undefined && argv0 !== null) {
    append(narrowed, "--name");
    append(narrowed, argv0);
  }
  append(narrowed, text);
  for (let index = 0; index < command.length; index++) append(narrowed, command[index]);
  if (isArray(first)) {
    args[0] = narrowed;
    args[1] = options;
  } else {
    options["cmd"] = narrowed;
    args[0] = options;
  }
  return null;
}

/** Asks whether a program could be run. */
function ask(
  text: string,
  program: string,
  options: Options,
  site: Site,
  spawnSync: SpawnSync,
): SecurityError | null {
  const { cwd = currentDirectory(), env } = options;
  const key = `${cwd as string}\0${(env as Options | undefined)?.["PATH"] as string}\0${program}\0${text}`;
  if (mapGet(known, key) === true) return null;
  const asked: Options = { cwd, stdin: "ignore", stdout: "pipe", stderr: "ignore" };
  if (env !== undefined) asked["env"] = env;
  let answer: Answer;
  try {
    answer = parseJson(spawnSync([NARROW, "--check", text, program], asked).stdout.toString()) as Answer;
  } catch (error) {
    throw new NativeError(`${site.api}: no narrower sandbox can be made here: ${(error as Error).message}`);
  }
  switch (answer.error) {
    case null:
      if (knownCount++ < MOST_KNOWN) mapSet(known, key, true);
      return null;
    case "wider":
    case "denied": {
      const { permission, resource, rule, fix } = answer;
      const message = answer.error === "wider" ? `${answer.message}. To start it, ${fix}` : answer.message!;
      return deny({ permission: permission ?? "run", resource, rule, fix }, message, site);
    }
    case "invalid":
      throw invalid(site, `is not a valid policy: ${answer.message}`);
    default: {
      const error = new NativeError(`${site.api}: ${answer.message}`);
      if (answer.error === "missing") defineValue(error, "code", "ENOENT", true);
      throw error;
    }
  }
}

/** A policy as JSON: an object, or what follows `--policy`. */
function policyText(sandbox: unknown, site: Site): string {
  if (typeof sandbox === "string") return stringifyJson({ __proto__: null, extends: sandbox });
  if (typeof sandbox !== "object" || sandbox === null || isArray(sandbox))
    throw invalid(site, "has to be a policy: an object, or the name of a preset or of a policy file");
  const text = stringifyJson(sandbox) as string | undefined;
  if (text === undefined) throw invalid(site, "cannot be written as JSON");
  if (text.length > MOST_TEXT)
    throw invalid(site, `is longer than the ${MOST_TEXT} characters that a policy may have here`);
  return text;
}

function invalid(site: Site, what: string): TypeError {
  const error = new NativeTypeError(`${site.api}: "sandbox" ${what}`);
  defineValue(error, "code", "ERR_INVALID_ARG_VALUE", true);
  return error;
}

/** Lets the functions of node:child_process, which name the options that they pass on, pass on this one. */
export function handOn(module: object): void {
  for (const name of ["spawn", "spawnSync", "exec", "execSync", "execFile", "execFileSync", "fork"]) {
    replace(module, name, (native) => {
      const custom = (native as unknown as Record<symbol, unknown>)[promisified];
      if (typeof custom === "function") defineValue(native, promisified, handing(custom as Native), false);
      return handing(native);
    });
  }
}

type Native = (this: unknown, ...args: unknown[]) => unknown;

function handing(native: Native): Native {
  const { guarded } = {
    guarded(this: unknown, ...args: unknown[]): unknown {
      const before = handedOn;
      handedOn = inOptions(args) ?? before;
      try {
        return apply(native, this, args);
      } finally {
        handedOn = before;
      }
    },
  };
  return guarded;
}

/** The options are the first object after the command. */
function inOptions(args: unknown[]): unknown {
  for (let index = 1; index < args.length; index++) {
    const given = args[index];
    if (typeof given === "object" && given !== null && !isArray(given)) return (given as Options)["sandbox"];
  }
  return undefined;
}
