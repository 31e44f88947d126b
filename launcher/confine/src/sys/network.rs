//! Sockets of the sandbox's own network namespace, and descriptors on their way to the launcher.

use core::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::call::{Errno, int, raw};
use super::fd::{Fd, as_fd, close, own};

/// Where the sandbox asks for names.
const NAME_SERVER: (u32, u16) = (0x7f00_0001, 53);

/// Waiting connections to the name server.
const BACKLOG: i32 = 64;

/// Most descriptors that go in one message.
const MOST_SENT: usize = 2;

/// A socket of the calling process's network namespace (socket(2)), close-on-exec.
pub(super) fn socket(family: i32, kind: i32) -> Result<Fd, Errno> {
    // SAFETY: socket takes no pointer.
    as_fd(unsafe { raw(libc::SYS_socket, [int(family), int(kind | libc::SOCK_CLOEXEC), 0, 0, 0, 0]) })
}

/// Brings up the loopback device (netdevice(7)), which a new network namespace has and leaves down.
pub(crate) fn raise_loopback() -> Result<(), Errno> {
    let fd = socket(libc::AF_INET, libc::SOCK_DGRAM)?;
    // SAFETY: all-zero bytes are a valid `ifreq`: plain integers and a union of such.
    let mut request: libc::ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
    for (place, byte) in request.ifr_name.iter_mut().zip(*b"lo") {
        *place = byte.cast_signed();
    }
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or(i16::MAX);
    // The numbers of ioctl are `int` in one C library and `unsigned long` in another.
    let command = 0x8914_usize; // SIOCSIFFLAGS of linux/sockios.h
    // SAFETY: the kernel reads one `ifreq`, ours.
    let raised = unsafe { raw(libc::SYS_ioctl, [int(fd.0), command, &raw const request as usize, 0, 0, 0]) };
    close(fd);
    raised.map(|_| ())
}

/// The sockets at which the launcher answers the sandbox's questions for names: datagrams, and connections.
pub(crate) fn name_server_sockets() -> Result<[Fd; 2], Errno> {
    let datagrams = socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK)?;
    let connections = socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK)?;
    let (address, port) = NAME_SERVER;
    let address = libc::sockaddr_in {
        sin_family: u16::try_from(libc::AF_INET).unwrap_or_default(),
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: address.to_be() },
        sin_zero: [0; 8],
    };
    for fd in [datagrams, connections] {
        let place = &raw const address as usize;
        // SAFETY: the kernel reads one `sockaddr_in`, ours.
        unsafe { raw(libc::SYS_bind, [int(fd.0), place, size_of::<libc::sockaddr_in>(), 0, 0, 0]) }?;
    }
    // SAFETY: listen takes no pointer.
    unsafe { raw(libc::SYS_listen, [int(connections.0), int(BACKLOG), 0, 0, 0, 0]) }?;
    Ok([datagrams, connections])
}

/// Two ends of a connection that keeps messages apart (unix(7)), both close-on-exec and at numbers from `lowest` on,
/// where nothing that the program is given will be put.
pub(crate) fn message_pair(lowest: Fd) -> Result<[OwnedFd; 2], Errno> {
    let mut pair = [-1i32; 2];
    let kind = int(libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC);
    // SAFETY: the kernel writes two ints, ours.
    unsafe { raw(libc::SYS_socketpair, [int(libc::AF_UNIX), kind, 0, pair.as_mut_ptr() as usize, 0, 0]) }?;
    let low = pair.map(|fd| own(Fd(fd)));
    let raise = |fd: &OwnedFd| {
        let (fd, command) = (int(fd.as_raw_fd()), int(libc::F_DUPFD_CLOEXEC));
        // SAFETY: F_DUPFD_CLOEXEC takes no pointer.
        as_fd(unsafe { raw(libc::SYS_fcntl, [fd, command, int(lowest.0), 0, 0, 0]) }).map(own)
    };
    let [one, other] = &low;
    Ok([raise(one)?, raise(other)?])
}

/// Room for the one control message with [`MOST_SENT`] descriptors, aligned as cmsg(3) asks for.
#[repr(C)]
struct Control {
    header: libc::cmsghdr,
    fds: [i32; MOST_SENT],
}

/// A header as long as `count` descriptors make it.
fn control(fds: [i32; MOST_SENT], count: usize) -> Control {
    // SAFETY: all-zero bytes are a valid `cmsghdr` (one C library has padding in it).
    let mut header: libc::cmsghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    let length = size_of::<libc::cmsghdr>() + count * size_of::<i32>();
    #[allow(clippy::useless_conversion, reason = "the field's type depends on the C library")]
    {
        header.cmsg_len = length.try_into().unwrap_or_default();
    }
    header.cmsg_level = libc::SOL_SOCKET;
    header.cmsg_type = libc::SCM_RIGHTS;
    Control { header, fds }
}

