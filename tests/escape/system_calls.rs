//! System calls that reach beyond the process, each of which any user may make outside.

use secure_bun_tests::Folder;

use super::Attack;

/// The call works outside, and fails inside with `errno`.
#[track_caller]
fn refused(call: &str, errno: i32) {
    Attack::by_native_code(Folder::new(), call).refused_with(errno);
}

#[test]
fn outliving_the_launcher() {
    refused(&format!("call({}, {}, 0)", libc::SYS_prctl, libc::PR_SET_PDEATHSIG), libc::EPERM);
}

#[test]
fn adopting_orphans_and_hiding_from_debuggers() {
    refused(&format!("call({}, {}, 1)", libc::SYS_prctl, libc::PR_SET_CHILD_SUBREAPER), libc::EPERM);
    refused(&format!("call({}, {}, 0)", libc::SYS_prctl, libc::PR_SET_DUMPABLE), libc::EPERM);
}

#[test]
fn a_filter_of_its_own() {
    let ask = format!("call({}, 2, 0, new Uint32Array([0x7fff0000]))", libc::SYS_seccomp);
    refused(&ask, libc::EPERM);
}

#[test]
fn a_ruleset_of_its_own() {
    refused(&format!("call({}, 0, 0, 1)", libc::SYS_landlock_create_ruleset), libc::ENOSYS);
}

#[test]
fn a_working_directory_of_its_own_through_unshare() {
    refused(&format!("call({}, {})", libc::SYS_unshare, libc::CLONE_FS), libc::EPERM);
}

#[test]
fn a_process_group_of_its_own() {
    refused(&format!("call({}, 0, 0)", libc::SYS_setpgid), libc::EPERM);
}

#[test]
fn a_personality_without_randomised_addresses() {
    refused(&format!("call({}, 0xffffffff)", libc::SYS_personality), libc::EPERM);
}

#[test]
fn scheduling() {
    let parameter = "new Int32Array(1)";
    refused(&format!("call({}, 0, 3, {parameter})", libc::SYS_sched_setscheduler), libc::ENOSYS);
    refused(&format!("call({}, 0, 8, new BigUint64Array([1n]))", libc::SYS_sched_setaffinity), libc::ENOSYS);
    refused(&format!("call({}, 0, 0, 1)", libc::SYS_setpriority), libc::EACCES);
    refused(&format!("call({}, 1, 0, {})", libc::SYS_ioprio_set, 2 << 13 | 7), libc::ENOSYS);
}

#[test]
fn slowing_the_whole_machine_down() {
    refused(&format!("call({})", libc::SYS_sync), libc::ENOSYS);
}

#[test]
fn asynchronous_reads_and_writes() {
    refused(&format!("call({}, 1, new BigUint64Array(1))", libc::SYS_io_setup), libc::ENOSYS);
}

#[test]
fn timers_that_send_signals() {
    refused(&format!("call({}, 1, 0, new Int32Array(2))", libc::SYS_timer_create), libc::ENOSYS);
}

#[test]
fn objects_that_outlive_the_run() {
    refused(&format!("call({}, 0, 1, 0o600)", libc::SYS_semget), libc::ENOSYS);
    refused(&format!("call({}, 0, 0o600)", libc::SYS_msgget), libc::ENOSYS);
}

#[test]
fn memory_that_cannot_be_swapped_out() {
    refused(&format!("call({}, new Uint8Array(1), 1)", libc::SYS_mlock), libc::ENOSYS);
}

#[test]
fn handles_of_the_own_process() {
    refused(&format!("call({}, process.pid, 0)", libc::SYS_pidfd_open), libc::ENOSYS);
    refused(
        &format!(
            "call({}, process.pid, new BigUint64Array(2), 1, new BigUint64Array(2), 1, 0)",
            libc::SYS_process_vm_readv
        ),
        libc::EPERM,
    );
}

#[test]
fn a_number_with_a_high_bit() {
    // The kernel reads 32 bits of the number; a filter that read more would be passed.
    refused(&format!("call({} + 2 ** 32, 0)", libc::SYS_unshare), libc::EPERM);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_calls_of_32_bit_programs() {
    // mov eax, 20 (getpid); int 0x80; ret
    let code = "[0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]";
    let run = format!(
        "(async () => {{ const {{ CFunction, toArrayBuffer }} = await import('bun:ffi');
            const page = call({}, 0, 4096, 7, {}, -1, 0);
            new Uint8Array(toArrayBuffer(page, 0, 4096)).set({code});
            return CFunction({{ ptr: page, args: [], returns: 'i32' }})() > 0 ? 1 : 0; }})()",
        libc::SYS_mmap,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS
    );
    let attack = Attack::by_native_code(Folder::new(), &run);
    let outside = attack.folder.bun(["run", "outside.ts"]).end();
    // A kernel without these calls ends the program by itself.
    assert!(outside.stdout() == "1\n" || outside.signal().is_some(), "{outside}");
    let (_, envelope) = attack.inside();
    assert_eq!(envelope.at("/exit/signal"), "SIGSYS", "{}", envelope.json);
}
