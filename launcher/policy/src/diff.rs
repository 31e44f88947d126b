//! What one policy allows and another one does not.

use crate::limits::Limit;
use crate::places::Places;
use crate::policy::Policy;
use crate::source::Origin;
use crate::within::{Excess, is_within};

/// How the second of two policies differs from the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// What the second allows and the first does not.
    pub widened: Vec<Change>,
    /// What the first allows and the second does not.
    pub narrowed: Vec<Change>,
}

/// Something that one policy allows and another one does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What goes further, and how.
    pub excess: Excess,
    /// Where it stands; `None` for what holds because nothing is said.
    pub place: Option<Origin>,
}

impl std::fmt::Display for Change {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.excess.statement, &self.place) {
            (None, Some(place)) => {
                let Excess { key, reason, .. } = &self.excess;
                write!(out, "{key} ({place}) {reason}")
            }
            _ => self.excess.fmt(out),
        }
    }
}

/// Compares two policies at the same places. The second has not widened exactly when it
/// [is within](crate::is_within()) the first.
pub fn diff(first: &Policy, second: &Policy, places: &Places) -> Diff {
    Diff { widened: beyond(second, first, places), narrowed: beyond(first, second, places) }
}

/// What a bounded policy says beyond the one above it, which has no effect. Limits that it leaves to the other one are
/// not among it.
pub fn ignored(policy: &Policy, places: &Places) -> Vec<Change> {
    let Some(bound) = &policy.bound else { return Vec::new() };
    let inner = policy.expand_alone(places);
    let Err(found) = is_within(&inner, &bound.policy.expand(places)) else { return Vec::new() };
    let changes = changes(found, policy);
    changes.into_iter().filter(|change| !change.excess.key.starts_with("limits.") || change.place.is_some()).collect()
}

fn beyond(inner: &Policy, outer: &Policy, places: &Places) -> Vec<Change> {
    match is_within(&inner.expand(places), &outer.expand(places)) {
        Ok(()) => Vec::new(),
        Err(found) => changes(found, inner),
    }
}

/// Each thing once, with its place.
fn changes(found: Vec<Excess>, policy: &Policy) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for excess in found {
        let place = match &excess.statement {
            Some(statement) => Some(statement.origin.clone()),
            None => setting_place(policy, &excess.key),
        };
        let change = Change { excess, place };
        if !changes.contains(&change) {
            changes.push(change);
        }
    }
    changes
}

/// Where a setting that is no permission stands.
fn setting_place(policy: &Policy, key: &str) -> Option<Origin> {
    let origin = match key {
        "kernel.require" => &policy.kernel.require.as_ref()?.origin,
        "kernel.audit" => &policy.kernel.audit.as_ref()?.origin,
        "js.freeze" => &policy.js.freeze.as_ref()?.origin,
        "js.jit" => &policy.js.jit.as_ref()?.origin,
        "trust.required" => &policy.trust.required.as_ref()?.origin,
        "trust.signers" => &policy.trust.signers.first()?.origin,
        key => {
            let name = key.strip_prefix("limits.")?;
            let limit = Limit::ALL.into_iter().find(|limit| limit.name() == name)?;
            &policy.limits.get(limit)?.origin
        }
    };
    Some(origin.clone())
}
