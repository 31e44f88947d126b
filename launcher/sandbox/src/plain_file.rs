//! Opening files that come with the code: a name may stand for anything there, and is no promise from one look to the
//! next.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;

/// What becomes of a symbolic link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    /// It is followed.
    Follow,
    /// It is no plain file.
    Refuse,
}

/// Opens a plain file for reading, and nothing else: opening a pipe would wait for its other end, opening a device may
/// do something. How much is read of it is for the caller to bound.
pub(crate) fn open(path: &Path, links: Links) -> io::Result<File> {
    let (metadata, flags) = match links {
        Links::Follow => (fs::metadata(path), OFlag::empty()),
        Links::Refuse => (fs::symlink_metadata(path), OFlag::O_NOFOLLOW),
    };
    check(&metadata?)?;
    // Whoever may write there can put something else in its place meanwhile, which must not be waited for.
    let flags = flags | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

fn check(metadata: &fs::Metadata) -> io::Result<()> {
    if metadata.is_file() { Ok(()) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_plain_files_are_opened_and_links_where_they_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "text").unwrap();
        symlink("file", path("link")).unwrap();
        symlink("/dev/zero", path("device")).unwrap();
        nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let read = |name: &str, links| {
            let mut text = String::new();
            open(&path(name), links)?.read_to_string(&mut text).map(|_| text)
        };
        assert_eq!(read("file", Links::Refuse).unwrap(), "text");
        assert_eq!(read("link", Links::Follow).unwrap(), "text");
        assert!(read("link", Links::Refuse).is_err());
        for name in ["device", "pipe", ".", "missing"] {
            assert!(read(name, Links::Follow).is_err(), "{name}");
        }
    }
}
