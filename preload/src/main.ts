// The order of things inside the sandbox, before the program: take the table, tame each power, arrange the call.
// The kernel is the boundary. What happens here explains its refusals, and narrows; nothing depends on it.
import { tameBunFile } from "./bun-file.ts";
import { tameBunNet } from "./bun-net.ts";
import { tameBunProcess } from "./bun-process.ts";
import { tameBuiltins } from "./builtins.ts";
import { arrangeCall } from "./call.ts";
import { connected, hello } from "./channel.ts";
import { SecurityError } from "./error.ts";
import { tameFetch } from "./fetch.ts";
import { tameAddons } from "./ffi.ts";
import { freezeObjectPrototype } from "./freeze.ts";
import { defineConstant, defineValue, freeze } from "./primordials.ts";
import { tameProcess } from "./process.ts";
import { table } from "./table.ts";
import { tameWorker } from "./worker.ts";

if (connected) hello();

tameBunFile();
tameBunProcess();
tameBunNet();
tameFetch();
tameWorker();
tameProcess();
tameAddons();
tameBuiltins();

defineValue(globalThis, "SecurityError", SecurityError, false);
if (table.context !== null) defineConstant(globalThis, "executionContext", freeze(table.context));
if (table.js.freeze === "object-prototype") freezeObjectPrototype();

arrangeCall();
