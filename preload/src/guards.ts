// What the early part calls, when something is asked for.
export { addressOf } from "./address.ts";
export { checkWrite, openFile } from "./bun-file.ts";
export { run, describeMissing } from "./call.ts";
export { describeThrown } from "./describe.ts";
export { refusal } from "./error.ts";
export { checkFetch, urlResource } from "./fetch.ts";
export { tameFfi } from "./ffi.ts";
export { checkPath, pathIn, refusedAccess } from "./file-access.ts";
export { freezeObjectPrototype } from "./freeze.ts";
export { tameFs } from "./fs.ts";
export { answer } from "./guard.ts";
export { tameDns, tameNet } from "./node-net.ts";
export { tameOs, tameV8 } from "./node-os.ts";
export { absolute } from "./paths.ts";
export { tameBunSqlite, tameNodeSqlite } from "./sqlite.ts";
export { construct } from "./worker.ts";
