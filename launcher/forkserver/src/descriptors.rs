//! Open descriptors: how many, and what they refer to.

use crate::procfs::{self, NumberedPath};
use crate::sys::{self, Fd, Result};

/// The kinds that a fork treats differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Epoll,
    Eventfd,
    Other,
}

/// The kind of an open descriptor.
pub(crate) fn kind(fd: Fd) -> Result<Kind> {
    let mut target = [0; 32];
    let path = NumberedPath::new(b"/proc/self/fd/", fd.0.cast_unsigned(), b"");
    let length = sys::read_link(path.as_c_str(), &mut target)?;
    Ok(match target.get(..length) {
        Some(b"anon_inode:[eventpoll]") => Kind::Epoll,
        Some(b"anon_inode:[eventfd]") => Kind::Eventfd,
        _ => Kind::Other,
    })
}

/// How many are open.
pub(crate) fn count() -> Result<usize> {
    let mut count = 0;
    procfs::numbers(c"/proc/self/fd", |_| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}
