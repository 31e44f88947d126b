//! The launcher's allocator.

use std::alloc::{GlobalAlloc, Layout, System};

use dlmalloc::GlobalDlmalloc;

/// From this size on, musl's allocator maps and unmaps each block by itself.
const LARGE_BYTES: usize = 256 << 10;

/// Small blocks from a heap of our own: musl's allocator asks the kernel for most of what it gives, which is 0.3 ms of a
/// start. Large ones from the system, so that the memory of a long line goes back to the kernel with it: a heap keeps what
/// is below the last block that is in use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocator;

/// The allocator of blocks of this size.
const fn of(bytes: usize) -> &'static dyn GlobalAlloc {
    if bytes >= LARGE_BYTES { &System } else { &GlobalDlmalloc }
}

// SAFETY: both allocators keep the contract, and which of them has a block follows from its size alone, which the caller
// of each function says as it said it when the block was made.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract towards us.
        unsafe { of(layout.size()).alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { of(layout.size()).alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above, and the block comes from the allocator that its size stands for.
        unsafe { of(layout.size()).dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        if (layout.size() >= LARGE_BYTES) == (bytes >= LARGE_BYTES) {
            // SAFETY: as above.
            return unsafe { of(bytes).realloc(block, layout, bytes) };
        }
        // SAFETY: the caller promises a size that does not overflow with this alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(bytes, layout.align()) };
        // SAFETY: it promises as well that the size is not zero.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: both are at least so long, and they do not overlap.
            unsafe { block.copy_to_nonoverlapping(moved, layout.size().min(bytes)) };
            // SAFETY: as above; nobody uses it from here on.
            unsafe { self.dealloc(block, layout) };
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 8).unwrap()
    }

    #[test]
    fn a_block_keeps_what_it_holds_when_it_grows_and_shrinks() {
        const KEPT: usize = 40;
        let sizes = [100, LARGE_BYTES - 1, LARGE_BYTES, 10 * LARGE_BYTES, LARGE_BYTES, 50];
        // SAFETY: not empty.
        let mut block = unsafe { Allocator.alloc_zeroed(layout(sizes[0])) };
        // SAFETY: within the block.
        unsafe { block.write_bytes(7, KEPT) };
        for pair in sizes.windows(2) {
            // SAFETY: the layout that it has.
            block = unsafe { Allocator.realloc(block, layout(pair[0]), pair[1]) };
            // SAFETY: written above, and within the block.
            let kept = unsafe { std::slice::from_raw_parts(block, KEPT) };
            assert_eq!(kept, [7; KEPT], "{pair:?}");
            // SAFETY: all of the block.
            unsafe { block.write_bytes(7, pair[1]) };
        }
        // SAFETY: the layout that it has.
        unsafe { Allocator.dealloc(block, layout(50)) };
    }

    #[test]
    fn zeroed_is_zeroed() {
        for bytes in [64, LARGE_BYTES] {
            // SAFETY: not empty.
            let block = unsafe { Allocator.alloc_zeroed(layout(bytes)) };
            // SAFETY: as long as its layout says, and zeroed.
            let found = unsafe { std::slice::from_raw_parts(block, bytes) };
            assert!(found.iter().all(|byte| *byte == 0));
            // SAFETY: the layout that it has.
            unsafe { Allocator.dealloc(block, layout(bytes)) };
        }
    }
}
