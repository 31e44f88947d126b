// Bun.file, Bun.write and the files behind Blobs. Making a file object is no act; using it is.
import type { Site } from "./error.ts";
import { checkPath, mayAccess, refusedAccess } from "./file-access.ts";
import { guard, replace } from "./guard.ts";
import type { FilePermission } from "./known-paths.ts";
import { isKnown, remember } from "./known-paths.ts";
import { absolute, pathText } from "./paths.ts";
import { apply, resolved, startsWith } from "./primordials.ts";
import type { SecurityError } from "./security-error.ts";
import type { Style } from "./stub.ts";

/**
 * Writes into a file object, of which the policy refuses some use, what its path is. Nobody else can read or forge that,
 * and unlike a `WeakMap` it costs nothing when the object is gone, which for most of them is soon.
 */
class Restricted extends (function (file: object) {
  return file;
} as unknown as new (file: object) => object) {
  readonly #path: string;

  constructor(file: object, path: string) {
    super(file);
    this.#path = path;
  }

  static pathOf(value: unknown): string | undefined {
    return typeof value === "object" && value !== null && #path in value ? value.#path : undefined;
  }
}

/** Of what kind a refused file object was met: most programs make none, and few make one that may not be read. */
const tamed = { any: false, reads: false, writes: false };

/** What `Bun.file` answers. */
export function openFile(
  native: (path: unknown, options: unknown) => Blob,
  path: unknown,
  options: unknown,
): Blob {
  if (isKnown("write", path)) return native(path, options);
  if (isKnown("read-only", path)) return restrict(native(path, options), absolute(path), true, false);
  const text = pathText(path);
  // A descriptor, an object of S3, or a mistake that Bun shall report itself.
  if (text === null || startsWith(text, "s3://")) return native(path, options);
  const place = absolute(text);
  const reads = mayAccess("read", place);
  const writes = mayAccess("write", place);
  if (reads) remember(writes ? "write" : "read-only", text);
  return restrict(native(text, options), place, reads, writes);
}

/** Checks the arguments of `Bun.mmap`, which opens for writing whatever it is told. */
export function checkMap(args: unknown[], site: Site): SecurityError | null {
  return checkPath("write", args, 0, site);
}

/** Checks the arguments of `Bun.write`. */
export function checkWrite(args: unknown[], site: Site): SecurityError | null {
  const target = Restricted.pathOf(args[0]);
  const source = Restricted.pathOf(args[1]);
  const error =
    target === undefined ? checkPath("write", args, 0, site) : refusedAccess("write", target, site);
  return error ?? (source === undefined ? null : refusedAccess("read", source, site));
}

function restrict(blob: Blob, path: string, reads: boolean, writes: boolean): Blob {
  if (reads && writes) return blob;
  new Restricted(blob, path);
  if (!tamed.any) tameSlices();
  if (!reads && !tamed.reads) tameReads();
  if (!writes && !tamed.writes) tameWrites();
  return blob;
}

/** A part of a file object is one, too. */
function tameSlices(): void {
  tamed.any = true;
  replace(
    Blob.prototype,
    "slice",
    (native) =>
      ({
        slice(this: unknown, ...args: unknown[]): unknown {
          const path = Restricted.pathOf(this);
          const part = apply(native, this, args) as Blob;
          return path === undefined
            ? part
            : restrict(part, path, mayAccess("read", path), mayAccess("write", path));
        },
      }).slice,
  );
}

function tameReads(): void {
  tamed.reads = true;
  const { prototype } = Blob;
  guardUses(prototype, "read", "reject", ["text", "json", "arrayBuffer", "bytes", "formData", "stat"]);
  guardUses(prototype, "read", "throw", ["stream"]);
  replace(
    prototype,
    "exists",
    (native) =>
      ({
        exists(this: unknown): unknown {
          const path = Restricted.pathOf(this);
          return path === undefined || mayAccess("read", path) ? apply(native, this, []) : resolved(false);
        },
      }).exists,
  );
}

function tameWrites(): void {
  tamed.writes = true;
  const { prototype } = Blob;
  guardUses(prototype, "write", "reject", ["write", "unlink", "delete"]);
  guardUses(prototype, "write", "throw", ["writer"]);
}

function guardUses(prototype: object, permission: FilePermission, style: Style, names: string[]): void {
  for (let index = 0; index < names.length; index++)
    guard(prototype, names[index]!, "Bun.file().", style, (_, site, self) => {
      const path = Restricted.pathOf(self);
      return path === undefined ? null : refusedAccess(permission, path, site);
    });
}
