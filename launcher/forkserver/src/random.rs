//! The engine's generators of random numbers: their state is in memory, so a fork copies it, and every child would draw
//! the same numbers. They are found before the first fork and get a new state in each child.
//!
//! What is *not* mended here is the cryptography of Bun: it draws from the kernel, ahead and into a store that a fork
//! would copy too. The harness never draws from it before a fork, so there is no store.

mod arc4;
mod xorshift;

use crate::sys::Result;

/// Both generators.
pub(crate) struct Generators {
    /// `Math.random`.
    xorshift: xorshift::Generator,
    /// What seeds the `Math.random` of contexts and workers.
    arc4: arc4::Generator,
}

impl Generators {
    pub(crate) const fn new() -> Self {
        Self { xorshift: xorshift::Generator::new(), arc4: arc4::Generator::new() }
    }

    /// Looks for both; `Math.random` has just returned `drawn`.
    pub(crate) fn find(&mut self, drawn: f64) -> Result<()> {
        self.xorshift.find(drawn)?;
        self.arc4.find()
    }

    /// Keeps what has drawn `drawn` since. Says whether one of each is left.
    pub(crate) fn confirm(&mut self, drawn: f64) -> bool {
        self.xorshift.confirm(drawn);
        self.xorshift.is_certain() && self.arc4.is_certain()
    }

    /// Whether somebody has called `Math.random` since the last draw that was confirmed, or since the new state.
    pub(crate) fn was_used(&self) -> bool {
        // The compiler draws from the other one.
        self.xorshift.was_used()
    }

    /// Gives both a new state.
    pub(crate) fn reseed(&mut self) -> Result<()> {
        self.xorshift.reseed()?;
        self.arc4.reseed()
    }
}
