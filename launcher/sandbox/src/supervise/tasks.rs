//! How many tasks a program has, by asking /proc: without a user namespace, the kernel's own limit counts all that the
//! user has on the host.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// A program's tasks.
#[derive(Debug)]
pub(super) struct Tasks {
    folder: PathBuf,
}

impl Tasks {
    /// The tasks of a process, which cannot start another one.
    pub(super) fn of(pid: u32) -> Self {
        Self { folder: format!("/proc/{pid}/task").into() }
    }

    /// How many there are; none once it has ended. A folder has a link for itself, its name, and each folder in it.
    pub(super) fn look(&self) -> u64 {
        fs::metadata(&self.folder).map_or(0, |found| found.nlink().saturating_sub(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_more_is_seen() {
        let tasks = Tasks::of(std::process::id());
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let (sign, runs) = std::sync::mpsc::channel::<()>();
        let before = tasks.look();
        assert!(before >= 1, "{before}");
        let thread = std::thread::spawn(move || {
            sign.send(()).unwrap();
            let _ = receiver.recv();
        });
        runs.recv().unwrap();
        // Other tests of this process come and go, so it is this one's own task that is looked for.
        assert!(tasks.look() >= 2);
        drop(sender);
        thread.join().unwrap();
    }
}
