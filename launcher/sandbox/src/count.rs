//! A bound on how much a program makes the launcher hold at a time.

use std::cell::Cell;
use std::rc::Rc;

/// How many of something there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count(Rc<Cell<usize>>);

/// One of those that are counted.
#[derive(Debug)]
pub(crate) struct Counted(Rc<Cell<usize>>);

impl Count {
    /// One more, unless there are `most`.
    pub(crate) fn one(&self, most: usize) -> Option<Counted> {
        let count = self.0.get();
        (count < most).then(|| {
            self.0.set(count + 1);
            Counted(Rc::clone(&self.0))
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
