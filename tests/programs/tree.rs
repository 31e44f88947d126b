//! A program and those that it starts are one tree: one end, one set of limits, and an init that looks after them.

use nix::sys::signal::{Signal, kill};
use secure_bun_tests::{Envelope, Folder, JSON, Machine};

use super::{granting, the_same_inside};

const READY: &str = "
    process.on('SIGTERM', () => { console.log('heard SIGTERM'); process.exit(5); });
    process.on('SIGINT', () => { console.log('heard SIGINT'); process.exit(6); });
    setInterval(() => {}, 1000);
    console.log('ready');
";

#[test]
fn signals_reach_the_program_through_init() {
    let folder = granting(r#"["sh"]"#, READY);
    for (signal, code) in [(Signal::SIGTERM, 5), (Signal::SIGINT, 6)] {
        let running = folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).start();
        running.says("ready\n");
        running.signal(signal);
        let ended = running.end();
        assert_eq!((ended.code(), ended.stdout()), (code, format!("ready\nheard {signal}\n")));
    }
}

#[test]
fn the_end_of_the_program_is_the_launchers() {
    the_same_inside(&granting(r#"["sh"]"#, "process.exit(7);"));
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGABRT] {
        let folder = granting(r#"["sh"]"#, &format!("process.kill(process.pid, '{signal}'); await Bun.sleep(10_000);"));
        assert_eq!(folder.bun(["run", "main.ts"]).end().signal(), Some(signal));
        assert_eq!(folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).end().signal(), Some(signal));
    }
}

/// A child that goes on in the background, in a session of its own, with the test's folder in its command line.
const BACKGROUND: &str = "
    import { spawn } from 'node:child_process';
    spawn('sh', ['-c', 'sleep 1000; : ' + import.meta.dirname], { detached: true, stdio: 'ignore' }).unref();
";

#[test]
fn nobody_outlives_the_program() {
    let folder = granting(r#"["sh", "sleep"]"#, BACKGROUND);
    assert_eq!(folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).prints(), "");
    Machine::assert_no_process_stays(&folder.text(""));
}

#[test]
fn nobody_outlives_the_launcher() {
    let folder = granting(r#"["sh", "sleep"]"#, &format!("{BACKGROUND}{READY}"));
    let running = folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).start();
    running.says("ready\n");
    kill(running.pid, Signal::SIGKILL).unwrap();
    running.end();
    Machine::assert_no_process_stays(&folder.text(""));
}

/// Orphans become init's children, and it waits for them.
#[test]
fn orphans_are_reaped() {
    let source = "import os, time
for _ in range(10):
    if os.fork() == 0:
        os.fork()
        os._exit(0)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
def others():
    found = [name for name in os.listdir('/proc') if name.isdigit() and int(name) not in (2, os.getpid())]
    return found
while others():
    time.sleep(0.001)
print('alone')";
    let folder = granting(r#"["python3"]"#, "console.log(Bun.spawnSync(['python3', 'a.py']).stdout.toString());");
    let folder = folder.file("a.py", source);
    assert_eq!(folder.secure_bun(["run", "--policy", "policy.json", "main.ts"]).prints(), "alone\n\n");
}

/// Runs `script` by a shell, under limits; the limit that ended it.
#[track_caller]
fn ends_at(script: &str, programs: &str, limits: &str) -> (String, Envelope) {
    let script = serde_json::Value::from(script);
    let source =
        format!("await Bun.spawn(['sh', '-c', {script}], {{ stdio: ['ignore', 'inherit', 'inherit'] }}).exited;");
    let policy = format!(
        r#"{{"allow": {{"run": {programs}, "write": ["${{TMP}}"]}}, "limits": {{{limits}, "wall_ms": 20000}}}}"#
    );
    let folder = Folder::with("main.ts", source).file("policy.json", policy);
    let ended = folder.secure_bun(["run", JSON, "--policy", "policy.json", "main.ts"]).end();
    let envelope = Envelope::of(&ended);
    Machine::assert_no_process_stays(&folder.text(""));
    (envelope.text("/error/key").to_owned(), envelope)
}

#[test]
fn a_fork_bomb_ends_at_the_limit_of_processes() {
    let (key, envelope) =
        ends_at("f() { f | f & sleep 20; }; f", r#"["sh", "sleep"]"#, r#""processes": 12, "threads": 60"#);
    assert_eq!((key.as_str(), envelope.code), ("limits.processes", 124), "{}", envelope.json);
}

#[test]
fn tasks_of_all_processes_count() {
    let script = "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do \
                  sleep 5 & done; echo made all";
    let folder = granting(
        r#"["sh", "sleep"]"#,
        &format!("console.log(Bun.spawnSync(['sh', '-c', '{script}']).stderr.toString());"),
    );
    let command = ["run", "--policy", "policy.json", "--limit", "threads=24,processes=64", "main.ts"];
    let said = folder.secure_bun(command).prints();
    assert!(said.contains("Cannot fork") || said.contains("Resource temporarily unavailable"), "{said}");
}

#[test]
fn memory_of_all_processes_counts() {
    let hog = "python3 -c 'import time; block = b\"x\" * (60 << 20); time.sleep(20)'";
    let (key, envelope) =
        ends_at(&format!("{hog} & {hog} & {hog} & {hog} & wait"), r#"["sh", "python3"]"#, r#""memory_mb": 200"#);
    assert_eq!((key.as_str(), envelope.code), ("limits.memory_mb", 137), "{}", envelope.json);
}

#[test]
fn cpu_time_of_all_processes_counts() {
    let (key, _) =
        ends_at("sh -c 'while :; do :; done' & sh -c 'while :; do :; done' & wait", r#"["sh"]"#, r#""cpu_ms": 600"#);
    assert_eq!(key, "limits.cpu_ms");
}

/// Each of them ends before anybody looks at it twice.
#[test]
fn cpu_time_of_processes_that_have_ended_counts() {
    let (key, _) =
        ends_at("while :; do sh -c 'for n in 1 2 3 4 5 6 7 8; do :; done'; done", r#"["sh"]"#, r#""cpu_ms": 600"#);
    assert_eq!(key, "limits.cpu_ms");
}

#[test]
fn the_report_counts_the_tree() {
    let source = "export default async () => { const all = [1, 2, 3].map(() => Bun.spawn(['sleep', '20']));
        await Bun.sleep(100); for (const one of all) one.kill(); };";
    let folder = Folder::with("fn.ts", source).file("policy.json", r#"{"run": ["sleep"]}"#);
    let envelope = folder.secure_bun(["run", JSON, "--policy", "policy.json", "fn.ts"]).envelope();
    envelope.result();
    assert!(envelope.number("/stats/limits/processes/used") >= 4.0, "{}", envelope.json);
    assert!(envelope.number("/stats/limits/memory_mb/used") >= 3.0, "{}", envelope.json);
    assert!(envelope.number("/stats/cpu_ms") >= 2.0, "{}", envelope.json);
}
