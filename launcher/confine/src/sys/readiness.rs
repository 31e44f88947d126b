//! Waiting for descriptors with tokio. Its safe interface is deprecated, since a type could lie about its descriptor;
//! [`OwnedFd`] cannot.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers `fd` with the current runtime, to wait until it is readable. Must be called within a runtime.
pub fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    register(fd, Interest::READABLE)
}

/// The same, to wait until it is writable as well.
pub fn watch_both(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    register(fd, Interest::READABLE | Interest::WRITABLE)
}

fn register(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open, always gives the same number, and is closed only when it is dropped, which the
    // `AsyncFd` does after it has deregistered it; `get_mut` could replace it, but nobody gets this one mutably.
    let registered = unsafe { AsyncFd::register_with_interest(fd, interest) };
    registered.map_err(Into::into)
}
