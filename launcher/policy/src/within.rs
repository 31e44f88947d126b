//! Whether one policy grants nothing beyond another.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::decide::{Rule, decide};
use crate::grants::{Entry, Rules, Statement};
use crate::guard::{includes, is_import_root, opens, protected_above, secret_above};
use crate::limits::Limit;
use crate::pattern::Pattern;
use crate::places::ExpandedPolicy;
use crate::request::Request;
use crate::settings::{Audit, Freeze, Namespace, Protection};

/// Something that a policy grants although the one that bounds it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excess {
    /// The key that goes too far: `allow.read`, `limits.wall_ms`.
    pub key: String,
    /// How it goes too far, for people: `reads what is not granted there`.
    pub reason: String,
    /// The statement that goes too far, where it is one about a permission.
    pub statement: Option<Statement>,
}

impl fmt::Display for Excess {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.statement {
            Some(statement) => write!(out, "{statement} {}", self.reason),
            None => write!(out, "{} {}", self.key, self.reason),
        }
    }
}

/// Whether `inner` grants nothing that `outer` does not; else, what it does.
///
/// Never wrong when it says so: whatever [`decide`](crate::decide()) lets `inner` do, it lets `outer` do. It can find
/// an excess where there is none, as when only several grants of `outer` together cover one of `inner`.
pub fn is_within(inner: &ExpandedPolicy, outer: &ExpandedPolicy) -> Result<(), Vec<Excess>> {
    let mut comparison = Comparison { inner, outer, found: Vec::new() };
    comparison.paths();
    comparison.lists();
    comparison.native_code();
    comparison.switches();
    comparison.limits();
    comparison.settings();
    if comparison.found.is_empty() { Ok(()) } else { Err(comparison.found) }
}

struct Comparison<'a> {
    inner: &'a ExpandedPolicy,
    outer: &'a ExpandedPolicy,
    found: Vec<Excess>,
}

