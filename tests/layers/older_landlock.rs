//! Kernels with an older Landlock, emulated: what they lack is covered by another layer, or nothing runs.
#![cfg(target_arch = "x86_64")]

use std::path::Path;

use secure_bun_tests::{Command, Folder, JSON, native, str};

use super::{WITHOUT, act};

/// The versions that are enough.
const ENOUGH: [&str; 5] = ["landlock-abi-3", "landlock-abi-4", "landlock-abi-5", "landlock-abi-6", "landlock-abi-7"];

/// Asks for the size of a block (linux/fs.h); harmless, and not among what programs need.
const FIGETBSZ: u32 = 2;

fn under(policy: &str, expression: &str) -> Folder {
    let source = format!("export default async () => {};", act(expression));
    native(Folder::with("fn.ts", source).file("p.json", policy).file("data/a.txt", "a").open_to_all())
}

fn command(folder: &Folder) -> Command {
    folder.secure_bun(["run", JSON, "--quiet", "--policy", "p.json", "fn.ts"])
}

#[test]
fn one_that_is_too_old_is_refused() {
    for (abi, require) in [("landlock-abi-1", r#""all""#), ("landlock-abi-2", r#"["landlock"]"#)] {
        let folder = under(&format!(r#"{{"kernel": {{"require": {require}}}}}"#), "1");
        let words = ["run", "--policy", "p.json", "fn.ts"];
        folder.secure_bun(words).started_by(Path::new(WITHOUT), &[abi]).shows(str![[r#"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: asking the kernel for Landlock failed: its version is older than 3
secure-bun: help: Linux 6.2 or newer is needed (Landlock ABI 3); `secure-bun doctor` tries each layer

"#]]);
    }
}

#[test]
fn one_that_is_too_old_is_used_as_far_as_it_goes_where_none_is_required() {
    let policy = r#"{"ffi": true, "kernel": {"require": ["user", "mnt", "ipc", "uts"]}}"#;
    for abi in ["landlock-abi-1", "landlock-abi-2"] {
        let envelope = command(&under(policy, "1")).started_by(Path::new(WITHOUT), &[abi]).envelope();
        assert_eq!(envelope.result(), 1);
        assert_eq!(envelope.text("/sandbox/status"), "partial");
        assert_eq!(envelope.text("/sandbox/layers/landlock"), abi.replace("landlock-", "").replace('-', ""));
    }
    let folder = under(policy, "1");
    let words = ["run", "--policy", "p.json", "fn.ts"];
    folder.secure_bun(words).started_by(Path::new(WITHOUT), &["landlock-abi-2"]).shows(str![[r#"
exit code 0
--- stdout
1
--- stderr
secure-bun: warning: the sandbox is partial, as kernel.require allows: without a Landlock that is new enough

"#]]);
}

#[test]
fn one_that_is_enough_makes_a_full_sandbox() {
    for abi in ENOUGH {
        let envelope = command(&under(r#"{"ffi": true}"#, "1")).started_by(Path::new(WITHOUT), &[abi]).envelope();
        assert_eq!(envelope.text("/sandbox/status"), "full", "{abi}");
        assert_eq!(envelope.text("/sandbox/layers/landlock"), abi.replace("landlock-", "").replace('-', ""));
    }
}

/// What later versions brought is refused with the earlier ones, too; also where Landlock alone guards files.
#[test]
fn what_it_lacks_is_covered() {
    let calls = [
        // Truncation, by ABI 3 itself.
        (format!("call({}, text('data/a.txt'), 0)", libc::SYS_truncate), -libc::EACCES),
        // TCP (4), commands of devices (5), abstract sockets and signals (6).
        (format!("call({}, {}, {}, 0)", libc::SYS_socket, libc::AF_INET, libc::SOCK_STREAM), -libc::EAFNOSUPPORT),
        (format!("call({}, {}, {}, 0)", libc::SYS_socket, libc::AF_UNIX, libc::SOCK_STREAM), -libc::EAFNOSUPPORT),
        (format!("call({}, open('/dev/null', 2), {FIGETBSZ}, new Int32Array(1))", libc::SYS_ioctl), -libc::ENOTTY),
        (format!("call({}, process.ppid, 0)", libc::SYS_kill), -libc::EPERM),
    ];
    let expression = format!("[{}]", calls.iter().map(|(call, _)| call.as_str()).collect::<Vec<_>>().join(", "));
    let policy = r#"{"ffi": true, "read": ["./data"], "write": ["./out"], "kernel": {"require": ["landlock"]}}"#;
    let folder = || under(policy, &expression).folder("out");

    let control = folder().file("outside.ts", "import act from './fn.ts'; console.log(JSON.stringify(await act()));");
    let outside: Vec<i64> = serde_json::from_str(&control.bun(["run", "outside.ts"]).prints()).unwrap();
    assert!(outside.iter().all(|answer| *answer >= 0), "the test shows nothing: {outside:?}");

    for abi in ENOUGH {
        for around in [vec![abi], vec!["namespaces", WITHOUT, abi]] {
            let envelope = command(&folder()).started_by(Path::new(WITHOUT), &around).envelope();
            let answers: Vec<i64> = serde_json::from_value(envelope.result().clone()).unwrap();
            let mut expected: Vec<i64> = calls.iter().map(|(_, errno)| i64::from(*errno)).collect();
            if around.len() == 1 {
                // A mount that is read-only speaks first.
                expected[0] = i64::from(-libc::EROFS);
            }
            assert_eq!(answers, expected, "{around:?}");
        }
    }
}
