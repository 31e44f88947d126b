//! /proc/self, which shows more than the process itself.

use std::fs;

use secure_bun_tests::Folder;
use serde_json::json;

use super::{Attack, NATIVE};

/// Opening `path` works outside, and fails inside with `errno`.
#[track_caller]
fn closed(path: &str, flags: i32, errno: i32) {
    Attack::by_native_code(Folder::new(), &format!("open('{path}', {flags})")).refused_with(errno);
}

#[test]
fn connections_and_addresses_of_the_host() {
    for file in ["dev", "tcp", "unix", "route"] {
        closed(&format!("/proc/self/net/{file}"), libc::O_RDONLY, libc::EACCES);
    }
}

#[test]
fn connections_of_the_host_by_way_of_a_thread() {
    let open = "(() => { const fd = open('/proc/self/task', 65536); return fd < 0 ? fd : open('/proc/self/task/' + process.pid + '/net/tcp', 0); })()";
    Attack::by_native_code(Folder::new(), open).refused_with(libc::EACCES);
}

#[test]
fn the_own_memory_by_way_of_a_thread() {
    let open = format!("open('/proc/self/task/' + process.pid + '/mem', {})", libc::O_RDWR);
    Attack::by_native_code(Folder::new(), &open).refused_with(libc::EACCES);
}

#[test]
fn settings_of_the_process() {
    for file in ["oom_score_adj", "coredump_filter", "clear_refs", "comm"] {
        closed(&format!("/proc/self/{file}"), libc::O_WRONLY, libc::EROFS);
    }
}

#[test]
fn other_ways_to_the_process_table() {
    for path in
        ["/proc/thread-self/status", "/proc/loadavg", "/proc/version", "/proc/cpuinfo", "/proc/sys/kernel/osrelease"]
    {
        closed(path, libc::O_RDONLY, libc::ENOENT);
    }
}

#[test]
fn the_root_behind_the_process() {
    closed("/proc/self/root/etc/passwd", libc::O_RDONLY, libc::ENOENT);
    closed("/proc/self/cwd/../../../../../../etc/passwd", libc::O_RDONLY, libc::ENOENT);
}

#[test]
fn an_inherited_file_opened_anew_for_writing() {
    let act = "raw.closeSync(raw.openSync('/proc/self/fd/0', 'r+')) ?? 0";
    let attack = Attack::new(Folder::with("input.txt", "input"), act);
    let from_file = "exec <input.txt";
    let outside = attack.folder.bun(["run", "outside.ts"]).after(from_file).prints();
    assert_eq!(outside, "0\n");
    let folder = attack.folder.file("policy.json", "{}");
    let inside = folder.secure_bun(["run", "--json", "--policy", "policy.json", "fn.ts"]).after(from_file).envelope();
    assert_eq!(inside.result(), "!EACCES");
}

#[test]
fn what_the_process_shows_of_its_surroundings() {
    // The environment that Bun was started with, which no JavaScript can hide.
    let read = "raw.readFileSync('/proc/self/environ', 'latin1').includes('hush')";
    let attack = Attack::new(Folder::new(), read);
    assert_eq!(attack.folder.bun(["run", "outside.ts"]).env("SECRET", "hush").prints(), "true\n");
    let folder = attack.folder.file("policy.json", NATIVE);
    let inside = folder.secure_bun(["run", "--json", "--policy", "policy.json", "fn.ts"]).env("SECRET", "hush");
    assert_eq!(inside.envelope().result(), &json!(false));
}

#[test]
fn the_launchers_own_files() {
    let pid = std::process::id();
    // The launcher's parent is this test: its descriptors and memory are as near as the launcher's.
    for file in ["environ", "fd", "maps"] {
        assert!(fs::metadata(format!("/proc/{pid}/{file}")).is_ok());
        closed(&format!("/proc/{pid}/{file}"), libc::O_RDONLY, libc::ENOENT);
    }
}
