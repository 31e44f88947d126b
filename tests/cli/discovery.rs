//! A policy that came with the program: it may only narrow, until it is approved.

use std::os::unix::fs::symlink;

use secure_bun_tests::{Folder, is_root, str};

/// Tells which of its acts are allowed.
const PROGRAM: &str = r#"
import { readFileSync } from "node:fs";
const may = (act) => {
  try {
    act();
    return true;
  } catch (error) {
    if (error.name !== "SecurityError") throw error;
    return false;
  }
};
const paths = process.argv.slice(2);
console.log(...paths.map((path) => may(() => readFileSync(path))), typeof WebAssembly);
"#;

/// A project whose own policy asks for the machine's files and leaves out some of its own.
fn project(policy: &str) -> Folder {
    Folder::with("src/main.js", PROGRAM)
        .package()
        .file("data/a.txt", "")
        .file("data/private/b.txt", "")
        .file("secure-bun.json", policy)
}

const ASKS: &str = r#"{
  "read": ["/etc/passwd", "./data"],
  "wasm": false,
  "deny": { "read": ["./data/private"] },
  "kernel": { "require": ["seccomp"] },
  "limits": { "wall_ms": 20000 }
}"#;

/// The program looks at a file of the machine, at one of the project, and at one that the policy denies.
fn look(folder: &Folder, flags: &[&str]) -> secure_bun_tests::Command {
    let files = ["src/main.js", "/etc/passwd", "data/a.txt", "data/private/b.txt"];
    folder.secure_bun([&["run"], flags, &files].concat())
}

