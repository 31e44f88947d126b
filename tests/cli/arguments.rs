//! Command lines that make no sense.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use secure_bun_tests::{Folder, str};

fn unused() -> Folder {
    Folder::with("main.ts", "console.log('it ran')")
}

#[test]
fn no_command() {
    unused().secure_bun([""; 0]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: which command? `secure-bun --help` lists them

"#]]);
}

#[test]
fn an_unknown_command_names_the_nearest() {
    unused().secure_bun(["runn", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: unknown command "runn"
secure-bun: help: did you mean run?

"#]]);
}

#[test]
fn an_unknown_flag_names_the_nearest() {
    unused().secure_bun(["run", "--polcy", "function", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: unknown flag --polcy
secure-bun: help: did you mean --policy?

"#]]);
}

#[test]
fn flags_of_bun_are_not_passed_on_unseen() {
    unused().secure_bun(["run", "--preload=./evil.ts", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: unknown flag --preload

"#]]);
}

#[test]
fn permission_flags_of_node_are_not_passed_on_unseen() {
    unused().secure_bun(["run", "--permission", "--allow-fs-read=/tmp", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: unknown flag --permission

"#]]);
}

#[test]
fn no_program() {
    unused().secure_bun(["run", "--quiet"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: missing: <FILE>...

"#]]);
}

#[test]
fn a_flag_without_its_value() {
    unused().secure_bun(["run", "main.ts", "--input"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: --input needs a value

"#]]);
}

#[test]
fn a_flag_that_is_given_twice() {
    unused().secure_bun(["run", "--policy", "function", "--policy", "script", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: --policy <FILE|PRESET> is given twice

"#]]);
}

#[test]
fn a_value_that_is_not_utf_8() {
    unused()
        .secure_bun([OsStr::new("run"), OsStr::new("--export"), OsStr::from_bytes(b"\xff"), OsStr::new("main.ts")])
        .shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: --export: the value is not UTF-8

"#]]);
}

#[test]
fn a_grant_that_is_not_utf_8() {
    unused().secure_bun([OsStr::new("run"), OsStr::from_bytes(b"--allow-read=\xff"), OsStr::new("main.ts")]).shows(
        str![[r#"
exit code 2
--- stderr
secure-bun: error: an argument is not UTF-8

"#]],
    );
}

#[test]
fn a_program_whose_name_is_not_utf_8() {
    let folder = unused();
    let name = OsStr::from_bytes(b"\xff.ts");
    std::fs::copy(folder.path("main.ts"), folder.path("").join(name)).unwrap();
    folder.secure_bun([OsStr::new("run"), name]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: [FOLDER]/�.ts is not UTF-8
secure-bun: help: rename it: Bun takes no other paths

"#]]);
}

#[test]
fn arguments_of_the_program_may_be_any_bytes() {
    // JavaScript has only text: Bun itself shows the replacement character, with a sandbox or without.
    let folder = Folder::with("main.ts", "console.log(process.argv.slice(2))");
    let words = [OsStr::new("run"), OsStr::new("main.ts"), OsStr::from_bytes(b"a\xffb")];
    let outside = folder.bun(words).prints();
    assert_eq!(folder.secure_bun(words).prints(), outside);
}

#[test]
fn a_limit_that_is_none() {
    unused().secure_bun(["run", "--limit", "speed=5", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
error: there is no limit "speed"
--> --limit speed=5
 = help: the limits are wall, cpu, memory, stack, processes, threads, open_files, tmp, file, output

"#]]);
}

#[test]
fn a_limit_without_a_number() {
    unused().secure_bun(["run", "--limit", "wall=soon", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
error: "soon" is not a value of wall
--> --limit wall=soon
 = help: write 500ms, 5s or 2m

"#]]);
}

#[test]
fn a_variable_without_a_value() {
    unused().secure_bun(["run", "--env", "NAME", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: --env NAME: write NAME=VALUE

"#]]);
}

#[test]
fn a_variable_that_commands_bun() {
    unused().secure_bun(["run", "--env", "BUN_OPTIONS=--preload=./evil.ts", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: --env BUN_OPTIONS: this variable changes what Bun or the loader do, and is secure-bun's to set

"#]]);
}

#[test]
fn a_descriptor_that_is_no_number() {
    unused().secure_bun(["run", "--report-fd", "three", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: --report-fd: not the number of a descriptor

"#]]);
}

#[test]
fn a_script_is_never_called_so_it_takes_no_input() {
    unused().secure_bun(["run", "--script", "--input", "1", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: --script never calls a function: it does not go with --input or --export

"#]]);
}

#[test]
fn help_and_version_go_to_standard_output() {
    unused().secure_bun(["--version"]).shows(str![[r#"
exit code 0
--- stdout
secure-bun 0.1.0

"#]]);
    let help = unused().secure_bun(["run", "--help"]).prints();
    assert!(help.contains("Usage: secure-bun run [FLAGS] FILE [ARGS…]"), "{help}");
    assert!(help.contains("--policy <FILE|PRESET>"), "{help}");
}
