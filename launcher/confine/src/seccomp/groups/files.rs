//! Descriptors, waiting, pipes, files and the terminal. Which paths are in reach is decided by mounts and Landlock.

use libc::{EINVAL, ENOTTY, EOPNOTSUPP, EPERM};

use crate::seccomp::rule::{
    Check, Rule, Test,
    Verdict::{Allow, Only},
    rules,
};

const fn command(command: libc::c_int) -> u32 {
    command.cast_unsigned()
}

/// From linux/fcntl.h.
const F_OFD_GETLK: u32 = 36;
const F_OFD_SETLK: u32 = 37;
const F_OFD_SETLKW: u32 = 38;

pub(super) const DESCRIPTORS: &[Rule] = rules! {
    SYS_read: Allow, "read what is open";
    SYS_readv: Allow, "read what is open";
    SYS_pread64: Allow, "read what is open";
    SYS_preadv: Allow, "read what is open";
    SYS_preadv2: Allow, "Bun's non-blocking reads of standard input";
    SYS_write: Allow, "write what is open";
    SYS_writev: Allow, "write what is open";
    SYS_pwrite64: Allow, "write what is open";
    SYS_pwritev: Allow, "write what is open";
    SYS_pwritev2: Allow, "Bun's non-blocking writes to standard output";
    SYS_lseek: Allow, "position in what is open";
    SYS_fsync: Allow, "loggers flush standard output when it is a file";
    SYS_fdatasync: Allow, "loggers flush standard output when it is a file";
    SYS_close: Allow, "close descriptors";
    SYS_close_range: Allow, "close descriptors";
    SYS_dup: Allow, "copy descriptors";
    SYS_dup3: Allow, "copy descriptors";
    SYS_fcntl: Only {
        cases: &[&[Check::int(
            1,
            Test::OneOf(&[
                command(libc::F_DUPFD),
                command(libc::F_GETFD),
                command(libc::F_SETFD),
                command(libc::F_GETFL),
                command(libc::F_SETFL),
                command(libc::F_GETLK),
                command(libc::F_SETLK),
                command(libc::F_SETLKW),
                F_OFD_GETLK,
                F_OFD_SETLK,
                F_OFD_SETLKW,
                command(libc::F_DUPFD_CLOEXEC),
                command(libc::F_GETPIPE_SZ),
            ]),
        )]],
        otherwise: EINVAL,
    }, "descriptor flags and SQLite's locks; not owners and leases, which send signals to other processes";
    SYS_ioctl: Only { cases: IOCTLS, otherwise: ENOTTY },
        "sizes, non-blocking mode, and whether a descriptor is a terminal; never typing into one";
};

/// `ioctl` reads 32 bits of its request.
const IOCTLS: &[&[Check]] = &[&[Check::int(1, Test::OneOf(QUERIES))]];

const QUERIES: &[u32] = &[TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, TCGETS2];

// From asm-generic/ioctls.h; both architectures use it. Here because libc gives their type per C library.
const TCGETS: u32 = 0x5401;
const TCSETS: u32 = 0x5402;
const TCSETSW: u32 = 0x5403;
const TCSETSF: u32 = 0x5404;
const TIOCGWINSZ: u32 = 0x5413;
const FIONREAD: u32 = 0x541B;
const FIONBIO: u32 = 0x5421;
const FIONCLEX: u32 = 0x5450;
const FIOCLEX: u32 = 0x5451;
const TCGETS2: u32 = 0x802C_542A;
const TCSETS2: u32 = 0x402C_542B;
const TCSETSW2: u32 = 0x402C_542C;
const TCSETSF2: u32 = 0x402C_542D;

