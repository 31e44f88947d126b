//! How much memory a program has, by asking /proc: what it has resident and does not share with files.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const PAGE_BYTES: u64 = 4096;

/// A program's memory.
#[derive(Debug)]
pub(super) struct Memory {
    statm: File,
    page_bytes: u64,
}

impl Memory {
    /// Opens the counters of a process; later it costs a few microseconds a look.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let page_bytes = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
        let page_bytes = page_bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(PAGE_BYTES);
        Ok(Self { statm: File::open(format!("/proc/{pid}/statm"))?, page_bytes })
    }

    /// What it has now, in bytes; nothing once it has ended.
    pub(super) fn look(&self) -> u64 {
        let mut text = [0u8; 128];
        let Ok(n) = self.statm.read_at(&mut text, 0) else { return 0 };
        private_pages(text.get(..n).unwrap_or_default()).unwrap_or(0) * self.page_bytes
    }
}

/// Resident minus shared pages of a line of /proc/PID/statm (proc_pid_statm(5)).
fn private_pages(statm: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(statm).ok()?;
    let mut numbers = text.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    let (resident, shared) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(resident.saturating_sub(shared))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_pages_do_not_count() {
        assert_eq!(private_pages(b"1602004 3819 3442 19978 0 157505 0\n"), Some(377));
        assert_eq!(private_pages(b""), None);
    }

    #[test]
    fn memory_that_is_touched_is_seen() {
        let memory = Memory::of(std::process::id()).unwrap();
        let before = memory.look();
        let block = vec![1u8; 64 << 20];
        assert!(memory.look() >= before + (60 << 20), "{before}");
        drop(block);
    }
}
