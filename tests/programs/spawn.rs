//! `secure-bun spawn`: any program as the root of a sandbox, under the same policies, limits and reports.

use std::path::PathBuf;

use nix::sys::signal::Signal;
use secure_bun_tests::{Command, Folder, JSON, Machine};

/// A project that asks for nothing but to be read.
fn project() -> Folder {
    Folder::new().package()
}

/// A program that is on the PATH of whoever runs the tests.
fn installed(name: &str) -> PathBuf {
    let folders = std::env::var_os("PATH").expect("there is a PATH");
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| {
        std::process::Command::new(path).arg("--version").output().is_ok_and(|output| output.status.success())
    });
    found.unwrap_or_else(|| panic!("these tests need {name} on PATH"))
}

/// Runs a command outside and inside, and compares.
#[track_caller]
fn the_same_inside(folder: &Folder, command: &[&str], surround: impl Fn(Command) -> Command) {
    let line = "exec \"$@\"";
    let outside = folder.program("/bin/sh".as_ref()).words(["-c", line, "sh"]).words(command);
    let inside = folder.secure_bun(["spawn", "--"]).words(command);
    assert_eq!(surround(inside).end().to_string(), surround(outside).end().to_string(), "outside is on the right");
}

#[test]
fn a_shell_with_its_exit_code() {
    the_same_inside(&project(), &["sh", "-c", "echo out; echo err >&2; exit 7"], |command| command);
    the_same_inside(&project(), &["/bin/sh", "-c", "read line; echo \"$line!\""], |command| command.input("hello\n"));
}

#[test]
fn python_on_standard_input() {
    let worker = "import sys, json\nfor line in sys.stdin:\n    print(json.dumps({'got': line.strip()}), flush=True)\n";
    let folder = project().file("worker.py", worker);
    the_same_inside(&folder, &["python3", "worker.py"], |command| command.input("one\ntwo\n"));
    the_same_inside(
        &folder,
        &["python3", "-c", "import sys; print(sys.argv, sys.flags.isolated); sys.exit(3)", "a"],
        |c| c,
    );
}

#[test]
fn python_with_threads_and_modules() {
    let source = "import asyncio, threading, sqlite3, ctypes, decimal
from concurrent.futures import ThreadPoolExecutor
async def main():
    return await asyncio.to_thread(lambda: 'thread')
print(asyncio.run(main()), list(ThreadPoolExecutor(3).map(str, range(3))), sqlite3.connect(':memory:').execute('select 1').fetchall())";
    the_same_inside(&project().file("main.py", source), &["python3", "main.py"], |command| command);
}

/// Its packages may hold native code.
#[test]
fn python_of_a_virtual_environment() {
    let folder = project().file("main.py", "import sys, package; print(sys.prefix, package.loaded)");
    let made = folder.program("/usr/bin/python3".as_ref()).words(["-m", "venv", "--without-pip", "venv"]).end();
    assert_eq!(made.code(), 0, "{made}");
    let lib = std::fs::read_dir(folder.path("venv/lib")).unwrap().next().unwrap().unwrap().path();
    let package = lib.strip_prefix(folder.path("")).unwrap().join("site-packages/package");
    let package = package.to_str().unwrap().to_owned();
    let source = "import ctypes, os\nloaded = ctypes.CDLL(os.path.dirname(__file__) + '/native.so') is not None\n";
    let folder = folder
        .file(&format!("{package}/__init__.py"), source)
        .file(&format!("{package}/native.so"), std::fs::read(super::escapes::library("libc")).unwrap());
    the_same_inside(&folder, &["venv/bin/python", "main.py"], |command| command);
    let command = ["spawn", "--allow-write=.", "--", "venv/bin/python", "main.py"];
    let written = folder.secure_bun(command).end();
    assert!(written.code() == 1 && written.stderr().contains("failed to map segment"), "{written}");
}

#[test]
fn node_with_modules_workers_and_files() {
    let source = "
        const { Worker } = require('node:worker_threads');
        const fs = require('node:fs'), crypto = require('node:crypto'), zlib = require('node:zlib');
        console.log(require('./other.js'), crypto.createHash('sha256').update('x').digest('hex'));
        console.log(zlib.gunzipSync(zlib.gzipSync('zip')).toString(), fs.readFileSync('package.json', 'utf8'));
        new Worker('require(\"node:worker_threads\").parentPort.postMessage(1)', { eval: true })
            .on('message', message => console.log('worker', message));
        process.stdin.on('data', data => console.log('input', data.toString()));";
    let folder = project().file("main.js", source).file("other.js", "module.exports = 'module';");
    let node = installed("node");
    the_same_inside(&folder, &[node.to_str().unwrap(), "main.js"], |command| command.input("text"));
}

