//! The generator that seeds all others of the engine: RC4's, whose state is a permutation of 0 to 255. Before it stands
//! how far it has come through that, after it how many numbers are left until it takes a new one from the kernel, and
//! the two have to agree.

use crate::memory::{Page, copy_from, overwrite, pages};
use crate::sys::{self, Result};

const STATE_BYTES: usize = 256;
/// The two positions in the permutation, a byte each.
const POSITIONS_BYTES: usize = 2;
/// How many numbers one state is good for.
const MOST_NUMBERS: u32 = 1_600_000;

/// Where the state is.
pub(crate) struct Generator {
    place: usize,
    count: usize,
}

impl Generator {
    pub(crate) const fn new() -> Self {
        Self { place: 0, count: 0 }
    }

    pub(crate) const fn is_certain(&self) -> bool {
        self.count == 1
    }

    pub(crate) fn find(&mut self) -> Result<()> {
        self.count = 0;
        pages(|address, page| {
            let mut at = POSITIONS_BYTES;
            while let Some(candidate) = page.get(at..at + STATE_BYTES) {
                if let Some(index) = repetition(candidate) {
                    at += index + 1;
                    continue;
                }
                if is_surrounded(page, address, at) {
                    self.place = address + at;
                    self.count += 1;
                }
                at += 1;
            }
            Ok(())
        })
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

/// Whether what stands before and after a permutation is what stands there in the generator.
fn is_surrounded(page: &Page, address: usize, at: usize) -> bool {
    // The position moves by one with each number, from zero.
    let position = page.get(at - POSITIONS_BYTES).copied();
    // An int, where an int may be.
    let after = (address + at + STATE_BYTES).next_multiple_of(size_of::<u32>()) - address;
    let Some(left) = page.get(after..).and_then(<[u8]>::first_chunk).copied().map(u32::from_ne_bytes) else {
        return false;
    };
    let drawn = MOST_NUMBERS.checked_sub(left).filter(|_| left > 0);
    drawn.is_some_and(|drawn| position == drawn.to_le_bytes().first().copied())
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
    fn of_permutations_that_overlap_one_is_the_state() {
        let mut page = [0; crate::sys::PAGE_BYTES];
        let (state, drawn) = (101, 300);
        for (value, place) in (0..=u8::MAX).rev().zip(&mut page[state..]) {
            *place = value;
        }
        page[state - 2..state].copy_from_slice(&[44, 0]);
        page[360..364].copy_from_slice(&(MOST_NUMBERS - drawn).to_ne_bytes());
        // The second position happens to go on with the permutation.
        assert_eq!(page[state - 1], page[state + STATE_BYTES - 1]);
        assert!(repetition(&page[state - 1..state - 1 + STATE_BYTES]).is_none());
        assert!(is_surrounded(&page, 0x1000, state));
        assert!(!is_surrounded(&page, 0x1000, state - 1));
        page[360..364].copy_from_slice(&0u32.to_ne_bytes());
        assert!(!is_surrounded(&page, 0x1000, state));
    }

    #[test]
    fn a_new_state_is_a_permutation() {
        let state: Box<[u8; STATE_BYTES]> = Box::new(core::array::from_fn(|index| 255 - u8::try_from(index).unwrap()));
        let place = state.as_ptr().expose_provenance();
        let before = *state;
        let generator = Generator { place, count: 1 };
        generator.reseed().expect("the kernel has random numbers");
        let mut mended = *core::hint::black_box(state);
        assert_ne!(mended, before);
        mended.sort_unstable();
        assert!((0..=255).eq(mended));
    }
}
