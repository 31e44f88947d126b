//! Starting other programs, and looking after them. Which files can be executed is decided by noexec mounts and Landlock;
//! the pid namespace leaves nobody in reach but the sandbox's own processes.

use libc::{EACCES, EINVAL, EPERM};

use super::process::{
    CLONE_NEW_NAMESPACE, CLONE_THREAD, CLONE_UNKNOWN, OPTIONS, PR_SET_VMA, PR_SET_VMA_ANON_NAME, option,
};
use crate::seccomp::rule::{
    Check, Rule, Test,
    Verdict::{Allow, Only, Refuse},
    rules,
};

pub(super) const PROGRAMS: &[Rule] = rules! {
    SYS_execve: Allow, "run what mounts and Landlock leave executable";
    SYS_clone: Only {
        cases: &[&[Check::long(0, Test::Bits { mask: CLONE_NEW_NAMESPACE | CLONE_UNKNOWN, value: 0 })]],
        otherwise: EPERM,
    }, "start threads and processes; never a namespace";
    SYS_wait4: Allow, "wait for children";
    SYS_waitid: Allow, "wait for children";
    SYS_pidfd_open: Allow, "wait for children without their numbers";
    SYS_pidfd_send_signal: Allow, "signal processes of the sandbox; others have no number here";
    SYS_kill: Only { cases: &[&[Check::int(0, Test::Over(0))]], otherwise: EPERM },
        "signal processes of the sandbox; not of the own group, which the launcher may belong to";
    SYS_tgkill: Allow, "signal processes of the sandbox; others have no number here";
    SYS_tkill: Allow, "signal processes of the sandbox; others have no number here";
    SYS_rt_sigqueueinfo: Allow, "signal processes of the sandbox; others have no number here";
    SYS_rt_tgsigqueueinfo: Allow, "signal processes of the sandbox; others have no number here";
    SYS_setsid: Allow, "detached children; init signals the program, whatever its session";
    SYS_setpgid: Allow, "job control of shells; init signals the program, whatever its group";
    SYS_getpgid: Allow, "job control of shells";
    SYS_getsid: Allow, "job control of shells";
    SYS_getpriority: Allow, "priorities of the sandbox's own processes";
    SYS_sched_getaffinity: Allow, "count the usable CPUs; only the sandbox's processes have numbers here";
    SYS_sched_getparam: Allow, "posix_spawn() keeps scheduling as it is";
    SYS_sched_getscheduler: Allow, "posix_spawn() keeps scheduling as it is";
    SYS_getitimer: Allow, "timers of programs that show progress";
    SYS_setitimer: Allow, "timers of programs that show progress";
    SYS_timer_create: Allow, "timers of programs that show progress";
    SYS_timer_settime: Allow, "timers of programs that show progress";
    SYS_timer_gettime: Allow, "timers of programs that show progress";
    SYS_timer_delete: Allow, "timers of programs that show progress";
    SYS_signalfd4: Allow, "signals as events";
    SYS_msync: Allow, "write back mapped files that may be written";
    SYS_readahead: Allow, "announce sequential reading";
    SYS_recvmsg: Allow, "messages of children, over pairs of sockets";
    SYS_getxattr: Refuse(libc::EOPNOTSUPP), "file systems without extended attributes are well known; ENOSYS is not";
    SYS_lgetxattr: Refuse(libc::EOPNOTSUPP), "file systems without extended attributes are well known; ENOSYS is not";
    SYS_fgetxattr: Refuse(libc::EOPNOTSUPP), "file systems without extended attributes are well known; ENOSYS is not";
    SYS_listxattr: Refuse(libc::EOPNOTSUPP), "file systems without extended attributes are well known; ENOSYS is not";
    SYS_llistxattr: Refuse(libc::EOPNOTSUPP), "file systems without extended attributes are well known; ENOSYS is not";
    SYS_flistxattr: Refuse(libc::EOPNOTSUPP), "file systems without extended attributes are well known; ENOSYS is not";
};

/// A program may put another one that it starts into a narrower sandbox. All of these only take away: a further Landlock
/// domain allows what all of them allow, of the verdicts of all filters the strictest holds, and a hard limit that was
/// lowered stays so. No file on the way gains privileges that a forged answer could mislead, no_new_privs sees to it.
pub(super) const NARROWING: &[Rule] = rules! {
    SYS_landlock_create_ruleset: Allow, "a narrower sandbox for a child";
    SYS_landlock_add_rule: Only { cases: &[&[Check::int(1, Test::OneOf(&[RULE_PATH_BENEATH]))]], otherwise: EINVAL },
        "a narrower sandbox for a child; only files, since each rule is memory of the kernel";
    SYS_landlock_restrict_self: Only { cases: &[&[Check::int(1, Test::OneOf(&[0]))]], otherwise: EINVAL },
        "a narrower sandbox for a child; nothing about what the kernel logs";
    SYS_seccomp: Only {
        cases: &[&[Check::int(0, Test::OneOf(&[SET_MODE_FILTER])), Check::int(1, Test::OneOf(&[0]))]],
        otherwise: EPERM,
    }, "a narrower filter for a child; never one with a listener, which could answer for calls";
    SYS_prlimit64: Only {
        cases: &[
            &[Check::int(0, Test::OneOf(&[0])), Check::long(2, Test::OneOf(&[0]))],
            &[Check::int(0, Test::OneOf(&[0])), Check::int(1, Test::OneOf(LOWERED))],
        ],
        otherwise: EPERM,
    }, "lower limits for a child, and read them; not that of core dumps, where 0 would start the host's handler";
};