impl Comparison<'_> {
    fn beyond(&mut self, statement: &Statement, reason: &str) {
        let reason = reason.to_owned();
        self.found.push(Excess { key: statement.key(), reason, statement: Some(statement.clone()) });
    }

    fn beyond_setting(&mut self, key: impl Into<String>, reason: &str) {
        self.found.push(Excess { key: key.into(), reason: reason.to_owned(), statement: None });
    }

    /// A permission that is a single value; by default it may be granted without a statement.
    fn beyond_switch(&mut self, request: &Request, reason: &str) {
        match decide(self.inner, request).rule {
            Rule::Stated(statement) => self.beyond(&statement, reason),
            _ => self.beyond_setting(format!("allow.{}", request.permission()), reason),
        }
    }

    fn paths(&mut self) {
        let (ours, theirs) = (&self.inner.grants, &self.outer.grants);
        for grant in ours.read.allow.iter().chain(&ours.write.allow) {
            let path = &grant.value;
            if covering_denial(&[&ours.read], path) {
                continue;
            }
            if !is_granted_whole(path, self.inner, self.outer, &[&theirs.read, &theirs.write]) {
                self.beyond(&grant.statement, "reads what is not granted there");
            }
            self.denials(grant, &[&ours.read], &[&theirs.read], "reads");
            self.denials(grant, &[&ours.read, &ours.import], &[&theirs.import], "imports");
        }
        for grant in &ours.write.allow {
            let path = &grant.value;
            if covering_denial(&[&ours.read, &ours.write], path) {
                continue;
            }
            if !is_granted_whole(path, self.inner, self.outer, &[&theirs.write]) {
                self.beyond(&grant.statement, "writes what is not granted there");
            }
            if !protected_above(path)
                .all(|guarded| theirs.write.allow.iter().any(|other| opens(&other.value, guarded, path)))
            {
                self.beyond(&grant.statement, "writes what is protected there");
            }
            self.denials(grant, &[&ours.read, &ours.write], &[&theirs.read, &theirs.write], "writes");
        }
        for root in &ours.import.allow {
            if covering_denial(&[&ours.read, &ours.import], &root.value) {
                continue;
            }
            if !import_root_is_within(&root.value, self.inner, self.outer) {
                self.beyond(&root.statement, "imports what is not granted there");
            }
            self.denials(root, &[&ours.read, &ours.import], &[&theirs.read, &theirs.import], "imports");
        }
    }

    /// Whatever `outer` denies inside a grant of `inner`, `inner` has to deny as well.
    fn denials(&mut self, grant: &Entry<PathBuf>, ours: &[&Rules<PathBuf>], theirs: &[&Rules<PathBuf>], verb: &str) {
        for denial in theirs.iter().flat_map(|rules| &rules.deny) {
            let deeper = if denial.value.starts_with(&grant.value) { &denial.value } else { &grant.value };
            if denial.value.meets(&grant.value) && !covering_denial(ours, deeper) {
                self.beyond(&grant.statement, &format!("{verb} what is denied there by {}", denial.statement));
            }
        }
    }

    fn lists(&mut self) {
        let (ours, theirs) = (&self.inner.grants, &self.outer.grants);
        self.list(&ours.net, &theirs.net);
        self.list(&ours.listen, &theirs.listen);
        self.list(&ours.fetch, &theirs.fetch);
        self.list(&ours.env, &theirs.env);
        self.list(&ours.run, &theirs.run);
        self.list(&ours.sys, &theirs.sys);
        self.list(&ours.host, &theirs.host);
        self.list(&ours.secrets, &theirs.secrets);
        self.list(&ours.ffi, &theirs.ffi);
    }

    fn list<T: Pattern>(&mut self, ours: &Rules<T>, theirs: &Rules<T>) {
        for grant in &ours.allow {
            if ours.deny.iter().any(|denial| denial.value.covers(&grant.value)) {
                continue;
            }
            if !theirs.allow.iter().any(|other| other.value.covers(&grant.value)) {
                self.beyond(&grant.statement, "is not granted there");
            }
            for denial in theirs.deny.iter().filter(|denial| denial.value.meets(&grant.value)) {
                let mut taken_back = ours.deny.iter().map(|own| &own.value);
                if !taken_back.any(|own| own.covers(&denial.value) || own.covers(&grant.value)) {
                    self.beyond(&grant.statement, &format!("grants what is denied there by {}", denial.statement));
                }
            }
        }
    }

    /// Any library at all: a question of its own, since denying single libraries does not answer it.
    fn native_code(&mut self) {
        let any = Request::Ffi(None);
        if decide(self.inner, &any).allowed && !decide(self.outer, &any).allowed {
            self.beyond_switch(&any, "loads native code, which is not granted there");
        }
    }

    fn switches(&mut self) {
        for request in [Request::Eval, Request::Wasm] {
            if decide(self.inner, &request).allowed && !decide(self.outer, &request).allowed {
                self.beyond_switch(&request, "is not granted there");
            }
        }
        let (ours, theirs) = (most_workers(self.inner), most_workers(self.outer));
        if ours > theirs {
            self.beyond_switch(&Request::Workers(1), &format!("is more than the {theirs} granted there"));
        }
    }

    fn limits(&mut self) {
        for limit in Limit::ALL {
            let key = format!("limits.{}", limit.name());
            match (self.inner.limits.get(limit), self.outer.limits.get(limit)) {
                (Some(ours), Some(theirs)) if ours > theirs => {
                    self.beyond_setting(key, &format!("is {ours}, more than the {theirs} there"));
                }
                (None, Some(theirs)) => self.beyond_setting(key, &format!("does not limit, but is {theirs} there")),
                _ => {}
            }
        }
    }

    fn left_out(&mut self, key: &str, names: impl Iterator<Item = &'static str>) {
        let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
        if !names.is_empty() {
            self.beyond_setting(key, &format!("leaves out {}", names.join(", ")));
        }
    }

    fn settings(&mut self) {
        let (inner, outer) = (self.inner, self.outer);
        let is_lost = |layer: &Protection| outer.kernel.requires(*layer) && !inner.kernel.requires(*layer);
        self.left_out("kernel.require", Protection::ALL.iter().copied().filter(is_lost).map(Protection::name));
        let is_lost = |namespace: &Namespace| outer.kernel.lists(*namespace) && !inner.kernel.lists(*namespace);
        self.left_out("kernel.namespaces", Namespace::ALL.iter().copied().filter(is_lost).map(Namespace::name));
        if outer.kernel.audit() != Audit::Off && inner.kernel.audit() != outer.kernel.audit() {
            self.beyond_setting("kernel.audit", &format!("is not {:?}", outer.kernel.audit().name()));
        }
        if outer.js.freeze() != Freeze::None && inner.js.freeze() != outer.js.freeze() {
            self.beyond_setting("js.freeze", &format!("is not {:?}", outer.js.freeze().name()));
        }
        if !outer.js.jit() && inner.js.jit() {
            self.beyond_setting("js.jit", "is off there");
        }
        if outer.trust.required() {
            let known = |signer: &str| outer.trust.signers.iter().any(|other| other.value == signer);
            if !inner.trust.required() {
                self.beyond_setting("trust.required", "is true there");
            } else if !inner.trust.signers.iter().all(|signer| known(&signer.value)) {
                self.beyond_setting("trust.signers", "names signers that are not accepted there");
            }
        }
    }
}

