//! What a running program has of what the kernel limits: threads, open files, temporary files. Looked at now and then,
//! and once more before the launcher ends it; what comes and goes in between is not seen.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;

use crate::outcome::Peaks;

/// How often to look.
const INTERVAL: Duration = Duration::from_millis(10);

/// Looks at one process.
#[derive(Debug)]
pub(crate) struct Sample {
    folder: PathBuf,
    /// Its private temporary folder, seen from outside.
    tmp: Option<PathBuf>,
    last: Instant,
    peaks: Peaks,
}

impl Sample {
    /// Begins with the process `pid`, which has a temporary folder of its own if `tmp` says so.
    pub(crate) fn of(pid: u32, tmp: bool) -> Self {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let tmp = tmp.then(|| folder.join("root/tmp"));
        Self { folder, tmp, last: Instant::now(), peaks: Peaks::default() }
    }

    /// Until when there is nothing to do.
    pub(super) fn pause(&self) -> Duration {
        INTERVAL.saturating_sub(self.last.elapsed())
    }

    /// Looks, if it is time to.
    pub(super) fn look(&mut self) {
        if self.last.elapsed() >= INTERVAL {
            self.last = Instant::now();
            self.look_now();
        }
    }

    /// Looks. A process that has ended has nothing any more, which is no news.
    pub(super) fn look_now(&mut self) {
        let threads = fs::read_to_string(self.folder.join("stat")).ok().and_then(|stat| threads(&stat));
        let files = fs::read_dir(self.folder.join("fd")).ok().map(|entries| count(entries.count()));
        let tmp = self.tmp.as_ref().and_then(|tmp| statvfs(tmp).ok());
        let tmp = tmp.map(|tmp| (tmp.blocks() - tmp.blocks_free()).saturating_mul(tmp.fragment_size()));
        let peaks = &mut self.peaks;
        peaks.threads = peaks.threads.max(threads);
        peaks.open_files = peaks.open_files.max(files);
        peaks.tmp_bytes = peaks.tmp_bytes.max(tmp);
    }

    /// The most that was seen.
    pub(super) const fn peaks(&self) -> Peaks {
        self.peaks
    }
}

fn count(entries: usize) -> u64 {
    u64::try_from(entries).unwrap_or(u64::MAX)
}

/// The number of threads in a line of /proc/PID/stat (proc_pid_stat(5)): its 20th field, the 18th after the name, which
/// may hold anything.
fn threads(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(17)?.parse().ok().filter(|threads| *threads > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_hides_no_threads() {
        let stat = "7 (a) 1 (b) S 1 7 7 0 -1 4194304 1 0 0 0 2 3 0 0 20 0 9 0 17 1 2 3";
        assert_eq!(threads(stat), Some(9));
        assert_eq!(threads("7 (gone"), None);
    }

    #[test]
    fn our_own_threads_and_files_are_seen() {
        let mut sample = Sample::of(std::process::id(), false);
        sample.look_now();
        let peaks = sample.peaks();
        assert!(peaks.threads >= Some(1) && peaks.open_files >= Some(3), "{peaks:?}");
        assert_eq!(peaks.tmp_bytes, None);
    }
}
