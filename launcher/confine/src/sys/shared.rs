//! A value in memory that parent and child share, whatever else they do not.

use core::marker::PhantomData;
use core::sync::atomic::{Ordering, fence};

use super::call::Errno;

/// A page with at most one value in it. Whoever reads has learnt from the kernel before (the end of a process, a byte in
/// a pipe) that it has been written.
#[derive(Debug)]
pub(crate) struct Shared<T: Copy> {
    page: *mut Option<T>,
    value: PhantomData<T>,
}

const PAGE_BYTES: usize = 4096;

impl<T: Copy> Shared<T> {
    /// Maps the page, with nothing in it.
    pub(crate) fn new() -> Result<Self, Errno> {
        const { assert!(size_of::<Option<T>>() <= PAGE_BYTES) };
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches no memory of ours.
        let page = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                PAGE_BYTES,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if page == libc::MAP_FAILED {
            return Err(super::clone::last_errno());
        }
        let shared = Self { page: page.cast(), value: PhantomData };
        // SAFETY: the mapping is large enough, aligned to a page, and nobody else knows of it yet.
        unsafe { shared.page.write_volatile(None) };
        Ok(shared)
    }

    /// Leaves a value.
    pub(crate) fn set(&self, value: T) {
        // SAFETY: the mapping lives as long as `self`; the other process reads only after it has been told to.
        unsafe { self.page.write_volatile(Some(value)) };
        fence(Ordering::Release);
    }

    /// The value, if one was left.
    pub(crate) fn get(&self) -> Option<T> {
        fence(Ordering::Acquire);
        // SAFETY: the mapping lives as long as `self` and always holds a whole `Option<T>`, which is `Copy`: only our
        // own code in both processes writes there, and not while this one reads.
        unsafe { self.page.read_volatile() }
    }
}

impl<T: Copy> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this size, and no reference into it is ever given out.
        unsafe { libc::munmap(self.page.cast(), PAGE_BYTES) };
    }
}

// SAFETY: the value is plain data in a mapping of its own, which any thread may read and unmap.
unsafe impl<T: Copy + Send> Send for Shared<T> {}
