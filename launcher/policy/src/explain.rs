//! How a refusal is put into words. This is the one definition: the launcher uses it, and the preload's copy is
//! generated from it and checked against the same table of cases.

use crate::decide::{Decision, Rule};
use crate::fetch::Url;
use crate::grants::Statement;
use crate::permission::{Permission, Side};
use crate::request::{Request, json};

/// Why a request is refused, by the kind of rule that refuses it.
pub(crate) mod reason {
    pub(crate) const DEFAULT: &str = "no rule of the policy grants it";
    pub(crate) const DENIED: &str = "the policy denies it";
    pub(crate) const LIMIT: &str = "the policy grants fewer";
    pub(crate) const SECRET: &str = "the secrets of an import root are granted by name only";
    pub(crate) const RESERVED: &str = "the name leads to an address that is granted by itself only";
    pub(crate) const FETCHED: &str =
        "a rule of fetch names this host and port, which fetch() and WebSocket alone reach then";
    pub(crate) const ABSENT: &str = "in a sandbox nobody listens at a path: use a port of a loopback address";
    pub(crate) const PROTECTED: &str = "a tool outside the sandbox would obey what is written there";
}

/// The message of a refusal: what is refused, why, and how to allow it.
///
/// `reading "/etc/passwd" is not allowed: no rule of the policy grants it. To allow it: allow.read: ["/etc/passwd"]`
pub fn explain(request: &Request, decision: &Decision) -> String {
    let act = act(request);
    if decision.allowed {
        return format!("{act} is allowed: {}", decision.rule);
    }
    let reason = reason(request, &decision.rule);
    match &decision.fix {
        Some(fix) => format!("{act} is not allowed: {reason}. To allow it: {fix}"),
        None => format!("{act} is not allowed: {reason}"),
    }
}

fn act(request: &Request) -> String {
    let phrase = request.permission().phrase();
    match (request.permission(), request.resource()) {
        (_, None) => phrase.to_owned(),
        (Permission::Workers, Some(count)) => format!("{phrase} {count}"),
        (_, Some(resource)) => format!("{phrase} {}{}", json(&resource), usual_port(request)),
    }
}

/// The port of a URL that leaves it out: rules and connections have one.
fn usual_port(request: &Request) -> String {
    let Request::Fetch { url, .. } = request else { return String::new() };
    let parsed = Url::parse(url).ok().filter(Url::has_usual_port);
    parsed.map(|url| format!(" (port {})", url.port)).unwrap_or_default()
}

fn reason(request: &Request, rule: &Rule) -> &'static str {
    match rule {
        Rule::Default => reason::DEFAULT,
        Rule::Secret => reason::SECRET,
        Rule::Protected => reason::PROTECTED,
        Rule::Reserved => reason::RESERVED,
        Rule::Ambiguous(reason) | Rule::Absent(reason) => reason,
        Rule::Setting(..) => reason::DENIED,
        Rule::Stated(statement) => match (request, statement.side) {
            _ if is_fetched(request, statement) => reason::FETCHED,
            // Granting none at all is a denial, granting some is a limit.
            (Request::Workers(_), Side::Allow) if !matches!(statement.origin.json().as_str(), "0" | "false") => {
                reason::LIMIT
            }
            _ => reason::DENIED,
        },
    }
}

/// Whether a connection is refused because there are requests in its place.
fn is_fetched(request: &Request, statement: &Statement) -> bool {
    matches!(request, Request::Net { .. } | Request::Udp { .. }) && statement.permission == Permission::Fetch
}

/// What to write into the policy, or to remove from it.
pub(crate) fn fix(request: &Request, rule: &Rule) -> String {
    match rule {
        Rule::Setting(..) => return format!("remove {rule}"),
        Rule::Stated(statement) if statement.side == Side::Deny || is_fetched(request, statement) => {
            return format!("remove {rule}");
        }
        _ => {}
    }
    let resource = request.resource().unwrap_or_default();
    match request {
        Request::Eval | Request::Wasm | Request::Ffi(None) => format!("allow.{}: true", request.permission()),
        Request::Workers(count) => format!("allow.workers: {count}"),
        Request::Fetch { url, method } => {
            format!("allow.fetch: [{{\"url\": {}, \"methods\": [{}]}}]", json(url), json(method))
        }
        // Granting the import of a secret means granting to read it.
        Request::Import(_) if *rule == Rule::Secret => format!("allow.read: [{}]", json(&resource)),
        _ => format!("allow.{}: [{}]", request.permission(), json(&resource)),
    }
}
