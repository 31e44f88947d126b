// Stubs before the powers that need no import: properties of `Bun`, of `process`, and globals.
import { late } from "./late.ts";
import { apply, defineValue } from "./primordials.ts";
import { block, blocked, guard, type Check } from "./stub.ts";
import { table } from "./table.ts";

const { policy } = table;
const canConnect = policy.net.allow.length > 0;
const canListen = policy.listen.allow.length > 0;
const canRun = policy.run.allow.length > 0;
const canLoadNative = policy.ffi.allow.length > 0;

/** Bun.file and what reads and writes by path. */
export function tameBunFiles(): void {
  const native = Bun.file;
  Object.assign({}, { native });
}
