//! The kernel's own answers: system calls made by native code, past everything in JavaScript.

use secure_bun_tests::{Folder, native};

use super::Act;

/// An expression over `call`, `text` and `open`.
pub(crate) fn act(expression: &str) -> String {
    format!("{{ const {{ call, text, open }} = await import('./native.ts'); return {expression}; }}")
}

/// The call succeeds outside and fails inside with `errno`.
#[track_caller]
fn refused(expression: &str, errno: i32) {
    let (outside, inside) = Act::new(native(Folder::new()), &act(expression)).under(r#"{"ffi": true}"#).both();
    assert!(outside.as_i64().unwrap() >= 0, "the test shows nothing: {expression} is {outside} outside");
    assert_eq!(inside, -errno, "{expression}");
}

#[test]
fn opening_files_of_the_host() {
    for path in ["/etc/passwd", "/etc/hostname", "/proc/1/status", "/usr/bin/env", "/usr/share"] {
        refused(&format!("open('{path}', 0)"), libc::ENOENT);
    }
    refused(&format!("open('/tmp', {})", libc::O_TMPFILE | libc::O_WRONLY), libc::EROFS);
}

#[test]
fn sockets() {
    for domain in [libc::AF_INET, libc::AF_INET6, libc::AF_UNIX, libc::AF_NETLINK] {
        for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM] {
            if domain == libc::AF_NETLINK && kind == libc::SOCK_STREAM {
                continue;
            }
            refused(&format!("call({}, {domain}, {kind}, 0)", libc::SYS_socket), libc::EAFNOSUPPORT);
        }
    }
}

#[test]
fn other_programs() {
    // Without arguments the shell ends at once, and with it the process outside: so the control forks.
    let clone = format!("call({}, {}, 0, 0, 0, 0)", libc::SYS_clone, libc::CLONE_VFORK | libc::SIGCHLD);
    let source = format!("{{ const {{ call }} = await import('./native.ts'); return {clone}; }}");
    let act = Act::new(native(Folder::new()), &source).under(r#"{"ffi": true}"#);
    let folder = act.folder.file("policy.json", act.policy);
    let words = ["run", "--json", "--policy", "policy.json", "fn.ts"];
    assert_eq!(folder.secure_bun(words).envelope().result(), &serde_json::json!(-libc::EPERM));
}

#[test]
fn namespaces_mounts_and_roots() {
    // A control needs privileges, or a single thread: that these calls fail otherwise outside is shown per call in
    // launcher/confine/tests/seccomp_kernel.
    for (name, number) in [
        ("unshare", libc::SYS_unshare),
        ("setns", libc::SYS_setns),
        ("mount", libc::SYS_mount),
        ("umount2", libc::SYS_umount2),
        ("pivot_root", libc::SYS_pivot_root),
        ("chroot", libc::SYS_chroot),
        ("ptrace", libc::SYS_ptrace),
        ("bpf", libc::SYS_bpf),
        ("seccomp", libc::SYS_seccomp),
    ] {
        let expression = act(&format!("call({number}, 0, 0, 0, 0, 0)"));
        let folder = Act::new(native(Folder::new()), &expression).folder.file("policy.json", r#"{"ffi": true}"#);
        let envelope = folder.secure_bun(["run", "--json", "--policy", "policy.json", "fn.ts"]).envelope();
        assert_eq!(envelope.result(), &serde_json::json!(-libc::EPERM), "{name}");
    }
}

#[test]
fn files_in_memory() {
    refused(&format!("call({}, text('x'), 0)", libc::SYS_memfd_create), libc::ENOSYS);
}

#[test]
fn signals_to_others() {
    // Signal 0 only asks whether one may.
    refused(&format!("call({}, process.ppid, 0)", libc::SYS_kill), libc::EPERM);
}

#[test]
fn limits_of_its_own() {
    let lower = "call(NUMBER, 0, RESOURCE, new BigUint64Array([1024n * 1024n, 1024n * 1024n]), 0)"
        .replace("NUMBER", &libc::SYS_prlimit64.to_string())
        .replace("RESOURCE", &libc::RLIMIT_CORE.to_string());
    refused(&lower, libc::EPERM);
}

#[test]
fn the_programs_own_memory_file() {
    refused(&format!("open('/proc/self/mem', {})", libc::O_RDWR), libc::EROFS);
}

#[test]
fn other_processes_are_not_there() {
    let list = "require('fs').readdirSync('/proc')";
    let act = Act::new(Folder::new(), list).under(r#"{"ffi": true}"#);
    act.works_outside();
    refused("open('/proc/1', 0)", libc::ENOENT);
    refused(&format!("open('/proc/{}', 0)", std::process::id()), libc::ENOENT);
}

#[test]
fn a_library_from_a_writable_folder_is_not_executable() {
    let map = format!(
        "(require('fs').writeFileSync('out/evil.so', Buffer.alloc(4096)),
          call({}, 0, 4096, {}, {}, open('out/evil.so', 0), 0) > 0 ? 0 : call({}, 0, 4096, {}, {}, open('out/evil.so', 0), 0))",
        libc::SYS_mmap,
        libc::PROT_READ | libc::PROT_EXEC,
        libc::MAP_PRIVATE,
        libc::SYS_mmap,
        libc::PROT_READ | libc::PROT_EXEC,
        libc::MAP_PRIVATE
    );
    let act = Act::new(native(Folder::new().folder("out")), &act(&map)).under(r#"{"ffi": true, "write": ["./out"]}"#);
    let (outside, inside) = act.both();
    assert_eq!(outside, 0);
    assert_eq!(inside, -libc::EPERM);
}
