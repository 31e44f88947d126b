// The protocol of calls without any guard, for the tests that ask the kernel alone: a debug build of the launcher can
// stage it in the guards' place.
import { connected, hello } from "./channel.ts";
import { arrangeCall } from "./entry.ts";

if (connected) hello();
arrangeCall();
