// Bun.redis and Bun.s3: clients that connect with their first command.
import { guard, guardClass, replace } from "./guard.ts";
import { NativeWeakMap, weakMapGet, weakMapSet } from "./late-primordials.ts";
import { destinationOfUrl, hasNetwork, refusedConnection } from "./network.ts";
import { apply, getOwnPropertyDescriptor, getPrototypeOf, ownKeys } from "./primordials.ts";
import type { Style } from "./stub.ts";

const REDIS_PORT = "6379";
/** What only changes the client, or ends it. */
const QUIET = ["constructor", "close", "duplicate"];
const S3_ACTS = ["delete", "exists", "list", "size", "stat", "unlink", "write"];
const S3_FILE_ACTS = [
  "arrayBuffer",
  "bytes",
  "delete",
  "exists",
  "formData",
  "json",
  "stat",
  "text",
  "unlink",
  "write",
];
const S3_FILE_STREAMS = ["stream", "writer"];

/** Where clients connect, and files of a store lie. */
const addresses = new NativeWeakMap<object, string>();

interface Class {
  readonly prototype: object;
}
interface Client extends Class {
  new (options: object): { file(key: string): object };
}

/** Guards the commands of `Bun.RedisClient`, which `Bun.redis` has too. */
export function tameRedis(owner: { RedisClient: Class }, fallback: object): void {
  const { prototype } = owner.RedisClient;
  // Bun asks for its variables as they were when it started.
  const { REDIS_URL, VALKEY_URL } = process.env;
  const usual = redisAddress(REDIS_URL ?? VALKEY_URL ?? "redis://localhost");
  guardClass(owner, "RedisClient", "Bun.", (args) => {
    const address = typeof args[0] === "string" ? redisAddress(args[0]) : usual;
    return (client) => weakMapSet(addresses, client, address);
  });
  weakMapSet(addresses, fallback, usual);
  const names = ownKeys(prototype);
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    if (typeof name !== "string" || QUIET.indexOf(name) >= 0) continue;
    if (getOwnPropertyDescriptor(prototype, name)!.get !== undefined) continue;
    guard(prototype, name, "RedisClient.", "reject", (_, site, self) =>
      refusedConnection(addressOfClient(self), site),
    );
  }
}

function redisAddress(url: string): string {
  return destinationOfUrl(url, REDIS_PORT) ?? `localhost:${REDIS_PORT}`;
}

function addressOfClient(client: unknown): string | null {
  return (weakMapGet(addresses, client as object) as string | undefined) ?? null;
}

/** Guards `Bun.S3Client`, `Bun.s3` and their files. Signing a URL connects to nothing. */
export function tameS3(owner: { S3Client: Client }, fallback: object): void {
  const native = owner.S3Client;
  guardS3(native, "S3Client.", "reject", S3_ACTS);
  guardS3(native.prototype, "S3Client.", "reject", S3_ACTS);
  guardS3(getPrototypeOf(fallback)!, "S3Client.", "reject", S3_ACTS);
  const nowhere = { bucket: "-", accessKeyId: "-", secretAccessKey: "-" };
  const file = getPrototypeOf(new native(nowhere).file("-"))!;
  guardS3(file, "S3File.", "reject", S3_FILE_ACTS);
  guardS3(file, "S3File.", "throw", S3_FILE_STREAMS);
  // Where there is no network, the host is of no interest but for the words.
  if (!hasNetwork) return;
  weakMapSet(addresses, fallback, s3Address(undefined) ?? usualS3Address());
  rememberFiles(native);
  rememberFiles(native.prototype);
  rememberFiles(getPrototypeOf(fallback)!);
  guardClass(owner, "S3Client", "Bun.", (args) => {
    const address = s3Address(args[0]) ?? usualS3Address();
    return (client) => weakMapSet(addresses, client, address);
  });
}

function guardS3(owner: object, prefix: string, style: Style, names: readonly string[]): void {
  for (let index = 0; index < names.length; index++)
    if (getOwnPropertyDescriptor(owner, names[index]!)?.writable)
      guard(owner, names[index]!, prefix, style, (args, site, self) =>
        refusedConnection(s3AddressIn(args) ?? addressOfClient(self) ?? unknownS3Address(self), site),
      );
}

/** A part of a file is made without a guard: where there is a network, the launcher sees where it lies. */
function unknownS3Address(self: unknown): string | null {
  return hasNetwork && typeof self !== "function" ? null : usualS3Address();
}

/** A file is where its client is, unless it is told otherwise. */
function rememberFiles(owner: object): void {
  if (!getOwnPropertyDescriptor(owner, "file")?.writable) return;
  replace(owner, "file", (native) => {
    const { file } = {
      file(this: unknown, ...args: unknown[]): unknown {
        const made = apply(native, this, args) as object;
        weakMapSet(addresses, made, s3AddressIn(args) ?? addressOfClient(this) ?? usualS3Address());
        return made;
      },
    };
    return file;
  });
}

/** What the options among the arguments say of the host. */
function s3AddressIn(args: unknown[]): string | null {
  for (let index = args.length - 1; index > 0; index--) {
    const address = s3Address(args[index]);
    if (address !== null) return address;
  }
  return null;
}

function s3Address(options: unknown): string | null {
  if (typeof options !== "object" || options === null) return null;
  const { endpoint, region } = options as { endpoint?: unknown; region?: unknown };
  if (endpoint !== undefined) return destinationOfUrl(endpoint);
  return typeof region === "string" ? `s3.${region}.amazonaws.com:443` : null;
}

/** Where clients connect that are not told where. */
function usualS3Address(): string {
  const { S3_ENDPOINT, AWS_ENDPOINT, S3_REGION, AWS_REGION } = process.env;
  const endpoint = S3_ENDPOINT ?? AWS_ENDPOINT;
  const address = endpoint === undefined ? null : destinationOfUrl(endpoint);
  return address ?? `s3.${S3_REGION ?? AWS_REGION ?? "us-east-1"}.amazonaws.com:443`;
}
