// The class of every refusal, as programs see it.
import { defineValue, NativeError } from "./primordials.ts";

/** What a program catches, and tests with `instanceof`, when the policy does not allow what it did. */
export class SecurityError extends NativeError {}

const { prototype } = SecurityError;
defineValue(prototype, "name", "SecurityError", false);
defineValue(prototype, "code", "ERR_ACCESS_DENIED", false);
