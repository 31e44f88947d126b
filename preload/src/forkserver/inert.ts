// The harness without any guard, for the tests that ask the kernel alone.
import { late } from "../late.ts";
import { lateCall } from "../late-call.ts";
import { lateBytes } from "../late-bytes.ts";
import { native } from "./native.ts";
import { serve } from "./serve.ts";

late();
lateCall();
lateBytes();
void serve(native);
