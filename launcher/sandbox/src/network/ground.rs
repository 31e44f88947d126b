//! Whose network the sandbox's sockets belong to, and how those that it was given are told from its own.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};

use confine::{Errno, Unseen};
use nix::libc;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::address::Address;
use super::listening::{Listening, errno};

/// Connections that wait until a program accepts them, where it cannot say how many.
const BACKLOG: i32 = 128;

/// Others who may have connected before the one who is expected.
const MOST_OTHERS: usize = 16;

/// Whose network the program's own sockets belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// A namespace of the sandbox's own. The launcher's, by the kernel's number, is that of sockets that it was given.
    Own { launcher: u64 },
    /// The launcher's. Nothing may be inside that is not outside: there is no loopback device of the sandbox's own.
    Shared,
}

impl Ground {
    pub(crate) fn own() -> Result<Self, Errno> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).map_err(errno)?;
        Ok(Self::Own { launcher: confine::network_of(socket.as_fd())? })
    }

    /// Whether the launcher has connected or bound this socket.
    pub(crate) fn was_given(self, socket: &OwnedFd, listening: &Listening) -> Result<bool, Errno> {
        match self {
            Self::Own { launcher } => Ok(confine::network_of(socket.as_fd())? == launcher),
            // A program's own has neither a port nor a peer: it cannot bind or connect it.
            Self::Shared => {
                let socket = SockRef::from(socket);
                let address = socket.local_addr().map_err(errno)?;
                let has_port = address.as_socket().is_some_and(|address| address.port() != 0);
                Ok(has_port || socket.peer_addr().is_ok() || listening.may_listen(&*socket))
            }
        }
    }
}

/// A socket like one that cannot be copied, which is to be used with `address`. It has that one's manners, which is all
/// that is asked of it.
pub(super) fn like(unseen: Unseen, address: Option<&Address>) -> Result<OwnedFd, Errno> {
    let domain = if matches!(address, Some(Address::Path(_))) { Domain::UNIX } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::STREAM, None).map_err(errno)?;
    socket.set_nonblocking(unseen.nonblocking).map_err(errno)?;
    // As all servers ask.
    socket.set_reuse_address(true).map_err(errno)?;
    Ok(socket.into())
}

/// Two ends of a connection between addresses of the Internet's family, as resolvers want to see them.
pub(super) fn connected_pair() -> Result<(TcpStream, Socket), Errno> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(errno)?;
    let theirs = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).map_err(errno)?;
    theirs.connect(&listener.local_addr().map_err(errno)?.into()).map_err(errno)?;
    let expected = theirs.local_addr().map_err(errno)?.as_socket();
    listener.set_nonblocking(true).map_err(errno)?;
    // Anybody on this machine could have been faster.
    for _ in 0..MOST_OTHERS {
        let (ours, from) = listener.accept().map_err(errno)?;
        if Some(from) == expected {
            return Ok((ours, theirs));
        }
    }
    Err(Errno(libc::EAGAIN))
}

/// Lets a bound socket listen, whose program cannot ask for it: the launcher cannot have a copy of it then.
pub(super) fn listen_at_once(bound: &OwnedFd) -> Result<(), Errno> {
    SockRef::from(bound).listen(BACKLOG).map_err(errno)
}
