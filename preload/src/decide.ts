// The policy's verdicts, from the table that the launcher made of it. The Rust side decides by the same rules; both
// run the cases of launcher/policy/cases/decisions.json.
import type { Permission, PreloadTable } from "./generated/policy.ts";
import { PROTECTED_WRITES } from "./generated/policy.ts";
import { isWithin } from "./paths.ts";
import { startsWith } from "./primordials.ts";

export interface Verdict {
  readonly allowed: boolean;
  /** Which line of the policy decided; `default` where none speaks of it. */
  readonly rule: string;
}
