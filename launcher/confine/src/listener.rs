//! The launcher's end of a filter that asks: requests to connect, bind and listen, and their answers.
//!
//! A request is answered by acting for the caller on a copy of its socket, or with another socket in its place. It is
//! never let through as it stands: its arguments are in memory, and its socket at a number, that another thread of the
//! caller can change at any time (seccomp_unotify(2)).

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::PoisonError;

use tokio::io::unix::AsyncFd;

use crate::plan::Identity;
use crate::start::ONE_AT_A_TIME;
use crate::sys::{self, Errno, Fd};

/// The longest address that the kernel reads (`sizeof(struct sockaddr_storage)`).
pub const MOST_ADDRESS_BYTES: usize = 128;

/// Threads whose descriptors are kept open. One that opens more connections than others is kept by chance.
const MOST_THREADS: usize = 64;

/// What reaches the launcher of a sandbox that has sockets.
#[derive(Debug)]
pub struct Network {
    /// Requests to connect, bind and listen.
    pub listener: Listener,
    /// Where it sends questions for names, if it has a network of its own.
    pub name_server: Option<NameServer>,
}

/// Sockets of a sandbox's own network at 127.0.0.1:53.
#[derive(Debug)]
pub struct NameServer {
    /// Bound, for datagrams.
    pub datagrams: OwnedFd,
    /// Listening, for connections.
    pub connections: OwnedFd,
}

/// Where requests come from.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    identity: Identity,
    threads: RefCell<HashMap<u32, OwnedFd>>,
}

/// What a program asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// connect(2).
    Connect,
    /// bind(2).
    Bind,
    /// listen(2), with this backlog.
    Listen(i32),
}

/// A call that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// What is asked for.
    pub act: Act,
    id: u64,
    thread: u32,
    /// The number of the socket.
    socket: i32,
    /// Where the address is in the caller's memory, and its length.
    address: (u64, u64),
}

/// The socket of a request, where the kernel does not let the launcher have a copy of it (Docker's default profile lacks
/// pidfd_getfd(2)): what /proc says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// Whether calls on it return at once.
    pub nonblocking: bool,
    /// The number of its inode, by which /proc/net names it.
    pub inode: u64,
}

impl Request {
    /// The number of the thread that waits, by which /proc knows it.
    pub const fn thread(&self) -> u32 {
        self.thread
    }
}

impl Listener {
    pub(crate) fn new(fd: OwnedFd, identity: Identity) -> Self {
        // Older kernels do without.
        let _ = sys::wake_on_this_cpu(fd.as_fd());
        Self { fd, identity, threads: RefCell::default() }
    }

    /// Something to wait on for the next request. Must be called within a runtime.
    pub fn readiness(&self) -> io::Result<AsyncFd<OwnedFd>> {
        sys::watch(self.fd.try_clone()?)
    }

