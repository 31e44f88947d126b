//! Registered functions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use policy::Policy;

use crate::run::Entry;

/// A function by its name.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) entry: Entry,
    pub(super) export: Option<String>,
    /// What it may do: at most what the service may.
    pub(super) policy: Policy,
    /// Its limit on wall time, in milliseconds.
    pub(super) wall_ms: Option<u64>,
    /// Whether it can still be called by its name.
    is_registered: AtomicBool,
}

impl Function {
    pub(super) fn new(name: String, entry: Entry, export: Option<String>, policy: Policy) -> Self {
        let wall_ms = wall_ms(&policy);
        Self { name, entry, export, policy, wall_ms, is_registered: AtomicBool::new(true) }
    }

    pub(super) fn is_registered(&self) -> bool {
        self.is_registered.load(Ordering::Relaxed)
    }
}

/// The smallest limit on wall time of a policy and those above it.
fn wall_ms(policy: &Policy) -> Option<u64> {
    let own = policy.limits.values().wall_ms;
    let above = policy.bound.as_ref().and_then(|bound| wall_ms(&bound.policy));
    own.into_iter().chain(above).min()
}

/// Those that there are.
#[derive(Debug, Default)]
pub(super) struct Functions(Mutex<HashMap<String, Arc<Function>>>);

impl Functions {
    /// Adds a function; the one whose place it takes.
    pub(super) fn register(&self, function: Arc<Function>) -> Option<Arc<Function>> {
        Self::retired(self.lock().insert(function.name.clone(), function))
    }

    /// Removes a function.
    pub(super) fn remove(&self, name: &str) -> Option<Arc<Function>> {
        Self::retired(self.lock().remove(name))
    }

    fn retired(function: Option<Arc<Function>>) -> Option<Arc<Function>> {
        function.inspect(|function| function.is_registered.store(false, Ordering::Relaxed))
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<Function>> {
        self.lock().get(name).cloned()
    }

    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Function>>> {
        // Nothing that holds it can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
