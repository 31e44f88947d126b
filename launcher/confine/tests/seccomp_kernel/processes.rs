//! Threads, processes, signals, the one exec, attributes and limits.

use confine::seccomp::EXEC_FD;
use libc::c_int;

use crate::{
    CWD, NOTHING, int,
    probe::{
        KEY,
        Outcome::{Exited, Failed, Killed},
        call, inside, outside,
    },
    ptr, refused, works,
};

#[test]
fn threads_start() {
    works(NOTHING, || std::thread::spawn(|| 7).join().unwrap_or(-1));
}

#[test]
fn processes_do_not() {
    let fork = || {
        let pid = call(libc::SYS_clone, &[int(libc::SIGCHLD)]);
        if pid == 0 {
            call(libc::SYS_exit_group, &[0]);
        }
        pid
    };
    refused(NOTHING, libc::EPERM, fork);
}

#[test]
fn a_process_signals_itself() {
    works(NOTHING, || call(libc::SYS_kill, &[std::process::id() as usize, 0]));
    works(NOTHING, || {
        let tid = usize::try_from(call(libc::SYS_gettid, &[])).unwrap();
        call(libc::SYS_tgkill, &[std::process::id() as usize, tid, 0])
    });
    let abort = || call(libc::SYS_kill, &[std::process::id() as usize, int(libc::SIGTERM)]);
    assert_eq!(inside(NOTHING, abort), Killed(libc::SIGTERM));
}

#[test]
fn a_process_signals_and_probes_no_other() {
    let parent = std::process::id() as usize;
    refused(NOTHING, libc::EPERM, || call(libc::SYS_kill, &[parent, 0]));
    refused(NOTHING, libc::EPERM, || call(libc::SYS_tgkill, &[parent, parent, 0]));
    refused(NOTHING, libc::EPERM, || call(libc::SYS_kill, &[0, 0]));
    refused(NOTHING, libc::ESRCH, || call(libc::SYS_getpgid, &[parent]));
    refused(NOTHING, libc::ESRCH, || call(libc::SYS_getsid, &[parent]));
    refused(NOTHING, libc::ESRCH, || call(libc::SYS_getpriority, &[0, parent]));
    works(NOTHING, || call(libc::SYS_getpgid, &[0]));
    works(NOTHING, || call(libc::SYS_getsid, &[std::process::id() as usize]));
    works(NOTHING, || call(libc::SYS_getpriority, &[0, 0]));
}

#[test]
fn clocks_are_read_but_not_those_of_others() {
    let parent = std::process::id() as usize;
    let read = |clock: usize| {
        let mut time = [0u64; 2];
        call(libc::SYS_clock_gettime, &[clock, ptr(time.as_mut_ptr())])
    };
    for clock in [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC, libc::CLOCK_PROCESS_CPUTIME_ID, libc::CLOCK_BOOTTIME] {
        works(NOTHING, || read(int(clock)));
    }
    let cpu_clock_of_parent = (!parent << 3) | 2;
    refused(NOTHING, libc::EINVAL, || read(cpu_clock_of_parent));
}

// ---- the one exec ----

fn with_true_as_exec_fd(exec: impl Fn(usize) -> i64) -> impl Fn() -> i64 {
    move || {
        // The soft limit is often 1024; the descriptor must fit below it.
        let fd = call(libc::SYS_openat, &[CWD, ptr(c"/bin/true".as_ptr()), 0]);
        let Ok(fd) = usize::try_from(fd) else { return fd };
        call(libc::SYS_dup3, &[fd, int(EXEC_FD), int(libc::O_CLOEXEC)]);
        exec(int(EXEC_FD))
    }
}

fn execveat(fd: usize, path: &std::ffi::CStr, flags: c_int, key: u64) -> i64 {
    let argv = [c"true".as_ptr(), std::ptr::null()];
    let envp = [std::ptr::null::<u8>()];
    let key = usize::try_from(key).unwrap();
    call(libc::SYS_execveat, &[fd, ptr(path.as_ptr()), ptr(&raw const argv), ptr(&raw const envp), int(flags), key])
}

#[test]
fn the_launcher_execs_with_its_key() {
    let exec = with_true_as_exec_fd(|fd| execveat(fd, c"", libc::AT_EMPTY_PATH, KEY));
    assert_eq!(outside(&exec), Exited(0));
    assert_eq!(inside(NOTHING, &exec), Exited(0));
}

#[test]
fn nobody_execs_without_the_key() {
    for key in [0, KEY + 1, KEY ^ 1 << 63] {
        let exec = with_true_as_exec_fd(move |fd| execveat(fd, c"", libc::AT_EMPTY_PATH, key));
        assert_eq!(outside(&exec), Exited(0));
        assert_eq!(inside(NOTHING, &exec), Failed(libc::EACCES));
    }
}

/// The kernel does not look at the descriptor when the path is absolute: the reason for the key.
#[test]
fn an_absolute_path_does_not_get_past_the_descriptor() {
    let exec = || execveat(int(EXEC_FD), c"/bin/true", libc::AT_EMPTY_PATH, 0);
    assert_eq!(outside(exec), Exited(0));
    assert_eq!(inside(NOTHING, exec), Failed(libc::EACCES));
}

#[test]
fn the_key_does_not_open_other_ways_to_exec() {
    let by_path = || execveat(CWD, c"/bin/true", 0, KEY);
    assert_eq!(outside(by_path), Exited(0));
    assert_eq!(inside(NOTHING, by_path), Failed(libc::EACCES));
    let execve = || {
        let argv = [c"true".as_ptr(), std::ptr::null()];
        call(libc::SYS_execve, &[ptr(c"/bin/true".as_ptr()), ptr(&raw const argv), 0])
    };
    assert_eq!(outside(execve), Exited(0));
    assert_eq!(inside(NOTHING, execve), Failed(libc::EACCES));
}

// ---- attributes, limits ----

#[test]
fn threads_are_named_and_memory_ranges_too() {
    works(NOTHING, || call(libc::SYS_prctl, &[int(libc::PR_SET_NAME), ptr(c"name".as_ptr())]));
    works(NOTHING, || call(libc::SYS_prctl, &[int(libc::PR_GET_NO_NEW_PRIVS)]));
}

#[test]
fn a_process_does_not_change_what_it_is() {
    refused(NOTHING, libc::EPERM, || call(libc::SYS_prctl, &[int(libc::PR_SET_DUMPABLE), 1]));
    refused(NOTHING, libc::EPERM, || call(libc::SYS_prctl, &[int(libc::PR_SET_PDEATHSIG), 0]));
    refused(NOTHING, libc::EPERM, || call(libc::SYS_setpgid, &[0, 0]));
    refused(NOTHING, libc::EPERM, || call(libc::SYS_personality, &[0xffff_ffff]));
}

#[test]
fn limits_are_read_but_not_set() {
    let mut limit = [0u64; 2];
    let nofile = libc::RLIMIT_NOFILE as usize;
    let limit = ptr(limit.as_mut_ptr());
    works(NOTHING, || call(libc::SYS_prlimit64, &[0, nofile, 0, limit]));
    refused(NOTHING, libc::EPERM, || {
        call(libc::SYS_getrlimit, &[nofile, limit]);
        call(libc::SYS_prlimit64, &[0, nofile, limit, 0])
    });
}
