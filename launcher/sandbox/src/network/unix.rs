//! Unix sockets of the host that a policy names.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use confine::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::libc;
use nix::sys::stat::{Mode, fstat};
use policy::ExpandedPolicy;

use super::listening::errno;

/// The folders of granted sockets, held open from the start: where the program may write, it could put a symbolic link
/// in the place of one later.
#[derive(Debug)]
pub(crate) struct UnixSockets {
    granted: HashMap<PathBuf, Option<(OwnedFd, OsString)>>,
}

impl UnixSockets {
    /// Those that `policy` grants. One whose folder is not there has nobody to connect to.
    pub(crate) fn of(policy: &ExpandedPolicy) -> Self {
        let held = |path: &Path| {
            let folder = open(path.parent()?, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
            Some((folder.ok()?, path.file_name()?.to_owned()))
        };
        let granted = policy::granted_sockets(policy);
        Self { granted: granted.into_iter().map(|path| (path.clone(), held(&path))).collect() }
    }

    /// Connects `socket` to what is granted at `path`; `None` where nothing is.
    pub(crate) fn connect(&self, socket: &OwnedFd, path: &Path) -> Option<Result<(), Errno>> {
        let held = self.granted.get(path)?;
        Some(held.as_ref().ok_or(Errno::ENOENT).and_then(|(folder, name)| connect(socket, folder, name)))
    }
}

fn connect(socket: &OwnedFd, folder: &OwnedFd, name: &OsStr) -> Result<(), Errno> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let opened = openat(folder, name, flags, Mode::empty()).map_err(|error| Errno(error as i32))?;
    let kind = fstat(opened.as_fd()).map_err(|error| Errno(error as i32))?.st_mode & libc::S_IFMT;
    if kind != libc::S_IFSOCK {
        return Err(Errno(libc::ECONNREFUSED));
    }
    // By the descriptor: this very socket, whatever stands at its path by now.
    let place = format!("/proc/self/fd/{}", opened.as_raw_fd());
    let mut address = u16::try_from(libc::AF_UNIX).unwrap_or_default().to_ne_bytes().to_vec();
    address.extend_from_slice(OsStr::new(&place).as_bytes());
    address.push(0);
    // The launcher does not wait where too many wait already: then the program is told to try again.
    let model = socket2::SockRef::from(socket);
    let is_blocking = !model.nonblocking().map_err(errno)?;
    if is_blocking {
        model.set_nonblocking(true).map_err(errno)?;
    }
    let answer = confine::connect(socket.as_fd(), &address);
    if is_blocking {
        model.set_nonblocking(false).map_err(errno)?;
    }
    answer
}
