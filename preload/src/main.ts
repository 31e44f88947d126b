// The order of things inside the sandbox, before the program: take the table, tame each power, arrange the call.
// The kernel is the boundary. What happens here explains its refusals, and narrows; nothing depends on it.
import { tameBuiltins } from "./builtins.ts";
import { hello } from "./channel.ts";
import { arrangeCall } from "./entry.ts";
import { tameGlobals } from "./globals.ts";
import { late } from "./late.ts";
import { lateOthers } from "./late-others.ts";
import { defineConstant, defineLazily, freeze, isMainThread } from "./primordials.ts";
import { table } from "./table.ts";

// What the launcher read is the program's own text: a worker runs another one.
const asks = isMainThread
  ? table.asks
  : { modules: true, require: true, promises: true, bun: true, web: true, sockets: true };

if (table.hello) hello();
tameGlobals(asks);
if (asks.modules) tameBuiltins(asks);
if (table.mentions.length > 0) lateOthers().tameMentioned();
defineLazily(globalThis, "SecurityError", false, () => late().SecurityError);
defineLazily(globalThis, "secrets", false, () => late().secrets);
if (table.context !== null) defineConstant(globalThis, "executionContext", freeze(table.context));
if (table.freeze) late().freezeObjectPrototype();
arrangeCall();
