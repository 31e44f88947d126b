//! Datagrams to hosts that a policy grants.
//!
//! A socket of the host would not do in the place of the program's: each datagram may name another peer, which is
//! nobody's to check. So the program's socket stays where it is, connected to one of ours in the sandbox's network that
//! has the very address which the program asked for. What comes there from the program's socket goes out from a socket
//! of the host that is connected to the real address, and back.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use confine::Errno;
use nix::libc;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

use super::listening::errno;

/// Sockets of the program that have a peer outside at a time.
const MOST_FLOWS: usize = 64;

/// Datagrams that are carried before others have their turn.
const AT_ONCE: usize = 32;

/// More than any datagram has.
const MOST_BYTES: usize = 1 << 16;

/// Those that are carried, by the kernel's number for the program's socket.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    flows: RefCell<HashMap<u64, Flow>>,
    /// For one datagram at a time. Empty until there is a flow.
    buffer: RefCell<Vec<u8>>,
}

/// One socket of the program, and its peer outside.
#[derive(Debug)]
struct Flow {
    /// The inode of the program's socket, by which /proc names it.
    inode: u64,
    /// Where the program sends to.
    address: IpAddr,
    /// Our socket there.
    inside: Rc<UdpSocket>,
    relay: AbortHandle,
}

impl Datagrams {
    /// Connects the program's socket to `asked`, which is `bytes` as the program wrote it, and carries its datagrams to
    /// `real` from now on.
    pub(super) fn connect(
        self: &Rc<Self>,
        socket: &OwnedFd,
        (bytes, asked): (&[u8], SocketAddr),
        real: SocketAddr,
        table: &Table,
    ) -> Result<(), Errno> {
        let identity = confine::identity_of(socket.as_fd())?;
        let inode = nix::sys::stat::fstat(socket).map_err(|error| Errno(error as i32))?.st_ino;
        self.forget(identity);
        if is_many(real.ip()) {
            return Err(Errno(libc::ENETUNREACH));
        }
        if self.flows.borrow().len() >= MOST_FLOWS {
            self.forget_closed(table);
        }
        if self.flows.borrow().len() >= MOST_FLOWS {
            return Err(Errno(libc::EAGAIN));
        }
        let outside = outside(real).map_err(errno)?;
        let inside: std::net::UdpSocket = confine::bind_datagrams(socket.as_fd(), asked)?.into();
        let inside = Rc::new(UdpSocket::from_std(inside).map_err(errno)?);
        let program = join(socket, bytes, &inside).inspect_err(|_| self.leave(&inside, asked.ip()))?;
        let (datagrams, ours) = (Rc::clone(self), Rc::clone(&inside));
        self.buffer.borrow_mut().resize(MOST_BYTES, 0);
        let relay = tokio::task::spawn_local(async move {
            datagrams.carry(&ours, program, &outside).await;
            datagrams.forget(identity);
        });
        let flow = Flow { inode, address: asked.ip(), inside, relay: relay.abort_handle() };
        self.flows.borrow_mut().insert(identity, flow);
        Ok(())
    }

    /// Carries no more of what the program sends from this socket, if anything.
    pub(super) fn end(&self, socket: &OwnedFd) -> Result<(), Errno> {
        self.forget(confine::identity_of(socket.as_fd())?);
        Ok(())
    }

    /// Ends what nobody holds the program's end of any more.
    fn forget_closed(&self, table: &Table) {
        let flows = self.flows.borrow();
        let closed: Vec<u64> =
            flows.iter().filter(|(_, flow)| !table.has(flow.inode)).map(|(identity, _)| *identity).collect();
        drop(flows);
        for identity in closed {
            self.forget(identity);
        }
    }

    fn forget(&self, identity: u64) {
        let Some(flow) = self.flows.borrow_mut().remove(&identity) else { return };
        flow.relay.abort();
        self.leave(&flow.inside, flow.address);
    }

    /// Gives up an address that nobody sends to any more.
    fn leave(&self, inside: &UdpSocket, address: IpAddr) {
        if !self.flows.borrow().values().any(|flow| flow.address == address) {
            // Should it stay: nobody answers there.
            let _ = confine::forget_address(inside.as_fd(), address);
        }
    }

