//! Frames between the launcher and a child: four bytes of length, the lowest first, and as many bytes.

use crate::sys::{self, Errno, Fd, Result};

const LENGTH_BYTES: usize = 4;
const POLLIN: i16 = 1;
const POLLOUT: i16 = 4;

/// The length of the next frame, `None` at the end of the channel. Blocks.
pub(crate) fn next_length(channel: Fd) -> Result<Option<u32>> {
    let mut length = [0; LENGTH_BYTES];
    match read_all(channel, &mut length)? {
        0 => Ok(None),
        LENGTH_BYTES => Ok(Some(u32::from_le_bytes(length))),
        _ => Err(Errno::EPIPE),
    }
}

/// Fills `into`; a channel that ends before is an error. Blocks.
pub(crate) fn read(channel: Fd, into: &mut [u8]) -> Result<()> {
    if read_all(channel, into)? == into.len() { Ok(()) } else { Err(Errno::EPIPE) }
}

fn read_all(channel: Fd, into: &mut [u8]) -> Result<usize> {
    let mut done = 0;
    while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match sys::read(channel, rest) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(Errno::EAGAIN) => sys::wait_for(channel, POLLIN)?,
            Err(errno) => return Err(errno),
        }
    }
    Ok(done)
}

/// Writes all of it. Blocks.
pub(crate) fn write(channel: Fd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match sys::write(channel, bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::EAGAIN) => sys::wait_for(channel, POLLOUT)?,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// A channel of which this process has both ends, with one frame on its way to the first. What is sent there comes to
/// nobody, and has room for as much as a socket holds.
pub(crate) fn loopback(frame: &[u8]) -> Result<(Fd, Fd)> {
    let length = u32::try_from(frame.len()).map_err(|_| Errno::E2BIG)?;
    let (near, far) = sys::pair()?;
    match write(far, &length.to_le_bytes()).and_then(|()| write(far, frame)) {
        Ok(()) => Ok((near, far)),
        Err(errno) => {
            sys::close(near);
            sys::close(far);
            Err(errno)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn frames_arrive_however_they_are_cut() {
        let (mut launcher, child) = UnixStream::pair().expect("made");
        child.set_nonblocking(true).expect("set");
        let sender = std::thread::spawn(move || {
            for piece in [&[5, 0][..], &[0, 0, b'h', b'e'], b"llo", &[2, 0, 0, 0, b'o']] {
                launcher.write_all(piece).expect("written");
            }
        });
        let channel = Fd(child.as_raw_fd());
        assert_eq!(next_length(channel), Ok(Some(5)));
        let mut bytes = [0; 5];
        read(channel, &mut bytes).expect("read");
        assert_eq!(&bytes, b"hello");
        assert_eq!(next_length(channel), Ok(Some(2)));
        sender.join().expect("sent");
        assert_eq!(read(channel, &mut bytes[..2]), Err(Errno::EPIPE));
        assert_eq!(next_length(channel), Ok(None));
    }

    #[test]
    fn a_frame_comes_back_and_answers_go_nowhere() {
        let (near, far) = loopback(b"hello").expect("made");
        assert_eq!(next_length(near), Ok(Some(5)));
        let mut bytes = [0; 5];
        read(near, &mut bytes).expect("read");
        assert_eq!(&bytes, b"hello");
        write(near, &[1; 10_000]).expect("written");
        read(far, &mut [0; 10_000]).expect("read");
        sys::close(far);
        assert_eq!(next_length(near), Ok(None));
        sys::close(near);
    }

    #[test]
    fn more_than_the_channel_holds_is_written() {
        let (mut launcher, child) = UnixStream::pair().expect("made");
        child.set_nonblocking(true).expect("set");
        let reader = std::thread::spawn(move || std::io::copy(&mut launcher, &mut std::io::sink()).expect("read"));
        write(Fd(child.as_raw_fd()), &vec![1; 3_000_000]).expect("written");
        drop(child);
        assert_eq!(reader.join().expect("ended"), 3_000_000);
    }
}
