// The order of things inside the sandbox, before the program: take the table, tame each power, arrange the call.
// The kernel is the boundary. What happens here explains its refusals, and narrows; nothing depends on it.
import { hello } from "./channel.ts";
import { arrangeCall } from "./entry.ts";
import { isMainThread } from "./primordials.ts";
import { table } from "./table.ts";
import { ASKS_FOR_ALL, tame } from "./tame.ts";

if (table.hello) hello();
// What the launcher read is the program's own text: a worker runs another one.
tame(isMainThread ? table.asks : ASKS_FOR_ALL);
arrangeCall();
