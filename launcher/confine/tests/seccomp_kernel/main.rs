//! The filter in the kernel. Each refusal is shown to be the filter's doing: the same act succeeds, or at least
//! gets another answer, outside.

mod probe;

use std::{
    ffi::CString,
    os::fd::AsRawFd,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use confine::seccomp::{Action, EXEC_FD, Options, describe};
use libc::{c_int, c_long};
use probe::{
    KEY,
    Outcome::{Exited, Failed, Killed, Returned},
    call, inside, outside,
};

const NOTHING: Options = Options { write: false, tty: false, deny_new_executable_memory: false };
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

/// The kernel asks for a capability before it looks at the arguments, so without it the answers are the same.
const NEEDS_PRIVILEGE: [&str; 25] = [
    "acct",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "delete_module",
    "finit_module",
    "fsopen",
    "fspick",
    "init_module",
    "kexec_load",
    "mount",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pivot_root",
    "reboot",
    "setdomainname",
    "setgroups",
    "sethostname",
    "settimeofday",
    "swapoff",
    "swapon",
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
    assert_eq!(inside(NOTHING, x32_getpid), Killed(libc::SIGSYS));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_i386_kill_the_process() {
    let emulated = matches!(outside(probe::getpid_of_i386), Returned(_));
    let expected = if emulated { libc::SIGSYS } else { libc::SIGSEGV };
    assert_eq!(inside(NOTHING, probe::getpid_of_i386), Killed(expected));
}

// ---- threads, processes, signals ----

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

// ---- descriptors, the terminal, sockets ----

#[test]
fn descriptor_flags_are_set_but_not_owners() {
    let pipe = |command: c_int, value: usize| {
        let mut ends = [0i32; 2];
        call(libc::SYS_pipe2, &[ptr(ends.as_mut_ptr()), 0]);
        call(libc::SYS_fcntl, &[int(ends[0]), int(command), value])
    };
    works(NOTHING, || pipe(libc::F_SETFD, int(libc::FD_CLOEXEC)));
    works(NOTHING, || pipe(libc::F_SETFL, int(libc::O_NONBLOCK)));
    works(NOTHING, || pipe(libc::F_DUPFD_CLOEXEC, 20));
    refused(NOTHING, libc::EINVAL, || pipe(libc::F_SETOWN, std::process::id() as usize));
    refused(NOTHING, libc::EINVAL, || pipe(10, int(libc::SIGTERM)));
}

#[test]
fn terminals_are_looked_at_and_set_only_if_granted() {
    let (terminal, _keeps_it_open) = probe::terminal();
    let fd = int(terminal.as_raw_fd());
    let ioctl = move |request: usize| {
        let mut settings = [0u64; 16];
        let settings = ptr(settings.as_mut_ptr());
        call(libc::SYS_ioctl, &[fd, 0x5401, settings]);
        call(libc::SYS_ioctl, &[fd, request, settings])
    };
    let (tcgets, tcsets, tcsetsw, window_size) = (0x5401, 0x5402, 0x5403, 0x5413);
    for request in [tcgets, window_size] {
        works(NOTHING, || ioctl(request));
    }
    for request in [tcsets, tcsetsw] {
        refused(NOTHING, libc::ENOTTY, || ioctl(request));
        works(TTY, || ioctl(request));
    }
}

/// Typing into a terminal needs it to be the controlling one, or privilege; its refusal is told from the kernel's.
#[test]
fn nobody_types_into_a_terminal() {
    let (terminal, _keeps_it_open) = probe::terminal();
    let fd = int(terminal.as_raw_fd());
    let tiocsti = || call(libc::SYS_ioctl, &[fd, 0x5412, ptr(c"x".as_ptr())]);
    assert_ne!(outside(tiocsti), Failed(libc::ENOTTY));
    assert_eq!(inside(TTY, tiocsti), Failed(libc::ENOTTY));
}

#[test]
fn there_is_no_network() {
    for (family, kind) in [(libc::AF_INET, libc::SOCK_STREAM), (libc::AF_UNIX, libc::SOCK_DGRAM), (libc::AF_NETLINK, 3)]
    {
        refused(NOTHING, libc::EAFNOSUPPORT, || call(libc::SYS_socket, &[int(family), int(kind), 0]));
    }
}

/// On one end of a new pair: the bytes `x`, to `address`.
fn send_on_a_pair(kind: c_int, address: Option<&libc::sockaddr_un>) -> i64 {
    let mut pair = [0i32; 2];
    let made = call(libc::SYS_socketpair, &[int(libc::AF_UNIX), int(kind), 0, ptr(pair.as_mut_ptr())]);
    if made < 0 {
        return made;
    }
    let (address, length) = address.map_or((0, 0), |address| (ptr(address), size_of_val(address)));
    call(libc::SYS_sendto, &[int(pair[0]), ptr(c"x".as_ptr()), 1, int(libc::MSG_NOSIGNAL), address, length])
}

#[test]
fn streams_within_the_process_work() {
    works(NOTHING, || send_on_a_pair(libc::SOCK_STREAM, None));
}

/// An abstract name is no file that a mount could hide, and a datagram needs no connection.
#[test]
fn datagrams_do_not_reach_abstract_sockets() {
    use std::os::{linux::net::SocketAddrExt, unix::net};
    let name = format!("secure-bun-test-{}", std::process::id());
    let address = net::SocketAddr::from_abstract_name(&name).unwrap();
    let _receiver = net::UnixDatagram::bind_addr(&address).unwrap();
    let mut raw = libc::sockaddr_un { sun_family: 1, sun_path: [0; 108] };
    for (to, from) in raw.sun_path[1..].iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    let length = size_of::<libc::sa_family_t>() + 1 + name.len();
    let send = || {
        let mut pair = [0i32; 2];
        let made = call(libc::SYS_socketpair, &[int(libc::AF_UNIX), int(libc::SOCK_DGRAM), 0, ptr(pair.as_mut_ptr())]);
        let fd = if made < 0 { return made } else { int(pair[0]) };
        call(libc::SYS_sendto, &[fd, ptr(c"x".as_ptr()), 1, 0, ptr(&raw const raw), length])
    };
    refused(NOTHING, libc::EAFNOSUPPORT, send);
}

#[test]
fn nothing_is_sent_to_an_address() {
    let address = libc::sockaddr_un { sun_family: 1, sun_path: [0; 108] };
    let send = || send_on_a_pair(libc::SOCK_STREAM, Some(&address));
    assert!(matches!(outside(send), Failed(libc::EISCONN | libc::EOPNOTSUPP)), "streams have one peer");
    assert_eq!(inside(NOTHING, send), Failed(libc::EISCONN));
}

// ---- files ----

/// A directory of its own, gone at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("seccomp-kernel-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("file"), "content").unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> CString {
        CString::new(self.0.join(name).as_os_str().as_bytes()).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn files_are_read_without_a_write_grant() {
    let directory = Directory::new();
    let file = directory.path("file");
    works(NOTHING, || {
        let fd = call(libc::SYS_openat, &[CWD, ptr(file.as_ptr()), 0]);
        let mut buffer = [0u8; 16];
        call(libc::SYS_read, &[usize::try_from(fd).unwrap(), ptr(buffer.as_mut_ptr()), buffer.len()])
    });
}

#[test]
fn the_tree_changes_only_with_a_write_grant() {
    type Change = fn(old: usize, new: usize) -> i64;
    let changes: [(&str, Change); 9] = [
        ("mkdir", |_, new| call(libc::SYS_mkdirat, &[CWD, new, 0o700])),
        ("unlink", |old, _| call(libc::SYS_unlinkat, &[CWD, old, 0])),
        ("rename", |old, new| call(libc::SYS_renameat2, &[CWD, old, CWD, new, 0])),
        ("link", |old, new| call(libc::SYS_linkat, &[CWD, old, CWD, new, 0])),
        ("symlink", |old, new| call(libc::SYS_symlinkat, &[old, CWD, new])),
        ("chmod", |old, _| call(libc::SYS_fchmodat, &[CWD, old, 0o600])),
        ("chown", |old, _| call(libc::SYS_fchownat, &[CWD, old, int(-1), int(-1), 0])),
        ("utimes", |old, _| call(libc::SYS_utimensat, &[CWD, old, 0, 0])),
        ("truncate", |old, _| call(libc::SYS_truncate, &[old, 1])),
    ];
    for (name, change) in changes {
        let in_a_new_directory = |run: &dyn Fn(&dyn Fn() -> i64) -> probe::Outcome| {
            let directory = Directory::new();
            let (old, new) = (directory.path("file"), directory.path("new"));
            run(&|| change(ptr(old.as_ptr()), ptr(new.as_ptr())))
        };
        assert_eq!(in_a_new_directory(&|act| outside(act)), Returned(0), "{name} outside");
        assert_eq!(in_a_new_directory(&|act| inside(WRITE, act)), Returned(0), "{name} granted");
        assert_eq!(in_a_new_directory(&|act| inside(NOTHING, act)), Failed(libc::EROFS), "{name} not granted");
    }
}

#[test]
fn locks_and_copies_within_the_kernel_come_with_the_write_grant() {
    let directory = Directory::new();
    let file = directory.path("file");
    let lock = || {
        let fd = call(libc::SYS_openat, &[CWD, ptr(file.as_ptr()), 0]);
        call(libc::SYS_flock, &[usize::try_from(fd).unwrap(), int(libc::LOCK_SH)])
    };
    works(WRITE, lock);
    refused(NOTHING, libc::ENOSYS, lock);
}

// ---- memory ----

fn map(protection: c_int, flags: c_int) -> i64 {
    call(libc::SYS_mmap, &[0, 4096, int(protection), int(flags), int(-1), 0])
}

const ANONYMOUS: c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
const READ_WRITE: c_int = libc::PROT_READ | libc::PROT_WRITE;
const READ_EXECUTE: c_int = libc::PROT_READ | libc::PROT_EXEC;

#[test]
fn code_is_generated_unless_denied() {
    let generate = || map(READ_WRITE | libc::PROT_EXEC, ANONYMOUS);
    works(NOTHING, generate);
    refused(NO_JIT, libc::EACCES, generate);
    works(NO_JIT, || map(READ_WRITE, ANONYMOUS));
}

#[test]
fn data_becomes_code_unless_denied() {
    let turn = |protection: c_int| {
        move || {
            let page = usize::try_from(map(READ_WRITE, ANONYMOUS)).unwrap();
            call(libc::SYS_mprotect, &[page, 4096, int(protection)])
        }
    };
    works(NOTHING, turn(READ_EXECUTE));
    refused(NO_JIT, libc::EACCES, turn(READ_EXECUTE));
    works(NO_JIT, turn(libc::PROT_READ));
}

#[test]
fn libraries_are_mapped_as_they_are_even_when_new_code_is_denied() {
    let library = |protection: c_int| {
        move || {
            let fd = usize::try_from(call(libc::SYS_openat, &[CWD, ptr(c"/bin/true".as_ptr()), 0])).unwrap();
            call(libc::SYS_mmap, &[0, 4096, int(protection), int(libc::MAP_PRIVATE), fd, 0])
        }
    };
    works(NO_JIT, library(READ_EXECUTE));
    refused(NO_JIT, libc::EACCES, library(READ_WRITE | libc::PROT_EXEC));
}