#[test]
fn it_narrows_and_what_it_asks_for_beyond_is_ignored_aloud() {
    let folder = project(ASKS);
    assert_eq!(folder.bun(["src/main.js", "/etc/passwd", "data/private/b.txt"]).prints(), "true true object\n");
    // The preset alone allows both files of the project, and WebAssembly.
    assert_eq!(look(&folder, &["--policy", "script"]).prints(), "false true true object\n");
    look(&folder, &[]).shows(str![[r#"
exit code 0
--- stdout
false true false undefined
--- stderr
secure-bun: warning: secure-bun.json came with the program and may only narrow preset script. Ignored: allow.read "/etc/passwd" (secure-bun.json:2:12) reads what is not granted there; kernel.require (secure-bun.json:5:26) leaves out "user", "mnt", "pid", "net", "ipc", "uts", "landlock", "rlimits", "cgroup". To approve all of it: secure-bun policy trust secure-bun.json

"#]]);
    look(&folder, &["--quiet"]).shows(str![[r#"
exit code 0
--- stdout
false true false undefined

"#]]);
}

#[test]
fn flags_widen_both() {
    look(&project(r#"{ "read": ["./data"] }"#), &["--allow-read=/etc/passwd"]).shows(str![[r#"
exit code 0
--- stdout
true true true object

"#]]);
}

#[test]
fn its_denials_hold_against_flags() {
    look(&project(r#"{ "deny": { "read": "/etc/passwd" } }"#), &["--allow-read=/etc/passwd"]).shows(str![[r#"
exit code 0
--- stdout
false false false object

"#]]);
}

#[test]
fn a_flag_or_the_variable_takes_its_place() {
    let folder = project(r#"{ "deny": { "read": "./data" } }"#);
    assert_eq!(look(&folder, &["--policy", "script"]).prints(), "false true true object\n");
    assert_eq!(look(&folder, &[]).env("SECURE_BUN_POLICY", "script").prints(), "false true true object\n");
    assert_eq!(look(&folder, &[]).prints(), "false false false object\n");
}

#[test]
fn the_nearest_one_holds() {
    let folder = project(r#"{ "deny": { "read": "./data" } }"#).file("src/secure-bun.jsonc", "{ /* nothing */ }");
    look(&folder, &[]).shows(str![[r#"
exit code 0
--- stdout
false false false object

"#]]);
}

#[test]
fn one_in_a_manifest() {
    let manifest = r#"{ "name": "x", "secureBun": { "deny": { "read": "./data/private" }, "read": "./data" } }"#;
    let folder = Folder::with("main.js", PROGRAM).file("package.json", manifest);
    let folder = folder.file("data/a.txt", "").file("data/private/b.txt", "");
    let run = folder.secure_bun(["run", "main.js", "data/a.txt", "data/private/b.txt"]);
    assert_eq!(run.prints(), "true false object\n");
    let folder = folder.file("package.json", r#"{ "secureBun": { "raed": true } }"#);
    folder.secure_bun(["run", "main.js"]).shows(str![[r#"
exit code 2
--- stderr
error: unknown key "raed" in the policy
 --> package.json:1:18
  |
1 | { "secureBun": { "raed": true } }
  |                  ^^^^^^
  |
  = help: did you mean "read"?

"#]]);
}

#[test]
fn two_in_one_folder() {
    let folder = project("{}").file("secure-bun.jsonc", "{}");
    look(&folder, &[]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: there are two policies: secure-bun.json and secure-bun.jsonc
secure-bun: help: keep one of them, or name one with --policy

"#]]);
}

#[test]
fn one_that_is_not_valid_runs_nothing() {
    look(&project(r#"{ "raed": true }"#), &[]).shows(str![[r#"
exit code 2
--- stderr
error: unknown key "raed" in the policy
 --> secure-bun.json:1:3
  |
1 | { "raed": true }
  |   ^^^^^^
  |
  = help: did you mean "read"?

"#]]);
}

#[test]
fn nothing_is_discovered_below_node_modules_or_above_the_project() {
    let folder = Folder::with("p/package.json", "{}")
        .file("p/node_modules/x/main.js", PROGRAM)
        .file("p/node_modules/x/secure-bun.json", r#"{ "raed": true }"#)
        .file("p/node_modules/x/package.json", r#"{ "name": "x", "secureBun": { "raed": true } }"#)
        .file("secure-bun.json", r#"{ "raed": true }"#);
    assert_eq!(folder.secure_bun(["run", "p/node_modules/x/main.js"]).prints(), "object\n");
}

#[test]
fn one_that_leads_out_of_the_project_is_not_read() {
    let folder = Folder::with("p/main.js", PROGRAM).file("p/package.json", "{}").file("secret.json", "{ secret: 1 }");
    symlink("../secret.json", folder.path("p/secure-bun.json")).unwrap();
    folder.secure_bun(["run", "p/main.js"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: the policy p/secure-bun.json leads out of the project, to [FOLDER]/secret.json
secure-bun: help: name it with --policy if you trust it

"#]]);
    std::fs::remove_file(folder.path("p/secure-bun.json")).unwrap();
    let folder = folder.file("p/secure-bun.json", r#"{ "extends": "../secret.json" }"#);
    folder.secure_bun(["run", "p/main.js"]).shows(str![[r#"
exit code 2
--- stderr
error: the policy secret.json leads out of the project, to [FOLDER]/secret.json
 --> p/secure-bun.json:1:14
  |
1 | { "extends": "../secret.json" }
  |              ^^^^^^^^^^^^^^^^

"#]]);
}

#[test]
fn what_it_extends_is_part_of_it() {
    let folder = project(r#"{ "extends": "./base.json" }"#).file("base.json", r#"{ "deny": { "read": "./data" } }"#);
    assert_eq!(look(&folder, &[]).prints(), "false false false object\n");
}

#[test]
fn nothing_that_decides_about_the_next_run_is_writable_from_inside() {
    let write = r#"
import { writeFileSync } from "node:fs";
export default () => process.argv.slice(2).map((path) => {
  try {
    writeFileSync(path, "{}");
    return "written";
  } catch (error) {
    return `${error.name} ${error.permission}`;
  }
});
"#;
    let folder = Folder::with("main.js", write)
        .file("p.json", r#"{ "extends": "./base.json", "write": [".", "${HOME}"] }"#)
        .file("base.json", "{}")
        .file("other.json", "{}");
    let home = folder.text("../home");
    let trust = format!("{home}/.local/state/secure-bun/trust.json");
    let other = format!("{home}/.local/state/other.json");
    let run = folder.secure_bun([
        "run",
        "--policy",
        "p.json",
        "main.js",
        "p.json",
        "base.json",
        "other.json",
        &trust,
        &other,
    ]);
    let denied = "SecurityError write";
    let expected = format!("[\"{denied}\",\"{denied}\",\"written\",\"{denied}\",\"written\"]\n");
    assert_eq!(run.prints(), expected);
    assert_eq!(folder.read("base.json"), "{}");
    assert!(!folder.path("../home/.local/state/secure-bun/trust.json").exists(), "root: {}", is_root());
}

#[test]
fn a_link_to_the_policy_that_the_program_may_replace() {
    let folder = Folder::with("main.js", PROGRAM).file("real/p.json", r#"{ "write": ["../links"] }"#).folder("links");
    symlink("../real/p.json", folder.path("links/p.json")).unwrap();
    folder.secure_bun(["run", "--policy", "links/p.json", "main.js"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: the policy [FOLDER]/links/p.json is a link that the program may replace
secure-bun: help: name the file itself: [FOLDER]/real/p.json

"#]]);
}
