//! What the policy has to do with an error that the program was given: a permission that was missing, a limit that was
//! reached, a call that the sandbox never lets through. The program says which; what is said of it comes from the policy.

use policy::{Limit, Permission, Request};
use wire::envelope::{LimitFailure, Refusal};
use wire::frame::Error as Thrown;

use crate::outcome::Outcome;

/// The longest resource that is explained: a path that the kernel takes, in whatever letters.
const MAX_RESOURCE_BYTES: usize = 16 << 10;

/// What is behind an error.
#[derive(Debug, Default)]
pub(crate) struct Cause {
    /// The refusal, if it was one.
    pub(crate) refusal: Option<Refusal>,
    /// The limit, if it was one.
    pub(crate) limit: Option<LimitFailure>,
    /// What the error itself does not say.
    pub(crate) words: Option<String>,
}

impl Cause {
    /// What is behind `thrown`. A program that reports what it is allowed is not believed.
    pub(crate) fn of(outcome: &Outcome, thrown: &Thrown) -> Self {
        if let Some(permission) = thrown.permission.as_deref().and_then(Permission::from_name) {
            return Self::refusal(outcome, permission, thrown);
        }
        if let Some(limit) = thrown.limit.as_deref().and_then(Limit::from_name) {
            return Self::limit(outcome, limit);
        }
        let refused = thrown.call.as_deref().filter(|call| call.bytes().all(|byte| byte.is_ascii_lowercase()));
        let words = refused.map(|call| format!("the sandbox refuses {call} whatever the policy says"));
        Self { words, ..Self::default() }
    }

    fn refusal(outcome: &Outcome, permission: Permission, thrown: &Thrown) -> Self {
        let resource = thrown.resource.as_deref();
        let by_broker = || (permission == Permission::Net).then(|| refused_by_broker(outcome, thrown)).flatten();
        let found = refused(outcome, permission, resource).or_else(by_broker);
        let Some((refusal, words)) = found else { return Self::default() };
        // The preload's own refusals say it themselves.
        let words = (thrown.code.as_deref() != Some(policy::ACCESS_DENIED)).then_some(words);
        Self { refusal: Some(refusal), limit: None, words }
    }

    fn limit(outcome: &Outcome, limit: Limit) -> Self {
        let Some(allowed) = outcome.policy.limits.get(limit) else { return Self::default() };
        let (failure, words) = at_limit(limit, allowed, None);
        Self { refusal: None, limit: Some(failure), words: Some(words) }
    }
}

/// What the policy says about an act, if it refuses it.
pub(crate) fn refusal(outcome: &Outcome, permission: Permission, resource: Option<&str>) -> Option<Refusal> {
    refused(outcome, permission, resource).map(|(refusal, _)| refusal)
}

/// The same, with the words for people.
fn refused(outcome: &Outcome, permission: Permission, resource: Option<&str>) -> Option<(Refusal, String)> {
    let bounded = resource.is_none_or(|resource| resource.len() <= MAX_RESOURCE_BYTES);
    let request = bounded.then(|| Request::from_parts(permission, resource))??;
    let decision = policy::decide_as_asked(&outcome.policy, &request);
    if decision.allowed {
        return None;
    }
    let words = policy::explain(&request, &decision);
    Some((described(&request, &decision), words))
}

/// What the broker refused by more than the rules about a host and port: where a name leads, or a redirect.
fn refused_by_broker(outcome: &Outcome, thrown: &Thrown) -> Option<(Refusal, String)> {
    let asked = Request::from_parts(Permission::Net, thrown.resource.as_deref());
    let same = outcome.refusals.iter().find(|refused| Some(&refused.request) == asked.as_ref());
    let connections: Vec<_> = outcome.refusals.iter().filter(|refused| !refused.is_look_up).collect();
    let refused = match (same, connections.as_slice()) {
        (Some(same), _) => same,
        // The program does not know where it was led to. Of several refusals it could be any.
        (None, [only]) if thrown.code.as_deref() == Some("EACCES") => only,
        (None, _) => return None,
    };
    let words = policy::explain(&refused.request, &refused.decision);
    Some((described(&refused.request, &refused.decision), words))
}

/// A refusal as reports have it.
pub(crate) fn described(request: &Request, decision: &policy::Decision) -> Refusal {
    Refusal {
        permission: request.permission().name().to_owned(),
        resource: request.resource(),
        rule: decision.rule.to_string(),
        fix: decision.fix.clone(),
    }
}

/// A limit that the program ran into, and the words for people. `value`: what was counted, where we count.
pub(crate) fn at_limit(limit: Limit, allowed: u64, value: Option<u64>) -> (LimitFailure, String) {
    let key = limit.name();
    let (name, unit) = words_of(limit);
    let amount = |number: u64| if unit.is_empty() { number.to_string() } else { format!("{number} {unit}") };
    let state = value.map_or_else(|| "reached".to_owned(), |value| format!("exceeded ({})", amount(value)));
    let more = allowed.saturating_mul(2);
    let words = format!("the {name} limit of {} is {state}. To allow more: limits.{key}: {more}", amount(allowed));
    (LimitFailure { limit: name, value: value.unwrap_or(allowed), allowed, key: format!("limits.{key}") }, words)
}

/// A limit's name and its unit, as the key of the policy has them: `wall_ms` is `wall` and `ms`.
fn words_of(limit: Limit) -> (String, &'static str) {
    let key = limit.name();
    for (ending, unit) in [("_ms", "ms"), ("_kb", "KB"), ("_mb", "MB")] {
        if let Some(name) = key.strip_suffix(ending) {
            return (name.to_owned(), unit);
        }
    }
    (key.replace('_', " "), "")
}
