//! Sockets that are made in a sandbox's network namespace once its program runs. No thread of the launcher can go
//! there and come back, so a child does that shares its memory and descriptors, and ends at once.

use core::cell::Cell;
use core::ffi::c_void;
use core::mem::{MaybeUninit, size_of};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::call::{Errno, int, raw};
use super::clone::{Stack, last_errno};
use super::fd::{Fd, as_fd, close, own};
use super::identity::set_signal_mask;
use super::network::socket;

/// The loopback device: the first of every network namespace.
const LOOPBACK: u32 = 1;

/// What a visitor does.
#[derive(Clone, Copy)]
enum Errand {
    /// Has the loopback device take what is sent to an address, if it does not already, and binds a socket there.
    Bind(SocketAddr),
    /// Has it take no more of that.
    Forget(IpAddr),
}

struct Visit {
    user: Fd,
    network: Fd,
    errand: Errand,
    outcome: Cell<Result<Option<Fd>, Errno>>,
}

/// A socket for datagrams at `address` in the network namespace of `of`. The address belongs to that namespace from now
/// on, until [`forget_address`].
pub fn bind_datagrams(of: BorrowedFd<'_>, address: SocketAddr) -> Result<OwnedFd, Errno> {
    visit(of, Errand::Bind(address))?.map(own).ok_or(Errno::EINVAL)
}

/// Takes an address from the network namespace of `of` that [`bind_datagrams`] gave it.
pub fn forget_address(of: BorrowedFd<'_>, address: IpAddr) -> Result<(), Errno> {
    visit(of, Errand::Forget(address)).map(|_| ())
}

fn visit(of: BorrowedFd<'_>, errand: Errand) -> Result<Option<Fd>, Errno> {
    const SIOCGSKNS: i32 = 0x894C; // of linux/sockios.h
    const NS_GET_USERNS: i32 = 0xb701; // of linux/nsfs.h
    extern "C" fn enter(visit: *mut c_void) -> i32 {
        // SAFETY: the `Visit` below is alive while its thread is suspended, and nobody else touches it.
        let visit = unsafe { &*visit.cast::<Visit>() };
        visit.outcome.set(visit.run());
        0
    }
    let open = |fd: Fd, request: i32| {
        // SAFETY: neither request takes a third argument; each opens a descriptor.
        as_fd(unsafe { raw(libc::SYS_ioctl, [int(fd.0), int(request), 0, 0, 0, 0]) })
    };
    let network = own(open(Fd(of.as_raw_fd()), SIOCGSKNS)?);
    let user = own(open(Fd(network.as_raw_fd()), NS_GET_USERNS)?);
    let visit = Visit {
        user: Fd(user.as_raw_fd()),
        network: Fd(network.as_raw_fd()),
        errand,
        outcome: Cell::new(Err(Errno::EINVAL)),
    };
    let mut stack = Stack::new()?;
    // No handler of ours runs in it, and its end is no signal to us.
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES;
    let blocked = set_signal_mask(u64::MAX)?;
    // SAFETY: the child has a stack of its own and makes raw system calls only: no allocation, lock, `errno` or
    // thread-local storage. Meanwhile this thread is suspended, so `visit` and the stack outlive it; other threads of
    // ours do not know of either.
    let child = unsafe { libc::clone(enter, stack.top(), flags, (&raw const visit).cast_mut().cast()) };
    let failure = last_errno();
    set_signal_mask(blocked)?;
    if child < 0 {
        return Err(failure);
    }
    // SAFETY: null pointers: neither status nor usage is wanted. The child is ours, and ends without a signal.
    let _ = unsafe { raw(libc::SYS_wait4, [int(child), 0, int(libc::__WALL), 0, 0, 0]) };
    visit.outcome.get()
}

impl Visit {
    fn run(&self) -> Result<Option<Fd>, Errno> {
        match enter_namespace(self.user, libc::CLONE_NEWUSER) {
            // It is the launcher's own.
            Ok(()) | Err(Errno::EINVAL) => {}
            Err(errno) => return Err(errno),
        }
        enter_namespace(self.network, libc::CLONE_NEWNET)?;
        match self.errand {
            Errand::Bind(address) => {
                match change_route(address.ip(), libc::RTM_NEWROUTE, libc::NLM_F_CREATE | libc::NLM_F_EXCL) {
                    Ok(()) | Err(Errno::EEXIST) => bind(address).map(Some),
                    Err(errno) => Err(errno),
                }
            }
            Errand::Forget(address) => change_route(address, libc::RTM_DELROUTE, 0).map(|()| None),
        }
    }
}

/// setns(2).
fn enter_namespace(namespace: Fd, kind: i32) -> Result<(), Errno> {
    // SAFETY: setns takes no pointer.
    unsafe { raw(libc::SYS_setns, [int(namespace.0), int(kind), 0, 0, 0, 0]) }.map(|_| ())
}

/// A request about the route to one address (rtnetlink(7)), as long as its last bytes are used.
#[repr(C)]
struct RouteRequest {
    length: u32,
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
    family: u8,
    bits: u8,
    source_bits: u8,
    service: u8,
    table: u8,
    protocol: u8,
    scope: u8,
    route: u8,
    route_flags: u32,
    device_length: u16,
    device_attribute: u16,
    device: u32,
    address_length: u16,
    address_attribute: u16,
    address: [u8; 16],
}