pub(super) const TERMINAL: &[Rule] = rules! {
    SYS_ioctl: Only {
        cases: &[
            &[Check::int(1, Test::OneOf(QUERIES))],
            &[Check::int(1, Test::OneOf(&[TCSETS, TCSETSW, TCSETSF, TCSETS2, TCSETSW2, TCSETSF2]))],
        ],
        otherwise: ENOTTY,
    }, "raw mode for prompts; never typing into the terminal (TIOCSTI, TIOCLINUX)";
};

pub(super) const WAITING: &[Rule] = rules! {
    SYS_ppoll: Allow, "wait for descriptors";
    SYS_pselect6: Allow, "wait for descriptors";
    SYS_epoll_create1: Allow, "the event loop; Bun aborts without it";
    SYS_epoll_ctl: Allow, "the event loop";
    SYS_epoll_pwait: Allow, "the event loop";
    SYS_epoll_pwait2: Allow, "the event loop, with finer timeouts";
    SYS_eventfd2: Allow, "wake the event loop; Bun aborts without it";
};

const STREAM_PAIR: &[&[Check]] = &[&[
    Check::int(0, Test::OneOf(&[libc::AF_UNIX.cast_unsigned()])),
    Check::int(1, Test::Bits { mask: SOCKET_TYPE, value: libc::SOCK_STREAM.cast_unsigned() as u64 }),
]];

/// The bits of a socket's type beside its flags, as `SOCK_TYPE_MASK` in the kernel.
const SOCKET_TYPE: u64 = 0xf;

const TO_THE_PEER: &[&[Check]] = &[&[Check::long(4, Test::OneOf(&[0]))]];

pub(super) const PIPES: &[Rule] = rules! {
    SYS_pipe2: Allow, "pipes within the process";
    SYS_socketpair: Only { cases: STREAM_PAIR, otherwise: libc::EAFNOSUPPORT },
        "streams within the process; a datagram one could be addressed to any socket of the host";
    SYS_sendto: Only { cases: TO_THE_PEER, otherwise: libc::EISCONN },
        "write standard output where it is a socket, as under Node; never to an address";
    SYS_recvfrom: Allow, "read standard input where it is a socket, as under Node";
    SYS_shutdown: Allow, "end standard output where it is a socket";
    SYS_getsockopt: Allow, "learn what kind of socket standard input is";
    SYS_getsockname: Allow, "learn what kind of socket standard input is";
    SYS_getpeername: Allow, "learn what kind of socket standard input is";
};

/// Files that the program makes belong to the launcher's user, be it root, outside as well: with the set-user-id bit
/// whoever runs one there would be that user.
const fn no_set_id(mode: u8) -> Check {
    Check::int(mode, Test::Bits { mask: SET_ID, value: 0 })
}

const SET_ID: u64 = 0o6000;

/// Opening reads the mode only when it creates something.
const fn creates_nothing(flags: u8) -> Check {
    Check::int(flags, Test::Bits { mask: CREATING, value: 0 })
}

/// `O_CREAT`, and of `O_TMPFILE` the bit that is its own.
const CREATING: u64 = (libc::O_CREAT | libc::O_TMPFILE & !libc::O_DIRECTORY).cast_unsigned() as u64;

pub(super) const READ: &[Rule] = rules! {
    SYS_openat: Only { cases: &[&[no_set_id(3)], &[creates_nothing(2)]], otherwise: EPERM },
        "open files; never create set-user-id ones";
    SYS_fstat: Allow, "look at files";
    SYS_newfstatat: Allow, "look at files";
    SYS_statx: Allow, "look at files";
    SYS_faccessat: Allow, "whether a file may be used";
    SYS_faccessat2: Allow, "whether a file may be used";
    SYS_readlinkat: Allow, "resolve symbolic links";
    SYS_getdents64: Allow, "list directories";
    SYS_statfs: Allow, "fs.statfs()";
    SYS_fstatfs: Allow, "fs.statfs()";
    SYS_fadvise64: Allow, "announce sequential reading";
    SYS_inotify_init1: Allow, "fs.watch() of what may be read";
    SYS_inotify_add_watch: Allow, "fs.watch() of what may be read";
    SYS_inotify_rm_watch: Allow, "fs.watch() of what may be read";
};

