//! Programs, and Buns, that cannot be run.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use secure_bun_tests::{Folder, bun, str};

#[test]
fn a_missing_program() {
    Folder::new().secure_bun(["run", "missing.ts"]).shows(str![[r#"
exit code 127
--- stderr
secure-bun: error: cannot find the program missing.ts: No such file or directory (os error 2)

"#]]);
}

#[test]
fn a_directory_as_program() {
    Folder::new().folder("app").secure_bun(["run", "app"]).shows(str![[r#"
exit code 126
--- stderr
secure-bun: error: app is a directory, not a program
secure-bun: help: name a file, such as index.ts in it

"#]]);
}

#[test]
fn a_device_as_program() {
    Folder::new().secure_bun(["run", "/dev/null"]).shows(str![[r#"
exit code 126
--- stderr
secure-bun: error: /dev/null is not a regular file

"#]]);
}

#[test]
fn a_file_on_the_way_that_is_no_directory() {
    Folder::with("main.ts", "").secure_bun(["run", "main.ts/x.ts"]).shows(str![[r#"
exit code 126
--- stderr
secure-bun: error: cannot find the program main.ts/x.ts: Not a directory (os error 20)

"#]]);
}

#[test]
fn a_program_with_a_syntax_error_fails_as_under_bun() {
    let folder = Folder::with("main.ts", "const = 1;\n");
    let outside = folder.bun(["run", "main.ts"]).end();
    let inside = folder.secure_bun(["run", "main.ts"]).end();
    assert_eq!((inside.code(), inside.stdout()), (outside.code(), outside.stdout()));
    assert!(inside.stderr().contains("error: Expected identifier but found \"=\""), "{inside}");
}

#[test]
fn a_missing_module() {
    Folder::with("main.ts", "import './missing.ts';\n").secure_bun(["run", "main.ts"]).shows(str![[r#"
exit code 1
--- stderr
error: Cannot find module './missing.ts' from '[FOLDER]/main.ts'

Bun v1.4.5 (Linux x64)

"#]]);
}

#[test]
fn a_bun_that_is_missing() {
    Folder::with("main.ts", "").secure_bun(["run", "--bun", "./no-bun", "main.ts"]).shows(str![[r#"
exit code 127
--- stderr
secure-bun: error: --bun: ./no-bun cannot be opened: No such file or directory (os error 2)
secure-bun: help: install Bun 1.4.5, or name its binary with --bun PATH or SECURE_BUN_BUN

"#]]);
}

#[test]
fn a_bun_in_the_variable_that_is_missing() {
    Folder::with("main.ts", "").secure_bun(["run", "main.ts"]).env("SECURE_BUN_BUN", "/no-bun").shows(str![[r#"
exit code 127
--- stderr
secure-bun: error: SECURE_BUN_BUN: /no-bun cannot be opened: No such file or directory (os error 2)
secure-bun: help: install Bun 1.4.5, or name its binary with --bun PATH or SECURE_BUN_BUN

"#]]);
}

#[test]
fn a_bun_that_is_no_executable() {
    Folder::with("main.ts", "").file("bun", "").secure_bun(["run", "--bun", "./bun", "main.ts"]).shows(str![[r#"
exit code 127
--- stderr
secure-bun: error: --bun: ./bun is not an executable file
secure-bun: help: install Bun 1.4.5, or name its binary with --bun PATH or SECURE_BUN_BUN

"#]]);
}

#[test]
fn a_bun_that_is_a_script() {
    let folder = Folder::with("main.ts", "").file("bun", "#!/bin/sh\necho it ran\n");
    fs::set_permissions(folder.path("bun"), fs::Permissions::from_mode(0o755)).unwrap();
    folder.secure_bun(["run", "--bun", "./bun", "main.ts"]).shows(str![[r#"
exit code 125
--- stderr
secure-bun: error: [FOLDER]/bun is not a Linux program: Invalid ELF header size or alignment

"#]]);
}

#[test]
fn a_bun_that_is_another_program() {
    let ended = Folder::with("main.ts", "").secure_bun(["run", "--bun", "/bin/true", "main.ts"]).end();
    assert_eq!((ended.code(), ended.stdout()), (125, String::new()), "{ended}");
    assert!(ended.stderr().contains("is not a Bun that can be sandboxed"), "{ended}");
}

#[test]
fn no_bun_at_all() {
    let empty = Folder::with("main.ts", "");
    empty.secure_bun(["run", "main.ts"]).env("SECURE_BUN_BUN", "").env("PATH", empty.path("")).shows(str![[r#"
exit code 127
--- stderr
secure-bun: error: there is no bun on PATH
secure-bun: help: install Bun 1.4.5, or name its binary with --bun PATH or SECURE_BUN_BUN

"#]]);
}

#[test]
fn a_bun_that_the_program_may_write_to_is_passed_over() {
    let folder = Folder::with("main.ts", "console.log('it ran')").folder("bin");
    fs::copy(bun(), folder.path("bin/bun")).unwrap();
    let command = || folder.secure_bun(["run", "--allow-write=bin", "main.ts"]).env("SECURE_BUN_BUN", "");
    command().env("PATH", folder.path("bin")).shows(str![[r#"
exit code 127
--- stderr
secure-bun: error: there is no bun on PATH
secure-bun: help: install Bun 1.4.5, or name its binary with --bun PATH or SECURE_BUN_BUN

"#]]);
    let beside = std::env::join_paths([folder.path("bin"), bun().parent().unwrap().to_path_buf()]).unwrap();
    assert_eq!(command().env("PATH", beside).prints(), "it ran\n");
}