/// The bytes of a request before its address.
const BEFORE_ADDRESS: u16 = 40;

const _: () = assert!(size_of::<RouteRequest>() == BEFORE_ADDRESS as usize + 16);

/// Has the loopback device take what is sent to an address, or no more. Its own ones stay. An address of the device
/// itself would do as well, if IPv6 did not make it usable some time later only.
fn change_route(address: IpAddr, kind: u16, flags: i32) -> Result<(), Errno> {
    if address.is_loopback() {
        return Ok(());
    }
    let mut bytes = [0; 16];
    let (family, length) = match address {
        IpAddr::V4(v4) => {
            bytes[..4].copy_from_slice(&v4.octets());
            (libc::AF_INET, 4u16)
        }
        IpAddr::V6(v6) => {
            bytes = v6.octets();
            (libc::AF_INET6, 16)
        }
    };
    let request = RouteRequest {
        length: u32::from(BEFORE_ADDRESS + length),
        kind,
        flags: u16::try_from(libc::NLM_F_REQUEST | libc::NLM_F_ACK | flags).unwrap_or_default(),
        sequence: 1,
        port: 0,
        family: u8::try_from(family).unwrap_or_default(),
        bits: u8::try_from(length * 8).unwrap_or_default(),
        source_bits: 0,
        service: 0,
        table: libc::RT_TABLE_LOCAL,
        protocol: libc::RTPROT_STATIC,
        scope: libc::RT_SCOPE_HOST,
        route: libc::RTN_LOCAL,
        route_flags: 0,
        device_length: 8,
        device_attribute: libc::RTA_OIF,
        device: LOOPBACK,
        address_length: 4 + length,
        address_attribute: libc::RTA_DST,
        address: bytes,
    };
    let asking = socket(libc::AF_NETLINK, libc::SOCK_RAW)?;
    let answer = ask(asking, &request);
    close(asking);
    answer
}

fn ask(asking: Fd, request: &RouteRequest) -> Result<(), Errno> {
    let (place, length) = (core::ptr::from_ref(request) as usize, request.length as usize);
    // SAFETY: the kernel reads the request, or less of it; without an address it is for the kernel.
    unsafe { raw(libc::SYS_sendto, [int(asking.0), place, length, 0, 0, 0]) }?;
    // A header of four words, and the error as a negative number; what was asked follows.
    let mut answer = [0i32; 32];
    let place = answer.as_mut_ptr() as usize;
    // SAFETY: the kernel writes at most so many bytes, into ours.
    let read = unsafe { raw(libc::SYS_recvfrom, [int(asking.0), place, size_of_val(&answer), 0, 0, 0]) }?;
    match answer[4] {
        _ if read < 20 => Err(Errno::EINVAL),
        0 => Ok(()),
        error => Err(Errno(-error)),
    }
}

/// A socket for datagrams at `address`, where others may be as well that have another peer.
fn bind(address: SocketAddr) -> Result<Fd, Errno> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let made = socket(family, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK)?;
    let any_address = match address {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_FREEBIND),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_FREEBIND),
    };
    switch_on(made, any_address)
        .and_then(|()| switch_on(made, (libc::SOL_SOCKET, libc::SO_REUSEADDR)))
        .and_then(|()| bind_to(made, address))
        .map(|()| made)
        .inspect_err(|_| close(made))
}

fn switch_on(socket: Fd, (level, option): (i32, i32)) -> Result<(), Errno> {
    let on = 1i32;
    let (place, length) = (&raw const on as usize, size_of::<i32>());
    // SAFETY: the kernel reads one int, ours.
    unsafe { raw(libc::SYS_setsockopt, [int(socket.0), int(level), int(option), place, length, 0]) }.map(|_| ())
}

fn bind_to(socket: Fd, address: SocketAddr) -> Result<(), Errno> {
    // SAFETY: all-zero bytes are a valid `sockaddr_storage`, and a valid address of either family is in it.
    let mut storage: libc::sockaddr_storage = unsafe { MaybeUninit::zeroed().assume_init() };
    let place = &raw mut storage;
    let length = match address {
        SocketAddr::V4(v4) => {
            let name = libc::sockaddr_in {
                sin_family: u16::try_from(libc::AF_INET).unwrap_or_default(),
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            };
            // SAFETY: there is room for any address in it, aligned for each.
            unsafe { place.cast::<libc::sockaddr_in>().write(name) };
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            let name = libc::sockaddr_in6 {
                sin6_family: u16::try_from(libc::AF_INET6).unwrap_or_default(),
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: 0,
            };
            // SAFETY: there is room for any address in it, aligned for each.
            unsafe { place.cast::<libc::sockaddr_in6>().write(name) };
            size_of::<libc::sockaddr_in6>()
        }
    };
    // SAFETY: the kernel reads as many bytes as the address has.
    unsafe { raw(libc::SYS_bind, [int(socket.0), place as usize, length, 0, 0, 0]) }.map(|_| ())
}