#[cfg(target_arch = "x86_64")]
pub(super) const READ_LEGACY: &[Rule] = rules! {
    SYS_open: Only { cases: &[&[no_set_id(2)], &[creates_nothing(1)]], otherwise: EPERM },
        "open files, in its older form";
    SYS_stat: Allow, "look at files, in its older form";
    SYS_lstat: Allow, "look at files, in its older form";
    SYS_access: Allow, "whether a file may be used, in its older form";
    SYS_readlink: Allow, "resolve symbolic links, in its older form";
    SYS_dup2: Allow, "copy descriptors, in its older form";
    SYS_poll: Allow, "wait for descriptors, in its older form";
    SYS_select: Allow, "wait for descriptors, in its older form";
    SYS_epoll_create: Allow, "the event loop, in its older form";
    SYS_epoll_wait: Allow, "the event loop, in its older form";
    SYS_pipe: Allow, "pipes within the process, in their older form";
};

pub(super) const WRITE: &[Rule] = rules! {
    SYS_mkdirat: Allow, "make directories";
    SYS_renameat: Allow, "rename";
    SYS_renameat2: Allow, "rename";
    SYS_unlinkat: Allow, "remove files and directories";
    SYS_linkat: Allow, "hard links";
    SYS_symlinkat: Allow, "symbolic links";
    SYS_fchmod: Only { cases: &[&[no_set_id(1)]], otherwise: EPERM }, "permissions of files; never set-user-id";
    SYS_fchmodat: Only { cases: &[&[no_set_id(2)]], otherwise: EPERM }, "permissions of files; never set-user-id";
    SYS_fchmodat2: Only { cases: &[&[no_set_id(2)]], otherwise: EPERM }, "permissions of files; never set-user-id";
    SYS_fchown: Allow, "ownership of files, within the one user there is";
    SYS_fchownat: Allow, "ownership of files, within the one user there is";
    SYS_utimensat: Allow, "times of files";
    SYS_truncate: Allow, "length of files";
    SYS_ftruncate: Allow, "length of files";
    SYS_fallocate: Only { cases: &[&[Check::int(1, Test::OneOf(&[0]))]], otherwise: EOPNOTSUPP },
        "reserve room for files; not beyond their end, where no limit on file sizes counts it";
};

#[cfg(target_arch = "x86_64")]
pub(super) const WRITE_LEGACY: &[Rule] = rules! {
    SYS_creat: Only { cases: &[&[no_set_id(1)]], otherwise: EPERM }, "create files, in its older form";
    SYS_mkdir: Allow, "make directories, in its older form";
    SYS_rename: Allow, "rename, in its older form";
    SYS_rmdir: Allow, "remove directories, in its older form";
    SYS_unlink: Allow, "remove files, in its older form";
    SYS_link: Allow, "hard links, in its older form";
    SYS_symlink: Allow, "symbolic links, in its older form";
    SYS_chmod: Only { cases: &[&[no_set_id(1)]], otherwise: EPERM }, "permissions of files, in its older form";
    SYS_chown: Allow, "ownership of files, in its older form";
    SYS_lchown: Allow, "ownership of files, in its older form";
    SYS_utime: Allow, "times of files, in its older form";
    SYS_utimes: Allow, "times of files, in its older form";
    SYS_futimesat: Allow, "times of files, in its older form";
};

pub(super) const BULK: &[Rule] = rules! {
    SYS_copy_file_range: Allow, "fs.copyFile() within the kernel";
    SYS_sendfile: Allow, "fs.copyFile() within the kernel";
    SYS_splice: Allow, "Bun.write() from pipes within the kernel";
    SYS_sync_file_range: Allow, "write back what was written";
    SYS_flock: Allow, "locks that installers and test runners take on their caches";
};
