//! `Math.random`: xorshift128+, two numbers of 64 bits, and what is drawn is the lower 53 bits of their sum. The state
//! is recognised by what was just drawn, and confirmed by the next draw.

use crate::memory::{copy_from, overwrite, pages};
use crate::sys::{self, Errno, Result};

/// How many places may look like the state.
const MOST_PLACES: usize = 16;
const WORD_BYTES: usize = 8;
const STATE_BYTES: usize = 2 * WORD_BYTES;
const DRAWN_BITS: u32 = 53;

/// Where the state is, or may be.
pub(crate) struct Generator {
    places: [usize; MOST_PLACES],
    count: usize,
    known: [u8; STATE_BYTES],
}

impl Generator {
    pub(crate) const fn new() -> Self {
        Self { places: [0; MOST_PLACES], count: 0, known: [0; STATE_BYTES] }
    }

    pub(crate) const fn is_certain(&self) -> bool {
        self.count == 1
    }

    /// Looks for all places where the state may be that `drawn` was drawn from.
    pub(crate) fn find(&mut self, drawn: f64) -> Result<()> {
        self.count = 0;
        let wanted = drawn_bits(drawn);
        // The state lies within an object of the engine, on one page. Were it cut by a page's end, it would not be
        // found, and the server would not serve.
        pages(|address, page| {
            for at in (0..page.len()).step_by(WORD_BYTES) {
                let Some(state) = page.get(at..).and_then(<[u8]>::first_chunk) else { break };
                if matches(state, wanted) {
                    *self.places.get_mut(self.count).ok_or(Errno::E2BIG)? = address + at;
                    self.count += 1;
                }
            }
            Ok(())
        })
    }

    /// Keeps the places whose state is what `drawn` was drawn from as well.
    pub(crate) fn confirm(&mut self, drawn: f64) {
        let wanted = drawn_bits(drawn);
        let mut kept = 0;
        for index in 0..self.count {
            let state = load(self.places[index]);
            if matches(&state, wanted) {
                self.places[kept] = self.places[index];
                self.known = state;
                kept += 1;
            }
        }
        self.count = kept;
    }

    pub(crate) fn was_used(&self) -> bool {
        load(self.places[0]) != self.known
    }

    /// Any two numbers are a state but two zeroes, which are as unlikely as a right guess of it.
    pub(crate) fn reseed(&mut self) -> Result<()> {
        sys::random(&mut self.known)?;
        overwrite(self.places[0], &self.known);
        Ok(())
    }
}

fn load(address: usize) -> [u8; STATE_BYTES] {
    let mut state = [0; STATE_BYTES];
    copy_from(address, &mut state);
    state
}

fn matches(state: &[u8; STATE_BYTES], wanted: u64) -> bool {
    let [low, high] = [0, WORD_BYTES]
        .map(|at| state.get(at..).and_then(<[u8]>::first_chunk).copied().map(u64::from_ne_bytes).unwrap_or_default());
    // With an empty upper half it is a pair of small numbers that happens to fit.
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
    struct Model([u64; 2]);

    impl Model {
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

    unsafe extern "C" {
        fn fork() -> core::ffi::c_int;
    }

    /// In a process of one thread, as the server is: the search goes through all memory, and other tests unmap theirs.
    #[test]
    fn the_state_is_found_by_two_draws_and_overwritten() {
        let mut model = Box::new(Model([0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321]));
        (&raw const *model).expose_provenance();
        // SAFETY: the child only searches its memory, calls the kernel and exits: it takes no lock that another thread
        // could have held.
        let pid = unsafe { fork() };
        if pid == 0 {
            sys::exit(steps(&mut model).err().unwrap_or(0));
        }
        assert_eq!(sys::wait(pid.cast_unsigned()), Ok(0), "the number of the step that failed");
    }

    fn steps(model: &mut Model) -> core::result::Result<(), core::ffi::c_int> {
        let holds = |step, holds: bool| if holds { Ok(()) } else { Err(step) };
        let mut generator = Generator::new();
        holds(1, generator.find(model.draw()).is_ok())?;
        holds(2, generator.count > 0)?;
        generator.confirm(model.draw());
        holds(3, generator.is_certain())?;
        holds(4, !generator.was_used())?;
        model.draw();
        holds(5, generator.was_used())?;
        let state = model.0;
        holds(6, generator.reseed().is_ok())?;
        holds(7, core::hint::black_box(&*model).0 != state)
    }

    #[test]
    fn what_matches_one_draw_by_chance_is_not_kept() {
        let chance = Box::new([1u64 << 40, 1u64 << 41]);
        let mut generator = Generator::new();
        generator.places[0] = chance.as_ptr().expose_provenance();
        generator.count = 1;
        generator.confirm(0.5);
        assert!(!generator.is_certain());
    }
}
