//! A policy under another one that bounds it.

use std::path::{Path, PathBuf};

use crate::decide::{Decision, decide};
use crate::grants::{Entry, Grants, Rules, Switch};
use crate::guard::{is_import_root, opens, protected_above};
use crate::limits::{Limits, Setting};
use crate::pattern::Pattern;
use crate::places::ExpandedPolicy;
use crate::request::Request;
use crate::settings::{Freeze, Protection, Require};
use crate::within::{import_root_is_within, is_granted_whole, most_workers};

/// A policy that cannot be trusted by itself (it came with the code, or from a client), and the one above it: what a
/// program may do is what both allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// The policy that bounds.
    pub outer: ExpandedPolicy,
    /// What people call the policy that bounds: `preset function`.
    pub outer_name: String,
    /// The policy that is bounded.
    pub inner: ExpandedPolicy,
}

impl Ceiling {
    /// Whether both policies allow `request`; the bounded one answers first.
    pub fn decide(&self, request: &Request) -> Decision {
        let inner = decide(&self.inner, request);
        let outer = decide(&self.outer, request);
        if !inner.allowed || outer.allowed {
            return inner;
        }
        let fix = outer.fix.map(|fix| format!("{fix} (in {})", self.outer_name));
        Decision { fix, ..outer }
    }

    /// One policy that allows nothing that either of the two refuses, for what can only work with one. Where two
    /// grants overlap but neither holds the other, it allows less than [`Ceiling::decide`]: what they share is not
    /// a grant that can be written down.
    pub fn narrowed(&self) -> ExpandedPolicy {
        let (outer, inner) = (&self.outer, &self.inner);
        let (theirs, ours) = (&outer.grants, &inner.grants);
        let mut narrowed = ExpandedPolicy {
            grants: Grants {
                read: readable(ours, theirs),
                write: writable(ours, theirs),
                import: Rules { deny: both(&ours.import.deny, &theirs.import.deny), ..Rules::default() },
                net: common(&ours.net, &theirs.net),
                listen: common(&ours.listen, &theirs.listen),
                fetch: common(&ours.fetch, &theirs.fetch),
                env: common(&ours.env, &theirs.env),
                run: common(&ours.run, &theirs.run),
                sys: common(&ours.sys, &theirs.sys),
                workers: {
                    let narrower = if most_workers(inner) <= most_workers(outer) { ours } else { theirs };
                    narrower.workers.clone()
                },
                ffi: common(&ours.ffi, &theirs.ffi),
                eval: narrower_switch(self, &Request::Eval, |grants| &grants.eval),
                wasm: narrower_switch(self, &Request::Wasm, |grants| &grants.wasm),
                host: common(&ours.host, &theirs.host),
                secrets: common(&ours.secrets, &theirs.secrets),
            },
            limits: stricter_limits(&inner.limits, &outer.limits),
            kernel: inner.kernel.clone(),
            js: inner.js.clone(),
            trust: inner.trust.clone(),
            refused_roots: inner.refused_roots.clone(),
            cwd: inner.cwd.clone(),
        };
        narrowed.grants.import.allow = importable(inner, outer, &narrowed);
        self.keep_secrets(&mut narrowed);
        self.tighten(&mut narrowed);
        narrowed
    }

    /// Drops grants that include a secret which one of the two leaves out.
    fn keep_secrets(&self, narrowed: &mut ExpandedPolicy) {
        let bounds = narrowed.clone();
        let holds = |entry: &Entry<PathBuf>, writing: bool| {
            [&self.inner, &self.outer].into_iter().all(|bound| {
                let Grants { read, write, .. } = &bound.grants;
                let rules: &[_] = if writing { &[write] } else { &[read, write] };
                is_granted_whole(&entry.value, &bounds, bound, rules)
            })
        };
        narrowed.grants.read.allow.retain(|entry| holds(entry, false));
        narrowed.grants.write.allow.retain(|entry| holds(entry, true));
    }

    /// Takes the stricter of the settings that are not grants.
    fn tighten(&self, narrowed: &mut ExpandedPolicy) {
        let (outer, inner) = (&self.outer, &self.inner);
        narrowed.kernel.namespaces.extend_from_slice(&outer.kernel.namespaces);
        // Saying nothing requires all.
        let all = Require::All;
        let theirs = outer.kernel.require.as_ref().map_or(&all, |require| &require.value);
        let ours = inner.kernel.require.as_ref().map_or(&all, |require| &require.value);
        let required = theirs.with(ours);
        let stated = inner.kernel.require.as_ref().or(outer.kernel.require.as_ref());
        narrowed.kernel.require = stated.map(|stated| Setting { value: required, origin: stated.origin.clone() });
        debug_assert!(
            Protection::ALL.iter().all(|layer| !(outer.kernel.requires(*layer) || inner.kernel.requires(*layer))
                || narrowed.kernel.requires(*layer))
        );
        if outer.kernel.audit.is_some() {
            narrowed.kernel.audit.clone_from(&outer.kernel.audit);
        }
        if inner.js.freeze() == Freeze::None {
            narrowed.js.freeze.clone_from(&outer.js.freeze);
        }
        if !outer.js.jit() {
            narrowed.js.jit.clone_from(&outer.js.jit);
        }
        if !outer.js.codegen() {
            narrowed.js.codegen.clone_from(&outer.js.codegen);
        }
        if outer.trust.required() {
            narrowed.trust = outer.trust.clone();
            if inner.trust.required() {
                narrowed.trust.signers.retain(|signer| inner.trust.signers.iter().any(|own| own.value == signer.value));
            }
        }
    }
}

