//! Inside of something else: another sandbox, a container, a file system of layers.

use std::path::Path;

use secure_bun_tests::{Command, Folder, JSON, is_root, str};

use super::WITHOUT;

const WITHIN: &str = env!("CARGO_BIN_EXE_within");

fn granting() -> Folder {
    Folder::with("main.ts", "console.log(require('fs').readFileSync('data/a.txt', 'utf8'), require('fs').readdirSync('out').length); require('fs').writeFileSync('out/b.txt', 'b');")
        .file("data/a.txt", "a")
        .folder("out")
        .open_to_all()
        .file("p.json", r#"{"read": ["./data"], "write": ["./out"]}"#)
}

fn command(folder: &Folder) -> Command {
    folder.secure_bun(["run", "--policy", "p.json", "main.ts"])
}

/// A user's programs run there. Root's do not, if it has no other user to give them to.
#[track_caller]
fn works_for_a_user(what: &str) {
    let folder = granting();
    let command = command(&folder).started_by(Path::new(WITHIN), &[what]);
    if is_root() {
        command.shows(str![[r#"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: giving up root's user id failed: Operation not permitted (os error 1)
secure-bun: help: root's programs run as user and group 65534: root needs CAP_SETUID and CAP_SETGID for that, and a user namespace around it has to map 65534; or start secure-bun as an unprivileged user; `secure-bun doctor` tries each layer

"#]]);
    } else {
        assert_eq!(command.prints(), "a 0\n");
        assert_eq!(folder.read("out/b.txt"), "b");
    }
}

#[test]
fn in_a_user_namespace_whose_root_is_a_user() {
    works_for_a_user("user-namespace");
}

#[test]
fn in_a_container_that_masks_proc() {
    works_for_a_user("masked-proc");
}

/// The kernel gives out no new view of processes where the one there is has gaps.
#[test]
fn other_programs_in_a_container_that_masks_proc() {
    let folder =
        Folder::with("main.ts", "console.log(require('child_process').execFileSync('/bin/echo', ['ran']).toString())");
    let command = || folder.secure_bun(["run", "--allow-run=/bin/echo", "main.ts"]);
    assert_eq!(command().prints(), "ran\n\n");
    let ended = command().started_by(Path::new(WITHIN), &["masked-proc"]).end();
    assert_eq!((ended.code(), ended.stdout()), (125, String::new()), "{ended}");
    let remedy =
        if is_root() { "root's programs run as user and group 65534" } else { "in a container, an unmasked /proc" };
    assert!(ended.stderr().contains(remedy), "{ended}");
}

/// Root of a namespace that has no other user cannot give a program away.
#[test]
fn in_a_user_namespace_without_namespaces() {
    let folder =
        granting().file("p.json", r#"{"read": ["./data"], "write": ["./out"], "kernel": {"require": ["landlock"]}}"#);
    let words = ["user-namespace", WITHOUT, "namespaces"];
    let ended = command(&folder).started_by(Path::new(WITHIN), &words).end();
    if is_root() {
        assert_eq!(ended.code(), 125, "{ended}");
        assert!(ended.stderr().contains("giving up root's user id failed"), "{ended}");
    } else {
        assert_eq!((ended.code(), ended.stdout().as_str()), (0, "a 0\n"), "{ended}");
    }
}

#[test]
fn on_a_file_system_of_layers() {
    let source =
        "console.log(require('fs').readFileSync('data/a.txt', 'utf8'), require('fs').readdirSync('data').join())";
    let folder = Folder::with("lower/main.ts", source)
        .file("lower/data/a.txt", "a")
        .file("lower/p.json", r#"{"read": ["./data"]}"#);
    let words = ["run", "--policy", "p.json", "main.ts"];
    let command = folder.secure_bun(words).from(&folder.path("lower"));
    let ended = command.started_by(Path::new(WITHIN), &["overlay", &folder.text("lower")]).end();
    assert_eq!((ended.code(), ended.stdout().as_str()), (0, "a a.txt\n"), "{ended}");
    // Owners cannot be mapped there, as they are where root starts a program.
    let warning = "secure-bun: warning: [FOLDER]/lower/data lies on a file system that cannot map owners: what only root may read there is refused\n";
    assert_eq!(ended.stderr().contains(warning), is_root(), "{ended}");
}

#[test]
fn writing_to_a_file_system_of_layers() {
    let folder = Folder::with("lower/main.ts", "require('fs').writeFileSync('out/b.txt', 'b'); console.log('written')")
        .file("lower/p.json", r#"{"write": ["./out"]}"#)
        .folder("lower/out");
    let command = folder.secure_bun(["run", "--policy", "p.json", "main.ts"]).from(&folder.path("lower"));
    let command = command.started_by(Path::new(WITHIN), &["overlay", &folder.text("lower")]);
    if is_root() {
        command.shows(str![[r#"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: showing root's files as the program's own (id-mapped mount) failed for "[FOLDER]/lower/out": Invalid argument (os error 22)
secure-bun: help: this file system has no id-mapped mounts (overlayfs): start secure-bun as an unprivileged user, or make the granted files accessible to others; `secure-bun doctor` tries each layer

"#]]);
    } else {
        assert_eq!(command.prints(), "written\n");
        assert_eq!(folder.read("lower.upper/out/b.txt"), "b");
    }
}

#[test]
fn in_a_container_whose_profile_has_what_the_docs_add() {
    let folder = granting();
    let command = folder.secure_bun(["run", JSON, "--policy", "p.json", "main.ts"]);
    let envelope = command.started_by(Path::new(WITHOUT), &["what-docker-allows-with-additions"]).envelope();
    assert_eq!(envelope.text("/sandbox/status"), "full");
}