/// A Bun that forks for each call (launcher/forkserver). The filter of a copy takes all of it away again, but for
/// messages at its gate, and signals to itself.
pub(super) const COPIES: &[Rule] = rules! {
    SYS_clone: Only {
        cases: &[
            &[Check::long(
                0,
                Test::Bits { mask: CLONE_THREAD | CLONE_NEW_NAMESPACE | CLONE_UNKNOWN, value: CLONE_THREAD },
            )],
            &[Check::long(0, Test::Bits { mask: !FORK_NOTES, value: libc::SIGCHLD.cast_unsigned() as u64 })],
        ],
        otherwise: EPERM,
    }, "start threads, and copies of the process that share nothing; never a namespace";
    SYS_wait4: Allow, "wait for copies";
    SYS_pidfd_open: Allow, "tell the launcher which process a copy is";
    SYS_sendmsg: Allow, "answer the launcher; there is no other socket but pairs within the process";
    SYS_recvmsg: Allow, "requests of the launcher, with a copy's descriptors";
    SYS_kill: Only { cases: &[&[Check::int(0, Test::Over(0))]], otherwise: EPERM },
        "each copy signals itself, as its own filter has it; not a group";
    SYS_tgkill: Allow, "each copy signals its own threads, as its own filter has it";
    SYS_rt_sigqueueinfo: Allow, "each copy signals itself, as its own filter has it";
    SYS_rt_tgsigqueueinfo: Allow, "each copy signals its own threads, as its own filter has it";
    SYS_prctl: Only {
        cases: &[
            &[Check::int(0, Test::OneOf(OPTIONS))],
            &[Check::int(0, Test::OneOf(&[option(libc::PR_SET_NO_NEW_PRIVS)]))],
            &[
                Check::int(0, Test::OneOf(&[PR_SET_VMA])),
                Check::long(1, Test::OneOf(&[PR_SET_VMA_ANON_NAME])),
            ],
        ],
        otherwise: EPERM,
    }, "as elsewhere, and what has to come before a filter";
};

/// What fork(3) of the C libraries asks of clone(2) besides a copy: that the thread's number is noted.
const FORK_NOTES: u64 = super::process::flags(libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID);

/// What a child does that may start no others itself. Its exec names a path: the filter of the program that starts it lets
/// no other form through.
pub(super) const NARROWED: &[Rule] = rules! {
    SYS_execveat: Refuse(EACCES), "no other programs";
    SYS_execve: Only { cases: &[&[Check::long(5, Test::ExecKey)]], otherwise: EACCES },
        "the narrower sandbox starts its program; the program does not have the key";
    SYS_recvmsg: Allow, "messages of the program that started it, over a pair of sockets";
};

/// From linux/landlock.h and linux/seccomp.h.
const RULE_PATH_BENEATH: u32 = 1;
const SET_MODE_FILTER: u32 = 1;

/// Limits whose value for one process is nobody else's matter: CPU time, the size of a file, open files. From
/// asm-generic/resource.h; C libraries disagree about the type.
const LOWERED: &[u32] = &[0, 1, 7];

#[cfg(target_arch = "x86_64")]
pub(super) const LEGACY: &[Rule] = rules! {
    SYS_fork: Allow, "start processes, in its older form";
    SYS_vfork: Allow, "start processes, in its older form";
    SYS_alarm: Allow, "timers of programs that show progress, in their older form";
    SYS_pause: Allow, "wait for a signal, in its older form";
    SYS_eventfd: Allow, "wake an event loop, in its older form";
    SYS_getdents: Allow, "list directories, in its older form";
};

pub(super) const INIT: &[Rule] = rules! {
    SYS_rt_sigtimedwait: Allow, "wait for the next signal";
    SYS_wait4: Allow, "reap what has ended";
    SYS_kill: Allow, "pass on what the launcher signals";
    SYS_restart_syscall: Allow, "the kernel resumes an interrupted wait";
    SYS_exit_group: Allow, "end, and with it the tree";
};
