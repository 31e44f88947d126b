// A thrown value as an `error` frame. It may be anything, and may do anything when it is asked; what is sent are
// primitives that were read once, and of a refusal what the policy said rather than what the error says.
import { refusedCommand } from "./command-failure.ts";
import { MAX_RESOURCE_LENGTH, reportFailure } from "./denials.ts";
import type { Denial } from "./error.ts";
import { denialOf } from "./error.ts";
import { explain, fixFor } from "./explain.ts";
import { bigIntToString, isArray, numberToString, substring, symbolToString } from "./primordials.ts";
import { quote } from "./quote.ts";
import type { Cause } from "./native-failure.ts";
import { causeOf } from "./native-failure.ts";
import { stackOf } from "./stack.ts";
import { details } from "./table.ts";

const MAX_TEXT_LENGTH = 16_384;
const CODE_REFUSED = "Code generation from strings disallowed for this context";

/** Whether an error is asked for its stack: once it was, Bun prints the error in another way. */
export type StackUse = "read" | "leave";

/** The frame of whatever the program threw. */
export function describeThrown(thrown: unknown, use: StackUse): string {
  if ((typeof thrown !== "object" && typeof thrown !== "function") || thrown === null)
    return frame("Error", null, `the program threw ${primitiveText(thrown)}`, null, "");
  const name = textField(thrown, "name") ?? "Error";
  const message = textField(thrown, "message") ?? "the program threw a value that is no error";
  const denial = denialOf(thrown);
  const stack = use === "read" ? stackOf(thrown) : null;
  if (denial === undefined && message === CODE_REFUSED) return describeCodeRefused(name, stack);
  if (denial === undefined)
    return frame(name, textField(thrown, "code"), message, stack, describeCause(thrown));
  return frame("SecurityError", "ERR_ACCESS_DENIED", message, stack, describeDenial(denial));
}

function describeDenial({ permission, resource, rule, fix }: Denial): string {
  const text = resource === null ? null : substring(resource, 0, MAX_RESOURCE_LENGTH);
  return `,"permission":"${permission}","resource":${nullable(text)},"rule":${quote(rule)},"fix":${quote(fix)}`;
}

/** What the policy has to do with an error that it did not make. */
function describeCause(thrown: object): string {
  const cause = causeOf((name) => textField(thrown, name)) ?? causeOfFirst(thrown) ?? causeOfCommand(thrown);
  if (cause === null) return "";
  if ("limit" in cause) return `,"limit":"${cause.limit}"`;
  if ("call" in cause) return `,"call":"${cause.call}"`;
  // Without a resource it is the launcher that refused, and knows what.
  if (cause.denial.resource !== null) reportFailure(cause.denial, thrown);
  return describeDenial(cause.denial);
}

function causeOfCommand(thrown: object): Cause | null {
  const denial = refusedCommand(thrown);
  return denial === null ? null : { denial };
}

/** The same for the first of several errors: a host may have more than one address. */
function causeOfFirst(thrown: object): Cause | null {
  try {
    const { errors } = thrown as { errors?: unknown };
    const first: unknown = isArray(errors) ? errors[0] : null;
    return typeof first === "object" && first !== null ? causeOf((name) => textField(first, name)) : null;
  } catch {
    return null;
  }
}

/** JavaScriptCore's own refusal of `eval` and its like, with what the policy says about it. */
function describeCodeRefused(name: string, stack: string | null): string {
  const { rule } = details().policy.eval;
  const fields = `,"permission":"eval","resource":null,"rule":${quote(rule)},"fix":${quote(fixFor("eval", null, rule))}`;
  return frame(name, "ERR_ACCESS_DENIED", explain("eval", null, rule), stack, fields);
}

/** The frame of a failure that the preload found itself. */
export function describeFailure(name: string, code: string, message: string): string {
  return frame(name, code, message, null, "");
}

function frame(
  name: string,
  code: string | null,
  message: string,
  stack: string | null,
  details: string,
): string {
  const text = `{"name":${quote(name)},"code":${nullable(code)},"message":${quote(message)},"stack":${nullable(stack)}`;
  return `${text}${details}}`;
}

function nullable(text: string | null): string {
  return text === null ? "null" : quote(text);
}

/** A property of a thrown object, if it is a text or a number; asking may run code of the program. */
function textField(thrown: object, field: string): string | null {
  try {
    const value: unknown = (thrown as Record<string, unknown>)[field];
    if (typeof value === "number") return numberToString(value);
    return typeof value === "string" ? substring(value, 0, MAX_TEXT_LENGTH) : null;
  } catch {
    return null;
  }
}

function primitiveText(value: unknown): string {
  switch (typeof value) {
    case "string":
      return substring(quote(value), 0, MAX_TEXT_LENGTH);
    case "number":
      return numberToString(value);
    case "bigint":
      return bigIntToString(value) + "n";
    case "symbol":
      return symbolToString(value);
    default:
      return value === null ? "null" : value === undefined ? "undefined" : value ? "true" : "false";
  }
}
