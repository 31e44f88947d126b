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
    pub(crate) const ANY: Self = Self { url: UrlRule::Any, methods: None, headers: BTreeMap::new() };

    /// A rule of a URL alone: granting covers reading methods, denying covers all.
    pub(crate) fn parse(url: &str, side: Side) -> Result<Self, Fault> {
        let methods = (side == Side::Allow).then(|| DEFAULT_METHODS.map(str::to_owned).to_vec());
        Ok(Self { url: UrlRule::parse(url)?, methods, headers: BTreeMap::new() })
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
            Self::Any => true,
            Self::At { scheme, host, port, path } => {
                *scheme == url.scheme && *port == url.port && host.speaks_of(&url.host, side) && path.matches(&url.path)
            }
        }
    }
}

/// The URL of a request, taken apart; only unambiguous ones can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    scheme: Scheme,
    host: HostName,
    port: u16,
    path: String,
}

impl Url {
    /// `None` for anything that two readers could understand differently.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = Scheme::split(text)?;
        let rest = rest.split('#').next().unwrap_or(rest);
        if ambiguity(rest).is_some() {
            return None;
        }
        let (authority, path) = split_authority(rest);
        let (host, port) = split_port(authority, scheme)?;
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(Self { scheme, host: HostName::parse(host)?, port, path })
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
        methods && headers && self.url.covers(&other.url)
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
            (Self::Any, _) => true,
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
