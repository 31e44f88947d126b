//! `Math.random`: its state is in memory, so a fork copies it, and every child would draw the same numbers.
//!
//! The engine's generator is xorshift128+: two numbers of 64 bits, and what is drawn is the lower 53 bits of their sum.
//! The state is found by what was just drawn, confirmed by the next draw, and overwritten in each child.

use crate::mappings;
use crate::sys::{self, Errno, PAGE_BYTES, Result};

/// How many places may look like the state.
const MOST_PLACES: usize = 16;
/// How many pages are asked about at once.
const PAGES_AT_ONCE: usize = 4096;
const WORD_BYTES: usize = 8;
const DRAWN_BITS: u32 = 53;

/// Where the state is, or may be.
pub(crate) struct Places {
    addresses: [usize; MOST_PLACES],
    count: usize,
}

impl Places {
    pub(crate) const fn new() -> Self {
        Self { addresses: [0; MOST_PLACES], count: 0 }
    }

    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// Looks for all places where the state may be that `drawn` was drawn from.
    pub(crate) fn find(&mut self, drawn: f64) -> Result<()> {
        self.count = 0;
        let wanted = drawn_bits(drawn);
        let mut pages = [0; PAGES_AT_ONCE];
        mappings::writable(|range| {
            let mut start = range.start;
            while start < range.end {
                let count = ((range.end - start) / PAGE_BYTES).clamp(1, PAGES_AT_ONCE);
                let pages = pages.get_mut(..count).ok_or(Errno::EINVAL)?;
                pages.fill(0);
                sys::resident(start, pages)?;
                for (index, _) in pages.iter().enumerate().filter(|(_, page)| **page & 1 == 1) {
                    self.search_page(start + index * PAGE_BYTES, wanted)?;
                }
                start += count * PAGE_BYTES;
            }
            Ok(())
        })
    }

    /// Keeps the places whose state is what `drawn` was drawn from as well.
    pub(crate) fn confirm(&mut self, drawn: f64) {
        let wanted = drawn_bits(drawn);
        let mut kept = 0;
        for index in 0..self.count {
            let address = self.addresses[index];
            if matches(load(address), wanted) {
                self.addresses[kept] = address;
                kept += 1;
            }
        }
        self.count = kept;
    }

    /// Overwrites the state with random numbers.
    pub(crate) fn reseed(&self) -> Result<()> {
        for address in self.addresses.iter().take(self.count) {
            let mut seed = [0; 2 * WORD_BYTES];
            sys::random(&mut seed)?;
            let place = core::ptr::with_exposed_provenance_mut::<[u8; 2 * WORD_BYTES]>(*address);
            // SAFETY: two draws in a row have shown that the engine's state is in these 16 bytes; this process has one
            // thread, in this function, so nobody reads them meanwhile; any numbers but two zeroes are a state, and
            // those are as unlikely as a guess of the state is.
            unsafe { place.write_unaligned(seed) };
        }
        Ok(())
    }

    fn search_page(&mut self, page: usize, wanted: u64) -> Result<()> {
        // The last word has its other half on the next page, which may not be in memory: the state lies within an
        // object of the engine, which is found on one page or, where it is not, the server does not serve.
        let mut low = word(page);
        for at in (WORD_BYTES..PAGE_BYTES).step_by(WORD_BYTES) {
            let high = word(page + at);
            if matches([low, high], wanted) {
                let place = self.addresses.get_mut(self.count).ok_or(Errno::E2BIG)?;
                *place = page + at - WORD_BYTES;
                self.count += 1;
            }
            low = high;
        }
        Ok(())
    }
}

fn load(address: usize) -> [u64; 2] {
    [word(address), word(address + WORD_BYTES)]
}

fn word(address: usize) -> u64 {
    let place = core::ptr::with_exposed_provenance::<u64>(address);
    // SAFETY: the word lies on a page of a readable mapping that was in memory a moment ago, and nothing is unmapped
    // meanwhile, since this process has one thread, in this function. Words are aligned: pages are, and steps of eight
    // bytes keep it. Volatile, because the engine writes there behind the compiler's back.
    unsafe { place.read_volatile() }
}

fn matches([low, high]: [u64; 2], wanted: u64) -> bool {
    // A state with an empty upper half is a pair of small numbers that happens to fit.
    low.wrapping_add(high) & ((1 << DRAWN_BITS) - 1) == wanted && low >> 32 != 0 && high >> 32 != 0
}

/// The 53 bits that a number in 0..1 was made of.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an integer below 2^53")]
fn drawn_bits(drawn: f64) -> u64 {
    (drawn * 9_007_199_254_740_992.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The engine's generator, as WTF/WeakRandom.h describes it.
    struct Generator([u64; 2]);

    impl Generator {
        fn draw(&mut self) -> f64 {
            let [mut x, y] = self.0;
            x ^= x << 23;
            x ^= x >> 17;
            x ^= y ^ (y >> 26);
            self.0 = [y, x];
            #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
            let drawn = (x.wrapping_add(y) & ((1 << DRAWN_BITS) - 1)) as f64;
            drawn / 9_007_199_254_740_992.0
        }
    }

    #[test]
    fn the_state_is_found_by_two_draws_and_overwritten() {
        let mut generator = Box::new(Generator([0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321]));
        let mut places = Places::new();
        places.find(generator.draw()).expect("memory is readable");
        assert!(places.count() > 0);
        places.confirm(generator.draw());
        assert_eq!(places.count(), 1);
        let before = generator.draw();
        places.confirm(before);
        assert_eq!(places.addresses[0], (&raw const generator.0).addr());
        let state = generator.0;
        places.reseed().expect("the kernel has random numbers");
        assert_ne!(core::hint::black_box(&generator).0, state);
    }

    #[test]
    fn what_matches_one_draw_by_chance_is_not_kept() {
        let mut places = Places::new();
        let chance = Box::new([1u64 << 40, 1u64 << 41]);
        places.addresses[0] = chance.as_ptr().addr();
        places.count = 1;
        places.confirm(0.5);
        assert_eq!(places.count(), 0);
    }
}
