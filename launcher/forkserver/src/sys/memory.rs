//! The memory of this process.

use super::{Result, number, raw};

/// Lets a mapping be inherited by children again (`MADV_DOFORK` of madvise(2)).
pub(crate) fn inherit_mapping(start: usize, length: usize) -> Result<()> {
    const MADV_DOFORK: usize = 11;
    // SAFETY: this advice is about children alone: it changes nothing that this process sees of its memory.
    unsafe { raw(number::MADVISE, [start, length, MADV_DOFORK, 0, 0, 0]) }.map(|_| ())
}

/// Which pages of a mapping are in memory: the lowest bit of one byte for each (mincore(2)).
pub(crate) fn resident(start: usize, pages: &mut [u8]) -> Result<()> {
    let (length, place) = (pages.len() * PAGE_BYTES, pages.as_mut_ptr() as usize);
    // SAFETY: the kernel writes one byte for each page asked about, and no page it asks about is touched.
    unsafe { raw(number::MINCORE, [start, length, place, 0, 0, 0]) }.map(|_| ())
}

/// The smallest size of a page; where pages are larger, `resident` fails and with it the preparation.
pub(crate) const PAGE_BYTES: usize = 4096;