#[test]
fn a_script_by_its_interpreter() {
    let folder = project().file("tool", "#!/bin/sh -e\necho \"$@\"\n");
    std::fs::set_permissions(folder.path("tool"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    the_same_inside(&folder, &["./tool", "a b", "c"], |command| command);
}

#[test]
fn what_is_not_granted_is_not_there() {
    let read = "import sys\ntry:\n    open(sys.argv[1]); print('read it')\nexcept OSError as error:\n    print(error.strerror)";
    let folder = project().file("read.py", read);
    let outside = folder.program("/usr/bin/python3".as_ref()).words(["read.py", "/etc/passwd"]).prints();
    assert_eq!(outside, "read it\n", "the test shows nothing");
    for path in ["/etc/hostname", "/usr/bin/env", "/proc/1/environ", "/root"] {
        let inside = folder.secure_bun(["spawn", "--", "python3", "read.py", path]).prints();
        assert_eq!(inside, "No such file or directory\n", "{path}");
    }
    let write = "open('package.json', 'w')";
    let ended = folder.secure_bun(["spawn", "--", "python3", "-c", write]).end();
    assert!(ended.code() == 1 && ended.stderr().contains("Read-only file system"), "{ended}");
}

#[test]
fn other_programs_need_a_grant() {
    let source = "import subprocess\nprint(subprocess.run(['sh', '-c', 'echo child']).returncode)";
    let folder = project().file("main.py", source);
    let refused = folder.secure_bun(["spawn", "--", "python3", "main.py"]).end();
    assert!(refused.code() == 1 && refused.stderr().contains("PermissionError"), "{refused}");
    let granted = folder.secure_bun(["spawn", "--allow-run=sh", "--", "python3", "main.py"]);
    assert_eq!(granted.prints(), "child\n0\n");
    let itself = "import subprocess, sys; print(subprocess.run([sys.executable, '-c', '1']).returncode)";
    let ended = folder.secure_bun(["spawn", "--allow-run=sh", "--", "python3", "-c", itself]).end();
    assert!(ended.code() == 1 && ended.stderr().contains("PermissionError"), "{ended}");
    let ended = folder.secure_bun(["spawn", "--allow-run=python3", "--", "python3", "-c", itself]);
    assert_eq!(ended.prints(), "0\n");
}

#[test]
fn the_sandboxes_bun_where_it_is_granted() {
    let folder = project()
        .file("main.ts", "try { await Bun.file('/etc/passwd').text() } catch (error) { console.log(error.name) }");
    let command = ["spawn", "--allow-run=bun", "--", "sh", "-c", "bun main.ts"];
    assert_eq!(folder.secure_bun(command).prints(), "SecurityError\n");
}

#[test]
fn commands_that_cannot_be_run() {
    let folder = project().file("plain", "text");
    for (command, code, message) in [
        ("no-such-program", 127, "there is no program no-such-program on PATH"),
        ("./absent", 127, "No such file"),
        ("./plain", 126, "is not an executable file"),
    ] {
        let ended = folder.secure_bun(["spawn", "--", command]).end();
        assert!(ended.code() == code && ended.stderr().contains(message), "{ended}");
    }
    let ended = folder.secure_bun(["spawn", "--deny-run=sh", "--", "sh"]).end();
    assert!(ended.code() == 2 && ended.stderr().contains("is denied by deny.run \"sh\""), "{ended}");
}

#[test]
fn a_report_of_one_line() {
    let source = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(4)";
    let envelope = project().secure_bun(["spawn", JSON, "--", "python3", "-c", source]).envelope();
    assert_eq!((envelope.text("/stdout"), envelope.text("/stderr"), envelope.code), ("out\n", "err\n", 4));
    assert_eq!((envelope.number("/exit/code"), envelope.at("/ok").as_bool()), (4.0, Some(false)));
    assert_eq!(envelope.text("/sandbox/status"), "full");
}

#[test]
fn limits_end_it() {
    for (source, limit, key, code) in [
        ("while True: pass", "cpu=300ms", "limits.cpu_ms", 124),
        ("import time; time.sleep(20)", "wall=300ms", "limits.wall_ms", 124),
        ("import time; block = b'x' * (200 << 20); time.sleep(20)", "memory=64mb", "limits.memory_mb", 137),
        ("while True: print('more')", "output=64kb", "limits.output_kb", 124),
    ] {
        let folder = project();
        let command = ["spawn", JSON, "--limit", limit, "--", "python3", "-c", source];
        let envelope = folder.secure_bun(command).word(folder.text("")).envelope();
        assert_eq!((envelope.text("/error/key"), envelope.code), (key, code), "{}", envelope.json);
        Machine::assert_no_process_stays(&folder.text(""));
    }
}

#[test]
fn signals_reach_it() {
    // Taken where it is waited for: a handler could run in the middle of printing.
    let source = "import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print('ready', flush=True)
print('heard', int(signal.sigwait([signal.SIGTERM])))
sys.exit(5)";
    let folder = project().file("main.py", source);
    for flags in [&[][..], &["--allow-run=sh"]] {
        let running = folder.secure_bun(["spawn"]).words(flags).words(["--", "python3", "main.py"]).start();
        running.says("ready\n");
        running.signal(Signal::SIGTERM);
        let ended = running.end();
        assert_eq!((ended.code(), ended.stdout().as_str()), (5, "ready\nheard 15\n"));
    }
    let killed = folder.secure_bun(["spawn", "--", "python3", "-c", "import os; os.kill(os.getpid(), 9)"]).end();
    assert_eq!(killed.signal(), Some(Signal::SIGKILL));
}