    /// Carries datagrams both ways, until the program has closed its socket.
    async fn carry(&self, inside: &UdpSocket, program: SocketAddr, outside: &UdpSocket) {
        loop {
            let ended = tokio::select! {
                ready = inside.readable() => ready.is_err() || self.carry_out(inside, program, outside),
                ready = outside.readable() => ready.is_err() || self.carry_in(outside, inside),
            };
            if ended {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// What the program sent. Whether it has closed its socket.
    fn carry_out(&self, inside: &UdpSocket, program: SocketAddr, outside: &UdpSocket) -> bool {
        let mut buffer = self.buffer.borrow_mut();
        for _ in 0..AT_ONCE {
            match inside.try_recv_from(&mut buffer) {
                // Others may have sent something before we had this one peer.
                Ok((_, from)) if canonical(from) != program => {}
                // What does not get out is lost, as datagrams are.
                Ok((length, _)) => drop(outside.try_send(buffer.get(..length).unwrap_or_default())),
                Err(error) => return is_refusal(&error),
            }
        }
        false
    }

    /// What its peer sent. Whether the program has closed its socket.
    fn carry_in(&self, outside: &UdpSocket, inside: &UdpSocket) -> bool {
        let mut buffer = self.buffer.borrow_mut();
        for _ in 0..AT_ONCE {
            match outside.try_recv(&mut buffer) {
                Ok(length) => match inside.try_send(buffer.get(..length).unwrap_or_default()) {
                    Err(error) if is_refusal(&error) => return true,
                    Ok(_) | Err(_) => {}
                },
                // Nobody listens there at the moment.
                Err(error) if is_refusal(&error) => {}
                Err(_) => break,
            }
        }
        false
    }
}

/// Whether an address is that of many hosts, whose answers would come from others.
fn is_many(address: IpAddr) -> bool {
    address.is_multicast() || matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}

/// A socket of the host that has one peer.
fn outside(peer: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(peer), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.connect(&peer.into())?;
    UdpSocket::from_std(socket.into())
}

/// Makes the program's socket and ours each other's only peer; where the program's is.
fn join(socket: &OwnedFd, bytes: &[u8], inside: &UdpSocket) -> Result<SocketAddr, Errno> {
    confine::connect(socket.as_fd(), bytes)?;
    let program = SockRef::from(socket).local_addr().map_err(errno)?;
    let program = canonical(program.as_socket().ok_or(Errno::EINVAL)?);
    SockRef::from(inside).connect(&program.into()).map_err(errno)?;
    Ok(program)
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn is_refusal(error: &io::Error) -> bool {
    error.kind() == ErrorKind::ConnectionRefused
}

/// The sockets for datagrams of one network, as /proc shows them.
pub(super) struct Table {
    inodes: HashSet<u64>,
    /// Ports of those that have no peer.
    open: HashSet<u16>,
}

impl Table {
    /// As `thread` sees it.
    pub(super) fn read(thread: u32) -> Self {
        let mut table = Self { inodes: HashSet::new(), open: HashSet::new() };
        for name in ["udp", "udp6"] {
            let text = fs::read_to_string(format!("/proc/{thread}/net/{name}")).unwrap_or_default();
            text.lines().skip(1).for_each(|line| table.note(line));
        }
        table
    }

    fn note(&mut self, line: &str) {
        // Number, local address, remote address; the inode is the tenth.
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, local, remote, ..] = fields.as_slice() else { return };
        self.inodes.extend(fields.get(9).and_then(|inode| inode.parse::<u64>().ok()));
        if remote.ends_with(":0000") {
            let port = local.rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
            self.open.extend(port);
        }
    }

    fn has(&self, inode: u64) -> bool {
        self.inodes.contains(&inode)
    }

    /// Whether somebody takes datagrams at `port` from whoever sends them.
    pub(super) fn is_open(&self, port: u16) -> bool {
        self.open.contains(&port)
    }
}
