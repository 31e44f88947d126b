//! The one decision function.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::explain;
use crate::fetch::Url;
use crate::grants::{Entry, Rules, Statement, Switch};
use crate::guard::{includes, opens, protected_above, secret_above};
use crate::net::{HostName, NetRule, Transport, UNIX};
use crate::path::normalize;
use crate::permission::Side;
use crate::places::ExpandedPolicy;
use crate::request::Request;
use crate::source::Origin;

/// What a policy answers to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may be done.
    pub allowed: bool,
    /// The rule that decided.
    pub rule: Rule,
    /// For a refusal: what to write into the policy, or to remove from it, to allow this very request.
    pub fix: Option<String>,
}

/// The rule that decided.
///
/// As text it is `default`, `secret`, `protected`, `reserved`, `ambiguous`, `absent`, or a statement with its place:
/// `deny.read "./x" (p.json:7:12)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// No statement speaks of it.
    Default,
    /// A statement about the permission.
    Stated(Statement),
    /// A statement outside the permissions, by its key: `js.codegen false (p.json:4:9)`.
    Setting(&'static str, Origin),
    /// The files of these names are no modules, whatever folder modules are imported from.
    Secret,
    /// Trusted tools obey what is written there.
    Protected,
    /// A name leads to this machine or its neighbours; their addresses are granted by themselves only.
    Reserved,
    /// A URL that no rule can speak of, since two readers could understand it differently, and why.
    Ambiguous(&'static str),
    /// What no sandbox has, so that no rule can grant it, and why.
    Absent(&'static str),
}

impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::Stated(statement) => statement.fmt(out),
            Self::Setting(key, origin) => write!(out, "{key} {} ({origin})", origin.json()),
            Self::Secret => out.write_str("secret"),
            Self::Protected => out.write_str("protected"),
            Self::Reserved => out.write_str("reserved"),
            Self::Ambiguous(_) => out.write_str("ambiguous"),
            Self::Absent(_) => out.write_str("absent"),
        }
    }
}

/// Either the rule that grants, or the rule that refuses.
pub(crate) type Verdict = Result<Rule, Rule>;

/// Whether `policy` lets a program do what it requests, and by which rule. Denying wins.
pub fn decide(policy: &ExpandedPolicy, request: &Request) -> Decision {
    let grants = &policy.grants;
    let absolute = |path: &Path| normalize(&policy.cwd.join(path));
    let verdict = match request {
        Request::Read(path) => read(policy, &absolute(path)),
        Request::Write(path) => write(policy, &absolute(path)),
        Request::Import(path) => import(policy, &absolute(path)),
        Request::Net { host, port } => address(&grants.net, Transport::Tcp, host, *port),
        Request::Udp { host, port } => address(&grants.net, Transport::Udp, host, *port),
        Request::Listen { host, .. } if host.starts_with(UNIX) => Err(Rule::Absent(explain::reason::ABSENT)),
        Request::Listen { host, port } => address(&grants.listen, Transport::Tcp, host, *port),
        Request::Fetch { url, method } => match Url::parse(url) {
            Ok(url) => listed(&grants.fetch, |rule, side| rule.speaks_of(&url, method, side)),
            Err(reason) => Err(Rule::Ambiguous(reason)),
        },
        Request::Env(name) => listed(&grants.env, |pattern, _| pattern.matches(name)),
        Request::Run(program) => {
            // A bare name is looked up in the sandbox's PATH, never in the working directory.
            let bare = program.components().count() == 1 && !program.has_root();
            let program = if bare { program.clone() } else { absolute(program) };
            listed(&grants.run, |rule, side| match side {
                Side::Allow => rule.grants(&program),
                Side::Deny => rule.denies(&program),
            })
        }
        Request::Sys(name) => listed(&grants.sys, |pattern, _| pattern.matches(name)),
        Request::Workers(count) => switch(&grants.workers, |most| *count <= *most, false),
        Request::Ffi(library) => ffi(policy, library.as_deref().map(absolute).as_deref()),
        Request::Eval => match &policy.js.codegen {
            Some(codegen) if !codegen.value => Err(Rule::Setting("js.codegen", codegen.origin.clone())),
            _ => switch(&grants.eval, |granted| *granted, false),
        },
        Request::Wasm => switch(&grants.wasm, |granted| *granted, true),
        Request::Host(method) => listed(&grants.host, |pattern, _| pattern.matches(method)),
        Request::Secret(name) => listed(&grants.secrets, |pattern, _| pattern.matches(name)),
    };
    match verdict {
        Ok(rule) => Decision { allowed: true, rule, fix: None },
        Err(rule) => {
            // What no rule can speak of cannot be granted.
            let fix = (!matches!(rule, Rule::Ambiguous(_) | Rule::Absent(_))).then(|| explain::fix(request, &rule));
            Decision { allowed: false, rule, fix }
        }
    }
}

