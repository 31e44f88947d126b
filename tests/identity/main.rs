//! Whom a program runs as. Started by root it is somebody else outside, yet sees root's files as its own; started by a
//! user it is that user. Either way it has no power over the machine.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use nix::unistd::{getegid, geteuid};
use secure_bun_tests::{Folder, JSON, Machine, is_root};

/// The user `nobody`, to whom root's programs go.
const NOBODY: u32 = 65534;

/// The lines of /proc/PID/status of the program of a folder, as the machine sees it.
fn status_from_outside(folder: &Folder) -> String {
    let running = folder.secure_bun(["run", &folder.text("main.ts")]).start();
    running.says("ready\n");
    let all = Machine::processes(&folder.text("main.ts"));
    let program = all.iter().find(|line| line.contains(" bun ")).unwrap_or_else(|| panic!("{all:?}"));
    let pid = program.split(' ').next().unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    running.signal(nix::sys::signal::Signal::SIGTERM);
    running.end();
    status
}

#[track_caller]
fn line<'s>(status: &'s str, name: &str) -> &'s str {
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {status}")).trim()
}

fn waiting() -> Folder {
    Folder::with("main.ts", "setInterval(() => {}, 1000); console.log('ready');")
}

#[test]
fn it_is_never_root_outside() {
    let status = status_from_outside(&waiting());
    let expected = if is_root() { NOBODY } else { geteuid().as_raw() };
    assert_eq!(line(&status, "Uid:"), [expected; 4].map(|id| id.to_string()).join("\t"));
    let expected = if is_root() { NOBODY } else { getegid().as_raw() };
    assert_eq!(line(&status, "Gid:"), [expected; 4].map(|id| id.to_string()).join("\t"));
    if is_root() {
        assert_eq!(line(&status, "Groups:"), "");
    }
}

#[test]
fn it_has_no_capabilities_and_a_filter_and_cannot_gain_any() {
    let status = status_from_outside(&waiting());
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(line(&status, set), "0000000000000000", "{set}");
    }
    assert_eq!(line(&status, "NoNewPrivs:"), "1");
    assert_eq!(line(&status, "Seccomp:"), "2");
}

#[test]
fn inside_it_is_an_ordinary_user() {
    let source = "export default () => [process.getuid(), process.geteuid(), process.getgid(), process.getgroups?.().length ?? 0];";
    let folder = Folder::with("fn.ts", source);
    let envelope = folder.secure_bun(["run", JSON, "fn.ts"]).envelope();
    let ids = envelope.result().as_array().unwrap();
    assert_eq!(ids[..3], [1000, 1000, 1000]);
}

#[test]
fn settings_of_the_kernel_are_out_of_reach() {
    let source = "import { openSync } from 'node:fs';
        const attempt = (path, flags) => { try { openSync(path, flags); return 'opened'; } catch (e) { return e.code; } };
        export default () => [attempt('/proc/sys/kernel/core_pattern', 'r+'), attempt('/proc/sysrq-trigger', 'r+'), attempt('/sys', 'r')];";
    let folder = Folder::with("fn.ts", source).file("p.json", r#"{"read": ["/usr/share"]}"#);
    let envelope = folder.secure_bun(["run", JSON, "--policy", "p.json", "fn.ts"]).envelope();
    for answer in envelope.result().as_array().unwrap() {
        assert!(answer == "ERR_ACCESS_DENIED" || answer == "ENOENT", "{answer}");
    }
}

#[test]
fn settings_of_the_kernel_cannot_be_granted() {
    let folder = Folder::with("main.ts", "console.log('it ran')");
    for path in ["/proc/sys", "/sys", "/proc", "/dev"] {
        let ended = folder.secure_bun(["run", &format!("--allow-write={path}"), "main.ts"]).end();
        assert_eq!((ended.code(), ended.stdout()), (2, String::new()), "{path}: {ended}");
        assert!(ended.stderr().contains("cannot be granted"), "{path}: {ended}");
    }
}

#[test]
fn granted_files_that_only_their_owner_may_read_are_readable() {
    let folder = Folder::with("fn.ts", "export default () => Bun.file('data/secret.txt').text();")
        .file("data/secret.txt", "mine");
    fs::set_permissions(folder.path("data/secret.txt"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(folder.path("data"), fs::Permissions::from_mode(0o700)).unwrap();
    let folder = folder.file("p.json", r#"{"read": ["./data"]}"#);
    assert_eq!(folder.secure_bun(["run", "--policy", "p.json", "fn.ts"]).prints(), "\"mine\"\n");
}

#[test]
fn a_program_that_only_its_owner_may_read_runs() {
    let folder = Folder::with("main.ts", "console.log('it ran')");
    fs::set_permissions(folder.path("main.ts"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(folder.path(""), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(folder.secure_bun(["run", "main.ts"]).prints(), "it ran\n");
}

#[test]
fn files_that_it_writes_belong_to_whoever_started_it() {
    let source = "import fs from 'node:fs'; fs.mkdirSync('out/new/deep', { recursive: true });
        fs.writeFileSync('out/new/deep/a.txt', 'x'); fs.appendFileSync('out/old.txt', 'more');";
    let folder = Folder::with("main.ts", source).file("out/old.txt", "").file("p.json", r#"{"write": ["./out"]}"#);
    fs::set_permissions(folder.path("out/old.txt"), fs::Permissions::from_mode(0o600)).unwrap();
    folder.secure_bun(["run", "--policy", "p.json", "main.ts"]).prints();
    for path in ["out/new", "out/new/deep/a.txt", "out/old.txt"] {
        let metadata = fs::metadata(folder.path(path)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (geteuid().as_raw(), getegid().as_raw()), "{path}");
    }
    assert_eq!(folder.read("out/old.txt"), "more");
}
