//! The launcher's private folder on the host, for a program that has no root file system of its own: what is staged for
//! it, and the temporary and home folders that it finds. It goes away with the run; after a SIGKILL of the launcher, at
//! the next start.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use confine::Identity;
use nix::fcntl::{Flock, FlockArg};

use crate::error::{Error, Kind};

/// What our folders are called.
const PREFIX: &str = "secure-bun-run-";
/// How often a folder may be swept by somebody else between its making and its lock.
const TRIES: usize = 20;
/// The deepest folder that is opened up for removal; deeper than any path that a program can name at once.
const MOST_DEPTH: usize = 4096;

/// A private folder. It is removed with this value.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: PathBuf,
    /// Held as long as we live: who can take it may remove the folder.
    _lock: Flock<File>,
}

impl Scratch {
    /// Makes one in the folder for temporary files, for a program of `identity`.
    pub(crate) fn make(identity: Identity) -> Result<Self, Error> {
        let base = std::env::temp_dir();
        let failed = |error: io::Error| Error::io(Kind::Sandbox, "make a private folder in", &base, &error);
        let base = fs::canonicalize(&base).map_err(failed)?;
        sweep(&base);
        let scratch = (0..TRIES)
            .find_map(|_| Self::try_make(&base).transpose())
            .unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::ResourceBusy)));
        let scratch = scratch.map_err(failed)?;
        scratch.furnish(identity).map_err(failed)?;
        Ok(scratch)
    }

    /// `None` where somebody took it for a left one.
    fn try_make(base: &Path) -> io::Result<Option<Self>> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(base)?.keep();
        let opened = match File::open(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let Ok(lock) = Flock::lock(opened, FlockArg::LockExclusiveNonblock) else { return Ok(None) };
        Ok(folder.exists().then_some(Self { folder, _lock: lock }))
    }

    fn furnish(&self, identity: Identity) -> io::Result<()> {
        // Passable where another user has to come through, listable for nobody.
        fs::set_permissions(&self.folder, Permissions::from_mode(0o711))?;
        for folder in [self.staged(), self.home()] {
            DirBuilder::new().mode(0o755).create(&folder)?;
            fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        }
        DirBuilder::new().mode(0o700).create(self.tmp())?;
        if let Identity::Dropped { uid, gid } = identity {
            chown(self.tmp(), Some(uid), Some(gid))?;
        }
        Ok(())
    }

    /// The folder for what is staged, readable by the program.
    pub(crate) fn staged(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// The program's temporary folder.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.folder.join("tmp")
    }

    /// Where functions may come to that are called by their text.
    pub(crate) fn calls(&self) -> PathBuf {
        self.folder.join("calls")
    }

    /// The program's home folder, which is empty.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// Stages a file.
    pub(crate) fn stage(&self, name: &str, contents: &[u8]) -> Result<PathBuf, Error> {
        let path = self.staged().join(name);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, contents));
        let opened = written.and_then(|()| {
            // Whatever our umask: the program may be another user.
            path.ancestors().take_while(|above| *above != self.staged()).try_for_each(|above| {
                let mode = if above == path { 0o444 } else { 0o755 };
                fs::set_permissions(above, Permissions::from_mode(mode))
            })
        });
        opened.map_err(|error| Error::io(Kind::Sandbox, "write", &path, &error))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

/// Removes a folder with all in it. The program that could change it has ended.
fn remove(folder: &Path) {
    // Root gets everywhere anyway, and must not be led elsewhere by a link that another process of the program's user
    // puts in a folder's place.
    if fs::remove_dir_all(folder).is_err() && !nix::unistd::geteuid().is_root() {
        // A folder that its owner may not list; what cannot be removed now is swept at a later start.
        open_up(folder, MOST_DEPTH);
        let _ = fs::remove_dir_all(folder);
    }
}

fn open_up(folder: &Path, depth: usize) {
    let _ = fs::set_permissions(folder, Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path(), depth - 1);
        }
    }
}

/// Removes folders of our user whose launcher has gone without: nobody holds their lock.
fn sweep(base: &Path) {
    let own = nix::unistd::geteuid().as_raw();
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        if !entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
            continue;
        }
        // Nobody else's: a link of that name, or a folder that another user wants us to empty.
        let ours = entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == own);
        let path = entry.path();
        if ours
            && let Ok(opened) = File::open(&path)
            && let Ok(_lock) = Flock::lock(opened, FlockArg::LockExclusiveNonblock)
        {
            remove(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Identity {
        Identity::Own { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
    }

    #[test]
    fn it_goes_away_with_all_that_a_program_left_in_it() {
        let scratch = Scratch::make(own()).unwrap();
        let closed = scratch.tmp().join("closed/inner");
        fs::create_dir_all(&closed).unwrap();
        fs::write(closed.join("file"), "x").unwrap();
        fs::set_permissions(scratch.tmp().join("closed"), Permissions::from_mode(0o000)).unwrap();
        let folder = scratch.folder.clone();
        drop(scratch);
        assert!(!folder.exists());
    }

    #[test]
    fn what_a_killed_launcher_left_is_swept_and_what_another_uses_is_not() {
        let base = tempfile::tempdir().unwrap();
        let left = base.path().join(format!("{PREFIX}left"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join("file"), "x").unwrap();
        let used = Scratch::try_make(base.path()).unwrap().unwrap();
        sweep(base.path());
        assert!(!left.exists() && used.folder.exists());
    }

    #[test]
    fn launchers_that_start_at_the_same_time_do_not_sweep_each_other() {
        let base = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        sweep(base.path());
                        let made = (0..TRIES).find_map(|_| Scratch::try_make(base.path()).transpose());
                        let scratch = made.expect("one of these is nobody else's").unwrap();
                        assert!(scratch.folder.exists());
                    }
                });
            }
        });
    }

    #[test]
    fn a_link_is_not_swept() {
        let base = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("file"), "x").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), base.path().join(format!("{PREFIX}link"))).unwrap();
        sweep(base.path());
        assert!(elsewhere.path().join("file").exists());
    }

    #[test]
    fn staged_files_are_for_everybody_to_read() {
        let scratch = Scratch::make(own()).unwrap();
        let path = scratch.stage("guards/preload.js", b"x").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o444);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o755);
    }
}
