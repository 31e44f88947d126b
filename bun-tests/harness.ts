// Runs programs under real Bun as the launcher does, but without a kernel sandbox: what is seen is the preload alone.
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PreloadTable } from "../preload/src/generated/policy.ts";
import type { CallRequest, Details, Table } from "../preload/src/table.ts";

const BUNDLE = join(import.meta.dir, "..", "preload", "dist", "preload.js");
const DEADLINE_MS = 20_000;
const GRACE_MS = 300;
const FLAGS = [
  "--no-install",
  "--no-env-file",
  "--config=/dev/null",
  "--tsconfig-override=/dev/null",
  "--no-macros",
  "--no-addons",
  "--no-ffi-cc",
];
const ENV = { BUN_JSC_useShadowRealm: "0", BUN_FEATURE_FLAG_DISABLE_ASYNC_TRANSPILER: "1" };

/** As if every program mentioned all of it, but `undici`, which turns microtasks and ticks round by being loaded. */
const MENTIONS = [
  ...["$", "Archive", "FileSystemRouter", "Glob", "Image", "RedisClient", "S3Client", "SQL"],
  ...["WebView", "build", "dns", "postgres", "redis", "s3", "secrets", "sql"],
  ...["chdir", "dlopen", "execve", "loadEnvFile"],
  ...[
    "bun:jsc",
    "child_process",
    "cluster",
    "inspector",
    "inspector/promises",
    "module",
    "process",
    "wasi",
    "ws",
  ],
];

/** What a test grants. */
export interface Grants {
  read?: string[];
  write?: string[];
  denyRead?: string[];
  denyWrite?: string[];
  workers?: number;
  /** Hosts and ports, as the launcher writes them into the table. */
  net?: string[];
  listen?: string[];
}

/** How a program ended. */
export interface Ending {
  stdout: string;
  stderr: string;
  code: number | null;
  frames: Frame[];
}

export interface Frame {
  kind: string;
  token: string;
  payload: any;
}

/** The policy's table for some grants. */
export function policyOf(grants: Grants): PreloadTable {
  const paths = (key: string, list: string[] = []) =>
    list.map((path) => ({ path, rule: `${key} ${JSON.stringify(path)} (test.json:1:1)` }));
  const patterns = (key: string, list: string[] = []) => ({
    allow: list.map((pattern) => ({ pattern, rule: `${key} ${JSON.stringify(pattern)} (test.json:1:1)` })),
    deny: [],
  });
  const none = () => ({ allow: [], deny: [] });
  return {
    read: { allow: paths("allow.read", grants.read), deny: paths("deny.read", grants.denyRead) },
    write: { allow: paths("allow.write", grants.write), deny: paths("deny.write", grants.denyWrite) },
    import: none(),
    env: none(),
    sys: none(),
    net: patterns("allow.net", grants.net),
    listen: patterns("allow.listen", grants.listen),
    fetch: none(),
    run: none(),
    host: none(),
    secrets: none(),
    ffi: none(),
    workers: {
      most: grants.workers ?? 0,
      rule: grants.workers ? "allow.workers 1 (test.json:1:1)" : "default",
    },
    eval: { allowed: false, rule: "default" },
    wasm: { allowed: true, rule: "default" },
  };
}

/** A call as the launcher asks for it. */
export function callOf(request: Partial<CallRequest> = {}): CallRequest {
  return {
    export: "default",
    required: false,
    waits: false,
    args: null,
    marker: null,
    logs: false,
    ...request,
  };
}

/** Runs a program under bare Bun: the control of every test of a refusal. */
export function runBare(program: string, cwd = realpathSync(tmpdir())): Promise<Ending> {
  return start([...FLAGS, program], cwd, false);
}

/** Runs a program behind the preload. With a channel, it is run until its answer, as the launcher would. */
export async function runGuarded(
  program: string,
  grants: Grants,
  options: Partial<Omit<Table, "details"> & Pick<Details, "cwd" | "secrets">> = {},
): Promise<Ending> {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), "secure-bun-test-"));
  const policy = join(folder, "policy.js");
  const preload = [policy, BUNDLE];
  const { cwd = folder, secrets = {}, ...settings } = options;
  const details: Details = {
    cwd,
    policy: policyOf(grants),
    report: true,
    own_loopback: true,
    secrets,
    preload,
  };
  const table: Table = {
    v: 1,
    channel: null,
    hello: true,
    call: null,
    context: null,
    fork: null,
    mentions: MENTIONS,
    asks: { modules: true, require: true, promises: true, bun: true, web: true, sockets: true },
    freeze: false,
    grants: {
      net: grants.net !== undefined,
      listen: grants.listen !== undefined,
      fetch: false,
      run: false,
      workers: (grants.workers ?? 0) > 0,
    },
    env_hide: Object.keys(ENV),
    details: JSON.stringify(details),
    ...settings,
  };
  writeFileSync(policy, `globalThis[Symbol.for("secure-bun.table")]=${JSON.stringify(table)}`);
  try {
    const flags = [...FLAGS, "--disallow-code-generation-from-strings=strict"];
    return await start(
      [...flags, ...preload.map((file) => `--preload=${file}`), program],
      cwd,
      table.channel === 3,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function start(args: string[], cwd: string, channel: boolean): Promise<Ending> {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), "secure-bun-channel-"));
  const fifo = join(folder, "frames");
  // A real pipe for the frames, as the launcher gives: Bun.spawn makes sockets of further descriptors.
  const shell = channel ? ["/bin/sh", "-c", 'unset PWD OLDPWD; exec "$@" 3>"$0"', fifo] : [];
  if (channel) Bun.spawnSync(["mkfifo", fifo]);
  try {
    const child = Bun.spawn([...shell, process.execPath, ...args], {
      cwd,
      env: { PATH: "/usr/bin:/bin", ...ENV },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: DEADLINE_MS,
    });
    const [stdout, stderr, frames] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      channel ? readFrames(fifo, () => child.kill("SIGKILL")) : [],
      child.exited,
    ]);
    return { stdout, stderr, code: child.exitCode, frames };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Reads until the pipe ends. Ends the process after its answer, as the launcher does. */
async function readFrames(fifo: string, end: () => void): Promise<Frame[]> {
  const reader = Bun.spawn(["cat", fifo], { stdio: ["ignore", "pipe", "inherit"], timeout: DEADLINE_MS });
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of reader.stdout) {
    text += decoder.decode(bytes, { stream: true });
    const frames = parseFrames(text);
    const answer = frames.find(
      ({ kind, token }) => token === frames[0]!.token && (kind === "result" || kind === "error"),
    );
    // After an error while loading, Bun ends the process by itself.
    if (answer !== undefined) setTimeout(end, answer.kind === "error" ? GRACE_MS : 0);
  }
  return parseFrames(text);
}

/** The complete frames in a text; throws for what is none. */
export function parseFrames(text: string): Frame[] {
  const frames: Frame[] = [];
  for (let rest = text; rest !== "";) {
    const header = /^SB1 ([0-9a-f]{32}) (\w+) (\d+)\n/.exec(rest);
    if (header === null) {
      if (rest.includes("\n")) throw new Error(`not a frame: ${JSON.stringify(rest.slice(0, 80))}`);
      break;
    }
    const start = header[0].length;
    const end = start + Number(header[3]);
    if (rest.length <= end) break;
    frames.push({ token: header[1]!, kind: header[2]!, payload: JSON.parse(rest.slice(start, end)) });
    rest = rest.slice(end + 1);
  }
  return frames;
}
