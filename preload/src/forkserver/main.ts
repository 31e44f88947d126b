// What one Bun for each tenant runs, to be forked for each call: the guards, and the harness (serve.ts). Bun's main
// script, started as every program is: `policy.js` has left the table.
import { late } from "../late.ts";
import { lateCall } from "../late-call.ts";
import { lateOthers } from "../late-others.ts";
import { ASKS_FOR_ALL, tame } from "../tame.ts";
import { lateBytes } from "../late-bytes.ts";
import { native } from "./native.ts";
import { serve } from "./serve.ts";

// `bun:ffi`, by which the library was loaded just now, is tamed with the rest.
tame(ASKS_FOR_ALL);
// What is set up before the fork, no child has to.
late();
lateOthers();
lateCall();
lateBytes();
void serve(native);
