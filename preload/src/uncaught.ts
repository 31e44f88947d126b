// An exception that nobody catches is printed by Bun. What the policy has to do with it is for the launcher to say.
import { connected, hasFailed, send } from "./channel.ts";
import { describeThrown } from "./describe.ts";

/** Tells the launcher about uncaught exceptions, which changes nothing about them. */
export function watchUncaught(): void {
  if (!connected) return;
  process.on("uncaughtExceptionMonitor", (error) => {
    // One that the program has a handler for does not end it; that of loading is told already.
    if (process.listenerCount("uncaughtException") === 0 && !hasFailed())
      send("uncaught", describeThrown(error, "leave"));
  });
}
