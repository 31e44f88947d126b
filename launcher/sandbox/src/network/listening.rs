//! Ports of the host that the sandbox listens on.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::SocketAddr;
use std::os::fd::AsFd;

use confine::Errno;
use policy::{ExpandedPolicy, Request, decide};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// `TCP_LISTEN` as /proc/net/tcp writes it (proc_pid_net(5)).
const LISTENS: &str = "0A";

/// Sockets of the host that the launcher has bound for the sandbox, by the kernel's number.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    /// With their inodes, by which /proc names them.
    bound: HashMap<u64, u64>,
    /// Ports that were listened on within the sandbox. Perhaps nobody does any more.
    own: HashSet<u16>,
}

impl Listening {
    /// The address of the host at which a program that wants to be reached at `wanted` may be; `None` where it is only
    /// reached from within the sandbox.
    pub(crate) fn place(policy: &ExpandedPolicy, wanted: SocketAddr) -> Option<SocketAddr> {
        let allowed =
            |at: &SocketAddr| decide(policy, &Request::Listen { host: at.ip().to_string(), port: at.port() }).allowed;
        if allowed(&wanted) {
            return Some(wanted);
        }
        // All addresses were asked for: those that are granted are what there is of all.
        let granted = || policy::listening_addresses(policy, wanted.port());
        let granted = wanted.ip().is_unspecified().then(granted)?;
        granted.into_iter().map(|ip| SocketAddr::new(ip, wanted.port())).find(allowed)
    }

    /// A socket of the host at `address`, with the options of the one that it is to replace.
    pub(crate) fn bind(&mut self, like: impl AsFd, address: SocketAddr) -> Result<Socket, Errno> {
        let model = SockRef::from(&like);
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).map_err(errno)?;
        socket.set_reuse_address(model.reuse_address().unwrap_or(false)).map_err(errno)?;
        socket.set_reuse_port(model.reuse_port().unwrap_or(false)).map_err(errno)?;
        if address.is_ipv6() {
            socket.set_only_v6(model.only_v6().unwrap_or(false)).map_err(errno)?;
        }
        socket.set_nonblocking(model.nonblocking().unwrap_or(true)).map_err(errno)?;
        socket.bind(&address.into()).map_err(errno)?;
        let inode = nix::sys::stat::fstat(&socket).map_err(|error| Errno(error as i32))?.st_ino;
        self.bound.insert(confine::identity_of(socket.as_fd())?, inode);
        Ok(socket)
    }

    /// Notes that a socket of the sandbox listens.
    pub(crate) fn note_own(&mut self, socket: impl AsFd) {
        let address = SockRef::from(&socket).local_addr().ok();
        self.own.extend(address.and_then(|address| address.as_socket()).map(|address| address.port()));
    }

    /// Whether anybody within the sandbox may listen on `port`.
    pub(crate) fn has_own(&self, port: u16) -> bool {
        self.own.contains(&port)
    }

    /// Whether a socket of the host was bound here. One that was connected for the program and has lost its peer could
    /// otherwise take a port of the host.
    pub(crate) fn may_listen(&self, socket: impl AsFd) -> bool {
        confine::identity_of(socket.as_fd()).is_ok_and(|identity| self.bound.contains_key(&identity))
    }

    /// Whether the socket with this inode was bound here.
    pub(crate) fn has_bound(&self, inode: u64) -> bool {
        self.bound.values().any(|bound| *bound == inode)
    }

    /// Whether what listens on the host at `address` is the sandbox itself. Its sockets may be closed, and their ports
    /// someone else's by now, so the kernel is asked.
    pub(crate) fn is_own(&self, address: SocketAddr) -> bool {
        if self.bound.is_empty() {
            return false;
        }
        let port = format!(":{:04X}", address.port());
        let is_ours = |line: &str| {
            // Number, local address, remote address, state; the inode is the tenth.
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let [_, local, _, state, ..] = fields.as_slice() else { return false };
            let inode = fields.get(9).and_then(|inode| inode.parse().ok());
            local.ends_with(&port) && *state == LISTENS && inode.is_some_and(|inode: u64| self.has_bound(inode))
        };
        ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
            .iter()
            .filter_map(|table| fs::read_to_string(table).ok())
            .any(|table| table.lines().skip(1).any(is_ours))
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err, which gives it away")]
pub(crate) fn errno(error: std::io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(nix::libc::EIO))
}
