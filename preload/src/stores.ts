// Bun.redis and Bun.s3: clients that connect with their first command.
import type { Site } from "./error.ts";
import { refusal } from "./error.ts";
import { guard, guardClass } from "./guard.ts";
import { NativeWeakMap, weakMapGet, weakMapSet } from "./late-primordials.ts";
import { destinationOfUrl } from "./network.ts";
import { getOwnPropertyDescriptor, getPrototypeOf, ownKeys } from "./primordials.ts";
import type { SecurityError } from "./security-error.ts";
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
  guardClass(owner, "RedisClient", "Bun.", (args) => {
    const address = redisAddress(args[0]);
    return (client) => weakMapSet(addresses, client, address);
  });
  weakMapSet(addresses, fallback, redisAddress(undefined));
  const names = ownKeys(prototype);
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    if (typeof name !== "string" || QUIET.indexOf(name) >= 0) continue;
    if (getOwnPropertyDescriptor(prototype, name)!.get !== undefined) continue;
    guard(prototype, name, "RedisClient.", "reject", (_, site, self) =>
      refusal("net", (weakMapGet(addresses, self as object) as string | undefined) ?? null, site),
    );
  }
}

function redisAddress(url: unknown): string {
  const { REDIS_URL, VALKEY_URL } = process.env;
  const text = typeof url === "string" ? url : (REDIS_URL ?? VALKEY_URL ?? "redis://localhost");
  return destinationOfUrl(text, REDIS_PORT) ?? `localhost:${REDIS_PORT}`;
}

/** Guards `Bun.S3Client`, `Bun.s3` and their files. Signing a URL connects to nothing. */
export function tameS3(client: Client, fallback: object): void {
  guardS3(client, "S3Client.", "reject", S3_ACTS);
  guardS3(client.prototype, "S3Client.", "reject", S3_ACTS);
  guardS3(getPrototypeOf(fallback)!, "S3Client.", "reject", S3_ACTS);
  const nowhere = { bucket: "-", accessKeyId: "-", secretAccessKey: "-" };
  const file = getPrototypeOf(new client(nowhere).file("-"))!;
  guardS3(file, "S3File.", "reject", S3_FILE_ACTS);
  guardS3(file, "S3File.", "throw", S3_FILE_STREAMS);
}

function guardS3(owner: object, prefix: string, style: Style, names: readonly string[]): void {
  for (let index = 0; index < names.length; index++)
    if (getOwnPropertyDescriptor(owner, names[index]!)?.writable)
      guard(owner, names[index]!, prefix, style, (_, site) => refuseS3(site));
}

/** Which host it would be is in options and variables, and in whatever made the client: the default one is named. */
function refuseS3(site: Site): SecurityError | null {
  const { S3_ENDPOINT, AWS_ENDPOINT, S3_REGION, AWS_REGION } = process.env;
  const endpoint = S3_ENDPOINT ?? AWS_ENDPOINT;
  const address = endpoint === undefined ? null : destinationOfUrl(endpoint);
  return refusal("net", address ?? `s3.${S3_REGION ?? AWS_REGION ?? "us-east-1"}.amazonaws.com:443`, site);
}
