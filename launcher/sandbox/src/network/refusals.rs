//! What the broker refused.

use std::cell::RefCell;
use std::rc::Rc;

use policy::{Decision, Request};

/// The most different ones that are kept.
const MOST: usize = 128;

/// A request that the broker refused, by the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked for, with the host by the name that the program used.
    pub request: Request,
    /// Why it was refused.
    pub decision: Decision,
    /// How often.
    pub count: u64,
}

/// Refusals, each once. A clone is the same list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(Rc<RefCell<Vec<Refusal>>>);

impl Refusals {
    /// Notes one more.
    pub(crate) fn note(&self, request: Request, decision: Decision) {
        let mut known = self.0.borrow_mut();
        if let Some(same) = known.iter_mut().find(|refusal| refusal.request == request) {
            same.count += 1;
        } else if known.len() < MOST {
            known.push(Refusal { request, decision, count: 1 });
        }
    }

    /// All of them.
    pub(crate) fn take(&self) -> Vec<Refusal> {
        self.0.take()
    }
}
