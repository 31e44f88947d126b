//! Registered functions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use policy::Policy;

use crate::run::Entry;
use crate::stage::Preloaded;

/// A function by its name.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) entry: Entry,
    pub(super) export: Option<String>,
    /// What it may do: at most what the service may.
    pub(super) policy: Policy,
    /// What is done before a fork, if it is loaded there.
    pub(super) preloaded: Option<Preloaded>,
    /// A number of its own.
    pub(super) number: usize,
    /// Whether it can still be called by its name.
    is_registered: AtomicBool,
    way: AtomicU8,
}

/// How calls of a function are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Way {
    /// It is not known yet: a program is started for each.
    Open,
    /// A server forks for each.
    Fork,
    /// Programs are started ahead, where there is a pool.
    Pool,
}

impl Function {
    pub(super) fn new(
        name: String,
        entry: Entry,
        export: Option<String>,
        policy: Policy,
        preloaded: Option<Preloaded>,
    ) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        Self {
            name,
            entry,
            export,
            policy,
            preloaded,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            is_registered: AtomicBool::new(true),
            way: AtomicU8::new(Way::Open as u8),
        }
    }

    /// What stands for all functions that are called by their text.
    pub(super) fn text(policy: Policy) -> Self {
        Self::new(String::new(), Entry::Text(String::new()), None, policy, None)
    }

    /// Whether it is that.
    pub(super) const fn is_text(&self) -> bool {
        self.name.is_empty()
    }

    /// How its calls are run.
    pub(super) fn way(&self) -> Way {
        match self.way.load(Ordering::Relaxed) {
            way if way == Way::Fork as u8 => Way::Fork,
            way if way == Way::Pool as u8 => Way::Pool,
            _ => Way::Open,
        }
    }

    /// Its calls are run so from now on.
    pub(super) fn goes(&self, way: Way) {
        self.way.store(way as u8, Ordering::Relaxed);
    }

    pub(super) fn is_registered(&self) -> bool {
        self.is_registered.load(Ordering::Relaxed)
    }
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
