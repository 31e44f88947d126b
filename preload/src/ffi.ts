// bun:ffi and native addons.
import { grantsAny } from "./decide.ts";
import { refusal } from "./error.ts";
import { pathIn } from "./file-access.ts";
import { guard, refuse } from "./guard.ts";
import { enumerableKeys } from "./primordials.ts";
import { table } from "./table.ts";

/** Guards bun:ffi: all of it where nothing native is granted, else the libraries it opens. */
export function tameFfi(ffi: Record<string, unknown>): void {
  if (grantsAny(table.policy, "ffi")) {
    guard(ffi, "dlopen", "ffi.", "throw", (args, site) => refusal("ffi", pathIn(args[0]), site));
    return;
  }
  const names = enumerableKeys(ffi);
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    if (typeof ffi[name] === "function") refuse(ffi, name, "ffi.", "throw", "ffi", libraryOf);
  }
}

/** Guards the loading of addons, and `require` of a `.node` file, which goes through it. */
export function tameAddons(): void {
  if (!grantsAny(table.policy, "ffi"))
    refuse(process, "dlopen", "process.", "throw", "ffi", (args) => pathIn(args[1]));
}

function libraryOf(args: unknown[]): string | null {
  return typeof args[0] === "string" ? pathIn(args[0]) : null;
}
