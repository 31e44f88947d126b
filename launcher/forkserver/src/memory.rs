//! Looking at this process's own memory.

use crate::mappings;
use crate::sys::{self, Errno, PAGE_BYTES, Result};

/// How many pages are asked about at once.
const PAGES_AT_ONCE: usize = 4096;

/// One page, as it is now.
pub(crate) type Page = [u8; PAGE_BYTES];

/// Calls `each` with the address and a copy of every page that is in memory and may be written to. A copy, because
/// nothing of the engine's may be borrowed while the engine could write to it.
pub(crate) fn pages(mut each: impl FnMut(usize, &Page) -> Result<()>) -> Result<()> {
    let mut resident = [0; PAGES_AT_ONCE];
    let mut copy = [0; PAGE_BYTES];
    mappings::writable(|range| {
        let mut start = range.start;
        while start < range.end {
            let count = ((range.end - start) / PAGE_BYTES).clamp(1, PAGES_AT_ONCE);
            let resident = resident.get_mut(..count).ok_or(Errno::EINVAL)?;
            resident.fill(0);
            sys::resident(start, resident)?;
            for (index, _) in resident.iter().enumerate().filter(|(_, page)| **page & 1 == 1) {
                let page = start + index * PAGE_BYTES;
                copy_from(page, &mut copy);
                each(page, &copy)?;
            }
            start += count * PAGE_BYTES;
        }
        Ok(())
    })
}

/// Copies what is at an address that [`pages`] has found.
pub(crate) fn copy_from(address: usize, into: &mut [u8]) {
    let from = core::ptr::with_exposed_provenance::<u8>(address);
    // SAFETY: the bytes lie within a readable mapping, found a moment ago or, by a caller that keeps an address, part
    // of the engine for as long as it runs; nothing is unmapped or written meanwhile, since this process has one thread
    // and that is here. The two may overlap: a search comes by this very buffer.
    unsafe { core::ptr::copy(from, into.as_mut_ptr(), into.len()) };
}

/// Overwrites what is at an address that [`pages`] has found.
pub(crate) fn overwrite(address: usize, with: &[u8]) {
    let to = core::ptr::with_exposed_provenance_mut::<u8>(address);
    // SAFETY: as above, and the mapping is a writable one. What the bytes mean to the engine is for the caller to know:
    // both that use this put one valid state of a generator in the place of another.
    unsafe { core::ptr::copy_nonoverlapping(with.as_ptr(), to, with.len()) };
}
