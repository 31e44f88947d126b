//! How many files a program leaves in what it may write to. The kernel has no such limit for a directory, so the
//! supervisor counts: cheaply, by the free inodes of the file system, and by looking when those get fewer, or now and then.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::statvfs::statvfs;

/// What a new file costs a file system at least, in bytes: `limits.tmp_mb` allows one per this much.
const BYTES_PER_FILE: u64 = 4096;
/// The least number of files that is worth stopping.
const LEAST_FILES: u64 = 16_384;
/// The clock of a file system may lag behind ours by a tick.
const TICK: Duration = Duration::from_millis(20);

/// How long there is between two counts that nothing gave a reason for: others who delete files hide new ones, and not
/// every file system says how many inodes are free. At least this much, and so much longer than a count took.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
const PAUSE_PER_COUNT: u32 = 100;

/// Watches the directories that a program may write to.
#[derive(Debug)]
pub(super) struct Disk {
    roots: Vec<Root>,
    allowed_files: u64,
    started: SystemTime,
    next: Instant,
    /// Counts, for as long as somebody wants to know.
    counting: Option<JoinHandle<Counted>>,
    wanted: Arc<()>,
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    most_free: u64,
}

/// What a count came to.
#[derive(Debug)]
struct Counted {
    files: u64,
    took: Duration,
}

impl Disk {
    /// Watches `roots` for more new files than `tmp_mb` allows.
    pub(super) fn watch(roots: &[PathBuf], tmp_mb: u64) -> Self {
        let root = |path: &PathBuf| Some(Root { path: path.clone(), most_free: free_inodes(path)? });
        Self {
            roots: roots.iter().filter_map(root).collect(),
            allowed_files: (tmp_mb * (1 << 20) / BYTES_PER_FILE).max(LEAST_FILES),
            started: SystemTime::now() - TICK,
            next: Instant::now() + LEAST_PAUSE,
            counting: None,
            wanted: Arc::default(),
        }
    }

    /// How many new files there are, when that is more than is allowed.
    pub(super) fn look(&mut self) -> Option<u64> {
        if let Some(counting) = self.counting.take_if(|counting| counting.is_finished()) {
            let counted = counting.join().ok()?;
            self.next = Instant::now() + (counted.took * PAUSE_PER_COUNT).max(LEAST_PAUSE);
            if counted.files > self.allowed_files {
                return Some(counted.files);
            }
        }
        if self.counting.is_none() && (self.are_fewer_free() || Instant::now() >= self.next) {
            self.counting = Some(self.count());
        }
        None
    }

    /// Whether so many inodes are taken that they could be the program's. Others use the file system, too: that is a
    /// reason to count, no more.
    fn are_fewer_free(&mut self) -> bool {
        let mut fewer = false;
        for root in &mut self.roots {
            let Some(free) = free_inodes(&root.path) else { continue };
            let are_fewer = root.most_free.saturating_sub(free) > self.allowed_files;
            root.most_free = if are_fewer { free } else { root.most_free.max(free) };
            fewer |= are_fewer;
        }
        fewer
    }

    /// Counts in a thread of its own: there may be a lot of old files, and others wait for the launcher meanwhile.
    fn count(&self) -> JoinHandle<Counted> {
        let roots: Vec<PathBuf> = self.roots.iter().map(|root| root.path.clone()).collect();
        let (since, enough, wanted) = (self.started, self.allowed_files, Arc::downgrade(&self.wanted));
        std::thread::spawn(move || {
            let begun = Instant::now();
            let files = roots.iter().map(|root| new_files(root, since, enough, &wanted)).max().unwrap_or(0);
            Counted { files, took: begun.elapsed() }
        })
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

/// Objects below `root` that came after `since`, counted until there are more than `enough`, or nobody wants to know.
fn new_files(root: &Path, since: SystemTime, enough: u64, wanted: &Weak<()>) -> u64 {
    let mut found = 0;
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        if wanted.strong_count() == 0 {
            return found;
        }
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
        let wanted = Arc::new(());
        let count = |since, enough| new_files(root.path(), since, enough, &Arc::downgrade(&wanted));
        assert_eq!(count(between, 10), 0);
        assert_eq!(count(SystemTime::UNIX_EPOCH, 10), 2);
        assert_eq!(count(SystemTime::UNIX_EPOCH, 1), 2, "it stops just beyond enough");
        assert_eq!(new_files(root.path(), SystemTime::UNIX_EPOCH, 10, &Weak::new()), 0, "nobody wants to know");
    }

    /// A watch that allows three files, whose next look without a reason is at `next`.
    fn watch(root: &Path, next: Instant) -> Disk {
        Disk { allowed_files: 3, next, ..Disk::watch(&[root.into()], 1) }
    }

    /// What the count comes to that has begun.
    fn counted(disk: &mut Disk) -> Option<u64> {
        while !disk.counting.as_ref()?.is_finished() {
            std::thread::yield_now();
        }
        disk.look()
    }

    #[test]
    fn files_are_counted_now_and_then_whatever_others_do() {
        let root = tempfile::tempdir().unwrap();
        let mut disk = watch(root.path(), Instant::now());
        // As if others had deleted more than the program makes.
        disk.roots[0].most_free = 0;
        for name in ["a", "b", "c", "d"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        assert_eq!(disk.look(), None);
        assert_eq!(counted(&mut disk), Some(4));
    }

    #[test]
    fn fewer_free_inodes_are_a_reason_to_count() {
        let root = tempfile::tempdir().unwrap();
        let mut disk = watch(root.path(), Instant::now() + Duration::from_hours(1));
        disk.roots[0].most_free = u64::MAX;
        fs::write(root.path().join("a"), "").unwrap();
        assert_eq!(disk.look(), None);
        assert!(disk.counting.is_some(), "it has a reason");
        assert_eq!(counted(&mut disk), None, "one is not too many");
        // What became free in the meantime can be taken again.
        disk.roots[0].most_free = 0;
        disk.look();
        assert!(disk.roots[0].most_free > 0);
    }
}
