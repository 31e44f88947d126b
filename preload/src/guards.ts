// What the early part calls, once something is asked for: files, and all that explains. The modules that stand here as
// a whole are those that the other guards are made of; they get them from here (see build.ts).
import { watchUncaught } from "./uncaught.ts";

export { checkMap, checkWrite, openFile } from "./bun-file.ts";
export { placeShell, refusedCommand } from "./command-failure.ts";
export { describeFailure, describeThrown } from "./describe.ts";
export * from "./error.ts";
export * from "./file-access.ts";
export { freezeObjectPrototype } from "./freeze.ts";
export { tameFs, tameFsPromises } from "./fs.ts";
export * from "./guard.ts";
export * from "./late-primordials.ts";
export * from "./paths.ts";
export { secrets } from "./secrets.ts";
export { SecurityError } from "./security-error.ts";

// Errors of the operating system come by way of what is guarded here, mostly.
watchUncaught();
