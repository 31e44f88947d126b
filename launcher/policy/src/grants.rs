//! What a policy says about each permission.

use std::fmt;

use crate::fetch::FetchRule;
use crate::glob::Glob;
use crate::net::NetRule;
use crate::pattern::Pattern;
use crate::permission::{Permission, Side};
use crate::program::{LibraryRule, ProgramRule, RulePath};
use crate::source::Origin;

/// One statement about a permission, by its place: `allow.read "./data" (p.json:3:14)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The permission it is about.
    pub permission: Permission,
    /// Whether it grants or denies.
    pub side: Side,
    /// Where it stands.
    pub origin: Origin,
}

impl Statement {
    /// The key in the long form of a policy: `allow.read`.
    pub fn key(&self) -> String {
        format!("{}.{}", self.side.name(), self.permission)
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} ({})", self.key(), self.origin.json(), self.origin)
    }
}

/// A value with the statement that says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<T> {
    /// The value.
    pub value: T,
    /// Who says so.
    pub statement: Statement,
}

/// A permission whose values are lists: what is granted and what is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules<T> {
    /// What is granted.
    pub allow: Vec<Entry<T>>,
    /// What is denied, whatever is granted.
    pub deny: Vec<Entry<T>>,
    /// Whether anything was said about granting, if only `false` or `[]`.
    pub(crate) stated: bool,
    /// Whether the last word was `false`: it takes back what earlier layers granted.
    pub(crate) revoked: bool,
}

impl<T> Default for Rules<T> {
    fn default() -> Self {
        Self { allow: Vec::new(), deny: Vec::new(), stated: false, revoked: false }
    }
}

impl<T: Clone> Rules<T> {
    fn merge(&mut self, later: &Self) {
        if later.revoked {
            self.allow.clear();
            self.revoked = true;
        }
        self.allow.extend_from_slice(&later.allow);
        self.deny.extend_from_slice(&later.deny);
        self.stated |= later.stated;
    }
}

/// A permission that is a single value: the last layer that states it decides, and denying wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch<T> {
    /// What is granted, if anything was said.
    pub allow: Option<Entry<T>>,
    /// The statement that denies it.
    pub deny: Option<Statement>,
}

impl<T> Default for Switch<T> {
    fn default() -> Self {
        Self { allow: None, deny: None }
    }
}

impl<T: Clone> Switch<T> {
    fn merge(&mut self, later: &Self) {
        if later.allow.is_some() {
            self.allow.clone_from(&later.allow);
        }
        if self.deny.is_none() {
            self.deny.clone_from(&later.deny);
        }
    }
}

/// Everything that is granted and denied. `P` is how paths are written: symbolic in a policy, absolute once expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is the permission of its name")]
pub struct Grants<P> {
    pub read: Rules<P>,
    pub write: Rules<P>,
    pub import: Rules<P>,
    pub net: Rules<NetRule>,
    pub listen: Rules<NetRule>,
    pub fetch: Rules<FetchRule>,
    pub env: Rules<Glob>,
    pub run: Rules<ProgramRule<P>>,
    pub sys: Rules<Glob>,
    pub workers: Switch<u32>,
    pub ffi: Rules<LibraryRule<P>>,
    pub eval: Switch<bool>,
    pub wasm: Switch<bool>,
    pub host: Rules<Glob>,
    pub secrets: Rules<Glob>,
}

impl<P> Default for Grants<P> {
    fn default() -> Self {
        Self {
            read: Rules::default(),
            write: Rules::default(),
            import: Rules::default(),
            net: Rules::default(),
            listen: Rules::default(),
            fetch: Rules::default(),
            env: Rules::default(),
            run: Rules::default(),
            sys: Rules::default(),
            workers: Switch::default(),
            ffi: Rules::default(),
            eval: Switch::default(),
            wasm: Switch::default(),
            host: Rules::default(),
            secrets: Rules::default(),
        }
    }
}

impl<P: Clone> Grants<P> {
    pub(crate) fn merge(&mut self, later: &Self) {
        self.read.merge(&later.read);
        self.write.merge(&later.write);
        self.import.merge(&later.import);
        self.net.merge(&later.net);
        self.listen.merge(&later.listen);
        self.fetch.merge(&later.fetch);
        self.env.merge(&later.env);
        self.run.merge(&later.run);
        self.sys.merge(&later.sys);
        self.workers.merge(&later.workers);
        self.ffi.merge(&later.ffi);
        self.eval.merge(&later.eval);
        self.wasm.merge(&later.wasm);
        self.host.merge(&later.host);
        self.secrets.merge(&later.secrets);
    }
}

/// Facts about the machine that `sys` can grant, by the names of `node:os`.
pub const SYS_NAMES: &[&str] =
    &["cpus", "hostname", "loadavg", "memory", "networkInterfaces", "release", "uptime", "userInfo"];

impl<T: Pattern> Rules<T> {
    fn useless<'a>(&'a self, found: &mut Vec<(&'a Statement, &'a Statement)>) {
        for grant in &self.allow {
            if let Some(denial) = self.deny.iter().find(|denial| denial.value.covers(&grant.value)) {
                found.push((&grant.statement, &denial.statement));
            }
        }
    }
}

impl<T: PartialEq + Default> Switch<T> {
    fn useless<'a>(&'a self, found: &mut Vec<(&'a Statement, &'a Statement)>) {
        if let (Some(grant), Some(denial)) = (&self.allow, &self.deny)
            && grant.value != T::default()
        {
            found.push((&grant.statement, denial));
        }
    }
}

impl<P: RulePath> Grants<P> {
    /// The grants that a denial takes back entirely, each with that denial.
    pub(crate) fn useless(&self) -> Vec<(&Statement, &Statement)> {
        let mut found = Vec::new();
        self.read.useless(&mut found);
        self.write.useless(&mut found);
        self.import.useless(&mut found);
        self.net.useless(&mut found);
        self.listen.useless(&mut found);
        self.fetch.useless(&mut found);
        self.env.useless(&mut found);
        self.run.useless(&mut found);
        self.sys.useless(&mut found);
        self.workers.useless(&mut found);
        self.ffi.useless(&mut found);
        self.eval.useless(&mut found);
        self.wasm.useless(&mut found);
        self.host.useless(&mut found);
        self.secrets.useless(&mut found);
        found
    }
}
