//! URLs that a program may request through the launcher: the values of `fetch`.

use std::collections::BTreeMap;
use std::fmt;

use crate::diagnostic::Fault;
use crate::glob::Glob;
use crate::net::{HostName, HostRule};
use crate::pattern::Pattern;
use crate::permission::Side;

/// Requests that the launcher makes for a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRule {
    pub(crate) url: UrlRule,
    /// Upper case; none means any method.
    pub(crate) methods: Option<Vec<String>>,
    pub(crate) headers: BTreeMap<String, String>,
    /// None means as the program says.
    pub(crate) redirect: Option<Redirect>,
    /// The longest bodies, in units of 1024 bytes.
    pub(crate) max_request_kb: Option<u64>,
    pub(crate) max_response_kb: Option<u64>,
}

/// What becomes of an answer that leads elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// It is followed where the policy grants that, too.
    Follow,
    /// It is an error.
    Error,
    /// The program gets it as it is.
    Manual,
}

impl Redirect {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Follow, Self::Error, Self::Manual];

    /// The word in a policy, which the Fetch standard has as well.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Follow => "follow",
            Self::Error => "error",
            Self::Manual => "manual",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|redirect| redirect.name() == name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UrlRule {
    Any,
    At { scheme: Scheme, host: HostRule, port: u16, path: Glob },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn split(url: &str) -> Option<(Self, &str)> {
        let (scheme, rest) = url.split_once("://")?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" => Some((Self::Http, rest)),
            "https" => Some((Self::Https, rest)),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The methods that a rule grants when it names none.
pub(crate) const DEFAULT_METHODS: [&str; 2] = ["GET", "HEAD"];

impl FetchRule {
    pub(crate) const ANY: Self = Self::of(UrlRule::Any, None);

    const fn of(url: UrlRule, methods: Option<Vec<String>>) -> Self {
        let headers = BTreeMap::new();
        Self { url, methods, headers, redirect: None, max_request_kb: None, max_response_kb: None }
    }

    /// What the launcher adds: names in lower case, and values in which `${secret:NAME}` stands for a secret.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The secrets that the headers are made of.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.headers.values().flat_map(|value| {
            let parts = value.split("${secret:").skip(1);
            parts.filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
        })
    }

    /// What becomes of redirects, if it is not for the program to say.
    pub const fn redirect(&self) -> Option<Redirect> {
        self.redirect
    }

    /// The longest body that is sent, in bytes.
    pub fn max_request_bytes(&self) -> Option<u64> {
        self.max_request_kb.map(|kb| kb.saturating_mul(1024))
    }

    /// The longest body that is received, in bytes.
    pub fn max_response_bytes(&self) -> Option<u64> {
        self.max_response_kb.map(|kb| kb.saturating_mul(1024))
    }

    /// What a program may know of the rule: which requests there are, and not what the launcher does with them.
    pub(crate) fn for_the_program(&self) -> Self {
        Self::of(self.url.clone(), self.methods.clone())
    }

    /// A rule of a URL alone: granting covers reading methods, denying covers all.
    pub(crate) fn parse(url: &str, side: Side) -> Result<Self, Fault> {
        let methods = (side == Side::Allow).then(|| DEFAULT_METHODS.map(str::to_owned).to_vec());
        Ok(Self::of(UrlRule::parse(url)?, methods))
    }

    /// Whether the rule speaks of `method` on `url`.
    pub(crate) fn speaks_of(&self, url: &Url, method: &str, side: Side) -> bool {
        let method = method.to_ascii_uppercase();
        self.methods.as_ref().is_none_or(|methods| methods.contains(&method)) && self.url.speaks_of(url, side)
    }
}

impl UrlRule {
    fn parse(text: &str) -> Result<Self, Fault> {
        let Some((scheme, rest)) = Scheme::split(text) else {
            return Err(Fault::new(format!("{text:?} is not an http or https URL"))
                .with_help("write https://api.example.com/v1/*"));
        };
        if let Some(reason) = ambiguity(rest) {
            return Err(Fault::new(format!("{text:?}: {reason}")));
        }
        let (authority, path) = split_authority(rest);
        let (host, port) = split_port(authority, scheme)
            .ok_or_else(|| Fault::new(format!("{authority:?} is not a host")).with_help("write host or host:port"))?;
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self::At { scheme, host: HostRule::parse(host)?, port, path: Glob::new(path) })
    }

    fn speaks_of(&self, url: &Url, side: Side) -> bool {
        match self {
            Self::Any => HostRule::Any.speaks_of(&url.host, side),
            Self::At { scheme, host, port, path } => {
                *scheme == url.scheme && *port == url.port && host.speaks_of(&url.host, side) && path.matches(&url.path)
            }
        }
    }
}

