//! Memory, threads, time, signals, identity and the one exec: what a process needs to run at all.

use libc::{EACCES, EINVAL, EPERM};

use crate::seccomp::{
    EXEC_FD,
    rule::{
        Check, Rule, Test,
        Verdict::{Allow, Only, Refuse},
        rules,
    },
};

pub(super) const MEMORY: &[Rule] = rules! {
    SYS_brk: Allow, "grow the C library's heap";
    SYS_mmap: Allow, "map memory and libraries; noexec mounts keep other files from being mapped executable";
    SYS_munmap: Allow, "return memory";
    SYS_mremap: Allow, "grow large allocations without copying them";
    SYS_mprotect: Allow, "guard pages, and the JIT's code";
    SYS_madvise: Allow, "return memory while keeping the address range; Bun aborts without it";
    SYS_mincore: Allow, "JSC asks which pages of its heap are resident";
    SYS_membarrier: Allow, "JSC publishes generated code to all threads";
};

/// Flags a new thread must have, among those that would make it a process or give it a namespace.
/// With a table of descriptors of its own, each thread could have as many as the limit allows the process.
pub(super) const CLONE_THREAD: u64 =
    flags(libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD | libc::CLONE_FILES);
pub(super) const CLONE_NEW_NAMESPACE: u64 = flags(
    libc::CLONE_NEWNS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET,
);
/// `clone` reads 32 bits of its `unsigned long`. No flag of it is above them, so one there is not honest either.
pub(super) const CLONE_UNKNOWN: u64 = !0 << 32;

pub(super) const fn flags(flags: libc::c_int) -> u64 {
    flags.cast_unsigned() as u64
}

pub(super) const THREADS: &[Rule] = rules! {
    SYS_clone: Only {
        cases: &[&[Check::long(
            0,
            Test::Bits { mask: CLONE_THREAD | CLONE_NEW_NAMESPACE | CLONE_UNKNOWN, value: CLONE_THREAD },
        )]],
        otherwise: EPERM,
    }, "start threads; never a process, never a namespace";
    SYS_clone3: Refuse(libc::ENOSYS),
        "its flags are behind a pointer that a filter cannot follow; libc and Bun then use clone";
    SYS_futex: Allow, "locks and waiting between threads";
    SYS_set_robust_list: Allow, "the C library registers each thread's locks";
    SYS_set_tid_address: Allow, "thread join";
    SYS_rseq: Allow, "the C library's per-CPU data";
    SYS_gettid: Allow, "a thread's own number";
    SYS_sched_yield: Allow, "spinning locks give way";
    SYS_sched_getaffinity: Only { cases: OWN_BY_ZERO, otherwise: libc::ESRCH },
        "count the usable CPUs; of another pid it would tell that the process exists";
    SYS_getcpu: Allow, "the CPU in use";
    SYS_exit: Allow, "end a thread";
    SYS_exit_group: Allow, "end the process";
};

/// Clocks above this number are negative as `int`: another process's CPU clock, or a device's.
const LAST_SYSTEM_CLOCK: Test = Test::AtMost(15);

pub(super) const TIME: &[Rule] = rules! {
    SYS_clock_gettime: Only { cases: &[&[Check::int(0, LAST_SYSTEM_CLOCK)]], otherwise: EINVAL },
        "read clocks; not the CPU clocks of other processes, which need no permission";
    SYS_clock_getres: Only { cases: &[&[Check::int(0, LAST_SYSTEM_CLOCK)]], otherwise: EINVAL },
        "the resolution of clocks; of another process's it would tell that the process exists";
    SYS_clock_nanosleep: Only { cases: &[&[Check::int(0, LAST_SYSTEM_CLOCK)]], otherwise: EINVAL },
        "sleep until a moment of a clock";
    SYS_nanosleep: Allow, "sleep for a while";
    SYS_gettimeofday: Allow, "the time, where the vDSO cannot tell it";
    SYS_timerfd_create: Allow, "timers of the event loop";
    SYS_timerfd_settime: Allow, "timers of the event loop";
    SYS_timerfd_gettime: Allow, "timers of the event loop";
    SYS_times: Allow, "own CPU time";
    SYS_restart_syscall: Allow, "the kernel resumes an interrupted sleep";
};

