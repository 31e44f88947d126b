// Generated from launcher/policy by `cargo run -p secure-bun-policy --example generate`: do not edit.

/** The permissions, by their keys in a policy. */
export type Permission = "read" | "write" | "import" | "net" | "listen" | "fetch" | "env" | "run" | "sys" | "workers" | "ffi" | "eval" | "wasm" | "host" | "secrets";

/** How a refusal begins. The resource follows as a JSON string (of `workers`: as it is) where there is one. */
export const PHRASES: { readonly [permission in Permission]: string } = {
  read: "reading",
  write: "writing",
  import: "importing",
  net: "connecting to",
  listen: "listening on",
  fetch: "fetching",
  env: "reading the environment variable",
  run: "running",
  sys: "reading the system information",
  workers: "starting worker number",
  ffi: "loading native code",
  eval: "compiling code from a string",
  wasm: "compiling WebAssembly",
  host: "calling the host method",
  secrets: "reading the secret",
};

/** The page about refusals. */
export const ACCESS_DENIED_PAGE = "https://github.com/secure-bun/secure-bun/blob/main/docs/errors/ERR_ACCESS_DENIED.md";

/**
 * Why a request is refused: by the rules `default`, `secret` and `protected`; `limit` when `allow.workers` grants
 * some workers but not so many; `denied` by any other rule.
 */
export const REASONS = {
  default: "no rule of the policy grants it",
  secret: "the secrets of an import root are granted by name only",
  protected: "a tool outside the sandbox would obey what is written there",
  limit: "the policy grants fewer",
  fetched: "a rule of fetch names this host and port, which fetch() and WebSocket alone reach then",
  absent: "in a sandbox nobody listens at a path: use a port of a loopback address",
  denied: "the policy denies it",
} as const;

/** Names at the top of an import root that importing does not include; `*` stands for any text. */
export const SECRET_PATTERNS: readonly string[] = [
  ".env*",
  ".git",
  ".npmrc",
  ".ssh",
  "*.pem",
  "*.key",
];

/** Ends of paths that a write grant on a folder above them does not include, with everything below them. */
export const PROTECTED_WRITES: readonly string[] = [
  ".bash_login",
  ".bash_logout",
  ".bash_profile",
  ".bashrc",
  ".bunfig.toml",
  ".cache/secure-bun",
  ".claude",
  ".codex",
  ".cursor",
  ".devcontainer",
  ".envrc",
  ".git/config",
  ".git/hooks",
  ".github/workflows",
  ".gitconfig",
  ".gitlab-ci.yml",
  ".gitmodules",
  ".husky",
  ".idea",
  ".mcp.json",
  ".npmrc",
  ".pnpmfile.cjs",
  ".profile",
  ".ssh",
  ".vscode",
  ".yarnrc",
  ".yarnrc.yml",
  ".zprofile",
  ".zshenv",
  ".zshrc",
  "bunfig.toml",
  "secure-bun.json",
  "secure-bun.jsonc",
];

/** Folders in which a program given by name alone is found. */
export const PROGRAM_FOLDERS: readonly string[] = [
  "/run/secure-bun/bin",
  "/usr/local/bin",
  "/usr/bin",
  "/bin",
];

/** Facts about the machine that `sys` can grant. */
export const SYS_NAMES: readonly string[] = [
  "cpus",
  "hostname",
  "loadavg",
  "memory",
  "networkInterfaces",
  "release",
  "uptime",
  "userInfo",
];

/** The rules of a policy, as the launcher hands them over. Denying wins; then the first row that covers decides. */
export interface PreloadTable {
  readonly read: PathTable;
  readonly write: PathTable;
  /** Its grants are the import roots. */
  readonly import: PathTable;
  readonly env: PatternTable;
  readonly sys: PatternTable;
  readonly net: PatternTable;
  readonly listen: PatternTable;
  readonly fetch: PatternTable;
  readonly run: PatternTable;
  readonly host: PatternTable;
  readonly secrets: PatternTable;
  readonly ffi: LibraryTable;
  readonly workers: WorkerTable;
  readonly eval: SwitchTable;
  readonly wasm: SwitchTable;
}

export interface PathTable {
  readonly allow: readonly PathRow[];
  readonly deny: readonly PathRow[];
}

/** A file, or a folder with everything below it: absolute and normal. */
export interface PathRow {
  readonly path: string;
  readonly rule: string;
}

export interface PatternTable {
  readonly allow: readonly PatternRow[];
  readonly deny: readonly PatternRow[];
}

/** A name in which each `*` stands for any text, also none. */
export interface PatternRow {
  readonly pattern: string;
  readonly rule: string;
}

export interface LibraryTable {
  readonly allow: readonly LibraryRow[];
  readonly deny: readonly LibraryRow[];
}

/** A library or a folder of them; `null`: every library. */
export interface LibraryRow {
  readonly path: string | null;
  readonly rule: string;
}

/** How many workers may run at a time, and the rule that says so. */
export interface WorkerTable {
  readonly most: number;
  readonly rule: string;
}

export interface SwitchTable {
  readonly allowed: boolean;
  readonly rule: string;
}
