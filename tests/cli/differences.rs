//! `secure-bun policy diff`: what widened and what narrowed, and the exit code for CI.

use secure_bun_tests::{Folder, str};

const FIRST: &str = r#"{
  "read": ["./data", "./old"],
  "limits": { "wall_ms": 1000 }
}"#;

const SECOND: &str = r#"{
  "read": ["./data", "./new"],
  "eval": true,
  "limits": { "wall_ms": 2000 }
}"#;

fn folder() -> Folder {
    Folder::with("a.json", FIRST).file("b.json", SECOND)
}

#[test]
fn what_widened_and_what_narrowed() {
    folder().secure_bun(["policy", "diff", "a.json", "b.json"]).shows(str![[r#"
exit code 3
--- stdout
widened: b.json allows what a.json does not
  allow.read "./new" (b.json:2:22) reads what is not granted there
  allow.eval true (b.json:3:11) is not granted there
  limits.wall_ms (b.json:4:26) is 2000, more than the 1000 there
narrowed: a.json allows what b.json does not
  allow.read "./old" (a.json:2:22) reads what is not granted there

"#]]);
}

#[test]
fn for_programs_in_one_line() {
    folder().secure_bun(["policy", "diff", "--json", "a.json", "b.json"]).shows(str![[r#"
exit code 3
--- stdout
{"within":false,"widened":[{"key":"allow.read","value":"./new","place":"b.json:2:22","reason":"reads what is not granted there"},{"key":"allow.eval","value":true,"place":"b.json:3:11","reason":"is not granted there"},{"key":"limits.wall_ms","value":2000,"place":"b.json:4:26","reason":"is 2000, more than the 1000 there"}],"narrowed":[{"key":"allow.read","value":"./old","place":"a.json:2:22","reason":"reads what is not granted there"}]}

"#]]);
}

#[test]
fn one_that_only_narrows_is_fine() {
    let folder = folder().file("b.json", r#"{ "read": ["./data/a"], "limits": { "wall_ms": 10 } }"#);
    folder.secure_bun(["policy", "diff", "a.json", "b.json"]).shows(str![[r#"
exit code 0
--- stdout
narrowed: a.json allows what b.json does not
  allow.read "./data" (a.json:2:12) reads what is not granted there
  allow.read "./old" (a.json:2:22) reads what is not granted there
  limits.wall_ms (a.json:3:26) is 1000, more than the 10 there

"#]]);
}

#[test]
fn one_that_says_the_same_in_other_words() {
    let folder =
        folder().file("b.json", r#"{ "allow": { "read": ["./old", "./data"] }, "limits": { "wall_ms": 1000 } }"#);
    folder.secure_bun(["policy", "diff", "a.json", "b.json"]).shows(str![[r#"
exit code 0
--- stdout
a.json and b.json allow the same

"#]]);
}

#[test]
fn presets_are_compared_too() {
    let narrower = folder().secure_bun(["policy", "diff", "script", "function"]).end();
    assert_eq!(narrower.code(), 0, "{narrower}");
    assert!(narrower.stdout().starts_with("narrowed: script allows what function does not\n"), "{narrower}");
    let wider = folder().secure_bun(["policy", "diff", "function", "script"]).end();
    assert_eq!(wider.code(), 3, "{wider}");
    assert!(wider.stdout().contains("  allow.read \"${PROJECT}\" (preset script:"), "{wider}");
}

#[test]
fn two_versions_in_two_folders_are_compared_as_if_in_one() {
    let folder = Folder::with("before/p.json", FIRST).file("after/p.json", FIRST);
    folder.secure_bun(["policy", "diff", "before/p.json", "after/p.json"]).shows(str![[r#"
exit code 3
--- stdout
widened: after/p.json allows what before/p.json does not
  allow.read "./data" (after/p.json:2:12) reads what is not granted there
  allow.read "./old" (after/p.json:2:22) reads what is not granted there
narrowed: before/p.json allows what after/p.json does not
  allow.read "./data" (before/p.json:2:12) reads what is not granted there
  allow.read "./old" (before/p.json:2:22) reads what is not granted there

"#]]);
    folder.secure_bun(["policy", "diff", "--base", ".", "before/p.json", "after/p.json"]).shows(str![[r#"
exit code 0
--- stdout
before/p.json and after/p.json allow the same

"#]]);
}

#[test]
fn one_that_cannot_be_used() {
    let folder = folder().file("b.json", r#"{ "raed": true }"#);
    folder.secure_bun(["policy", "diff", "a.json", "b.json"]).shows(str![[r#"
exit code 2
--- stderr
error: unknown key "raed" in the policy
 --> b.json:1:3
  |
1 | { "raed": true }
  |   ^^^^^^
  |
  = help: did you mean "read"?

"#]]);
    folder.secure_bun(["policy", "diff", "a.json", "missing.json"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: cannot read the policy missing.json: No such file or directory (os error 2)

"#]]);
    folder.secure_bun(["policy", "diff", "a.json"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: missing: <FILE|PRESET>

"#]]);
}
