//! What is in the memory of a process.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

/// The size of a page, and of its entry in /proc/PID/pagemap (pagemap in the kernel's documentation).
const PAGE_BYTES: u64 = 4096;
const ENTRY_BYTES: u64 = 8;

/// That a page is in memory, or was moved to swap.
const IS_THERE: u64 = 0b11 << 62;

/// Pages that are read at a time.
const MOST_PAGES: u64 = 1024;

/// How often a process has `needle` in memory that can be written to; an error where nobody may look.
pub fn count_in_memory(pid: i32, needle: &str) -> io::Result<usize> {
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let pages = File::open(format!("/proc/{pid}/pagemap"))?;
    let mut count = 0;
    for line in fs::read_to_string(format!("/proc/{pid}/maps"))?.lines() {
        let mut words = line.split_whitespace();
        let range = words.next().and_then(|range| range.split_once('-'));
        let (Some((from, to)), Some(true)) = (range, words.next().map(|rights| rights.starts_with("rw"))) else {
            continue;
        };
        let page = |text: &str| u64::from_str_radix(text, 16).expect("an address") / PAGE_BYTES;
        let (mut at, end) = (page(from), page(to));
        // What comes next to what was read is one text with it.
        let mut before = Vec::new();
        while at < end {
            let there = there(&pages, at, end.min(at + MOST_PAGES));
            let (is_there, length) = there.unwrap_or((false, end - at));
            if is_there {
                let start = before.len();
                before.resize(start + usize::try_from(length * PAGE_BYTES).expect("a few megabytes"), 0);
                // What went away meanwhile holds nothing.
                let _ = memory.read_exact_at(&mut before[start..], at * PAGE_BYTES);
                count += before.windows(needle.len()).filter(|window| *window == needle.as_bytes()).count();
                before.drain(..before.len().saturating_sub(needle.len() - 1));
            } else {
                before.clear();
            }
            at += length;
        }
    }
    Ok(count)
}

/// Whether the page at `from` is there, and how many from it on are alike.
fn there(pages: &File, from: u64, to: u64) -> Option<(bool, u64)> {
    let mut entries = vec![0; usize::try_from((to - from) * ENTRY_BYTES).ok()?];
    pages.read_exact_at(&mut entries, from * ENTRY_BYTES).ok()?;
    let mut there =
        entries.chunks_exact(8).map(|entry| u64::from_ne_bytes(entry.try_into().expect("eight bytes")) & IS_THERE != 0);
    let first = there.next()?;
    Some((first, 1 + u64::try_from(there.take_while(|there| *there == first).count()).ok()?))
}