const OWN_PROCESS: &[&[Check]] = &[&[Check::int(0, Test::OwnPid)]];

pub(super) const SIGNALS: &[Rule] = rules! {
    SYS_rt_sigaction: Allow, "handlers; Bun aborts without it";
    SYS_rt_sigprocmask: Allow, "block signals in threads";
    SYS_rt_sigreturn: Allow, "leave a handler";
    SYS_rt_sigtimedwait: Allow, "wait for a signal";
    SYS_rt_sigsuspend: Allow, "JSC suspends a thread in its SIGPWR handler";
    SYS_rt_sigpending: Allow, "own pending signals";
    SYS_sigaltstack: Allow, "a stack for the handler of stack overflows";
    SYS_tgkill: Only { cases: OWN_PROCESS, otherwise: EPERM },
        "JSC suspends its own threads, abort() signals itself; without a pid namespace others are in reach";
    SYS_kill: Only { cases: OWN_PROCESS, otherwise: EPERM },
        "process.kill of oneself; not of the group, which the launcher may belong to";
    SYS_rt_sigqueueinfo: Only { cases: OWN_PROCESS, otherwise: EPERM }, "sigqueue to oneself";
    SYS_rt_tgsigqueueinfo: Only { cases: OWN_PROCESS, otherwise: EPERM }, "pthread_sigqueue to own threads";
};

const OWN_BY_ZERO: &[&[Check]] = &[&[Check::int(0, Test::OneOf(&[0]))], &[Check::int(0, Test::OwnPid)]];

pub(super) const IDENTITY: &[Rule] = rules! {
    SYS_getpid: Allow, "process.pid";
    SYS_getppid: Allow, "process.ppid";
    SYS_getuid: Allow, "own user";
    SYS_geteuid: Allow, "own user";
    SYS_getresuid: Allow, "own user";
    SYS_getgid: Allow, "own group";
    SYS_getegid: Allow, "own group";
    SYS_getresgid: Allow, "own group";
    SYS_getgroups: Allow, "own groups";
    SYS_getpgid: Only { cases: OWN_BY_ZERO, otherwise: libc::ESRCH },
        "own process group; of another pid it would tell that the process exists";
    SYS_getsid: Only { cases: OWN_BY_ZERO, otherwise: libc::ESRCH },
        "own session; of another pid it would tell that the process exists";
    SYS_uname: Allow, "os.release(), in a uts namespace of our making";
    SYS_setuid: Refuse(EPERM), "the identity is fixed";
    SYS_setgid: Refuse(EPERM), "the identity is fixed";
    SYS_setreuid: Refuse(EPERM), "the identity is fixed";
    SYS_setregid: Refuse(EPERM), "the identity is fixed";
    SYS_setresuid: Refuse(EPERM), "the identity is fixed";
    SYS_setresgid: Refuse(EPERM), "the identity is fixed";
    SYS_setgroups: Refuse(EPERM), "the identity is fixed";
    SYS_setfsuid: Refuse(EPERM), "the identity is fixed";
    SYS_setfsgid: Refuse(EPERM), "the identity is fixed";
    SYS_capset: Refuse(EPERM), "there is no capability to take up";
};

/// From linux/prctl.h: the option, and for `PR_SET_VMA` the only thing it sets.
pub(super) const PR_SET_VMA: u32 = 0x5356_4d41;
pub(super) const PR_SET_VMA_ANON_NAME: u32 = 0;

pub(super) const fn option(option: libc::c_int) -> u32 {
    option.cast_unsigned()
}

/// What prctl(2) may do that takes no further look.
pub(super) const OPTIONS: &[u32] = &[
    option(libc::PR_SET_NAME),
    option(libc::PR_GET_NAME),
    option(libc::PR_GET_DUMPABLE),
    option(libc::PR_GET_SECCOMP),
    option(libc::PR_GET_NO_NEW_PRIVS),
    option(libc::PR_CAPBSET_READ),
];

