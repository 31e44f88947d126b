//! Without namespaces a program is among the host's files and processes, with Landlock and the filter before them. Each
//! test first shows that the act works outside.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::signal::Signal;
use secure_bun_tests::{Command, Envelope, Folder, JSON, Machine, is_root, native, str};
use serde_json::{Value, json};

use super::{WITHOUT, act};

/// A folder whose `fn.ts` does an act, with a caller for the control.
fn acting(folder: Folder, policy: &str, expression: &str) -> Folder {
    let source = format!("export default async () => {};", act(expression));
    let policy = format!(r#"{{"kernel": {{"require": ["landlock"]}}, "ffi": true{policy}}}"#);
    native(folder)
        .open_to_all()
        .file("fn.ts", source)
        .file("p.json", policy)
        .file("outside.ts", "import act from './fn.ts'; console.log(JSON.stringify(await act()));")
}

fn run(folder: &Folder) -> Command {
    let words = ["run", "--quiet", JSON, "--policy", "p.json", "fn.ts"];
    folder.secure_bun(words).started_by(Path::new(WITHOUT), &["namespaces"])
}

#[track_caller]
fn outside(folder: &Folder) -> Value {
    serde_json::from_str(&folder.bun(["run", "outside.ts"]).prints()).unwrap()
}

fn inside(folder: &Folder) -> Envelope {
    run(folder).envelope()
}

/// Each call succeeds outside and fails inside with `errno`.
#[track_caller]
fn refused(folder: Folder, policy: &str, calls: &[String], errno: i32) {
    let folder = acting(folder, policy, &format!("[{}]", calls.join(", ")));
    let control: Vec<i64> = serde_json::from_value(outside(&folder)).unwrap();
    assert!(control.iter().all(|answer| *answer >= 0), "the test shows nothing: {calls:#?} {control:?}");
    assert_eq!(inside(&folder).result(), &json!(vec![-errno; calls.len()]), "{calls:#?}");
}

#[test]
fn files_of_the_host_cannot_be_opened() {
    let mut calls: Vec<String> =
        ["/etc/passwd", "/etc", "/proc", "/proc/1", "/proc/1/status", "/proc/cpuinfo", "/usr/share"]
            .iter()
            .map(|path| format!("open('{path}', 0)"))
            .collect();
    calls.push(format!("open('/tmp', {})", libc::O_TMPFILE | libc::O_WRONLY));
    refused(Folder::new(), "", &calls, libc::EACCES);
}

#[test]
fn other_processes_of_the_same_user_cannot_be_read() {
    // The parent of the program: the test outside, the launcher inside.
    let calls =
        ["environ", "status", "maps", "fd", "task"].map(|name| format!("open(`/proc/${{process.ppid}}/{name}`, 0)"));
    refused(Folder::new(), "", &calls, libc::EACCES);
    // Its own entries are what Bun itself needs.
    let folder = acting(Folder::new(), "", "open('/proc/self/status', 0) >= 0 && open('/proc/self/maps', 0) >= 0");
    assert_eq!(inside(&folder).result(), true);
}

#[test]
fn connections_of_the_host_cannot_be_listed() {
    let calls = ["/proc/net/tcp", "/proc/self/net/tcp", "/proc/thread-self/net/dev", "/proc/self/task"]
        .map(|path| format!("open('{path}', 0)"));
    refused(Folder::new(), "", &calls, libc::EACCES);
}

#[test]
fn nor_another_program_of_secure_bun() {
    let waiting = acting(Folder::new(), "", "1").file(
        "main.ts",
        "require('fs').writeFileSync(require('os').tmpdir() + '/secret', 'x'); console.log(process.pid, require('os').tmpdir()); setInterval(() => {}, 1000);",
    );
    let waiting = waiting.file("p.json", r#"{"kernel": {"require": ["landlock"]}, "write": ["${TMP}"]}"#);
    let words = ["run", "--quiet", "--policy", "p.json", "main.ts"];
    let running = waiting.secure_bun(words).started_by(Path::new(WITHOUT), &["namespaces"]).start();
    let said = running.line();
    let (pid, tmp) = said.trim().split_once(' ').unwrap();
    assert!(Path::new(&format!("/proc/{pid}/environ")).exists() && Path::new(tmp).exists(), "{said}");

    let calls = format!(
        "[open('/proc/{pid}/environ', 0), open('/proc/{pid}/status', 0), open('{tmp}/secret', 0), call({}, {pid}, 9)]",
        libc::SYS_kill
    );
    let folder = acting(Folder::new(), "", &calls);
    let (closed, other) = (-libc::EACCES, -libc::EPERM);
    assert_eq!(inside(&folder).result(), &json!([closed, closed, closed, other]));
    running.signal(Signal::SIGTERM);
    assert_eq!(running.end().signal(), Some(Signal::SIGTERM));
}

#[test]
fn signals_reach_nobody_else() {
    refused(Folder::new(), "", &[format!("call({}, process.ppid, 0)", libc::SYS_kill)], libc::EPERM);
}

#[test]
fn attributes_of_files_stay_as_they_are() {
    let folder = Folder::with("data/a.txt", "a").folder("out");
    let calls = [
        format!("call({}, {}, text('data/a.txt'), 0o644, 0)", libc::SYS_fchmodat, libc::AT_FDCWD),
        format!("call({}, open('data/a.txt', 0), 0o644)", libc::SYS_fchmod),
        format!(
            "call({}, {}, text('data/a.txt'), process.getuid(), process.getgid(), 0)",
            libc::SYS_fchownat,
            libc::AT_FDCWD
        ),
        format!("call({}, {}, text('data/a.txt'), 0, 0)", libc::SYS_utimensat, libc::AT_FDCWD),
    ];
    refused(folder, r#", "read": ["./data"], "write": ["./out"]"#, &calls, libc::EPERM);
}

#[test]
fn what_may_only_be_read_cannot_be_cut_off() {
    let folder = Folder::with("data/a.txt", "a").folder("out");
    let calls = [
        format!("open('data/a.txt', {})", libc::O_RDONLY | libc::O_TRUNC),
        format!("open('/proc/self/fd/' + open('data/a.txt', 0), {})", libc::O_RDONLY | libc::O_TRUNC),
        format!("call({}, text('data/a.txt'), 0)", libc::SYS_truncate),
    ];
    refused(folder, r#", "read": ["./data"], "write": ["./out"]"#, &calls, libc::EACCES);
}

#[test]
fn folders_cannot_be_watched() {
    let calls = [format!("call({}, 0)", libc::SYS_inotify_init1)];
    refused(Folder::new().folder("out"), r#", "write": ["./out"]"#, &calls, libc::EPERM);
}

#[test]
fn what_is_denied_in_a_readable_folder_is_left_out() {
    let folder = || Folder::with("data/private/key", "k").file("data/a/b/c.txt", "c").file("data/d.txt", "d");
    let policy = r#", "read": ["./data"], "deny": {"read": ["./data/private"]}"#;
    let calls = ["open('data/private/key', 0)", "open('data/private/../private/key', 0)"].map(str::to_owned);
    refused(folder(), policy, &calls, libc::EACCES);
    let granted = acting(folder(), policy, "open('data/a/b/c.txt', 0) >= 0 && open('data/d.txt', 0) >= 0");
    assert_eq!(inside(&granted).result(), true);
}

#[test]
fn secrets_of_the_project_are_left_out() {
    let calls = ["open('.env', 0)", "open('.git/config', 0)"].map(str::to_owned);
    refused(Folder::with(".env", "KEY=1").file(".git/config", ""), "", &calls, libc::EACCES);
}

#[test]
fn a_writable_folder_with_a_denied_file_is_refused() {
    let folder = acting(
        Folder::with("data/private/key", "k"),
        r#", "write": ["./data"], "deny": {"read": ["./data/private"]}"#,
        "1",
    );
    let words = ["run", "--policy", "p.json", "fn.ts"];
    folder.secure_bun(words).started_by(Path::new(WITHOUT), &["namespaces"]).shows(str![[r#"
exit code 125
--- stderr
secure-bun: error: [FOLDER]/data/private may not be read, but lies in a folder that may be written to: Landlock alone cannot keep both
secure-bun: help: write to another folder, such as one made for it, or run where there are namespaces (`secure-bun doctor`)

"#]]);
}

#[test]
fn a_writable_folder_with_the_configuration_of_tools_is_refused() {
    let folder = acting(Folder::with("data/.git/config", "k"), r#", "write": ["./data"]"#, "1");
    let words = ["run", "--policy", "p.json", "fn.ts"];
    folder.secure_bun(words).started_by(Path::new(WITHOUT), &["namespaces"]).shows(str![[r#"
exit code 125
--- stderr
secure-bun: error: [FOLDER]/data/.git/config may not be written to, but lies in a folder that may be written to: Landlock alone cannot keep both
secure-bun: help: write to another folder, such as one made for it, or run where there are namespaces (`secure-bun doctor`)

"#]]);
}

#[test]
fn it_is_an_ordinary_user_without_capabilities() {
    let status = format!(
        "(buffer => buffer.toString('utf8', 0, call({}, open('/proc/self/status', 0), buffer, 4096)))(Buffer.alloc(4096))",
        libc::SYS_read
    );
    let envelope = inside(&acting(Folder::new(), "", &format!("[process.getuid(), {status}]")));
    let expected = if is_root() { 65534 } else { nix::unistd::getuid().as_raw() };
    assert_eq!(envelope.result()[0], expected);
    let status = envelope.result()[1].as_str().unwrap();
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert!(status.contains(&format!("{set}:\t0000000000000000\n")), "{set} in {status}");
    }
    assert!(status.contains("NoNewPrivs:\t1\n") && status.contains("Seccomp:\t2\n"), "{status}");
    if is_root() {
        assert!(status.contains("Groups:\t \n"), "{status}");
    }
}

/// A run in surroundings of its own.
fn writing(source: &str) -> Folder {
    acting(Folder::new().folder("temporary"), r#", "write": ["${TMP}"]"#, "1").file("main.ts", source)
}

fn start(folder: &Folder, words: &[&str]) -> Command {
    let words = ["run", "--quiet", "--policy", "p.json"].iter().chain(words).chain(&["main.ts"]);
    let command = folder.secure_bun(words).env("TMPDIR", folder.path("temporary"));
    command.started_by(Path::new(WITHOUT), &["namespaces"])
}

#[test]
fn its_temporary_folder_is_its_own_and_goes_away() {
    let folder = writing(
        "const { mkdirSync, writeFileSync, readdirSync } = require('fs'); const tmp = require('os').tmpdir();
         mkdirSync(tmp + '/a'); writeFileSync(tmp + '/a/b', 'x'); console.log(readdirSync(tmp).join(), tmp);",
    );
    let said = start(&folder, &[]).prints();
    let tmp = said.trim().strip_prefix("a ").unwrap_or_else(|| panic!("{said}"));
    assert!(tmp.starts_with("[FOLDER]/temporary/secure-bun-run-"), "{tmp}");
    assert!(Machine::entries(&folder.path("temporary")).is_empty());
}

#[test]
fn after_a_kill_of_the_launcher_it_is_swept_at_the_next_start() {
    let source = "require('fs').writeFileSync(require('os').tmpdir() + '/a', 'x'); console.log('ready'); setInterval(() => {}, 1000);";
    let folder = writing(source);
    let running = start(&folder, &[]).start();
    running.says("ready\n");
    running.signal(Signal::SIGKILL);
    assert_eq!(running.end().signal(), Some(Signal::SIGKILL));
    Machine::assert_no_process_stays(&folder.text("main.ts"));
    assert_eq!(Machine::entries(&folder.path("temporary")).len(), 1);
    let folder = folder.file("main.ts", "");
    assert_eq!(start(&folder, &[]).prints(), "");
    assert!(Machine::entries(&folder.path("temporary")).is_empty());
}

#[test]
fn limits_that_the_kernel_keeps_otherwise_are_looked_after() {
    let threads = "for (let n = 0; n < 24; n++) new Worker('data:text/javascript,setInterval(() => {}, 1000)'); setInterval(() => {}, 1000);";
    let tmp = "const tmp = require('os').tmpdir(); for (let n = 0; n < 64; n++) require('fs').writeFileSync(tmp + '/' + n, Buffer.alloc(1 << 20, 1)); setInterval(() => {}, 1000);";
    let memory = "const held = []; for (let n = 0; n < 64; n++) held.push(new Uint8Array(16 << 20).fill(1));";
    for (source, limit, code, name) in
        [(threads, "threads=12", 124, "threads"), (tmp, "tmp=8mb", 124, "tmp"), (memory, "memory=128mb", 137, "memory")]
    {
        let folder = writing(source);
        let policy = r#"{"kernel": {"require": ["landlock"]}, "write": ["${TMP}"], "workers": true, "eval": true}"#;
        let ended = start(&folder.file("p.json", policy), &["--limit", limit]).end();
        assert_eq!(ended.code(), code, "{limit}: {ended}");
        assert!(ended.stderr().contains(&format!("the {name} limit of ")), "{limit}: {ended}");
    }
}

#[test]
fn what_the_user_of_roots_programs_cannot_reach_is_said() {
    let folder = acting(Folder::new().folder("closed"), r#", "write": ["./closed"]"#, "1");
    fs::set_permissions(folder.path("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    let words = ["run", "--policy", "p.json", "fn.ts"];
    let ended = folder.secure_bun(words).started_by(Path::new(WITHOUT), &["namespaces"]).end();
    let line = "secure-bun: warning: [FOLDER]/closed is closed to user 65534, who runs programs that root starts here";
    // A user runs programs as himself.
    assert_eq!(ended.stderr().contains(line), is_root(), "{ended}");
}
