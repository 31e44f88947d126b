//! The filter in the kernel. Each refusal is shown to be the filter's doing: the same act succeeds, or at least
//! gets another answer, outside.

mod files;
mod probe;
mod processes;

use confine::seccomp::{Action, Files, Options, describe};
use libc::{c_int, c_long};
use probe::{
    Outcome::{Failed, Returned},
    call, inside, outside,
};

const NOTHING: Options = Options {
    write: false,
    tty: false,
    deny_new_executable_memory: false,
    run: false,
    sockets: false,
    files: Files::Own,
    copies: false,
    narrower: None,
};
const WRITE: Options = Options { write: true, ..NOTHING };
const TTY: Options = Options { tty: true, ..NOTHING };
const NO_JIT: Options = Options { deny_new_executable_memory: true, ..NOTHING };

/// The act succeeds outside, and inside fails with the errno.
#[track_caller]
fn refused(options: Options, errno: c_int, act: impl Fn() -> i64) {
    assert!(matches!(outside(&act), Returned(_)), "outside: {:?}", outside(&act));
    assert_eq!(inside(options, &act), Failed(errno));
}

/// The act succeeds outside and inside.
#[track_caller]
fn works(options: Options, act: impl Fn() -> i64) {
    assert!(matches!(outside(&act), Returned(_)), "outside: {:?}", outside(&act));
    assert!(matches!(inside(options, &act), Returned(_)), "inside: {:?}", inside(options, &act));
}

/// An `int` as an argument.
const fn int(value: c_int) -> usize {
    (value as isize).cast_unsigned()
}

const CWD: usize = int(libc::AT_FDCWD);

/// A pointer as an argument.
fn ptr<T: ?Sized>(value: *const T) -> usize {
    value.cast::<u8>() as usize
}

// ---- every line of the tables ----

/// Arguments that are nonsense to any call: bad descriptors, pointers, sizes and flags.
const NONSENSE: [usize; 6] = [usize::MAX; 6];

/// These do not return, or return twice.
const NOT_PROBED: [&str; 6] = ["exit", "exit_group", "rt_sigreturn", "fork", "vfork", "restart_syscall"];

#[test]
fn every_allowed_call_reaches_the_kernel() {
    for options in [NOTHING, WRITE] {
        for described in describe(&options) {
            if described.action != Action::Allow || NOT_PROBED.contains(&described.call) {
                continue;
            }
            let act = || call(c_long::from(described.number), &NONSENSE);
            match (outside(act), inside(options, act)) {
                (Returned(_), Returned(_)) => {}
                (outside, inside) => assert_eq!(outside, inside, "{} under {options:?}", described.call),
            }
        }
    }
}

/// The kernel asks for a capability before it looks at the arguments, always or as a sysctl says: without it the
/// answers are the same.
const NEEDS_PRIVILEGE: [&str; 15] = [
    "acct",
    "bpf",
    "fsmount",
    "fsopen",
    "fspick",
    "move_mount",
    "perf_event_open",
    "pivot_root",
    "reboot",
    "setdomainname",
    "setgroups",
    "sethostname",
    "swapoff",
    "syslog",
    "userfaultfd",
];

#[test]
fn every_refused_call_fails_with_its_errno_and_would_not_outside() {
    for described in describe(&NOTHING) {
        let Action::Refuse(errno) = described.action else { continue };
        if NOT_PROBED.contains(&described.call) {
            continue;
        }
        let act = || call(c_long::from(described.number), &NONSENSE);
        assert_eq!(inside(NOTHING, act), Failed(errno), "{}", described.call);
        if probe::is_root() || !NEEDS_PRIVILEGE.contains(&described.call) {
            assert_ne!(outside(act), Failed(errno), "{}: the test shows nothing", described.call);
        }
    }
}

#[test]
fn calls_that_no_table_names_are_unknown() {
    let getxattr = || call(libc::SYS_getxattr, &NONSENSE);
    assert_eq!(outside(getxattr), Failed(libc::EFAULT));
    assert_eq!(inside(WRITE, getxattr), Failed(libc::ENOSYS));
}

// ---- other architectures ----

#[cfg(target_arch = "x86_64")]
#[test]
fn x32_calls_kill_the_process() {
    let x32_getpid = || call(0x4000_0000 | libc::SYS_getpid, &[]);
    assert!(matches!(outside(x32_getpid), Returned(_) | Failed(libc::ENOSYS)));
    assert_eq!(inside(NOTHING, x32_getpid), probe::Outcome::Killed(libc::SIGSYS));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_i386_kill_the_process() {
    let emulated = matches!(outside(probe::getpid_of_i386), Returned(_));
    let expected = if emulated { libc::SIGSYS } else { libc::SIGSEGV };
    assert_eq!(inside(NOTHING, probe::getpid_of_i386), probe::Outcome::Killed(expected));
}
