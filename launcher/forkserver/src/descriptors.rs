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

/// Closes `fd` and opens /dev/null at its number.
pub(crate) fn replace_by_nothing(fd: Fd) -> Result<()> {
    let nothing = sys::open(c"/dev/null")?;
    // It has taken that number itself where `fd` was closed already.
    if nothing == fd {
        return Ok(());
    }
    let result = sys::duplicate_to(nothing, fd);
    sys::close(nothing);
    result
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

#[cfg(test)]
mod tests {
    use std::os::fd::IntoRawFd as _;

    use super::*;

    #[test]
    fn nothing_is_left_at_a_number() {
        let file = tempfile::tempfile().expect("a file");
        let fd = Fd(file.into_raw_fd());
        replace_by_nothing(fd).expect("replaced");
        let target = std::fs::read_link(format!("/proc/self/fd/{}", fd.0)).expect("open");
        assert_eq!(target.as_os_str(), "/dev/null");
        assert_eq!(sys::read(fd, &mut [0; 1]), Ok(0));
        sys::close(fd);
    }
}
