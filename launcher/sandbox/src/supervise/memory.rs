//! How much memory a program has, by asking /proc: what it has resident, but for files.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags, open};

const PAGE_BYTES: u64 = 4096;

/// How much the shared part of a program may change before its make-up is looked at again: files do not count, memory
/// without a file does.
const SHARED_STEP_BYTES: u64 = 4 << 20;

/// A program's memory.
#[derive(Debug)]
pub(crate) struct Memory {
    statm: File,
    status: File,
    page_bytes: u64,
    /// The shared part when its make-up was last looked at, and what of it was no file.
    shared_then: u64,
    without_file: u64,
}

impl Memory {
    /// Opens the counters of a process; later it costs a few microseconds a look.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let page_bytes = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
        let page_bytes = page_bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(PAGE_BYTES);
        // Not by the standard library: musl sets its flags once more.
        let open = |name: &str| -> io::Result<File> {
            let opened = open(format!("/proc/{pid}/{name}"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            Ok(opened.into())
        };
        let (statm, status) = (open("statm")?, open("status")?);
        Ok(Self { statm, status, page_bytes, shared_then: 0, without_file: 0 })
    }

    /// The same of a process that was forked. What it shares by then is files.
    pub(super) fn of_copy(pid: u32) -> io::Result<Self> {
        let mut memory = Self::of(pid)?;
        memory.shared_then = memory.pages().1 * memory.page_bytes;
        Ok(memory)
    }

    /// What it has now, in bytes; nothing once it has ended.
    pub(crate) fn look(&mut self) -> u64 {
        let pages = self.pages();
        let (private, shared) = (pages.0 * self.page_bytes, pages.1 * self.page_bytes);
        if shared.abs_diff(self.shared_then) > SHARED_STEP_BYTES {
            self.shared_then = shared;
            self.without_file = self.shared_without_file();
        }
        private + self.without_file
    }

    fn pages(&self) -> (u64, u64) {
        let mut text = [0u8; 128];
        let Ok(n) = self.statm.read_at(&mut text, 0) else { return (0, 0) };
        private_and_shared_pages(text.get(..n).unwrap_or_default()).unwrap_or_default()
    }

    fn shared_without_file(&self) -> u64 {
        let mut text = [0u8; 4096];
        let n = self.status.read_at(&mut text, 0).unwrap_or(0);
        shmem_kilobytes(text.get(..n).unwrap_or_default()).unwrap_or(0) << 10
    }
}

/// Resident minus shared, and shared pages, of a line of /proc/PID/statm (proc_pid_statm(5)).
fn private_and_shared_pages(statm: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(statm).ok()?;
    let mut numbers = text.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    let (resident, shared) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some((resident.saturating_sub(shared), shared))
}

/// The resident shared memory without a file, out of /proc/PID/status (proc_pid_status(5)).
fn shmem_kilobytes(status: &[u8]) -> Option<u64> {
    // Not as text: the program chooses its own name, which stands in it.
    let line = status.split(|byte| *byte == b'\n').rfind(|line| line.starts_with(b"RssShmem:"))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_pages_do_not_count() {
        assert_eq!(private_and_shared_pages(b"1602004 3819 3442 19978 0 157505 0\n"), Some((377, 3442)));
        assert_eq!(private_and_shared_pages(b""), None);
    }

    #[test]
    fn shared_memory_without_a_file_counts() {
        assert_eq!(shmem_kilobytes(b"Name:\tbun\nRssFile:\t  7 kB\nRssShmem:\t  123 kB\nVmSwap:\t 0 kB\n"), Some(123));
        assert_eq!(shmem_kilobytes(b"Name:\tRssShmem: 9\n"), None);
    }

    #[test]
    fn memory_that_is_touched_is_seen() {
        let mut memory = Memory::of(std::process::id()).unwrap();
        let before = memory.look();
        let block = vec![1u8; 128 << 20];
        // Other tests of this process give back what they had meanwhile.
        assert!(memory.look() >= before + (64 << 20), "{before}");
        drop(block);
    }
}
