//! The part of this crate that the preload shares, as a TypeScript module.

use std::fmt::Write as _;

use crate::error_page::{ACCESS_DENIED, error_page};
use crate::explain::reason;
use crate::grants::SYS_NAMES;
use crate::guard::{PROTECTED_WRITES, SECRET_PATTERNS};
use crate::permission::Permission;
use crate::program::PROGRAM_FOLDERS;
use crate::request::json;

/// Where the module is checked in, from the root of the repository.
pub const TYPESCRIPT_MODULE: &str = "preload/src/generated/policy.ts";

/// The command that writes the generated files again.
pub const GENERATE_COMMAND: &str = "cargo run -p secure-bun-policy --example generate";

/// The types below mirror the structs of `preload_table`; the cases that both sides run hold them together.
const TABLE_TYPES: &str = r"/** The rules of a policy, as the launcher hands them over. Denying wins; then the first row that covers decides. */
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
";

/// The text of the module.
pub fn typescript_module() -> String {
    let mut module = String::new();
    let names = Permission::ALL.map(|permission| json(permission.name())).join(" | ");
    let _ = writeln!(module, "// Generated from launcher/policy by `{GENERATE_COMMAND}`: do not edit.\n");
    let _ = writeln!(module, "/** The permissions, by their keys in a policy. */\nexport type Permission = {names};\n");
    let _ = writeln!(
        module,
        "/** How a refusal begins. The resource follows as a JSON string (of `workers`: as it is) where there is one. */"
    );
    let _ = writeln!(module, "export const PHRASES: {{ readonly [permission in Permission]: string }} = {{");
    for permission in Permission::ALL {
        let _ = writeln!(module, "  {permission}: {},", json(permission.phrase()));
    }
    let _ = writeln!(module, "}};\n");
    let page = error_page(ACCESS_DENIED).unwrap_or_default();
    let _ = writeln!(module, "/** The page about refusals. */\nexport const ACCESS_DENIED_PAGE = {};\n", json(&page));
    let _ = writeln!(
        module,
        "/**\n * Why a request is refused: by the rules `default`, `secret` and `protected`; `limit` when `allow.workers` grants\n * some workers but not so many; `denied` by any other rule.\n */"
    );
    let _ = writeln!(module, "export const REASONS = {{");
    let reasons = [
        ("default", reason::DEFAULT),
        ("secret", reason::SECRET),
        ("protected", reason::PROTECTED),
        ("limit", reason::LIMIT),
        ("fetched", reason::FETCHED),
        ("absent", reason::ABSENT),
        ("denied", reason::DENIED),
    ];
    for (rule, text) in reasons {
        let _ = writeln!(module, "  {rule}: {},", json(text));
    }
    let _ = writeln!(module, "}} as const;\n");
    list(
        &mut module,
        "SECRET_PATTERNS",
        "Names at the top of an import root that importing does not include; `*` stands for any text.",
        SECRET_PATTERNS,
    );
    list(
        &mut module,
        "PROTECTED_WRITES",
        "Ends of paths that a write grant on a folder above them does not include, with everything below them.",
        PROTECTED_WRITES,
    );
    list(&mut module, "PROGRAM_FOLDERS", "Folders in which a program given by name alone is found.", PROGRAM_FOLDERS);
    list(&mut module, "SYS_NAMES", "Facts about the machine that `sys` can grant.", SYS_NAMES);
    module.push_str(TABLE_TYPES);
    module
}

fn list(module: &mut String, name: &str, comment: &str, items: &[&str]) {
    let _ = writeln!(module, "/** {comment} */\nexport const {name}: readonly string[] = [");
    for item in items {
        let _ = writeln!(module, "  {},", json(item));
    }
    let _ = writeln!(module, "];\n");
}
