//! A private folder for what is expensive to find out: `$XDG_CACHE_HOME/secure-bun`, or `~/.cache/secure-bun`.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A folder that belongs to us and that nobody else can change.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Opens or makes the folder. `None` where there is no private place: then everything works, but slower.
    pub fn open(cache_home: Option<&Path>, home: Option<&Path>) -> Option<Self> {
        let base = match cache_home.filter(|path| path.is_absolute()) {
            Some(path) => path.to_path_buf(),
            None => home?.join(".cache"),
        };
        let folder = base.join("secure-bun");
        if fs::symlink_metadata(&folder).is_err() {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
        }
        let metadata = fs::symlink_metadata(&folder).ok()?;
        let ours = metadata.is_dir() && metadata.uid() == nix::unistd::geteuid().as_raw();
        (ours && metadata.mode() & 0o022 == 0).then_some(Self { folder })
    }

    /// The path of an entry.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A temporary folder beside the entries, to be renamed into place.
    pub fn temporary(&self) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix(".making-").tempdir_in(&self.folder)
    }

    /// Replaces a file in one step, so that a reader sees the old or the new one.
    pub fn write(&self, name: &str, contents: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(contents)?;
        file.persist(self.path(name)).map_err(|error| error.error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_folder_that_others_can_write_to_is_not_used() {
        let base = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(base.path()), None).unwrap();
        cache.write("x", b"1").unwrap();
        fs::set_permissions(base.path().join("secure-bun"), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Cache::open(Some(base.path()), None).is_none());
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let base = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), base.path().join("secure-bun")).unwrap();
        assert!(Cache::open(Some(base.path()), None).is_none());
    }
}
