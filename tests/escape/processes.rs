//! Other processes: signalling them, and learning that they exist.

use secure_bun_tests::Folder;

use super::Attack;

/// The call works outside, and fails inside with `errno`.
#[track_caller]
fn refused(call: &str, errno: i32) {
    Attack::by_native_code(Folder::new(), call).refused_with(errno);
}

#[test]
fn the_process_group_of_the_launcher() {
    // Signal 0 only asks whether one may.
    refused(&format!("call({}, 0, 0)", libc::SYS_kill), libc::EPERM);
}

#[test]
fn all_processes_of_the_user() {
    refused(&format!("call({}, -1, 0)", libc::SYS_kill), libc::EPERM);
}

#[test]
fn the_launcher_by_a_queued_signal() {
    refused(&format!("call({}, process.ppid, process.ppid, 0)", libc::SYS_tgkill), libc::EPERM);
    refused(&format!("call({}, process.pid, 0)", libc::SYS_tkill), libc::EPERM);
}

#[test]
fn which_processes_there_are() {
    let parent = "process.ppid";
    refused(&format!("call({}, {parent}, 128, new Uint8Array(128))", libc::SYS_sched_getaffinity), libc::ESRCH);
    refused(&format!("call({}, {parent})", libc::SYS_getpgid), libc::ESRCH);
    refused(&format!("call({}, {parent})", libc::SYS_getsid), libc::ESRCH);
    refused(&format!("call({}, 0, {parent})", libc::SYS_getpriority), libc::ESRCH);
    refused(&format!("call({}, {parent}, 7, 0, new BigUint64Array(2))", libc::SYS_prlimit64), libc::EPERM);
    refused(&format!("call({}, {parent})", libc::SYS_sched_getscheduler), libc::ENOSYS);
}

#[test]
fn how_much_time_others_have_used() {
    let clock = "(~process.ppid << 3) | 2";
    refused(&format!("call({}, {clock}, new BigUint64Array(2))", libc::SYS_clock_gettime), libc::EINVAL);
}

#[test]
fn the_name_of_the_machine() {
    let read = "(async () => (await import(['o', 's'].join(''))).hostname())()";
    let attack = Attack::new(Folder::new(), read);
    let outside = attack.outside();
    let (_, envelope) = attack.inside();
    assert_ne!(envelope.result(), &outside);
    assert_eq!(envelope.result(), "sandbox");
}
