//! Ways around the limits. What is tried stays small: a few hundred megabytes, some ten thousand empty files.

use secure_bun_tests::{Folder, JSON};
use serde_json::json;

use super::{Attack, NATIVE_WRITER};

/// Under the policy it is ended by this limit.
#[track_caller]
fn is_ended_by(attack: Attack, limit: &str) -> Folder {
    let (folder, envelope) = attack.inside();
    assert_eq!(envelope.text("/error/code"), "ERR_LIMIT_EXCEEDED", "{}", envelope.json);
    assert_eq!(envelope.text("/error/limit"), limit);
    folder
}

#[test]
fn shared_memory_without_a_file() {
    let fill = format!(
        "(async () => {{ const {{ toArrayBuffer }} = await import('bun:ffi'); const size = 300 << 20;
            const at = call({}, 0, size, 3, {}, -1, 0), bytes = new Uint8Array(toArrayBuffer(at, 0, size));
            for (let i = 0; i < size; i += 4096) bytes[i] = 1;
            Bun.sleepSync(500); return 1; }})()",
        libc::SYS_mmap,
        libc::MAP_SHARED | libc::MAP_ANONYMOUS
    );
    let attack = Attack::by_native_code(Folder::new(), &fill);
    assert_eq!(attack.outside(), 1);
    is_ended_by(attack.under(r#"{"ffi": true, "limits": {"memory_mb": 128, "wall_ms": 20000}}"#), "memory");
}

#[test]
fn room_beyond_the_end_of_a_file() {
    let keep_size = 1;
    let reserve = format!(
        "call({}, open('out/a', {}), {keep_size}, 0, 64 << 20)",
        libc::SYS_fallocate,
        libc::O_CREAT | libc::O_RDWR
    );
    let policy = r#"{"ffi": true, "write": ["./out"], "limits": {"file_mb": 1}}"#;
    let undo = |folder: &Folder| std::fs::remove_file(folder.path("out/a")).unwrap();
    let folder =
        Attack::by_native_code(Folder::new(), &reserve).under(policy).comes_to(undo, &json!(-libc::EOPNOTSUPP));
    assert_eq!(std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(folder.path("out/a")).unwrap()), 0);
}

#[test]
fn files_in_a_folder_that_cannot_be_listed() {
    let make = "(raw.mkdirSync('out/hidden'), raw.chmodSync('out/hidden', 0o300),
        Array.from({ length: 25000 }, (_, i) => raw.closeSync(raw.openSync('out/hidden/' + i, 'w'))),
        raw.existsSync('out/wait') && Bun.sleepSync(20_000), 1)";
    let attack =
        Attack::new(Folder::new(), make).under(r#"{"write": ["./out"], "limits": {"tmp_mb": 1, "wall_ms": 25000}}"#);
    assert_eq!(attack.outside(), 1);
    std::fs::remove_dir_all(attack.folder.path("out/hidden")).unwrap_or_else(|_| {
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(attack.folder.path("out/hidden"), open).unwrap();
        std::fs::remove_dir_all(attack.folder.path("out/hidden")).unwrap();
    });
    // Where files were counted in between, the next time is a second later.
    std::fs::write(attack.folder.path("out/wait"), "").unwrap();
    let folder = is_ended_by(attack, "tmp");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(folder.path("out/hidden"), open).unwrap();
}

#[test]
fn a_program_that_stops_itself() {
    let stop = format!("call({}, process.pid, {})", libc::SYS_kill, libc::SIGSTOP);
    // Outside nobody would ever wake it up; that it may is seen by the limit that ends it.
    let attack = Attack::by_native_code(Folder::new(), &stop);
    is_ended_by(attack.under(r#"{"ffi": true, "limits": {"wall_ms": 500}}"#), "wall");
}

#[test]
fn more_threads_than_granted() {
    let start = format!(
        "(async () => {{
            const {{ dlopen, ptr }} = await import('bun:ffi');
            const {{ symbols }} = dlopen('libc.so.6', {{
                clone: {{ args: ['ptr', 'ptr', 'i32', 'ptr'], returns: 'i32' }},
                dlsym: {{ args: ['ptr', 'ptr'], returns: 'ptr' }} }});
            const sleep = symbols.dlsym(null, ptr(Buffer.from('usleep\\0'))), stacks = globalThis.stacks = [];
            for (let n = 0; n < 200; n++) {{
                stacks.push(new Uint8Array(16384));
                if (symbols.clone(sleep, ptr(stacks[n]) + 16384 - 512, {}, 300000) < 0) return 'no more';
            }}
            Bun.sleepSync(500); return 'as many as one likes'; }})()",
        libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_FILES | libc::CLONE_SIGHAND | libc::CLONE_THREAD
    );
    let attack = Attack::new(Folder::new(), &start).under(r#"{"ffi": true, "limits": {"threads": 64}}"#);
    assert_eq!(attack.outside(), "as many as one likes");
    assert_eq!(attack.inside().1.result(), "no more");
}

#[test]
fn more_descriptors_than_granted() {
    let copy = "(() => { const copies = []; try { for (let n = 0; n < 500; n++) copies.push(raw.openSync('/dev/null')); return copies.length; }
        finally { copies.forEach(fd => raw.closeSync(fd)); } })()";
    let attack = Attack::new(Folder::new(), copy).under(r#"{"limits": {"open_files": 128}}"#);
    attack.fails_with("EMFILE");
}

#[test]
fn a_flood_of_log_lines() {
    let source = "export default () => { for (let i = 0; i < 50000; i++) console.log('x'.repeat(200)); return 1; };";
    let folder = Folder::with("fn.ts", source).file("policy.json", "{}");
    let envelope = folder.secure_bun(["run", JSON, "--policy", "policy.json", "fn.ts"]).envelope();
    assert_eq!((envelope.result(), envelope.at("/truncated")), (&json!(1), &json!(true)));
    assert!(envelope.at("/logs").as_array().unwrap().len() <= 10_000);
}

#[test]
fn limits_raised_by_the_program() {
    let raise = format!("call({}, {}, new BigUint64Array([64n, 64n]))", libc::SYS_setrlimit, libc::RLIMIT_NOFILE);
    Attack::by_native_code(Folder::new(), &raise).under(NATIVE_WRITER).refused_with(libc::EPERM);
}
