//! The generator that seeds all others of the engine: RC4's, whose state is a permutation of 0 to 255. Nothing else in
//! the memory of a Bun that has run nothing but the harness looks like that.

use crate::memory::{copy_from, overwrite, pages};
use crate::sys::{self, PAGE_BYTES, Result};

const STATE_BYTES: usize = 256;

/// Where the state is.
pub(crate) struct Generator {
    place: usize,
    count: usize,
    found: [u8; STATE_BYTES],
}

impl Generator {
    pub(crate) const fn new() -> Self {
        Self { place: 0, count: 0, found: [0; STATE_BYTES] }
    }

    pub(crate) const fn is_certain(&self) -> bool {
        self.count == 1
    }

    pub(crate) fn find(&mut self) -> Result<()> {
        self.count = 0;
        pages(|address, page| {
            let mut at = 0;
            while at + STATE_BYTES <= PAGE_BYTES {
                let candidate = page.get(at..at + STATE_BYTES).unwrap_or_default();
                match repetition(candidate) {
                    Some(index) => at += index + 1,
                    // Counting upwards is a table, not a state.
                    None => {
                        if !candidate.is_sorted() {
                            self.place = address + at;
                            self.count += 1;
                        }
                        at += 1;
                    }
                }
            }
            Ok(())
        })?;
        self.found = self.load();
        Ok(())
    }

    pub(crate) fn was_used(&self) -> bool {
        self.load() != self.found
    }

    /// Every permutation is a state.
    pub(crate) fn reseed(&self) -> Result<()> {
        let mut state = self.load();
        let mut random = [0; STATE_BYTES * size_of::<u16>()];
        sys::random(&mut random)?;
        let (draws, _) = random.as_chunks::<{ size_of::<u16>() }>();
        for (last, draw) in (1..STATE_BYTES).zip(draws) {
            state.swap(last, usize::from(u16::from_ne_bytes(*draw)) % (last + 1));
        }
        overwrite(self.place, &state);
        Ok(())
    }

    fn load(&self) -> [u8; STATE_BYTES] {
        let mut state = [0; STATE_BYTES];
        if self.count > 0 {
            copy_from(self.place, &mut state);
        }
        state
    }
}

/// Where the earlier one of two equal bytes is, the pair that ends first; `None`: all bytes differ. No permutation
/// begins at or before it.
fn repetition(bytes: &[u8]) -> Option<usize> {
    let mut seen = [usize::MAX; STATE_BYTES];
    for (index, byte) in bytes.iter().enumerate() {
        let earlier = core::mem::replace(&mut seen[usize::from(*byte)], index);
        if earlier != usize::MAX {
            return Some(earlier);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_is_told_from_a_table() {
        let mut state: Vec<u8> = (0..=255).rev().collect();
        assert_eq!(repetition(&state), None);
        state[9] = state[3];
        assert_eq!(repetition(&state), Some(3));
    }

    #[test]
    fn a_new_state_is_a_permutation() {
        let state: Box<[u8; STATE_BYTES]> = Box::new(core::array::from_fn(|index| 255 - u8::try_from(index).unwrap()));
        let place = state.as_ptr().expose_provenance();
        let generator = Generator { place, count: 1, found: *state };
        assert!(!generator.was_used());
        generator.reseed().expect("the kernel has random numbers");
        assert!(generator.was_used());
        let mut mended = *core::hint::black_box(state);
        assert_ne!(mended, generator.found);
        mended.sort_unstable();
        assert!((0..=255).eq(mended));
    }
}