fn stated<T>(entry: &Entry<T>) -> Rule {
    Rule::Stated(entry.statement.clone())
}

pub(crate) fn listed<T>(rules: &Rules<T>, speaks: impl Fn(&T, Side) -> bool) -> Verdict {
    if let Some(entry) = rules.deny.iter().find(|entry| speaks(&entry.value, Side::Deny)) {
        return Err(stated(entry));
    }
    match rules.allow.iter().find(|entry| speaks(&entry.value, Side::Allow)) {
        Some(entry) => Ok(stated(entry)),
        None => Err(Rule::Default),
    }
}

fn switch<T>(switch: &Switch<T>, grants: impl Fn(&T) -> bool, by_default: bool) -> Verdict {
    match (&switch.deny, &switch.allow) {
        (Some(denial), _) => Err(Rule::Stated(denial.clone())),
        (None, Some(entry)) if grants(&entry.value) => Ok(stated(entry)),
        (None, Some(entry)) => Err(stated(entry)),
        (None, None) if by_default => Ok(Rule::Default),
        (None, None) => Err(Rule::Default),
    }
}

fn address(rules: &Rules<NetRule>, transport: Transport, host: &str, port: u16) -> Verdict {
    match HostName::parse(host) {
        Some(host) => listed(rules, |rule, side| rule.speaks_of(transport, &host, port, side)),
        None => Err(Rule::Default),
    }
}

fn covering<'a>(entries: &'a [Entry<PathBuf>], path: &Path) -> Option<&'a Entry<PathBuf>> {
    entries.iter().find(|entry| path.starts_with(&entry.value))
}

/// The grant to read or write that includes `path`.
fn granting<'a>(policy: &ExpandedPolicy, entries: &'a [Entry<PathBuf>], path: &Path) -> Option<&'a Entry<PathBuf>> {
    entries.iter().find(|entry| includes(policy, &entry.value, path))
}

/// Reading is denied by `deny.read` alone: what `deny.write` names may still be looked at.
fn read(policy: &ExpandedPolicy, path: &Path) -> Verdict {
    let grants = &policy.grants;
    if let Some(denial) = covering(&grants.read.deny, path) {
        return Err(stated(denial));
    }
    let (read, write) = (&grants.read.allow, &grants.write.allow);
    match granting(policy, read, path).or_else(|| granting(policy, write, path)) {
        Some(grant) => Ok(stated(grant)),
        None if covering(read, path).or_else(|| covering(write, path)).is_some() => Err(Rule::Secret),
        None => Err(Rule::Default),
    }
}

/// A write grant includes reading, so `deny.read` denies writing as well.
fn write(policy: &ExpandedPolicy, path: &Path) -> Verdict {
    let grants = &policy.grants;
    if let Some(denial) = covering(&grants.write.deny, path).or_else(|| covering(&grants.read.deny, path)) {
        return Err(stated(denial));
    }
    if covering(&grants.write.allow, path).is_none() {
        return Err(Rule::Default);
    }
    let is_open = |guarded: &Path| grants.write.allow.iter().any(|grant| opens(&grant.value, guarded, path));
    if !protected_above(path).all(is_open) {
        return Err(Rule::Protected);
    }
    granting(policy, &grants.write.allow, path).map(stated).ok_or(Rule::Secret)
}

/// Modules come from the import roots, less the secrets in them; and what may be read may be loaded too, since the
/// kernel cannot tell the two apart.
fn import(policy: &ExpandedPolicy, path: &Path) -> Verdict {
    let grants = &policy.grants;
    if let Some(denial) = covering(&grants.import.deny, path).or_else(|| covering(&grants.read.deny, path)) {
        return Err(stated(denial));
    }
    let roots = &grants.import.allow;
    let root = covering(roots, path);
    let mut secrets = roots.iter().filter_map(|root| secret_above(&root.value, path));
    let is_secret = secrets.any(|secret| !roots.iter().any(|root| opens(&root.value, &secret, path)));
    match root {
        Some(root) if !is_secret => Ok(stated(root)),
        _ => match granting(policy, &grants.read.allow, path).or_else(|| granting(policy, &grants.write.allow, path)) {
            Some(grant) => Ok(stated(grant)),
            None if is_secret => Err(Rule::Secret),
            None => Err(Rule::Default),
        },
    }
}

/// Without a library, the question is whether any native code may be loaded.
fn ffi(policy: &ExpandedPolicy, library: Option<&Path>) -> Verdict {
    let rules = &policy.grants.ffi;
    if let Some(denial) = rules.deny.iter().find(|entry| entry.value.speaks_of(library)) {
        return Err(stated(denial));
    }
    let mut grants = rules.allow.iter();
    match grants.find(|entry| library.is_none() || entry.value.speaks_of(library)) {
        Some(grant) => Ok(stated(grant)),
        None => Err(Rule::Default),
    }
}