/// Whether one of `rules` of `outer` grants all that the grant of `path` in `inner` does. Where both name the same import
/// root, neither speaks of its secrets; where only `outer` takes it for one, `inner` grants more.
pub(crate) fn is_granted_whole(
    path: &Path,
    inner: &ExpandedPolicy,
    outer: &ExpandedPolicy,
    rules: &[&Rules<PathBuf>],
) -> bool {
    rules.iter().flat_map(|rules| &rules.allow).any(|entry| {
        let same_but_secrets = entry.value == path && is_import_root(outer, path) && !is_import_root(inner, path);
        includes(outer, &entry.value, path) && !same_but_secrets
    })
}

fn covering_grant(rules: &[&Rules<PathBuf>], path: &Path) -> bool {
    rules.iter().flat_map(|rules| &rules.allow).any(|entry| path.starts_with(&entry.value))
}

fn covering_denial(rules: &[&Rules<PathBuf>], path: &Path) -> bool {
    rules.iter().flat_map(|rules| &rules.deny).any(|entry| path.starts_with(&entry.value))
}

/// How many workers a policy grants at a time.
pub(crate) fn most_workers(policy: &ExpandedPolicy) -> u32 {
    let workers = &policy.grants.workers;
    match (&workers.deny, &workers.allow) {
        (None, Some(entry)) => entry.value,
        _ => 0,
    }
}

/// Whether `outer` lets everything be imported that `inner` lets be imported through its import root `root`,
/// denials aside.
pub(crate) fn import_root_is_within(root: &Path, inner: &ExpandedPolicy, outer: &ExpandedPolicy) -> bool {
    let theirs = &outer.grants;
    if is_granted_whole(root, inner, outer, &[&theirs.read, &theirs.write]) {
        return true;
    }
    let roots = &theirs.import.allow;
    let secrets_hold = roots.iter().all(|other| {
        if other.value.starts_with(root) {
            // The secrets of a root inside ours: they are hidden from us only if it is our root too.
            inner.grants.import.allow.iter().any(|own| own.value == other.value)
        } else if let Some(secret) = secret_above(&other.value, root) {
            roots.iter().any(|opener| opens(&opener.value, &secret, root))
        } else {
            true
        }
    });
    secrets_hold && covering_grant(&[&theirs.import], root)
}