/// A message of one byte with `control` of `length` bytes.
fn message(byte: &mut libc::iovec, control: &mut Control, length: usize) -> libc::msghdr {
    // SAFETY: all-zero bytes are a valid `msghdr`.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = byte;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut *control).cast();
    #[allow(clippy::useless_conversion, reason = "the field's type depends on the C library")]
    {
        message.msg_controllen = length.try_into().unwrap_or_default();
    }
    message
}

/// Sends copies of descriptors (`SCM_RIGHTS` of unix(7)).
pub(crate) fn send_descriptors(to: Fd, sent: &[Fd]) -> Result<(), Errno> {
    let mut fds = [-1; MOST_SENT];
    for (place, fd) in fds.iter_mut().zip(sent) {
        *place = fd.0;
    }
    let mut byte = 0u8;
    let mut data = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut control = control(fds, sent.len().min(MOST_SENT));
    let length = size_of::<libc::cmsghdr>() + size_of_val(sent);
    let message = message(&mut data, &mut control, length.min(size_of::<Control>()));
    // SAFETY: the message points to one byte and one control message, which outlive the call.
    unsafe { raw(libc::SYS_sendmsg, [int(to.0), &raw const message as usize, 0, 0, 0, 0]) }?;
    Ok(())
}

/// Takes descriptors that [`send_descriptors`] sent, if they are there already. They are close-on-exec.
pub(crate) fn receive_descriptors(from: BorrowedFd<'_>) -> Result<Vec<OwnedFd>, Errno> {
    let mut byte = 0u8;
    let mut data = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut control = control([-1; MOST_SENT], 0);
    let mut message = message(&mut data, &mut control, size_of::<Control>());
    let (fd, flags) = (int(from.as_raw_fd()), int(libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC));
    // SAFETY: the kernel writes at most one byte and one control message of the given size, into ours.
    unsafe { raw(libc::SYS_recvmsg, [fd, &raw mut message as usize, flags, 0, 0, 0]) }?;
    #[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation, reason = "its type depends on the C library")]
    let bytes = (control.header.cmsg_len as usize).saturating_sub(size_of::<libc::cmsghdr>());
    let is_rights = control.header.cmsg_type == libc::SCM_RIGHTS && control.header.cmsg_level == libc::SOL_SOCKET;
    let count = if is_rights { (bytes / size_of::<i32>()).min(MOST_SENT) } else { 0 };
    Ok(control.fds.into_iter().take(count).filter(|fd| *fd >= 0).map(|fd| own(Fd(fd))).collect())
}

/// Which network namespace a socket belongs to (`SO_NETNS_COOKIE` of linux/net.h).
pub fn network_of(socket: BorrowedFd<'_>) -> Result<u64, Errno> {
    const SO_NETNS_COOKIE: i32 = 71;
    cookie(socket, SO_NETNS_COOKIE)
}

/// The kernel's number for a socket, which no other has (`SO_COOKIE` of linux/net.h).
pub fn identity_of(socket: BorrowedFd<'_>) -> Result<u64, Errno> {
    const SO_COOKIE: i32 = 57;
    cookie(socket, SO_COOKIE)
}

fn cookie(socket: BorrowedFd<'_>, option: i32) -> Result<u64, Errno> {
    let (mut value, mut length) = (0u64, 8u32);
    let (place, length) = (&raw mut value as usize, &raw mut length as usize);
    let fd = int(socket.as_raw_fd());
    // SAFETY: the kernel writes at most eight bytes and one length, into ours.
    unsafe { raw(libc::SYS_getsockopt, [fd, int(libc::SOL_SOCKET), int(option), place, length, 0]) }?;
    Ok(value)
}

/// connect(2) with an address as it stands.
pub fn connect(socket: BorrowedFd<'_>, address: &[u8]) -> Result<(), Errno> {
    let (fd, place) = (int(socket.as_raw_fd()), address.as_ptr() as usize);
    // SAFETY: the kernel reads as many bytes as the slice has.
    unsafe { raw(libc::SYS_connect, [fd, place, address.len(), 0, 0, 0]) }.map(|_| ())
}

/// bind(2) with an address as it stands.
pub fn bind(socket: BorrowedFd<'_>, address: &[u8]) -> Result<(), Errno> {
    let (fd, place) = (int(socket.as_raw_fd()), address.as_ptr() as usize);
    // SAFETY: the kernel reads as many bytes as the slice has.
    unsafe { raw(libc::SYS_bind, [fd, place, address.len(), 0, 0, 0]) }.map(|_| ())
}