    /// The next request. `None` if who asked has gone meanwhile. Blocks where none is there.
    pub fn receive(&self) -> Result<Option<Request>, Errno> {
        let received = match sys::receive(self.fd.as_fd()) {
            Ok(received) => received,
            Err(Errno::ENOENT) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        let [socket, second, third, ..] = received.arguments;
        let int = |argument: u64| i32::from_ne_bytes(low_half(argument).to_ne_bytes());
        let act = match i64::from(received.number) {
            libc::SYS_connect => Act::Connect,
            libc::SYS_bind => Act::Bind,
            libc::SYS_listen => Act::Listen(int(second)),
            // The filter asks about no other; an answer that refuses is right for whatever it was.
            _ => {
                let _ = sys::respond(self.fd.as_fd(), received.id, Err(Errno::EACCES));
                return Ok(None);
            }
        };
        let address = (second, u64::from(low_half(third)));
        Ok(Some(Request { act, id: received.id, thread: received.thread, socket: int(socket), address }))
    }

    /// Whether the caller still waits. What was learnt about it before holds only if it does.
    pub fn is_waiting(&self, request: &Request) -> bool {
        sys::is_waiting(self.fd.as_fd(), request.id)
    }

    /// The address of a request, read once: what is decided about is what is used.
    pub fn address(&self, request: &Request) -> Result<Vec<u8>, Errno> {
        let (place, length) = request.address;
        let length = usize::try_from(length).ok().filter(|length| *length <= MOST_ADDRESS_BYTES);
        let mut bytes = vec![0; length.ok_or(Errno::EINVAL)?];
        let read =
            if bytes.is_empty() { 0 } else { self.look(|| sys::read_memory(request.thread, place, &mut bytes))? };
        if read != bytes.len() {
            return Err(Errno(libc::EFAULT));
        }
        if self.is_waiting(request) { Ok(bytes) } else { Err(Errno(libc::ESRCH)) }
    }

    /// A copy of the socket of a request. `EPERM` where the kernel gives none at all.
    pub fn socket(&self, request: &Request) -> Result<OwnedFd, Errno> {
        let number = Fd(request.socket);
        let copy = |pidfd: &OwnedFd| self.look(|| sys::copy_descriptor(pidfd.as_fd(), number));
        let known = self.threads.borrow().get(&request.thread).map(copy);
        let socket = match known {
            // Its number was given to another thread.
            None | Some(Err(Errno(libc::ESRCH))) => {
                let pidfd = open(request.thread)?;
                let socket = copy(&pidfd);
                let mut threads = self.threads.borrow_mut();
                if threads.len() >= MOST_THREADS {
                    threads.clear();
                }
                threads.insert(request.thread, pidfd);
                socket?
            }
            Some(socket) => socket?,
        };
        if self.is_waiting(request) { Ok(socket) } else { Err(Errno(libc::ESRCH)) }
    }

    /// Puts `socket` in the place of the one that the request is about.
    pub fn replace(&self, request: &Request, socket: &OwnedFd, close_on_exec: bool) -> Result<(), Errno> {
        let number = u32::try_from(request.socket).map_err(|_| Errno(libc::EBADF))?;
        sys::replace_descriptor(self.fd.as_fd(), request.id, socket.as_fd(), number, close_on_exec)
    }

    /// Whether the descriptor of a request is closed when its process runs another program.
    pub fn closes_on_exec(&self, request: &Request) -> bool {
        self.flags(request).is_none_or(|flags| flags & libc::O_CLOEXEC != 0)
    }

    /// What is known of a socket that cannot be copied; `None` where it is no socket.
    pub fn unseen(&self, request: &Request) -> Option<Unseen> {
        let path = format!("/proc/{}/fd/{}", request.thread, request.socket);
        let link = self.look(|| std::fs::read_link(&path).map_err(errno)).ok()?;
        let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()?;
        let nonblocking = self.flags(request)? & libc::O_NONBLOCK != 0;
        self.is_waiting(request).then_some(Unseen { nonblocking, inode })
    }

    /// The flags of a descriptor (proc_pid_fdinfo(5)).
    fn flags(&self, request: &Request) -> Option<i32> {
        let path = format!("/proc/{}/fdinfo/{}", request.thread, request.socket);
        // They stand in the second line: one read has them.
        let mut beginning = [0; 64];
        let read = || File::open(&path).and_then(|mut file| file.read(&mut beginning)).map_err(errno);
        let read = self.look(read).ok()?;
        let text = str::from_utf8(beginning.get(..read)?).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
        i32::from_str_radix(line.trim(), 8).ok()
    }

    /// Looks at the program's process, which takes its user's rights or more (ptrace(2)): a root without
    /// CAP_SYS_PTRACE, as in containers, does it as that user.
    fn look<T>(&self, mut look: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
        match (look(), self.identity) {
            (Err(Errno::EPERM | Errno::EACCES), Identity::Dropped { uid, gid }) => {
                let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
                sys::as_user(uid, gid, look)
            }
            (looked, _) => looked,
        }
    }

    /// Ends the call. That the caller has gone is not an error.
    pub fn answer(&self, request: &Request, answer: Result<(), Errno>) {
        let _ = sys::respond(self.fd.as_fd(), request.id, answer);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err, which gives it away")]
fn errno(error: io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}

/// A descriptor of a thread, or where the kernel knows only processes, of the process it belongs to.
fn open(thread: u32) -> Result<OwnedFd, Errno> {
    match sys::open_thread(thread) {
        Err(Errno::EINVAL) => sys::open_pidfd(leader(thread).ok_or(Errno(libc::ESRCH))?).map(sys::own),
        opened => opened,
    }
}

fn leader(thread: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
}

/// What the kernel reads of an argument that is declared `int`.
#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is asked for")]
fn low_half(argument: u64) -> u32 {
    argument as u32
}