fn both<T: Clone>(one: &[Entry<T>], other: &[Entry<T>]) -> Vec<Entry<T>> {
    [one, other].concat()
}

fn each<T>(entries: &[Entry<T>]) -> Vec<&Entry<T>> {
    entries.iter().collect()
}

/// Of every two grants, the narrower one.
fn narrower<T: Pattern + Clone>(ours: &[&Entry<T>], theirs: &[&Entry<T>]) -> Vec<Entry<T>> {
    let mut shared = Vec::new();
    for own in ours {
        if theirs.iter().any(|other| other.value.covers(&own.value)) {
            shared.push((*own).clone());
            continue;
        }
        let inside = theirs.iter().filter(|other| own.value.covers(&other.value));
        shared.extend(inside.map(|other| (*other).clone()));
    }
    shared
}

fn common<T: Pattern + Clone>(ours: &Rules<T>, theirs: &Rules<T>) -> Rules<T> {
    Rules {
        allow: narrower(&each(&ours.allow), &each(&theirs.allow)),
        deny: both(&ours.deny, &theirs.deny),
        ..Rules::default()
    }
}

fn readable(ours: &Grants<PathBuf>, theirs: &Grants<PathBuf>) -> Rules<PathBuf> {
    let own: Vec<_> = ours.read.allow.iter().chain(&ours.write.allow).collect();
    let other: Vec<_> = theirs.read.allow.iter().chain(&theirs.write.allow).collect();
    Rules { allow: narrower(&own, &other), deny: both(&ours.read.deny, &theirs.read.deny), ..Rules::default() }
}

fn writable(ours: &Grants<PathBuf>, theirs: &Grants<PathBuf>) -> Rules<PathBuf> {
    let (own, other) = (each(&ours.write.allow), each(&theirs.write.allow));
    let mut allow = narrower(&own, &other);
    // A rule of one that names a protected file must not open it for the other.
    let is_open = |grants: &[&Entry<PathBuf>], path: &Path| {
        protected_above(path).all(|guarded| grants.iter().any(|grant| opens(&grant.value, guarded, path)))
    };
    allow.retain(|entry| is_open(&own, &entry.value) && is_open(&other, &entry.value));
    Rules { allow, deny: both(&ours.write.deny, &theirs.write.deny), ..Rules::default() }
}

/// The import roots that both policies allow whole. What one policy may read, it may also import.
fn importable(inner: &ExpandedPolicy, outer: &ExpandedPolicy, narrowed: &ExpandedPolicy) -> Vec<Entry<PathBuf>> {
    let all = |policy: &ExpandedPolicy| {
        let Grants { read, write, import, .. } = &policy.grants;
        [import.allow.as_slice(), &read.allow, &write.allow].concat()
    };
    let (own, other) = (all(inner), all(outer));
    let mut candidate = narrowed.clone();
    candidate.grants.import.allow = narrower(&each(&own), &each(&other));
    // What both may read needs no root; as one, it would lose its secrets.
    let Grants { read, write, .. } = &narrowed.grants;
    let is_read = |path: &Path| read.allow.iter().chain(&write.allow).any(|entry| entry.value == path);
    candidate.grants.import.allow.retain(|root| {
        is_import_root(inner, &root.value) || is_import_root(outer, &root.value) || !is_read(&root.value)
    });
    loop {
        let fits = |root: &Entry<PathBuf>| {
            import_root_is_within(&root.value, &candidate, inner)
                && import_root_is_within(&root.value, &candidate, outer)
        };
        let kept: Vec<_> = candidate.grants.import.allow.iter().filter(|root| fits(root)).cloned().collect();
        // Leaving a root out uncovers its secrets to the roots around it, so these are looked at again.
        if kept.len() == candidate.grants.import.allow.len() {
            return kept;
        }
        candidate.grants.import.allow = kept;
    }
}

fn narrower_switch(
    ceiling: &Ceiling,
    request: &Request,
    switch: impl Fn(&Grants<PathBuf>) -> &Switch<bool>,
) -> Switch<bool> {
    let outer_refuses = !decide(&ceiling.outer, request).allowed;
    let narrower = if outer_refuses { &ceiling.outer } else { &ceiling.inner };
    switch(&narrower.grants).clone()
}

fn stricter_limits(ours: &Limits, theirs: &Limits) -> Limits {
    Limits::from_fn(|limit| match (ours.get(limit), theirs.get(limit)) {
        (Some(own), Some(other)) => Some(own.min(other)),
        (own, other) => own.or(other),
    })
}
