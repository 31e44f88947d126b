// The harness without any guard, for the tests that ask the kernel alone.
import { late } from "../late.ts";
import { lateCall } from "../late-call.ts";
import { native } from "./native.ts";
import { serve } from "./serve.ts";

late();
lateCall();
void serve(native);
