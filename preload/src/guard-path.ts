// Guards of the functions that a program calls most: those of one path, each for a fraction of a microsecond.
import { checkPath } from "./file-access.ts";
import { answer, imitate, type AnyFunction } from "./guard.ts";
import type { FilePermission } from "./known-paths.ts";
import { isKnown } from "./known-paths.ts";
import { apply, defineValue } from "./primordials.ts";
import type { Site } from "./error.ts";
import type { Style } from "./stub.ts";

/** What the first argument, a path, is needed for; it may depend on the second. */
export type Need = (second: unknown) => FilePermission;

/**
 * Puts a check of the first argument before `owner[name]`, which must not look at its `this`. For a path that is known
 * to be allowed it makes no object: the engine then leaves out the list of arguments as well.
 */
export function guardPath(owner: object, name: string, prefix: string, style: Style, need: Need): void {
  imitate(owner, name, () => {
    const native = (owner as Record<string, AnyFunction>)[name]!;
    // As in stub.ts: a method, and the native function as a tail call.
    const { guarded } = {
      guarded(this: unknown, ...args: unknown[]): unknown {
        const permission = need(args[1]);
        if (isKnown(permission, args[0])) {
          switch (args.length) {
            case 1:
              return native(args[0]);
            case 2:
              return native(args[0], args[1]);
            case 3:
              return native(args[0], args[1], args[2]);
          }
        }
        const error = checkPath(permission, args, 0, site);
        return error === null ? apply(native, this, args) : answer(style, error, args);
      },
    };
    const site: Site = { api: prefix + name, entry: guarded };
    defineValue(guarded, "name", name, false);
    (owner as Record<string, unknown>)[name] = guarded;
  });
}
