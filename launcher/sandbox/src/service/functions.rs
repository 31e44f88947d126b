//! Registered functions.

use std::collections::HashMap;
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
}

/// Those that there are.
#[derive(Debug, Default)]
pub(super) struct Functions(Mutex<HashMap<String, Arc<Function>>>);

impl Functions {
    pub(super) fn register(&self, function: Function) {
        self.lock().insert(function.name.clone(), Arc::new(function));
    }

    pub(super) fn remove(&self, name: &str) -> bool {
        self.lock().remove(name).is_some()
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
