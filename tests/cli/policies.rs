//! Policies that cannot be used: nothing runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use secure_bun_tests::{Folder, is_root, str};

/// A program that would be seen if it ran, under this policy.
fn under(policy: &[u8]) -> secure_bun_tests::Command {
    let folder = Folder::with("main.ts", "console.log('it ran')").file("p.json", policy);
    let command = folder.secure_bun(["run", "--policy", "p.json", "main.ts"]);
    command.keep(folder)
}

#[test]
fn a_missing_file() {
    let folder = Folder::with("main.ts", "console.log('it ran')");
    folder.secure_bun(["run", "--policy", "./missing.json", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: cannot read the policy ./missing.json: No such file or directory (os error 2)

"#]]);
}

#[test]
fn a_name_that_is_no_preset() {
    let folder = Folder::with("main.ts", "console.log('it ran')");
    folder.secure_bun(["run", "--policy", "functoin", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: cannot read the policy functoin: No such file or directory (os error 2)
secure-bun: help: the presets are function, fetch, script, bun-install, bun-test, bun-x, bun-build, dev, trusted

"#]]);
}

#[test]
fn a_directory() {
    let folder = Folder::with("main.ts", "console.log('it ran')").folder("policies");
    folder.secure_bun(["run", "--policy", "./policies", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: cannot read the policy ./policies: is a directory

"#]]);
}

#[test]
fn an_unreadable_file() {
    let folder = Folder::with("main.ts", "console.log('it ran')").file("p.json", "{}");
    fs::set_permissions(folder.path("p.json"), fs::Permissions::from_mode(0o000)).unwrap();
    let ended = folder.secure_bun(["run", "--policy", "p.json", "main.ts"]).end();
    if is_root() {
        // Root may read it all the same.
        assert_eq!(ended.stdout(), "it ran\n");
    } else {
        ended.is(str![[r#"
exit code 2
--- stderr
secure-bun: error: cannot read the policy p.json: Permission denied (os error 13)

"#]]);
    }
}

#[test]
fn one_that_is_too_large() {
    let mut policy = b"{}".to_vec();
    policy.resize(257 << 10, b' ');
    under(&policy).shows(str![[r#"
exit code 2
--- stderr
error: the policy is too large: the limit is 256 KiB
--> p.json
 = help: split it, or grant folders instead of single files

"#]]);
}

#[test]
fn one_without_end_is_not_read_for_ever() {
    let folder = Folder::with("main.ts", "console.log('it ran')");
    folder.secure_bun(["run", "--policy", "/dev/zero", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
error: the policy is too large: the limit is 256 KiB
--> /dev/zero
 = help: split it, or grant folders instead of single files

"#]]);
}

#[test]
fn a_byte_order_mark() {
    under(b"\xef\xbb\xbf{}").shows(str![[r#"
exit code 2
--- stderr
error: the policy starts with a byte order mark
--> p.json
 = help: save it as UTF-8 without a byte order mark

"#]]);
}

#[test]
fn bytes_that_are_not_utf_8() {
    under(b"{\"read\": \"\xff\"}").shows(str![[r#"
exit code 2
--- stderr
error: the policy is not UTF-8
 --> p.json:1:11
  |
1 | {"read": "�"}
  |           ^
  |
  = help: save it as UTF-8

"#]]);
}

#[test]
fn text_that_is_not_json() {
    under(b"{\n  \"read\": [\"a\" \"b\"]\n}").shows(str![[r#"
exit code 2
--- stderr
error: this is not JSON: expected comma
 --> p.json:2:15
  |
2 |   "read": ["a" "b"]
  |               ^

"#]]);
}

#[test]
fn a_key_twice() {
    under(b"{\n  \"read\": [\"./a\"],\n  \"read\": [\"./b\"]\n}").shows(str![[r#"
exit code 2
--- stderr
error: the key "read" is there twice in the policy
 --> p.json:3:3
  |
3 |   "read": ["./b"]
  |   ^^^^^^
  |
  = help: keep one of them

"#]]);
}

#[test]
fn unknown_keys() {
    under(b"{\n  \"raed\": [\"./a\"],\n  \"limits\": { \"memory\": 1 }\n}").shows(str![[r#"
exit code 2
--- stderr
error: unknown key "raed" in the policy
 --> p.json:2:3
  |
2 |   "raed": ["./a"],
  |   ^^^^^^
  |
  = help: did you mean "read"?
error: unknown key "memory" in limits
 --> p.json:3:15
  |
3 |   "limits": { "memory": 1 }
  |               ^^^^^^^^
  |
  = help: did you mean "memory_mb"?

"#]]);
}

#[test]
fn values_of_another_type() {
    under(b"{\n  \"read\": 7,\n  \"limits\": { \"wall_ms\": \"5s\" }\n}").shows(str![[r#"
exit code 2
--- stderr
error: allow.read must be true, false, a string or a list of strings, not a number
 --> p.json:2:11
  |
2 |   "read": 7,
  |           ^
error: limits.wall_ms must be a whole number, not a string
 --> p.json:3:26
  |
3 |   "limits": { "wall_ms": "5s" }
  |                          ^^^^

"#]]);
}

#[test]
fn a_nul_in_a_path() {
    under(b"{ \"read\": [\"./a\\u0000b\"] }").shows(str![[r#"
exit code 2
--- stderr
error: allow.read contains a NUL character
 --> p.json:1:12
  |
1 | { "read": ["./a\u0000b"] }
  |            ^^^^^^^^^^^^

"#]]);
}

#[test]
fn a_star_in_a_path() {
    under(b"{ \"read\": [\"./data/*.txt\"] }").shows(str![[r#"
exit code 2
--- stderr
error: a path cannot contain "*"
 --> p.json:1:12
  |
1 | { "read": ["./data/*.txt"] }
  |            ^^^^^^^^^^^^^^
  |
  = help: name the file or the folder: a folder covers everything below it

"#]]);
}

#[test]
fn a_variable_that_is_none() {
    under(b"{ \"read\": [\"${HOMEDIR}/x\"] }").shows(str![[r#"
exit code 2
--- stderr
error: unknown variable ${HOMEDIR}
 --> p.json:1:12
  |
1 | { "read": ["${HOMEDIR}/x"] }
  |            ^^^^^^^^^^^^^^
  |
  = help: the variables are ${PROGRAM}, ${PROJECT}, ${TMP} and ${HOME}

"#]]);
}

#[test]
fn a_permission_in_both_forms() {
    under(b"{ \"read\": [\"./a\"], \"allow\": { \"read\": [\"./b\"] } }").shows(str![[r#"
exit code 2
--- stderr
error: allow.read is stated twice: here and at p.json:1:3
 --> p.json:1:31
  |
1 | { "read": ["./a"], "allow": { "read": ["./b"] } }
  |                               ^^^^^^
  |
  = help: keep one of them

"#]]);
}

#[test]
fn an_extended_file_that_is_missing() {
    under(b"{ \"extends\": \"./base.json\" }").shows(str![[r#"
exit code 2
--- stderr
error: cannot read the policy base.json: No such file or directory (os error 2)
 --> p.json:1:14
  |
1 | { "extends": "./base.json" }
  |              ^^^^^^^^^^^^^

"#]]);
}

#[test]
fn files_that_extend_each_other() {
    let folder = Folder::with("main.ts", "console.log('it ran')")
        .file("p.json", "{ \"extends\": \"./q.json\" }")
        .file("q.json", "{ \"extends\": \"./p.json\" }");
    folder.secure_bun(["run", "--policy", "p.json", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
error: extends goes round in a circle: it leads back to p.json
 --> q.json:1:14
  |
1 | { "extends": "./p.json" }
  |              ^^^^^^^^^^

"#]]);
}

#[test]
fn the_variable_names_one_where_no_flag_does() {
    let folder = Folder::with("main.ts", "console.log('it ran')").file("p.json", "{ \"raed\": true }");
    folder.secure_bun(["run", "main.ts"]).env("SECURE_BUN_POLICY", "p.json").shows(str![[r#"
exit code 2
--- stderr
error: unknown key "raed" in the policy
 --> p.json:1:3
  |
1 | { "raed": true }
  |   ^^^^^^
  |
  = help: did you mean "read"?

"#]]);
    let flag = folder.secure_bun(["run", "--policy", "script", "main.ts"]).env("SECURE_BUN_POLICY", "p.json");
    assert_eq!(flag.prints(), "it ran\n");
}

#[test]
fn a_path_to_write_that_is_missing() {
    under(b"{ \"write\": [\"./out\"] }").shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: allow.write "./out" (p.json:1:13): [FOLDER]/out cannot be opened: No such file or directory (os error 2)
secure-bun: help: create it first: what may be written to has to be there when the program starts

"#]]);
}

#[test]
fn a_path_to_read_that_is_missing_is_a_warning() {
    under(b"{ \"read\": [\"./data\"] }").shows(str![[r#"
exit code 0
--- stdout
it ran
--- stderr
secure-bun: warning: allow.read "./data" (p.json:1:12): [FOLDER]/data cannot be shown: No such file or directory (os error 2)

"#]]);
}

#[test]
fn a_relative_path_on_the_command_line_starts_from_the_working_directory() {
    let folder = Folder::with("main.ts", "console.log(await Bun.file('data/a.txt').text())").file("data/a.txt", "read");
    let inside = folder.secure_bun(["run", "--allow-read=data", "main.ts"]);
    assert_eq!(inside.prints(), "read\n");
}
