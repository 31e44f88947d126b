//! The policy of a child: what a program states for another one that it starts, below its own policy.

use std::path::PathBuf;

use crate::diagnostic::Diagnostic;
use crate::fetch::FetchRule;
use crate::grants::{Entry, Grants, Rules, Statement};
use crate::limits::{Limit, Limits, Setting, StatedLimits};
use crate::path::SymbolicPath;
use crate::pattern::Pattern;
use crate::places::{ExpandedPolicy, Places};
use crate::policy::{Policy, UNNAMED_IMPORT};
use crate::program::{LibraryRule, ProgramRule};
use crate::settings::KernelSettings;
use crate::show::Origins;
use crate::source::{SourceKind, SourceText};
use crate::within::{Excess, is_within};

/// What a child may do for which `stated` was written, by a program under `outer`. What the program is denied, it is
/// denied as well; limits and settings that it leaves open are the program's. Where it goes beyond the program's own
/// policy, or asks for what no single child can be held to, the error says how.
pub fn child(stated: &Policy, places: &Places, outer: &ExpandedPolicy) -> Result<ExpandedPolicy, Vec<Excess>> {
    let mut child = stated.expand(places);
    let mut found = denied(&child.grants, &outer.grants);
    let mut beyond = |key: String, reason: &str| {
        found.push(Excess { key, reason: reason.to_owned(), statement: None });
    };
    if stated.kernel != KernelSettings::default() {
        beyond("kernel".to_owned(), "is for a whole run: the layers of a child are those of its program");
    }
    for limit in Limit::ALL.into_iter().filter(|limit| is_too_low(*limit, &child, outer)) {
        beyond(format!("limits.{}", limit.name()), "is counted for the whole tree, and is no lower for one child");
    }
    child.limits = Limits::from_fn(|limit| match (child.limits.get(limit), outer.limits.get(limit)) {
        (Some(stated), Some(inherited)) => Some(stated.min(inherited)),
        (stated, inherited) => stated.or(inherited),
    });
    child.kernel = outer.kernel.clone();
    child.trust = outer.trust.clone();
    child.js.freeze = child.js.freeze.or_else(|| outer.js.freeze.clone());
    child.js.jit = child.js.jit.or_else(|| outer.js.jit.clone());
    child.js.codegen = child.js.codegen.or_else(|| outer.js.codegen.clone());
    deny(&mut child.grants, &outer.grants);
    found.extend(is_within(&child, outer).err().into_iter().flatten());
    if found.is_empty() { Ok(child) } else { Err(found) }
}

/// What is wrong with a child that is to reach a part of what `outer` reaches: the launcher answers whoever asks within the
/// sandbox, and is not told for which child. All of it, or nothing, the kernel can keep.
pub fn network_in_part(stated: &Policy, outer: &ExpandedPolicy) -> Option<Diagnostic> {
    let (ours, theirs) = (&stated.grants, &outer.grants);
    let statements = |grants: &Grants<SymbolicPath>| {
        let net = grants.net.allow.first().map(|entry| entry.statement.clone());
        let listen = || grants.listen.allow.first().map(|entry| entry.statement.clone());
        net.or_else(listen).or_else(|| grants.fetch.allow.first().map(|entry| entry.statement.clone()))
    };
    let stated = statements(ours)?;
    let less = less(&ours.net, &theirs.net)
        .or_else(|| less(&ours.listen, &theirs.listen))
        .or_else(|| less(&ours.fetch, &theirs.fetch))?;
    let message = format!(
        "the network of a child is all that its program has, or nothing: {} {} makes a difference",
        less.key(),
        less.origin.json()
    );
    let help = "state all that is granted of net, listen and fetch, or none of them";
    Some(Diagnostic::error(stated.origin, message).with_help(help))
}

/// A grant that is left out, or a denial that is added.
fn less<'a, T: Pattern>(ours: &'a Rules<T>, theirs: &'a Rules<T>) -> Option<&'a Statement> {
    let left_out = |theirs: &&Entry<T>| !ours.allow.iter().any(|entry| entry.value.covers(&theirs.value));
    let added = |ours: &&Entry<T>| !theirs.deny.iter().any(|entry| entry.value.covers(&ours.value));
    let found = theirs.allow.iter().find(left_out).or_else(|| ours.deny.iter().find(added));
    found.map(|entry| &entry.statement)
}

/// Whether a child states a limit that nobody would keep: the kernel keeps some for each process, the launcher counts
/// the others for the tree alone.
fn is_too_low(limit: Limit, child: &ExpandedPolicy, outer: &ExpandedPolicy) -> bool {
    let is_kept = match limit {
        Limit::Cpu | Limit::Stack | Limit::OpenFiles | Limit::File => true,
        // It can start none.
        Limit::Processes => child.grants.run.allow.is_empty(),
        Limit::Wall | Limit::Memory | Limit::Threads | Limit::Tmp | Limit::Output => false,
    };
    let inherited = outer.limits.get(limit);
    !is_kept && child.limits.get(limit).is_some_and(|stated| inherited.is_none_or(|inherited| stated < inherited))
}

