// The program's powers, each behind its guard.
import { tameBuiltins } from "./builtins.ts";
import { tameGlobals } from "./globals.ts";
import { late } from "./late.ts";
import { lateOthers } from "./late-others.ts";
import { defineConstant, defineLazily, freeze } from "./primordials.ts";
import type { Asks } from "./table.ts";
import { table } from "./table.ts";

/** Where nobody has read the text of the program. */
export const ASKS_FOR_ALL: Asks = {
  modules: true,
  require: true,
  promises: true,
  bun: true,
  web: true,
  sockets: true,
};

/** Tames each power, and gives the program what it finds beside them. */
export function tame(asks: Asks): void {
  tameGlobals(asks);
  if (asks.modules) tameBuiltins(asks);
  if (table.mentions.length > 0) lateOthers().tameMentioned();
  defineLazily(globalThis, "SecurityError", false, () => late().SecurityError);
  defineLazily(globalThis, "secrets", false, () => late().secrets);
  if (table.context !== null) defineConstant(globalThis, "executionContext", freeze(table.context));
  if (table.freeze) late().freezeObjectPrototype();
}
