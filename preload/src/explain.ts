// The words of a refusal. The Rust side says the same; launcher/policy/cases/decisions.json holds both to it.
import type { Denial } from "./error.ts";
import type { Permission } from "./generated/policy.ts";
import { PHRASES } from "./generated/policy.ts";
import { quote } from "./serialise.ts";
