//! How many files a program leaves in what it may write to. The kernel has no such limit for a directory, so the
//! supervisor counts: cheaply, by the free inodes of the file system, and by looking only when those get fewer.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::statvfs::statvfs;

/// What a new file costs a file system at least, in bytes: `limits.tmp_mb` allows one per this much.
const BYTES_PER_FILE: u64 = 4096;
/// The least number of files that is worth stopping.
const LEAST_FILES: u64 = 16_384;
/// The clock of a file system may lag behind ours by a tick.
const TICK: Duration = Duration::from_millis(20);

/// Watches the directories that a program may write to.
#[derive(Debug)]
pub(super) struct Disk {
    roots: Vec<Root>,
    allowed_files: u64,
    started: SystemTime,
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    free_at_last_count: u64,
}

impl Disk {
    /// Watches `roots` for more new files than `tmp_mb` allows.
    pub(super) fn watch(roots: &[PathBuf], tmp_mb: u64) -> Self {
        let root = |path: &PathBuf| Some(Root { path: path.clone(), free_at_last_count: free_inodes(path)? });
        Self {
            roots: roots.iter().filter_map(root).collect(),
            allowed_files: (tmp_mb * (1 << 20) / BYTES_PER_FILE).max(LEAST_FILES),
            started: SystemTime::now() - TICK,
        }
    }

    /// How many new files there are, when that is more than is allowed.
    pub(super) fn look(&mut self) -> Option<u64> {
        for root in &mut self.roots {
            let free = free_inodes(&root.path)?;
            // Others use the file system, too: fewer free inodes are a reason to count, no more.
            if root.free_at_last_count.saturating_sub(free) > self.allowed_files {
                let found = new_files(&root.path, self.started, self.allowed_files);
                if found > self.allowed_files {
                    return Some(found);
                }
                root.free_at_last_count = free;
            }
        }
        None
    }

    /// How many are allowed.
    pub(super) const fn allowed_files(&self) -> u64 {
        self.allowed_files
    }
}

/// A folder whose contents are added up, where no file system of its own limits them.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    next: Instant,
    bytes: u64,
    peak_bytes: u64,
}

/// How much longer than a look at a folder the pause after it is.
const PAUSE_PER_LOOK: u32 = 10;
/// What an entry of a folder takes up besides its contents, as on a tmpfs.
const BYTES_PER_ENTRY: u64 = 1024;

impl Folder {
    /// Watches the folder at `path`, which is the program's alone.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, next: Instant::now(), bytes: 0, peak_bytes: 0 }
    }

    /// How many bytes it holds, or held when it was last looked at: a large folder is looked at less often.
    pub(super) fn look(&mut self) -> u64 {
        if Instant::now() >= self.next {
            self.look_now();
        }
        self.bytes
    }

    pub(super) fn look_now(&mut self) {
        let now = Instant::now();
        self.bytes = bytes_in(&self.path);
        self.peak_bytes = self.peak_bytes.max(self.bytes);
        self.next = now + now.elapsed() * PAUSE_PER_LOOK;
    }

    /// The most that was seen.
    pub(super) const fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }
}

fn bytes_in(root: &Path) -> u64 {
    let mut bytes = 0;
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            // What is gone meanwhile takes up nothing.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            bytes += metadata.blocks() * BYTES_PER_BLOCK + BYTES_PER_ENTRY;
        }
    }
    bytes
}

/// stat(2) counts in these, whatever the file system.
const BYTES_PER_BLOCK: u64 = 512;

fn free_inodes(path: &Path) -> Option<u64> {
    statvfs(path).ok().map(|stat| stat.files_free())
}

/// Objects below `root` that came after `since`, counted until there are more than `enough`.
fn new_files(root: &Path, since: SystemTime, enough: u64) -> u64 {
    let mut found = 0;
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            // Whoever makes a folder that cannot be listed, or takes the right to list it away, hides what is in it.
            let hidden = fs::symlink_metadata(&folder).is_ok_and(|metadata| status_changed(&metadata) >= since);
            found += if hidden { enough.saturating_add(1) } else { 0 };
            continue;
        };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            // Where there is no time of birth, the last change has to do: an old file that was changed counts.
            let came = metadata.created().or_else(|_| metadata.modified());
            found += u64::from(came.is_ok_and(|came| came >= since));
            if found > enough {
                return found;
            }
        }
    }
    found
}

/// When the contents, or the permissions, of an object last changed.
fn status_changed(metadata: &fs::Metadata) -> SystemTime {
    let (seconds, nanoseconds) = (metadata.ctime(), metadata.ctime_nsec());
    let whole = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    SystemTime::UNIX_EPOCH + whole + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_added_up_with_all_below_it() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        fs::write(root.path().join("a/b"), vec![1; 3 << 20]).unwrap();
        // A file system may count a file only once it is written back.
        fs::File::open(root.path().join("a/b")).unwrap().sync_all().unwrap();
        let bytes = Folder::new(root.path().into()).look();
        assert!((3 << 20..4 << 20).contains(&bytes), "{bytes}");
    }

    #[test]
    fn only_what_is_new_counts() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        let between = SystemTime::now() + Duration::from_hours(1);
        fs::write(root.path().join("a/b"), "").unwrap();
        assert_eq!(new_files(root.path(), between, 10), 0);
        assert_eq!(new_files(root.path(), SystemTime::UNIX_EPOCH, 10), 2);
        assert_eq!(new_files(root.path(), SystemTime::UNIX_EPOCH, 1), 2, "it stops just beyond enough");
    }
}
