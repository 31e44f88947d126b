//! What a running program and those that it has started have of what the kernel limits: processes, threads, open files,
//! temporary files. Looked at now and then, and once more before the launcher ends it; what comes and goes in between is
//! not seen.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;

use crate::outcome::Peaks;

/// How often to look.
const INTERVAL: Duration = Duration::from_millis(10);

/// Looks at the processes of one sandbox.
#[derive(Debug)]
pub(crate) struct Sample {
    /// They have a private temporary folder.
    tmp: bool,
    last: Instant,
    peaks: Peaks,
}

impl Sample {
    /// Begins; the processes have a temporary folder of their own if `tmp` says so.
    pub(crate) fn new(tmp: bool) -> Self {
        Self { tmp, last: Instant::now(), peaks: Peaks::default() }
    }

    /// Until when there is nothing to do.
    pub(super) fn pause(&self) -> Duration {
        INTERVAL.saturating_sub(self.last.elapsed())
    }

    /// Whether it is time to look.
    pub(super) fn is_due(&self) -> bool {
        self.last.elapsed() >= INTERVAL
    }

    /// Looks. A process that has ended has nothing any more, which is no news.
    pub(super) fn look(&mut self, processes: &[u32]) {
        self.last = Instant::now();
        let folders = || processes.iter().map(|pid| Path::new("/proc").join(pid.to_string()));
        let threads = folders()
            .filter_map(|folder| fs::read_to_string(folder.join("stat")).ok().and_then(|stat| threads(&stat)))
            .reduce(|one, other| one + other);
        let files =
            folders().filter_map(|folder| fs::read_dir(folder.join("fd")).ok()).map(|files| count(files.count()));
        let tmp = folders().filter(|_| self.tmp).find_map(|folder| statvfs(&folder.join("root/tmp")).ok());
        let tmp = tmp.map(|tmp| (tmp.blocks() - tmp.blocks_free()).saturating_mul(tmp.fragment_size()));
        let peaks = &mut self.peaks;
        peaks.processes = peaks.processes.max(Some(count(processes.len())));
        peaks.threads = peaks.threads.max(threads);
        peaks.open_files = peaks.open_files.max(files.max());
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
        let mut sample = Sample::new(false);
        sample.look(&[std::process::id()]);
        let peaks = sample.peaks();
        assert!(peaks.threads >= Some(1) && peaks.open_files >= Some(3), "{peaks:?}");
        assert_eq!(peaks.tmp_bytes, None);
    }
}
