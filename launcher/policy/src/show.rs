//! A policy written back as JSON, merged and in one order.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use crate::fetch::FetchRule;
use crate::glob::Glob;
use crate::grants::{Entry, Grants, Rules, Statement, Switch};
use crate::limits::{Limit, Setting};
use crate::net::NetRule;
use crate::path::SymbolicPath;
use crate::permission::Side;
use crate::policy::Policy;
use crate::program::{LibraryRule, ProgramRule};
use crate::settings::Require;
use crate::source::Origin;

/// Whether a policy is shown with the place of each of its statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origins {
    /// The values alone: a policy file that says the same.
    Hidden,
    /// Each value as `{ "value": …, "from": "p.json:3:14" }`.
    Shown,
}

impl Policy {
    /// The policy as JSON in the long form.
    pub fn to_json(&self, origins: Origins) -> String {
        let show = Show { origins };
        let mut text = serde_json::to_string_pretty(&show.policy(self)).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// JSON whose members keep their order.
enum Node {
    Value(Value),
    List(Vec<Node>),
    Object(Vec<(&'static str, Node)>),
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::List(items) => items.serialize(serializer),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// A value as a policy file writes it; `true` for everything.
trait Written {
    fn written(&self) -> Value;
}

impl Written for SymbolicPath {
    fn written(&self) -> Value {
        self.to_string().into()
    }
}

impl Written for Glob {
    fn written(&self) -> Value {
        if self.as_str() == Self::EVERYTHING { true.into() } else { self.as_str().into() }
    }
}

impl Written for NetRule {
    fn written(&self) -> Value {
        if self.is_any() { true.into() } else { self.to_string().into() }
    }
}

impl Written for FetchRule {
    fn written(&self) -> Value {
        if *self == Self::ANY {
            return true.into();
        }
        let mut rule = serde_json::Map::new();
        rule.insert("url".to_owned(), self.url.to_string().into());
        if let Some(methods) = &self.methods {
            rule.insert("methods".to_owned(), methods.clone().into());
        }
        if !self.headers.is_empty() {
            let headers = self.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
            rule.insert("headers".to_owned(), Value::Object(headers.collect()));
        }
        if let Some(redirect) = self.redirect {
            rule.insert("redirect".to_owned(), redirect.name().into());
        }
        for (key, most) in [("max_request_kb", self.max_request_kb), ("max_response_kb", self.max_response_kb)] {
            if let Some(most) = most {
                rule.insert(key.to_owned(), most.into());
            }
        }
        rule.into()
    }
}

impl Written for ProgramRule<SymbolicPath> {
    fn written(&self) -> Value {
        match self {
            Self::Any => true.into(),
            Self::Name(name) => name.as_str().into(),
            Self::Path(path) => path.written(),
        }
    }
}

impl Written for LibraryRule<SymbolicPath> {
    fn written(&self) -> Value {
        match self {
            Self::Any => true.into(),
            Self::Path(path) => path.written(),
        }
    }
}

impl Written for bool {
    fn written(&self) -> Value {
        (*self).into()
    }
}

impl Written for u32 {
    fn written(&self) -> Value {
        match *self {
            Self::MAX => true.into(),
            count => count.into(),
        }
    }
}

struct Show {
    origins: Origins,
}

type Members = Vec<(&'static str, Node)>;

impl Show {
    fn policy(&self, policy: &Policy) -> Node {
        let mut members = vec![("version", Node::Value(1.into()))];
        let mut section = |key, node: Members| {
            if !node.is_empty() {
                members.push((key, Node::Object(node)));
            }
        };
        section("allow", self.side(&policy.grants, Side::Allow));
        section("deny", self.side(&policy.grants, Side::Deny));
        section("kernel", self.kernel(policy));
        section("limits", self.limits(policy));
        section("js", self.js(policy));
        section("trust", self.trust(policy));
        Node::Object(members)
    }

    fn side(&self, grants: &Grants<SymbolicPath>, side: Side) -> Members {
        let mut members = Vec::new();
        let mut add = |key, node: Option<Node>| members.extend(node.map(|node| (key, node)));
        add("read", self.rules(&grants.read, side));
        add("write", self.rules(&grants.write, side));
        add("import", self.rules(&grants.import, side));
        add("net", self.rules(&grants.net, side));
        add("listen", self.rules(&grants.listen, side));
        add("fetch", self.rules(&grants.fetch, side));
        add("env", self.rules(&grants.env, side));
        add("run", self.rules(&grants.run, side));
        add("sys", self.rules(&grants.sys, side));
        add("workers", self.switch(&grants.workers, side));
        add("ffi", self.rules(&grants.ffi, side));
        add("eval", self.switch(&grants.eval, side));
        add("wasm", self.switch(&grants.wasm, side));
        add("host", self.rules(&grants.host, side));
        add("secrets", self.rules(&grants.secrets, side));
        members
    }

    fn rules<T: Written>(&self, rules: &Rules<T>, side: Side) -> Option<Node> {
        let entries = match side {
            Side::Allow => &rules.allow,
            Side::Deny => &rules.deny,
        };
        if entries.is_empty() {
            return (side == Side::Allow && rules.stated).then(|| Node::List(Vec::new()));
        }
        // Everything and something more is everything.
        let everything = entries.iter().find(|entry| entry.value.written() == Value::Bool(true));
        if let (Some(entry), Origins::Hidden) = (everything, self.origins) {
            return Some(self.entry(entry));
        }
        Some(Node::List(entries.iter().map(|entry| self.entry(entry)).collect()))
    }

    fn switch<T: Written>(&self, switch: &Switch<T>, side: Side) -> Option<Node> {
        match side {
            Side::Allow => switch.allow.as_ref().map(|entry| self.entry(entry)),
            Side::Deny => switch.deny.as_ref().map(|Statement { origin, .. }| self.value(true.into(), origin)),
        }
    }

    fn kernel(&self, policy: &Policy) -> Members {
        let kernel = &policy.kernel;
        let mut members = Vec::new();
        if !kernel.namespaces.is_empty() {
            let names = kernel.namespaces.iter().map(|listed| self.value(listed.value.name().into(), &listed.origin));
            members.push(("namespaces", Node::List(names.collect())));
        }
        if let Some(Setting { value, origin }) = &kernel.require {
            let require: Value = match value {
                Require::All => "all".into(),
                Require::Listed(list) => list.iter().map(|layer| layer.name()).collect(),
            };
            members.push(("require", self.value(require, origin)));
        }
        if let Some(audit) = &kernel.audit {
            members.push(("audit", self.value(audit.value.name().into(), &audit.origin)));
        }
        members
    }

    fn limits(&self, policy: &Policy) -> Members {
        let shown = |limit: Limit| {
            let setting = policy.limits.get(limit)?;
            Some((limit.name(), self.value(setting.value.into(), &setting.origin)))
        };
        Limit::ALL.into_iter().filter_map(shown).collect()
    }

    fn js(&self, policy: &Policy) -> Members {
        let js = &policy.js;
        let mut members = Vec::new();
        if let Some(freeze) = &js.freeze {
            members.push(("freeze", self.value(freeze.value.name().into(), &freeze.origin)));
        }
        for (key, setting) in [("jit", &js.jit), ("codegen", &js.codegen)] {
            members.extend(setting.as_ref().map(|setting| (key, self.value(setting.value.into(), &setting.origin))));
        }
        members
    }

    fn trust(&self, policy: &Policy) -> Members {
        let trust = &policy.trust;
        let mut members = Vec::new();
        if !trust.signers.is_empty() {
            let signers = trust.signers.iter().map(|signer| self.value(signer.value.as_str().into(), &signer.origin));
            members.push(("signers", Node::List(signers.collect())));
        }
        if let Some(required) = &trust.required {
            members.push(("required", self.value(required.value.into(), &required.origin)));
        }
        members
    }

    fn entry<T: Written>(&self, entry: &Entry<T>) -> Node {
        self.value(entry.value.written(), &entry.statement.origin)
    }

    fn value(&self, value: Value, origin: &Origin) -> Node {
        match self.origins {
            Origins::Hidden => Node::Value(value),
            Origins::Shown => {
                Node::Object(vec![("value", Node::Value(value)), ("from", Node::Value(origin.to_string().into()))])
            }
        }
    }
}