/// Grants of which nothing would be left.
fn denied(ours: &Grants<PathBuf>, theirs: &Grants<PathBuf>) -> Vec<Excess> {
    let mut found = Vec::new();
    each_denied(&ours.read, &[&theirs.read], &mut found);
    each_denied(&ours.write, &[&theirs.read, &theirs.write], &mut found);
    each_denied(&ours.import, &[&theirs.read, &theirs.import], &mut found);
    each_denied(&ours.net, &[&theirs.net], &mut found);
    each_denied(&ours.listen, &[&theirs.listen], &mut found);
    each_denied(&ours.fetch, &[&theirs.fetch], &mut found);
    each_denied(&ours.env, &[&theirs.env], &mut found);
    each_denied(&ours.run, &[&theirs.run], &mut found);
    each_denied(&ours.sys, &[&theirs.sys], &mut found);
    each_denied(&ours.ffi, &[&theirs.ffi], &mut found);
    each_denied(&ours.host, &[&theirs.host], &mut found);
    each_denied(&ours.secrets, &[&theirs.secrets], &mut found);
    found
}

fn each_denied<T: Pattern>(ours: &Rules<T>, theirs: &[&Rules<T>], found: &mut Vec<Excess>) {
    for Entry { value, statement } in &ours.allow {
        let mut denials = theirs.iter().flat_map(|rules| &rules.deny);
        if let Some(denial) = denials.find(|denial| denial.value.covers(value)) {
            let reason = format!("is denied there by {}", denial.statement);
            found.push(Excess { key: statement.key(), reason, statement: Some(statement.clone()) });
        }
    }
}

/// Denies a child what its program is denied.
fn deny(ours: &mut Grants<PathBuf>, theirs: &Grants<PathBuf>) {
    fn list<T: Clone>(ours: &mut Rules<T>, theirs: &Rules<T>) {
        ours.deny.extend_from_slice(&theirs.deny);
    }
    list(&mut ours.read, &theirs.read);
    list(&mut ours.write, &theirs.write);
    list(&mut ours.import, &theirs.import);
    list(&mut ours.net, &theirs.net);
    list(&mut ours.listen, &theirs.listen);
    list(&mut ours.fetch, &theirs.fetch);
    list(&mut ours.env, &theirs.env);
    list(&mut ours.run, &theirs.run);
    list(&mut ours.sys, &theirs.sys);
    list(&mut ours.ffi, &theirs.ffi);
    list(&mut ours.host, &theirs.host);
    list(&mut ours.secrets, &theirs.secrets);
    // The one switch that is on unless somebody says otherwise.
    if ours.wasm.allow.is_none() && ours.wasm.deny.is_none() {
        ours.wasm = theirs.wasm.clone();
    }
}

impl ExpandedPolicy {
    /// Without the import roots that hold because nobody named any: for a program that loads no modules.
    #[must_use]
    pub fn without_unnamed_imports(mut self) -> Self {
        self.grants.import.allow.retain(|root| root.statement.origin.source_name() != UNNAMED_IMPORT);
        self
    }

    /// The policy as JSON, for a program under it: what the launcher does for that program alone (`host`, `secrets`, the
    /// headers of `fetch`) is not in it, nor a grant that is denied as a whole.
    pub fn to_json(&self) -> String {
        let written = SourceText::new("policy", SourceKind::Builtin, "", None).whole();
        let path = |path: &PathBuf| SymbolicPath::Literal(path.clone());
        let grants = &self.grants;
        let mut grants = Grants {
            read: mapped(&grants.read, path),
            write: mapped(&grants.write, path),
            import: mapped(&grants.import, path),
            net: mapped(&grants.net, Clone::clone),
            listen: mapped(&grants.listen, Clone::clone),
            fetch: mapped(&grants.fetch, FetchRule::for_the_program),
            env: mapped(&grants.env, Clone::clone),
            run: mapped(&grants.run, |rule| match rule {
                ProgramRule::Any => ProgramRule::Any,
                ProgramRule::Name(name) => ProgramRule::Name(name.clone()),
                ProgramRule::Path(program) => ProgramRule::Path(path(program)),
            }),
            sys: mapped(&grants.sys, Clone::clone),
            workers: grants.workers.clone(),
            ffi: mapped(&grants.ffi, |rule| match rule {
                LibraryRule::Any => LibraryRule::Any,
                LibraryRule::Path(library) => LibraryRule::Path(path(library)),
            }),
            eval: grants.eval.clone(),
            wasm: grants.wasm.clone(),
            ..Grants::default()
        };
        grants.import.stated = true;
        if grants.workers.deny.is_some() {
            grants.workers.allow = None;
        }
        if grants.eval.deny.is_some() || !self.js.codegen() {
            grants.eval.allow = None;
        }
        if grants.wasm.deny.is_some() {
            grants.wasm.allow = None;
        }
        if !self.js.jit() {
            grants.ffi.allow.clear();
        }
        let mut limits = StatedLimits::default();
        for limit in Limit::ALL {
            if let Some(value) = self.limits.get(limit) {
                limits.set(limit, Setting { value, origin: written.clone() });
            }
        }
        let (kernel, js, trust) = (self.kernel.clone(), self.js.clone(), self.trust.clone());
        Policy { grants, limits, kernel, js, trust, bound: None }.to_json(Origins::Hidden)
    }
}

/// The same rules, written otherwise.
fn mapped<A: Pattern, B>(rules: &Rules<A>, write: impl Fn(&A) -> B) -> Rules<B> {
    let entry = |entry: &Entry<A>| Entry { value: write(&entry.value), statement: entry.statement.clone() };
    let is_left = |grant: &&Entry<A>| !rules.deny.iter().any(|denial| denial.value.covers(&grant.value));
    Rules {
        allow: rules.allow.iter().filter(is_left).map(entry).collect(),
        deny: rules.deny.iter().map(entry).collect(),
        ..Rules::default()
    }
}
