// Bun.file, Bun.write and the files behind Blobs. Making a file object is no act; using it is.
import type { Site } from "./error.ts";
import type { FilePermission } from "./file-access.ts";
import { checkPath, mayAccess, refusedAccess } from "./file-access.ts";
import { guard, replace } from "./guard.ts";
import { NativeWeakMap, weakMapGet, weakMapSet } from "./late-primordials.ts";
import { absolute, pathText } from "./paths.ts";
import { apply, resolved, startsWith } from "./primordials.ts";
import type { SecurityError } from "./security-error.ts";
import type { Style } from "./stub.ts";

/** File objects of which the policy refuses some use, with their paths. */
const restricted = new NativeWeakMap<object, string>();
let blobsAreTamed = false;

/** What `Bun.file` answers. */
export function openFile(native: (...args: unknown[]) => Blob, path: unknown, options: unknown): Blob {
  const text = pathText(path);
  // A descriptor, an object of S3, or a mistake that Bun shall report itself.
  if (text === null || startsWith(text, "s3://")) return apply(native, Bun, [path, options]) as Blob;
  return restrict(apply(native, Bun, [text, options]) as Blob, absolute(text));
}

/** Checks the arguments of `Bun.mmap`, which opens for writing whatever it is told. */
export function checkMap(args: unknown[], site: Site): SecurityError | null {
  return checkPath("write", args, 0, site);
}

/** Checks the arguments of `Bun.write`. */
export function checkWrite(args: unknown[], site: Site): SecurityError | null {
  const target = restrictedPath(args[0]);
  const source = restrictedPath(args[1]);
  const error =
    target === undefined ? checkPath("write", args, 0, site) : refusedAccess("write", target, site);
  return error ?? (source === undefined ? null : refusedAccess("read", source, site));
}

function restrict(blob: Blob, path: string): Blob {
  if (mayAccess("read", path) && mayAccess("write", path)) return blob;
  weakMapSet(restricted, blob, path);
  if (!blobsAreTamed) tameBlobs();
  return blob;
}

function restrictedPath(value: unknown): string | undefined {
  return weakMapGet(restricted, value as object) as string | undefined;
}

/** Done when the first file object of a refused path appears: most programs make none. */
function tameBlobs(): void {
  blobsAreTamed = true;
  const { prototype } = Blob;
  guardUses(prototype, "read", "reject", ["text", "json", "arrayBuffer", "bytes", "formData", "stat"]);
  guardUses(prototype, "read", "throw", ["stream"]);
  guardUses(prototype, "write", "reject", ["write", "unlink", "delete"]);
  guardUses(prototype, "write", "throw", ["writer"]);
  replace(
    prototype,
    "exists",
    (native) =>
      ({
        exists(this: unknown): unknown {
          const path = restrictedPath(this);
          return path === undefined || mayAccess("read", path) ? apply(native, this, []) : resolved(false);
        },
      }).exists,
  );
  replace(
    prototype,
    "slice",
    (native) =>
      ({
        slice(this: unknown, ...args: unknown[]): unknown {
          const path = restrictedPath(this);
          const part = apply(native, this, args) as Blob;
          return path === undefined ? part : restrict(part, path);
        },
      }).slice,
  );
}

function guardUses(prototype: object, permission: FilePermission, style: Style, names: string[]): void {
  for (let index = 0; index < names.length; index++)
    guard(prototype, names[index]!, "Bun.file().", style, (_, site, self) => {
      const path = restrictedPath(self);
      return path === undefined ? null : refusedAccess(permission, path, site);
    });
}