/// The URL of a request, taken apart; only unambiguous ones can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: Scheme,
    pub(crate) host: HostName,
    pub(crate) port: u16,
    path: String,
}

impl Url {
    /// Refuses anything that two readers could understand differently, and says why.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = Scheme::split(text).ok_or("it is not an http or https URL")?;
        let rest = rest.split('#').next().unwrap_or(rest);
        if let Some(reason) = ambiguity(rest) {
            return Err(reason);
        }
        let (authority, path) = split_authority(rest);
        let no_host = "its host is neither a name nor an address";
        let (host, port) = split_port(authority, scheme).ok_or(no_host)?;
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { scheme, host: HostName::parse(host).ok_or(no_host)?, port, path })
    }

    /// Whether its port is the one that its scheme stands for.
    pub(crate) fn has_usual_port(&self) -> bool {
        self.port == self.scheme.port()
    }

    /// The same at another host.
    pub(crate) fn at(&self, host: HostName) -> Self {
        Self { host, ..self.clone() }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}", self.scheme.name(), self.host)?;
        if !self.has_usual_port() {
            write!(out, ":{}", self.port)?;
        }
        out.write_str(&self.path)
    }
}

fn split_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

fn split_port(authority: &str, scheme: Scheme) -> Option<(&str, u16)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            (host, port.parse().ok().filter(|_| digits)?)
        }
        _ => (authority, scheme.port()),
    };
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    Some((bare, port))
}

/// Why a URL without its scheme could be understood in more than one way.
fn ambiguity(rest: &str) -> Option<&'static str> {
    let lower = rest.to_ascii_lowercase();
    let (authority, path) = split_authority(&lower);
    let path = path.split(['?', '#']).next().unwrap_or(path);
    if authority.contains('@') {
        return Some("a user name or password in a URL is not supported");
    }
    if rest.contains(|c: char| c == '\\' || c.is_control() || c.is_whitespace()) {
        return Some("backslashes, spaces and control characters are not supported in a URL");
    }
    if ["%2f", "%5c", "%2e"].iter().any(|escape| path.contains(escape)) {
        return Some("encoded slashes, backslashes and dots are not supported in a URL's path");
    }
    // `.;x` is a dot segment to servers that cut path parameters off first.
    let dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    if path.split('/').any(dots) {
        return Some("dot segments are not supported in a URL's path");
    }
    None
}

impl Pattern for FetchRule {
    fn covers(&self, other: &Self) -> bool {
        let methods = match (&self.methods, &other.methods) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ours), Some(theirs)) => theirs.iter().all(|method| ours.contains(method)),
        };
        // Injected headers are part of what is granted: a rule with other headers is another grant.
        let headers = self.headers == other.headers || other.headers.is_empty() && self.url == UrlRule::Any;
        let redirect = self.redirect.is_none() || self.redirect == other.redirect;
        let no_longer =
            |ours: Option<u64>, theirs: Option<u64>| ours.is_none_or(|most| theirs.is_some_and(|own| own <= most));
        let limits = no_longer(self.max_request_kb, other.max_request_kb)
            && no_longer(self.max_response_kb, other.max_response_kb);
        methods && headers && redirect && limits && self.url.covers(&other.url)
    }

    fn meets(&self, other: &Self) -> bool {
        let methods = match (&self.methods, &other.methods) {
            (Some(ours), Some(theirs)) => theirs.iter().any(|method| ours.contains(method)),
            _ => true,
        };
        methods && self.url.meets(&other.url)
    }
}

impl Pattern for UrlRule {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, Self::Any) => true,
            (Self::Any, Self::At { host, .. }) => HostRule::Any.covers(host),
            (Self::At { .. }, Self::Any) => false,
            (
                Self::At { scheme, host, port, path },
                Self::At { scheme: other_scheme, host: other_host, port: other_port, path: other_path },
            ) => scheme == other_scheme && port == other_port && host.covers(other_host) && path.covers(other_path),
        }
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::At { scheme, host, port, path },
                Self::At { scheme: other_scheme, host: other_host, port: other_port, path: other_path },
            ) => scheme == other_scheme && port == other_port && host.meets(other_host) && path.meets(other_path),
            _ => true,
        }
    }
}

impl fmt::Display for UrlRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => out.write_str("*"),
            Self::At { scheme, host, port, path } => {
                write!(out, "{}://{host}", scheme.name())?;
                if *port != scheme.port() {
                    write!(out, ":{port}")?;
                }
                write!(out, "{path}")
            }
        }
    }
}
