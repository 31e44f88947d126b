//! Descriptors: what is inherited, what can be made of it, and what passes between processes.

use secure_bun_tests::{Folder, str};
use serde_json::json;

use super::{Attack, NATIVE};

#[test]
fn a_folder_of_the_host_as_standard_input() {
    let look = format!("call({}, 0, text('etc/passwd'), 0, 0)", libc::SYS_faccessat);
    let attack = Attack::by_native_code(Folder::new(), &look);
    let from_root = "exec </";
    assert_eq!(attack.folder.bun(["run", "outside.ts"]).after(from_root).prints(), "0\n");
    let folder = attack.folder.file("policy.json", NATIVE);
    folder.secure_bun(["run", "--policy", "policy.json", "fn.ts"]).after(from_root).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: standard input is a directory
secure-bun: help: a program cannot have one of those: redirect it from a file, or from /dev/null

"#]]);
}

#[test]
fn a_descriptor_of_the_caller() {
    let write = format!("call({}, 7, text('evil'), 4)", libc::SYS_write);
    let attack = Attack::by_native_code(Folder::with("log.txt", ""), &write);
    let log = attack.folder.path("log.txt");
    assert_eq!(attack.folder.bun(["run", "outside.ts"]).descriptor(7, &log).prints(), "4\n");
    let folder = attack.folder.file("policy.json", NATIVE);
    let inside = folder.secure_bun(["run", "--json", "--policy", "policy.json", "fn.ts"]).descriptor(7, &log);
    // The number is the program's own by now, or nobody's; the file is not behind it.
    inside.envelope();
    assert_eq!(folder.read("log.txt"), "evil", "once, by the control");
}

#[test]
fn the_number_that_the_program_was_executed_by() {
    let copy = format!("call({}, 1, {}, 0)", libc::SYS_dup3, 1000);
    Attack::by_native_code(Folder::new(), &copy).refused_with(libc::EBADF);
    let copy = format!("call({}, 1, {}, 1000)", libc::SYS_fcntl, libc::F_DUPFD);
    Attack::by_native_code(Folder::new(), &copy).refused_with(libc::EINVAL);
}

#[test]
fn passing_descriptors_through_a_socket() {
    let send = format!(
        "(() => {{ const pair = new Int32Array(2); const made = call({}, {}, {}, 0, pair);
            return made < 0 ? made : call({}, pair[0], new BigUint64Array(7), 0); }})()",
        libc::SYS_socketpair,
        libc::AF_UNIX,
        libc::SOCK_STREAM,
        libc::SYS_sendmsg
    );
    Attack::by_native_code(Folder::new(), &send).refused_with(libc::ENOSYS);
}

#[test]
fn a_socket_that_can_be_addressed() {
    let make = format!("call({}, {}, {}, 0, new Int32Array(2))", libc::SYS_socketpair, libc::AF_UNIX, libc::SOCK_DGRAM);
    Attack::by_native_code(Folder::new(), &make).refused_with(libc::EAFNOSUPPORT);
}

#[test]
fn signals_by_way_of_a_descriptor() {
    for (command, argument) in
        [(libc::F_SETOWN, "process.ppid"), (10, "9"), (libc::F_SETLEASE, "0"), (libc::F_NOTIFY, "1")]
    {
        let fd = if command == libc::F_SETOWN || command == 10 { "0" } else { "open('.', 65536)" };
        let fd = if command == libc::F_SETLEASE { "open('package.json', 0)" } else { fd };
        let set = format!("call({}, {fd}, {command}, {argument})", libc::SYS_fcntl);
        Attack::by_native_code(Folder::new(), &set).refused_with(libc::EINVAL);
    }
}

#[test]
fn a_pipe_that_holds_more() {
    let grow = format!(
        "(() => {{ const pair = new Int32Array(2); call({}, pair, 0); return call({}, pair[1], {}, 1 << 20); }})()",
        libc::SYS_pipe2,
        libc::SYS_fcntl,
        libc::F_SETPIPE_SZ
    );
    Attack::by_native_code(Folder::new(), &grow).refused_with(libc::EINVAL);
}

#[test]
fn more_descriptors_than_granted_in_a_thread_with_a_table_of_its_own() {
    // A function of the C library as the thread's: it sleeps and ends.
    let clone = "(async () => {
        const { dlopen, ptr } = await import('bun:ffi');
        const { symbols } = dlopen('libc.so.6', {
            clone: { args: ['ptr', 'ptr', 'i32', 'ptr'], returns: 'i32' },
            dlsym: { args: ['ptr', 'ptr'], returns: 'ptr' },
            __errno_location: { args: [], returns: 'ptr' } });
        const stack = globalThis.stack = new Uint8Array(65536), sleep = symbols.dlsym(null, ptr(Buffer.from('usleep\\0')));
        const made = symbols.clone(sleep, ptr(stack) + 65536 - 512, FLAGS, 1000);
        Bun.sleepSync(100);
        return made < 0 ? made : 0; })()";
    let with = libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_SIGHAND | libc::CLONE_THREAD;
    let attack = |flags: i32| Attack::new(Folder::new(), &clone.replace("FLAGS", &flags.to_string())).under(NATIVE);
    attack(with).comes_to(|_| (), &json!(-1));
    attack(with | libc::CLONE_FILES).comes_to(|_| (), &json!(0));
}
