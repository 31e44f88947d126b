//! What a policy may say but this version does not enforce yet. It is refused, never ignored.

use crate::diagnostic::Diagnostic;
use crate::grants::{Entry, Rules};
use crate::policy::Policy;
use crate::settings::Audit;
use crate::source::Origin;

/// The statements of `policy` that this version cannot enforce. Denying one of these is fine: all of it is denied.
///
/// A policy that is bounded grants at most what the one above it grants, so there only its settings count.
pub fn unavailable(policy: &Policy) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    match &policy.bound {
        Some(bound) => found.extend(unavailable(&bound.policy)),
        None => grants(policy, &mut found),
    }
    settings(policy, &mut found);
    found
}

fn grants(policy: &Policy, found: &mut Vec<Diagnostic>) {
    let grants = &policy.grants;
    first(&grants.host, found);
}

fn settings(policy: &Policy, found: &mut Vec<Diagnostic>) {
    if let Some(signer) = policy.trust.signers.first() {
        found.push(not_yet("trust.signers", &signer.origin));
    }
    if let Some(required) = policy.trust.required.as_ref().filter(|required| required.value) {
        found.push(not_yet("trust.required", &required.origin));
    }
    if let Some(audit) = policy.kernel.audit.as_ref().filter(|audit| audit.value != Audit::Off) {
        let name = audit.value.name();
        found.push(not_yet(&format!("kernel.audit \"{name}\""), &audit.origin));
    }
}

fn first<T>(rules: &Rules<T>, found: &mut Vec<Diagnostic>) {
    if let Some(Entry { statement, .. }) = rules.allow.first() {
        found.push(not_yet(&statement.key(), &statement.origin));
    }
}

fn not_yet(key: &str, origin: &Origin) -> Diagnostic {
    Diagnostic::error(origin.clone(), format!("{key} is not available yet"))
        .with_help("this version cannot enforce it, so nothing runs: remove it")
}
