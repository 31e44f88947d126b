//! Descriptors, the terminal, sockets, files and memory.

use std::{
    ffi::CString,
    os::{fd::AsRawFd, unix::ffi::OsStrExt},
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use libc::c_int;

use crate::{
    CWD, NO_JIT, NOTHING, TTY, WRITE, int,
    probe::{
        self,
        Outcome::{Failed, Returned},
        call, inside, outside,
    },
    ptr, refused, works,
};

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
    let (settings, window_size) = (0x5401, 0x5413);
    let (set_now, set_after_output) = (0x5402, 0x5403);
    for request in [settings, window_size] {
        works(NOTHING, || ioctl(request));
    }
    for request in [set_now, set_after_output] {
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
        *to = libc::c_char::from_ne_bytes([from]);
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
