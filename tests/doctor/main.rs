//! `secure-bun doctor` says what works on this machine, and what is missing on one that lacks a layer.

use std::path::Path;

use secure_bun_tests::{Command, Ended, Folder, JSON, Machine, is_root};
use serde_json::Value;

fn doctor() -> Command {
    let folder = Folder::new();
    folder.secure_bun(["doctor"]).keep(folder)
}

fn doctor_without(what: &str) -> Ended {
    let folder = Folder::new();
    let launcher = secure_bun_tests::launcher();
    let without = folder.program(Path::new(env!("CARGO_BIN_EXE_without"))).word(what).word(launcher).word("doctor");
    without.keep(folder).end()
}

/// The lines about what is missing, each without its remedy.
fn missing(ended: &Ended) -> Vec<String> {
    let text = ended.stdout();
    text.lines().filter(|line| line.starts_with("missing")).map(str::to_owned).collect()
}

#[test]
fn programs_can_run_here() {
    let ended = doctor().end();
    assert_eq!(ended.code(), 0, "{ended}");
    assert_eq!(missing(&ended), [""; 0]);
    assert!(ended.stdout().ends_with("\nsecure-bun can run programs here\n"), "{ended}");
}

#[test]
fn the_same_as_json() {
    let ended = doctor().word(JSON).end();
    assert_eq!(ended.code(), 0, "{ended}");
    let said: Value = serde_json::from_str(&ended.stdout()).expect("JSON");
    assert_eq!(said["can_run"], true);
    let checks = said["checks"].as_array().expect("a list");
    let names: Vec<&str> = checks.iter().filter_map(|check| check["name"].as_str()).collect();
    assert_eq!(
        names,
        [
            "kernel",
            "user",
            "landlock",
            "namespaces",
            "mounts",
            "seccomp",
            "limits",
            "bun",
            "cache",
            "folder",
            "memory",
            "program"
        ]
    );
    let user = checks[1]["detail"].as_str().expect("text");
    assert_eq!(user.ends_with("since you are root"), is_root(), "{user}");
}

#[test]
fn each_missing_layer_is_the_one_that_is_named() {
    for (what, layer, remedy) in [
        ("landlock", "landlock", "`landlock` in CONFIG_LSM"),
        ("landlock-new-enough", "landlock", "Linux 6.2 or newer"),
        // What helps depends on what this machine is, which the doctor's own tests are about.
        ("user-namespaces", "namespaces", "help: "),
        ("more-user-namespaces", "namespaces", "sysctl user.max_user_namespaces=10000"),
        ("mounting", "mounts", "help: "),
        ("mount-setattr", "mounts", "help: "),
        ("seccomp", "seccomp", "CONFIG_SECCOMP_FILTER"),
        ("resource-limits", "limits", "hard limit of open files"),
    ] {
        let ended = doctor_without(what);
        assert_eq!(ended.code(), 125, "{what}: {ended}");
        let missing = missing(&ended);
        assert!(missing[0].starts_with(&format!("missing  {layer} ")), "{what}: {missing:#?}");
        assert!(ended.stdout().contains(remedy), "{what}: {ended}");
        assert!(ended.stdout().ends_with("\nsecure-bun cannot run programs here\n"), "{what}: {ended}");
    }
}

#[test]
fn what_a_policy_may_do_without_is_tried() {
    for (what, require) in [
        ("namespaces", r#"help: {"kernel": {"require": ["landlock"]}} in a policy"#),
        ("landlock", r#"help: {"kernel": {"require": ["user", "mnt", "ipc", "uts"]}} in a policy"#),
    ] {
        let ended = doctor_without(what);
        assert_eq!(ended.code(), 125, "{what}: {ended}");
        assert!(ended.stdout().contains("\nnote     partial "), "{what}: {ended}");
        assert!(ended.stdout().contains(require), "{what}: {ended}");
    }
    for what in ["seccomp", "namespaces-and-landlock"] {
        let ended = doctor_without(what);
        assert!(!ended.stdout().contains("\nnote     partial "), "{what}: {ended}");
    }
}

#[test]
fn what_only_the_whole_shows_is_found_by_the_whole() {
    let missing = missing(&doctor_without("landlock-rules"));
    let names: Vec<&str> = missing.iter().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(names, ["folder", "program"]);
}

#[test]
fn a_bun_that_is_missing() {
    let ended = doctor().words(["--bun", "/nonexistent/bun"]).end();
    assert_eq!(ended.code(), 125, "{ended}");
    let missing = missing(&ended);
    assert_eq!(missing.len(), 2, "{ended}");
    assert!(missing[0].contains("--bun: /nonexistent/bun cannot be opened"), "{ended}");
    assert!(missing[1].ends_with("not tried, since there is no Bun that starts"), "{ended}");
}

#[test]
fn it_leaves_no_program_behind() {
    let folder = Folder::new();
    let temporary = folder.path("../home");
    let ended = folder.secure_bun(["doctor"]).env("TMPDIR", &temporary).end();
    assert_eq!(ended.code(), 0, "{ended}");
    let left = Machine::entries(&temporary);
    assert!(left.is_empty(), "{left:?}");
}
