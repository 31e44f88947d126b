//! Messages with descriptors.

use core::mem::size_of;

use super::{Errno, Fd, Result, close, int, number, raw, uninterrupted};

/// A message in one piece, and the control data beside it: `struct msghdr` of recvmsg(2).
#[repr(C)]
struct Message {
    name: usize,
    name_length: u32,
    pieces: *mut Piece,
    pieces_length: usize,
    control: usize,
    control_length: usize,
    flags: i32,
}

#[repr(C)]
struct Piece {
    base: usize,
    length: usize,
}

/// How many descriptors go with one message.
pub(crate) const MOST_DESCRIPTORS: usize = 4;

/// One control message with descriptors: `struct cmsghdr`, and what follows it.
#[repr(C)]
struct Control {
    length: usize,
    level: i32,
    kind: i32,
    fds: [i32; MOST_DESCRIPTORS],
}

const MSG_NOSIGNAL: usize = 0x4000;
const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;
const CONTROL_HEADER_BYTES: usize = size_of::<usize>() + 2 * size_of::<i32>();

/// Makes two connected sockets, close-on-exec (socketpair(2)).
pub(crate) fn pair() -> Result<(Fd, Fd)> {
    const AF_UNIX: usize = 1;
    const STREAM_CLOSED_ON_EXEC: usize = 1 | 0o2_000_000;
    let mut pair = [-1; 2];
    // SAFETY: the kernel writes two descriptors into the array.
    unsafe { raw(number::SOCKETPAIR, [AF_UNIX, STREAM_CLOSED_ON_EXEC, 0, pair.as_mut_ptr() as usize, 0, 0]) }?;
    Ok((Fd(pair[0]), Fd(pair[1])))
}

/// Sends `bytes` as one message, with a copy of `descriptor` if there is one (sendmsg(2)).
pub(crate) fn send_message(to: Fd, bytes: &[u8], descriptor: Option<Fd>) -> Result<()> {
    let mut piece = Piece { base: bytes.as_ptr() as usize, length: bytes.len() };
    let length = CONTROL_HEADER_BYTES + size_of::<i32>();
    let fds = [descriptor.map_or(-1, |fd| fd.0), -1, -1, -1];
    let control = Control { length, level: SOL_SOCKET, kind: SCM_RIGHTS, fds };
    let (place, length) = if descriptor.is_some() { (&raw const control as usize, length) } else { (0, 0) };
    let message = message(&mut piece, place, length);
    let message = &raw const message as usize;
    // SAFETY: the message points to the bytes and to one control message, both of the lengths that it says.
    let sent = uninterrupted(|| unsafe { raw(number::SENDMSG, [int(to.0), message, MSG_NOSIGNAL, 0, 0, 0]) })?;
    if sent == bytes.len() { Ok(()) } else { Err(Errno::EPIPE) }
}

/// Sends `bytes` as one message (sendto(2)). A child may do this and no more: nothing leaves it by a descriptor.
pub(crate) fn send(to: Fd, bytes: &[u8]) -> Result<()> {
    let (place, length) = (bytes.as_ptr() as usize, bytes.len());
    // SAFETY: the kernel reads as many bytes as the slice has; the address may be null on a connected socket.
    let sent = uninterrupted(|| unsafe { raw(number::SENDTO, [int(to.0), place, length, MSG_NOSIGNAL, 0, 0]) })?;
    if sent == length { Ok(()) } else { Err(Errno::EPIPE) }
}

/// What one message brought.
pub(crate) struct Received {
    /// How many bytes; 0: the other end is closed.
    pub(crate) length: usize,
    /// The descriptors that came with it; they are close-on-exec and the receiver's to close.
    pub(crate) descriptors: [Option<Fd>; MOST_DESCRIPTORS],
}

/// Takes one message; one that does not fit is an error (recvmsg(2)).
pub(crate) fn receive_message(from: Fd, into: &mut [u8]) -> Result<Received> {
    const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;
    const TRUNCATED: i32 = 0x20 | 0x8;
    let mut piece = Piece { base: into.as_mut_ptr() as usize, length: into.len() };
    let mut control = Control { length: 0, level: 0, kind: 0, fds: [-1; MOST_DESCRIPTORS] };
    let mut message = message(&mut piece, &raw mut control as usize, size_of::<Control>());
    let place = &raw mut message as usize;
    // SAFETY: the kernel writes at most as many bytes as the slice has, and one control message of the given size.
    let length = uninterrupted(|| unsafe { raw(number::RECVMSG, [int(from.0), place, MSG_CMSG_CLOEXEC, 0, 0, 0]) })?;
    let rights = message.control_length > 0 && control.level == SOL_SOCKET && control.kind == SCM_RIGHTS;
    let count = if rights { control.length.saturating_sub(CONTROL_HEADER_BYTES) / size_of::<i32>() } else { 0 };
    let mut descriptors = [None; MOST_DESCRIPTORS];
    for (place, number) in descriptors.iter_mut().zip(control.fds).take(count) {
        *place = Some(Fd(number));
    }
    if message.flags & TRUNCATED != 0 {
        descriptors.into_iter().flatten().for_each(close);
        return Err(Errno::E2BIG);
    }
    Ok(Received { length, descriptors })
}

fn message(piece: &mut Piece, control: usize, control_length: usize) -> Message {
    Message { name: 0, name_length: 0, pieces: piece, pieces_length: 1, control, control_length, flags: 0 }
}
