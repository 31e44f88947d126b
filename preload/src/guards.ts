// What the early part calls, once something is asked for.
import { watchUncaught } from "./uncaught.ts";

export { checkMap, checkWrite, openFile } from "./bun-file.ts";
export { describeFailure, describeThrown } from "./describe.ts";
export { refusal } from "./error.ts";
export { freezeObjectPrototype } from "./freeze.ts";
export { tameFs, tameFsPromises } from "./fs.ts";
export { answer } from "./guard.ts";
export { SecurityError } from "./security-error.ts";
export { tameShell } from "./shell.ts";
export { checkFetch, refuseConnection, refuseServer, refuseUrl } from "./network.ts";
export { tameDns, tameNet, tameRequests } from "./node-net.ts";
export { tameBunSqlite, tameNodeSqlite } from "./sqlite.ts";
export { checkCommand, refuseCommand, tameFfi, tameOs, tameV8 } from "./system.ts";
export { checkWorker, tameWorkerThreads } from "./worker.ts";

// Errors of the operating system come by way of what is guarded here, mostly.
watchUncaught();
