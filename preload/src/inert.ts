// The protocol of calls without any guard, for the tests that ask the kernel alone: a debug build of the launcher can
// stage it in the guards' place.
import { hello } from "./channel.ts";
import { arrangeCall } from "./entry.ts";
import { table } from "./table.ts";

if (table.hello) hello();
arrangeCall();
