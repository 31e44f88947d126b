//! Runs an act in a forked child, with or without the filter, and says what became of it.
#![allow(unsafe_code, reason = "forking, loading a filter and raw system calls are what these tests are about")]

use std::{
    fs::File,
    io::Read,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use confine::seccomp::{Filter, Options};
use libc::{c_int, c_long};

/// The key of the filters under test.
pub(crate) const KEY: u64 = 0x5eed_0123_4567_89ab;

/// No act takes longer.
const DEADLINE_S: u32 = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The act's system call succeeded with this value.
    Returned(i64),
    /// The act's system call failed with this errno.
    Failed(c_int),
    /// The act ended the process, or put another program in its place that ended so.
    Exited(c_int),
    Killed(c_int),
}

/// What `act` comes to without a filter.
pub(crate) fn outside(act: impl FnOnce() -> i64) -> Outcome {
    in_a_child(|| {}, act)
}

/// What `act` comes to behind the filter for `options`.
pub(crate) fn inside(options: Options, act: impl FnOnce() -> i64) -> Outcome {
    let mut filter = Filter::new(&options, KEY);
    in_a_child(move || load(&mut filter), act)
}

/// A raw system call: the value, or minus the errno.
pub(crate) fn call(number: c_long, args: &[usize]) -> i64 {
    let arg = |index: usize| args.get(index).copied().unwrap_or(0);
    // SAFETY: acts run in a forked child that ends right after them; whatever a call does to its memory is gone then.
    let value = unsafe { libc::syscall(number, arg(0), arg(1), arg(2), arg(3), arg(4), arg(5)) };
    if value == -1 { -i64::from(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)) } else { value }
}

/// getpid by the 32-bit entry, which is another architecture to seccomp.
#[cfg(target_arch = "x86_64")]
pub(crate) fn getpid_of_i386() -> i64 {
    let mut value: u64 = 20;
    // SAFETY: the call takes no arguments; the entry clobbers the listed registers at most.
    unsafe {
        core::arch::asm!("int 0x80", inout("rax") value, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    };
    value.cast_signed()
}

pub(crate) fn is_root() -> bool {
    // SAFETY: has no preconditions.
    unsafe { libc::geteuid() == 0 }
}

/// A new pseudo-terminal: the side that a program sees, and the one that keeps it open.
pub(crate) fn terminal() -> (OwnedFd, OwnedFd) {
    let (mut outer, mut inner) = (-1, -1);
    let null = std::ptr::null_mut();
    // SAFETY: both descriptors are valid to write; name, settings and size may be null.
    let result = unsafe { libc::openpty(&raw mut outer, &raw mut inner, null, null.cast(), null.cast()) };
    assert_eq!(result, 0, "no pseudo-terminal: {}", std::io::Error::last_os_error());
    (own(inner), own(outer))
}

fn own(fd: c_int) -> OwnedFd {
    assert!(fd >= 0);
    // SAFETY: the caller just got the descriptor from the kernel and gives it away.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn in_a_child(prepare: impl FnOnce(), act: impl FnOnce() -> i64) -> Outcome {
    let (mut report, to_report) = pipe();
    // SAFETY: the child runs nothing but acts, which make system calls and allocate nothing (one starts a thread,
    // for which glibc's fork leaves its heap usable), and ends by _exit.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
    if pid == 0 {
        // SAFETY: has no preconditions.
        unsafe { libc::alarm(DEADLINE_S) };
        prepare();
        let value = act().to_ne_bytes();
        // SAFETY: the buffer is valid for its length.
        unsafe { libc::write(to_report.as_raw_fd(), value.as_ptr().cast(), value.len()) };
        // SAFETY: ends the child without running the test's destructors.
        unsafe { libc::_exit(0) };
    }
    drop(to_report);
    let mut value = Vec::new();
    report.read_to_end(&mut value).unwrap();
    let status = wait(pid);
    match <[u8; 8]>::try_from(&value[..]).map(i64::from_ne_bytes) {
        Ok(value @ -4095..0) => Outcome::Failed(c_int::try_from(-value).unwrap()),
        Ok(value) => Outcome::Returned(value),
        Err(_) if libc::WIFSIGNALED(status) => Outcome::Killed(libc::WTERMSIG(status)),
        Err(_) => Outcome::Exited(libc::WEXITSTATUS(status)),
    }
}

fn pipe() -> (File, OwnedFd) {
    let mut ends = [-1; 2];
    // SAFETY: the array has room for both ends.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
    (File::from(own(ends[0])), own(ends[1]))
}

fn wait(pid: libc::pid_t) -> c_int {
    let mut status = 0;
    // SAFETY: the status is valid to write.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    status
}

/// Loads the filter for the calling process, or ends it.
fn load(filter: &mut Filter) {
    filter.patch_pid(std::process::id());
    let program = filter.program();
    let len = u16::try_from(program.len()).expect("BPF_MAXINSNS fits");
    let fprog = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    // SAFETY: takes numbers only.
    let no_new_privs = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: the program outlives the call, and the kernel only reads it.
    let loaded = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const fprog) };
    if no_new_privs != 0 || loaded != 0 {
        // SAFETY: ends the child.
        unsafe { libc::_exit(99) };
    }
}
