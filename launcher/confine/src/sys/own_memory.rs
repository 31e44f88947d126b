//! Memory that no copy of the process has.

use super::call::Errno;

/// Bytes that the init of a tree, which is a copy of the launcher, finds to be zeros, as anybody finds them who gets hold
/// of the memory later; no dump has them either.
#[derive(Debug)]
pub struct OwnMemory {
    start: *mut u8,
    length: usize,
}

impl OwnMemory {
    /// Holds a copy of `bytes`.
    pub fn holding(bytes: &[u8]) -> Result<Self, Errno> {
        let length = bytes.len().max(1);
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches no memory of ours.
        let start = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(super::clone::last_errno());
        }
        let memory = Self { start: start.cast(), length: bytes.len() };
        for advice in [libc::MADV_WIPEONFORK, libc::MADV_DONTDUMP] {
            // SAFETY: it is about the mapping that was just made, and changes nothing in this process.
            if unsafe { libc::madvise(start, length, advice) } != 0 {
                return Err(super::clone::last_errno());
            }
        }
        // SAFETY: the mapping is as long, nobody else knows of it, and it does not overlap with what is ours.
        unsafe { memory.start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(memory)
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is as long and lives as long as `self`; nobody writes there once it is made.
        unsafe { core::slice::from_raw_parts(self.start, self.length) }
    }
}

impl Drop for OwnMemory {
    fn drop(&mut self) {
        // The kernel clears pages before it hands them out again.
        // SAFETY: the mapping was made by `holding`, at least one byte long, and what was given out is no longer borrowed.
        unsafe { libc::munmap(self.start.cast(), self.length.max(1)) };
    }
}

// SAFETY: plain bytes in a mapping of their own, which any thread may read, and unmap once nobody does.
unsafe impl Send for OwnMemory {}
// SAFETY: nobody writes to them while they are shared.
unsafe impl Sync for OwnMemory {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{self, CloneFlags, Memory, Shared, Stack};

    fn look((own, copied, found): &(&OwnMemory, &[u8], &Shared<[bool; 2]>)) -> ! {
        found.set([own.bytes() == b"secret", *copied == b"secret"]);
        sys::exit_now(0)
    }

    #[test]
    fn a_copy_of_the_process_finds_zeros() {
        let (own, copied) = (OwnMemory::holding(b"secret").unwrap(), Vec::from(b"secret"));
        assert_eq!(own.bytes(), b"secret");
        let found: Shared<[bool; 2]> = Shared::new().unwrap();
        let mut stack = Stack::new().unwrap();
        let child = sys::clone_in(CloneFlags(0), Memory::Copied, &mut stack, look, &(&own, &*copied, &found)).unwrap();
        child.reap().unwrap();
        assert_eq!(found.get(), Some([false, true]));
        assert!(OwnMemory::holding(b"").unwrap().bytes().is_empty());
    }
}
