//! The numbers of the system calls, on the architectures that there are.

#[cfg(target_arch = "x86_64")]
const fn either(x86_64: usize, _aarch64: usize) -> usize {
    x86_64
}

#[cfg(target_arch = "aarch64")]
const fn either(_x86_64: usize, aarch64: usize) -> usize {
    aarch64
}

pub(crate) const READ: usize = either(0, 63);
pub(crate) const WRITE: usize = either(1, 64);
pub(crate) const CLOSE: usize = either(3, 57);
pub(crate) const MINCORE: usize = either(27, 232);
pub(crate) const MADVISE: usize = either(28, 233);
pub(crate) const GETPID: usize = either(39, 172);
pub(crate) const SENDTO: usize = either(44, 206);
pub(crate) const SENDMSG: usize = either(46, 211);
pub(crate) const RECVMSG: usize = either(47, 212);
pub(crate) const SOCKETPAIR: usize = either(53, 199);
pub(crate) const WAIT4: usize = either(61, 260);
pub(crate) const FCNTL: usize = either(72, 25);
pub(crate) const PRCTL: usize = either(157, 167);
pub(crate) const GETDENTS64: usize = either(217, 61);
pub(crate) const EXIT_GROUP: usize = either(231, 94);
pub(crate) const EPOLL_CTL: usize = either(233, 21);
pub(crate) const OPENAT: usize = either(257, 56);
pub(crate) const READLINKAT: usize = either(267, 78);
pub(crate) const PPOLL: usize = either(271, 73);
pub(crate) const EVENTFD2: usize = either(290, 19);
pub(crate) const EPOLL_CREATE1: usize = either(291, 20);
pub(crate) const DUP3: usize = either(292, 24);
pub(crate) const PRLIMIT64: usize = either(302, 261);
pub(crate) const SECCOMP: usize = either(317, 277);
pub(crate) const GETRANDOM: usize = either(318, 278);

// The same on every architecture.
pub(crate) const PIDFD_OPEN: usize = 434;
pub(crate) const LANDLOCK_CREATE_RULESET: usize = 444;
pub(crate) const LANDLOCK_ADD_RULE: usize = 445;
pub(crate) const LANDLOCK_RESTRICT_SELF: usize = 446;