pub(super) const PROCESS: &[Rule] = rules! {
    SYS_prctl: Only {
        cases: &[
            &[Check::int(0, Test::OneOf(OPTIONS))],
            &[
                Check::int(0, Test::OneOf(&[PR_SET_VMA])),
                Check::long(1, Test::OneOf(&[PR_SET_VMA_ANON_NAME])),
            ],
        ],
        otherwise: EPERM,
    }, "name threads and JSC's memory ranges, read a few flags; what changes the process stays out";
    SYS_prlimit64: Only {
        cases: &[&[Check::int(0, Test::OneOf(&[0])), Check::long(2, Test::OneOf(&[0]))]],
        otherwise: EPERM,
    }, "read own limits, Bun aborts without; the launcher alone sets them";
    SYS_getrlimit: Allow, "read own limits";
    SYS_setrlimit: Refuse(EPERM), "the launcher alone sets limits";
    SYS_getrusage: Allow, "process.resourceUsage()";
    SYS_getpriority: Only {
        cases: &[&[Check::int(0, Test::OneOf(&[0])), Check::int(1, Test::OneOf(&[0]))]],
        otherwise: libc::ESRCH,
    }, "os.getPriority(); of another pid it would tell that the process exists";
    SYS_setpriority: Refuse(EACCES), "scheduling is the launcher's";
    SYS_sysinfo: Allow, "os.totalmem(), os.uptime()";
    SYS_getrandom: Allow, "randomness";
    SYS_umask: Allow, "process.umask()";
    SYS_getcwd: Allow, "process.cwd()";
    SYS_chdir: Allow, "process.chdir()";
    SYS_fchdir: Allow, "process.chdir() within directory walks";
};

#[cfg(target_arch = "x86_64")]
pub(super) const LEGACY: &[Rule] = rules! {
    SYS_arch_prctl: Only { cases: &[&[Check::int(0, Test::OneOf(&[ARCH_SET_FS]))]], otherwise: EINVAL },
        "the C library places the main thread's data; other options as on a processor without them";
    SYS_time: Allow, "the time in seconds, where the vDSO cannot tell it";
    SYS_getpgrp: Allow, "own process group";
    SYS_fork: Refuse(EPERM), "no processes";
    SYS_vfork: Refuse(EPERM), "no processes";
};

/// From asm/prctl.h.
#[cfg(target_arch = "x86_64")]
const ARCH_SET_FS: u32 = 0x1002;

pub(super) const EXEC_ONCE: &[Rule] = rules! {
    SYS_execveat: Only {
        cases: &[&[
            Check::int(0, Test::OneOf(&[EXEC_FD.cast_unsigned()])),
            Check::int(4, Test::OneOf(&[libc::AT_EMPTY_PATH.cast_unsigned()])),
            // Not an argument of the call: the launcher leaves its key in the register after the last one.
            Check::long(5, Test::ExecKey),
        ]],
        otherwise: EACCES,
    }, "the launcher starts Bun; the program does not have the key";
    SYS_execve: Refuse(EACCES), "no other programs";
};

const NOT_EXECUTABLE: Check = Check::long(2, Test::Bits { mask: libc::PROT_EXEC.cast_unsigned() as u64, value: 0 });
const NOT_WRITABLE: Check = Check::long(2, Test::Bits { mask: libc::PROT_WRITE.cast_unsigned() as u64, value: 0 });
const FROM_A_FILE: Check = Check::long(3, Test::Bits { mask: libc::MAP_ANONYMOUS.cast_unsigned() as u64, value: 0 });

pub(super) const NO_NEW_EXECUTABLE_MEMORY: &[Rule] = rules! {
    SYS_mmap: Only {
        cases: &[&[NOT_EXECUTABLE], &[NOT_WRITABLE, FROM_A_FILE]],
        otherwise: EACCES,
    }, "map memory, and libraries as they are on disk; JSC goes on without its JIT";
    SYS_mprotect: Only { cases: &[&[NOT_EXECUTABLE]], otherwise: EACCES },
        "guard pages; data never becomes code";
};
