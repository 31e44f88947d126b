//! Unix sockets of the host that a policy names.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use confine::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::libc;
use nix::sys::stat::{Mode, fstat};
use policy::ExpandedPolicy;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

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

    /// A socket that is connected to what is granted at `path`, in the place of one like `like`; `None` where nothing is.
    pub(crate) fn connect(&self, like: &OwnedFd, path: &Path) -> Option<Result<OwnedFd, Errno>> {
        let held = self.granted.get(path)?;
        Some(held.as_ref().ok_or(Errno::ENOENT).and_then(|(folder, name)| connect(like, folder, name)))
    }
}

fn connect(like: &OwnedFd, folder: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let model = SockRef::from(like);
    if !model.domain().is_ok_and(|domain| domain == Domain::UNIX) {
        return Err(Errno(libc::EAFNOSUPPORT));
    }
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let opened = openat(folder, name, flags, Mode::empty()).map_err(|error| Errno(error as i32))?;
    let kind = fstat(opened.as_fd()).map_err(|error| Errno(error as i32))?.st_mode & libc::S_IFMT;
    if kind != libc::S_IFSOCK {
        return Err(Errno(libc::ECONNREFUSED));
    }
    // By the descriptor: this very socket, whatever stands at its path by now.
    let place = format!("/proc/self/fd/{}", opened.as_raw_fd());
    // A socket of the launcher's, which alone says whether the call waits. It does not where too many wait already: then
    // the program is told to try again.
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(errno)?;
    socket.set_nonblocking(true).map_err(errno)?;
    socket.connect(&SockAddr::unix(place).map_err(errno)?).map_err(errno)?;
    socket.set_nonblocking(model.nonblocking().map_err(errno)?).map_err(errno)?;
    Ok(socket.into())
}
