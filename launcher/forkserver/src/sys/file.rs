//! Files, and what is waited for.

use super::{Fd, Result, fd, int, number, raw, uninterrupted};

/// Opens for reading (openat(2)); below `directory`, or absolute. The path ends with NUL.
pub(crate) fn open(path: &core::ffi::CStr) -> Result<Fd> {
    const AT_FDCWD: i32 = -100;
    const O_CLOEXEC: usize = 0o2_000_000;
    // SAFETY: the path ends with NUL and outlives the call.
    fd(unsafe { raw(number::OPENAT, [int(AT_FDCWD), path.as_ptr() as usize, O_CLOEXEC, 0, 0, 0]) })
}

/// close(2). That it was closed already is nothing to act upon.
pub(crate) fn close(fd: Fd) {
    // SAFETY: close takes no pointer.
    let _ = unsafe { raw(number::CLOSE, [int(fd.0), 0, 0, 0, 0, 0]) };
}

/// read(2), again when interrupted. 0: there is no more.
pub(crate) fn read(from: Fd, into: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most as many bytes as the slice has.
    uninterrupted(|| unsafe { raw(number::READ, [int(from.0), into.as_mut_ptr() as usize, into.len(), 0, 0, 0]) })
}

/// write(2), again when interrupted.
pub(crate) fn write(to: Fd, from: &[u8]) -> Result<usize> {
    // SAFETY: the kernel reads as many bytes as the slice has.
    uninterrupted(|| unsafe { raw(number::WRITE, [int(to.0), from.as_ptr() as usize, from.len(), 0, 0, 0]) })
}

/// Waits until the descriptor is ready for `events` (ppoll(2)).
pub(crate) fn wait_for(fd: Fd, events: i16) -> Result<()> {
    #[repr(C)]
    struct PollFd {
        fd: i32,
        events: i16,
        revents: i16,
    }
    let mut polled = PollFd { fd: fd.0, events, revents: 0 };
    let place = &raw mut polled as usize;
    // SAFETY: the kernel writes one `pollfd`, ours; the time and the mask may be null.
    uninterrupted(|| unsafe { raw(number::PPOLL, [place, 1, 0, 0, 0, 0]) }).map(|_| ())
}

/// The entries of an open directory (getdents64(2)), as many as fit; 0: there are no more.
pub(crate) fn entries(directory: Fd, into: &mut [u8]) -> Result<usize> {
    let (place, length) = (into.as_mut_ptr() as usize, into.len());
    // SAFETY: the kernel writes at most as many bytes as the slice has.
    unsafe { raw(number::GETDENTS64, [int(directory.0), place, length, 0, 0, 0]) }
}

/// What a symbolic link says (readlinkat(2)), as much as fits.
pub(crate) fn read_link(path: &core::ffi::CStr, into: &mut [u8]) -> Result<usize> {
    let (path, place) = (path.as_ptr() as usize, into.as_mut_ptr() as usize);
    // SAFETY: the path ends with NUL, and the kernel writes at most as many bytes as the slice has.
    unsafe { raw(number::READLINKAT, [0, path, place, into.len(), 0, 0]) }
}

/// Puts `from` at the number of `to` as well, close-on-exec (dup3(2)).
pub(crate) fn duplicate_to(from: Fd, to: Fd) -> Result<()> {
    const O_CLOEXEC: usize = 0o2_000_000;
    // SAFETY: dup3 takes no pointer.
    unsafe { raw(number::DUP3, [int(from.0), int(to.0), O_CLOEXEC, 0, 0, 0]) }.map(|_| ())
}

/// The descriptor's status flags (`F_GETFL` of fcntl(2)).
pub(crate) fn status_flags(of: Fd) -> Result<usize> {
    const F_GETFL: usize = 3;
    // SAFETY: F_GETFL takes no pointer.
    unsafe { raw(number::FCNTL, [int(of.0), F_GETFL, 0, 0, 0, 0]) }
}

/// A new eventfd, close-on-exec (eventfd(2)).
pub(crate) fn eventfd(flags: usize) -> Result<Fd> {
    const EFD_CLOEXEC: usize = 0o2_000_000;
    // SAFETY: eventfd2 takes no pointer.
    fd(unsafe { raw(number::EVENTFD2, [0, flags | EFD_CLOEXEC, 0, 0, 0, 0]) })
}

/// A new epoll descriptor, close-on-exec (epoll_create(2)).
pub(crate) fn epoll() -> Result<Fd> {
    const EPOLL_CLOEXEC: usize = 0o2_000_000;
    // SAFETY: epoll_create1 takes no pointer.
    fd(unsafe { raw(number::EPOLL_CREATE1, [EPOLL_CLOEXEC, 0, 0, 0, 0, 0]) })
}

/// Registers `target` (epoll_ctl(2)).
pub(crate) fn epoll_add(epoll: Fd, target: Fd, events: u32, data: u64) -> Result<()> {
    const EPOLL_CTL_ADD: usize = 1;
    #[cfg_attr(target_arch = "x86_64", repr(C, packed))]
    #[cfg_attr(not(target_arch = "x86_64"), repr(C))]
    struct Event {
        events: u32,
        data: u64,
    }
    let event = Event { events, data };
    let event = &raw const event as usize;
    // SAFETY: the kernel reads one `epoll_event`, ours.
    unsafe { raw(number::EPOLL_CTL, [int(epoll.0), EPOLL_CTL_ADD, int(target.0), event, 0, 0]) }.map(|_| ())
}
