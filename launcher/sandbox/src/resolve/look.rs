//! Looking at the host's files: what a plan has to know about an object.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use confine::{FileId, Kind};

/// An object of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its path, free of symbolic links.
    pub path: PathBuf,
    /// Which object it is.
    pub id: FileId,
    /// Directory or not.
    pub kind: Kind,
    /// Any user may read it.
    pub readable_by_all: bool,
    /// How many names it has.
    pub links: u64,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: OsString,
    /// Where it points, if it is a symbolic link.
    pub link: Option<PathBuf>,
    /// Whether it is a directory itself.
    pub is_directory: bool,
}

/// The host's files, as planning sees them.
pub trait Look {
    /// Follows `path` to its end.
    fn look(&self, path: &Path) -> io::Result<Object>;
    /// The entries of a directory.
    fn entries(&self, directory: &Path) -> io::Result<Vec<Entry>>;
}

/// The real ones.
#[derive(Clone, Copy, Debug)]
pub struct RealFiles;

impl RealFiles {
    /// The object at a path that is known to be free of symbolic links. Were it not, mounting it would fail.
    pub(crate) fn at(path: &Path) -> io::Result<Object> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Object {
            path: path.to_path_buf(),
            id: FileId { device: metadata.dev(), inode: metadata.ino() },
            kind: if metadata.is_dir() { Kind::Directory } else { Kind::File },
            readable_by_all: metadata.mode() & 0o004 != 0,
            links: if metadata.is_dir() { 1 } else { metadata.nlink() },
        })
    }
}

impl Look for RealFiles {
    fn look(&self, path: &Path) -> io::Result<Object> {
        Self::at(&fs::canonicalize(path)?)
    }

    fn entries(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        let entries = fs::read_dir(directory)?.map(|entry| {
            let entry = entry?;
            let kind = entry.file_type()?;
            let link = if kind.is_symlink() { Some(fs::read_link(entry.path())?) } else { None };
            Ok(Entry { name: entry.file_name(), link, is_directory: kind.is_dir() })
        });
        entries.collect()
    }
}
