// Properties of Bun that take paths: glob, router, bundler, archives and images.
import type { Site } from "./error.ts";
import { refusal } from "./error.ts";
import { checkPath, pathIn, refusedAccess } from "./file-access.ts";
import { guard, guardClass } from "./guard.ts";
import { currentDirectory } from "./paths.ts";
import { isArray } from "./primordials.ts";
import type { SecurityError } from "./security-error.ts";

interface Class {
  readonly prototype: object;
}

/** Guards `Bun.Glob`: the directory it starts from. What a pattern reaches elsewhere is the kernel's to leave out. */
export function tameGlob(glob: Class): void {
  const check = (args: unknown[], site: Site): SecurityError | null => {
    const from = typeof args[0] === "string" ? args[0] : (args[0] as { cwd?: unknown } | undefined)?.cwd;
    return refusedAccess("read", pathIn(from) ?? currentDirectory(), site);
  };
  guard(glob.prototype, "scan", "Glob.", "throw", check);
  guard(glob.prototype, "scanSync", "Glob.", "throw", check);
}

/** Guards `Bun.Image`: one made of a path is read when it is used, one is written. */
export function tameImage(owner: { Image: Class }): void {
  const { prototype } = owner.Image;
  guardClass(owner, "Image", "Bun.", (args, site) => {
    const error = typeof args[0] === "string" ? checkPath("read", args, 0, site) : null;
    if (error !== null) throw error;
    return undefined;
  });
  guard(prototype, "write", "Image.", "reject", (args, site) => checkPath("write", args, 0, site));
}

/** Guards `Bun.Archive`: where it is written, and where it is unpacked. */
export function tameArchive(archive: Class): void {
  guard(archive, "write", "Archive.", "reject", (args, site) => checkPath("write", args, 0, site));
  guard(archive.prototype, "extract", "Archive.", "reject", (args, site) =>
    checkPath("write", args, 0, site),
  );
}

/** Guards `Bun.FileSystemRouter`: the folder of its routes. */
export function tameRouter(owner: object): void {
  guardClass(owner, "FileSystemRouter", "Bun.", (args, site) => {
    const error = checkOption("read", args[0], "dir", site);
    if (error !== null) throw error;
    return undefined;
  });
}

/** Guards `Bun.build`: what it is told to read and where to write. What modules import is the kernel's. */
export function tameBuild(owner: object): void {
  guard(owner, "build", "Bun.", "reject", (args, site) => {
    const { entrypoints } = (args[0] ?? {}) as { entrypoints?: unknown };
    if (isArray(entrypoints))
      for (let index = 0; index < entrypoints.length; index++) {
        const path = pathIn(entrypoints[index]);
        const error = path === null ? null : refusedAccess("read", path, site);
        if (error !== null) return error;
      }
    return checkOption("write", args[0], "outdir", site);
  });
}

/** Guards `Bun.secrets`: the keys of a user are behind a library of the desktop, loaded when it is asked. */
export function tameKeychain(secrets: object): void {
  const names = ["get", "set", "delete"];
  for (let index = 0; index < names.length; index++)
    guard(secrets, names[index]!, "Bun.secrets.", "reject", (_, site) =>
      refusal("ffi", "libsecret-1.so.0", site),
    );
}

function checkOption(
  permission: "read" | "write",
  options: unknown,
  name: string,
  site: Site,
): SecurityError | null {
  const given = (options as Record<string, unknown> | null | undefined)?.[name];
  const path = pathIn(given);
  return path === null ? null : refusedAccess(permission, path, site);
}
