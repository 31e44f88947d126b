//! Hosts and ports: the values of `net` and `listen`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;
use std::path::{Path, PathBuf};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::diagnostic::Fault;
use crate::path::normalize;
use crate::pattern::Pattern;
use crate::permission::{Permission, Side};
use crate::reach::holds_apart;
use crate::request::Request;

/// What carries the data of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP, and streams of unix sockets.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// The request to connect to `port` of `host`.
    pub fn request(self, host: &str, port: u16) -> Request {
        let host = host.to_owned();
        match self {
            Self::Tcp => Request::Net { host, port },
            Self::Udp => Request::Udp { host, port },
        }
    }
}

/// Hosts and ports that a program may connect to, or listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetRule {
    /// `None` is any: a denial that names none means both.
    pub(crate) transport: Option<Transport>,
    pub(crate) host: HostRule,
    pub(crate) ports: Ports,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostRule {
    Any,
    /// A name, lower case.
    Name(String),
    /// Every name below this one, lower case, without the leading `*.`.
    Below(String),
    /// An address, or a block of them.
    Block(IpNet),
    /// A unix socket, by its path in the file system.
    Socket(PathBuf),
}

/// Before the path of a unix socket.
pub(crate) const UNIX: &str = "unix:";

/// Before a host and port that datagrams go to.
pub(crate) const UDP: &str = "udp://";

/// Ports from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) first: u16,
    pub(crate) last: u16,
}

impl Ports {
    pub(crate) const ALL: Self = Self { first: 0, last: u16::MAX };

    fn parse(text: &str, lowest: u16) -> Result<Self, Fault> {
        if text == "*" {
            return Ok(Self::ALL);
        }
        let port = |text: &str| -> Result<u16, Fault> {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            match text.parse() {
                Ok(port) if digits && port >= lowest => Ok(port),
                _ => Err(Fault::new(format!("{text:?} is not a port"))
                    .with_help(format!("write a number from {lowest} to 65535, or a range like 8000-8010"))),
            }
        };
        let (first, last) = match text.split_once('-') {
            None => (port(text)?, port(text)?),
            Some((first, last)) => (port(first)?, port(last)?),
        };
        if first > last {
            return Err(
                Fault::new(format!("the port range {text} is reversed")).with_help(format!("write {last}-{first}"))
            );
        }
        Ok(Self { first, last })
    }

    pub(crate) fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl NetRule {
    /// The value `true`.
    pub(crate) fn any(permission: Permission, side: Side) -> Self {
        Self { transport: unnamed(permission, side), host: HostRule::Any, ports: Ports::ALL }
    }

    /// Whether it is what `true` stands for.
    pub(crate) fn is_any(&self) -> bool {
        self.host == HostRule::Any && self.ports == Ports::ALL && self.transport != Some(Transport::Udp)
    }

    /// A rule for one port of any host, the value `3000` of `listen`.
    pub(crate) fn port(port: u16) -> Self {
        Self { transport: None, host: HostRule::Any, ports: Ports { first: port, last: port } }
    }

    /// Reads `host:port` and its kin. Denying needs no port, and `listen` needs no host.
    pub(crate) fn parse(text: &str, permission: Permission, side: Side) -> Result<Self, Fault> {
        let lowest = u16::from(permission != Permission::Listen);
        if text.is_empty() {
            return Err(Fault::new("the address is empty"));
        }
        if let (Some(path), Permission::Net) = (text.strip_prefix(UNIX), permission) {
            let transport = Some(Transport::Tcp);
            return Ok(Self { transport, host: HostRule::Socket(socket(path)?), ports: Ports::ALL });
        }
        let (transport, text) = match text.strip_prefix(UDP) {
            Some(rest) if permission == Permission::Net => (Some(Transport::Udp), rest),
            Some(_) => {
                return Err(Fault::new(format!("{text:?}: datagrams are not listened for outside"))
                    .with_help("allow.net grants them, to a host that the program connects to"));
            }
            None => (unnamed(permission, side), text),
        };
        if let Some((scheme, rest)) = text.split_once("://") {
            let help = match scheme {
                "tcp" => format!("write {rest}"),
                _ => format!("write the host and port alone, or use fetch for {scheme}://{rest}"),
            };
            return Err(Fault::new(format!("{text:?} is a URL, not a host and port")).with_help(help));
        }
        if permission == Permission::Listen && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
            return Ok(Self { transport, host: HostRule::Any, ports: Ports::parse(text, lowest)? });
        }
        let (host, ports) = split_host(text)?;
        let host = HostRule::parse(host)?;
        let ports = match ports {
            Some(ports) => Ports::parse(ports, lowest)?,
            None if side == Side::Deny => Ports::ALL,
            None => {
                let shown = if matches!(&host, HostRule::Block(IpNet::V6(_))) && !text.starts_with('[') {
                    format!("[{text}]")
                } else {
                    text.to_owned()
                };
                let shown = if transport == Some(Transport::Udp) { format!("{UDP}{shown}") } else { shown };
                return Err(Fault::new(format!("{text:?} has no port"))
                    .with_help(format!("write \"{shown}:443\", or \"{shown}:*\" for any port")));
            }
        };
        Ok(Self { transport, host, ports })
    }

    /// Whether the rule speaks of `host` and `port`.
    pub(crate) fn speaks_of(&self, transport: Transport, host: &HostName, port: u16, side: Side) -> bool {
        self.carries(transport) && self.ports.contains(port) && self.host.speaks_of(host, side)
    }

    /// Whether the rule speaks of what is sent by this transport.
    pub fn carries(&self, transport: Transport) -> bool {
        self.transport.is_none_or(|own| own == transport)
    }
}

/// What a rule means that names no transport: granting is about TCP, denying about any. Listening has no other.
fn unnamed(permission: Permission, side: Side) -> Option<Transport> {
    (permission == Permission::Net && side == Side::Allow).then_some(Transport::Tcp)
}

/// Splits `host:ports`, `[v6]:ports`, or a host alone.
fn split_host(text: &str) -> Result<(&str, Option<&str>), Fault> {
    if let Some(rest) = text.strip_prefix('[') {
        let Some((host, rest)) = rest.split_once(']') else {
            return Err(Fault::new("the bracket is not closed").with_help("write [::1]:443"));
        };
        return match rest.strip_prefix(':') {
            Some(ports) => Ok((host, Some(ports))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(Fault::new(format!("unexpected {rest:?} after the bracket"))
                .with_help("write [::1]:443, or [fe80::/10]:443 for a block")),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() || text.parse::<Ipv6Net>().is_ok() {
        return Ok((text, None));
    }
    match text.rsplit_once(':') {
        None => Ok((text, None)),
        Some((host, _)) if host.contains(':') => Err(Fault::new(format!("{text:?} is not a host and port"))
            .with_help("an IPv6 address with a port needs brackets: [::1]:443")),
        Some((host, ports)) => Ok((host, Some(ports))),
    }
}

impl HostRule {
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Block(IpNet::from(address.to_canonical())));
        }
        if text.contains('/') {
            let block: IpNet = text.parse().map_err(|_| {
                Fault::new(format!("{text:?} is not a block of addresses")).with_help("write 10.1.0.0/16 or fe80::/10")
            })?;
            if block.addr() != block.network() {
                return Err(Fault::new(format!("{text} has bits set beyond its prefix"))
                    .with_help(format!("write {}", block.trunc())));
            }
            return Ok(Self::Block(canonical_block(block)));
        }
        if let Some(suffix) = text.strip_prefix("*.") {
            return name(suffix).map(Self::Below);
        }
        if text.contains('*') {
            let help = "a star stands for a whole first part: *.example.com, or alone for any host";
            return Err(Fault::new(format!("{text:?}: the star is in the wrong place")).with_help(help));
        }
        name(text).map(Self::Name)
    }

    pub(crate) fn speaks_of(&self, host: &HostName, side: Side) -> bool {
        match (self, host) {
            (Self::Socket(one), HostName::Socket(other)) => one == other,
            (Self::Any, host) => side == Side::Deny || Self::any_means(host),
            (Self::Block(block), HostName::Address(address)) => block.contains(address),
            (Self::Name(name), HostName::Address(address)) => name == LOCALHOST && address.is_loopback(),
            (Self::Name(name), HostName::Name(host)) => name == host,
            (Self::Below(suffix), HostName::Name(host)) => is_below(host, suffix),
            (Self::Below(_), HostName::Address(_)) | (_, HostName::Socket(_)) | (Self::Socket(_), _) => false,
            // What a name resolves to is only known later, except for this one.
            (Self::Block(block), HostName::Name(host)) => {
                side == Side::Deny && host == LOCALHOST && LOOPBACKS.iter().any(|address| block.contains(address))
            }
        }
    }
}

/// The path of a unix socket. It is not resolved against the policy's folder: programs name such paths in full.
fn socket(path: &str) -> Result<PathBuf, Fault> {
    let path = Path::new(path);
    if !path.is_absolute() || normalize(path) != path {
        let help = "write the path in full, without . and ..: unix:/run/postgresql/.s.PGSQL.5432";
        return Err(Fault::new(format!("{:?} is not the path of a socket", path.display().to_string())).with_help(help));
    }
    Ok(path.to_path_buf())
}

pub(crate) const LOCALHOST: &str = "localhost";
const LOOPBACKS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|first| first.len() > 1 && first.ends_with('.'))
}

/// A block of IPv6 addresses that only holds mapped IPv4 ones, as the IPv4 block.
fn canonical_block(block: IpNet) -> IpNet {
    match block {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => {
            match v6.addr().to_ipv4_mapped().map(|v4| Ipv4Net::new(v4, v6.prefix_len() - 96)) {
                Some(Ok(v4)) => IpNet::V4(v4),
                _ => block,
            }
        }
        _ => block,
    }
}

/// A name in lower case, if it can be one.
fn name(text: &str) -> Result<String, Fault> {
    let bad = |why: &str| Fault::new(format!("{text:?} is not a host: {why}"));
    if !text.is_ascii() {
        return Err(bad("it has letters beyond ASCII").with_help("write it in its xn-- form"));
    }
    let trimmed = text.strip_suffix('.').unwrap_or(text);
    if trimmed.is_empty() || trimmed.len() > 253 {
        return Err(bad("it is empty or longer than 253 characters"));
    }
    for label in trimmed.split('.') {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if label.is_empty() || label.len() > 63 || !plain {
            return Err(bad("each part has 1 to 63 letters, digits or hyphens"));
        }
    }
    let last = trimmed.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") || last.starts_with("0X") {
        return Err(bad("it ends in a number, so it would be read as an address")
            .with_help("write an address as four decimal numbers: 127.0.0.1"));
    }
    Ok(trimmed.to_ascii_lowercase())
}

/// The host of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostName {
    Address(IpAddr),
    Name(String),
    Socket(PathBuf),
}

impl HostName {
    /// Reads a host as a program gives it; `None` if it can be neither a name nor an address.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix(UNIX) {
            return Some(Self::Socket(normalize(Path::new(path))));
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        match bare.parse::<IpAddr>() {
            Ok(address) => Some(Self::Address(address.to_canonical())),
            Err(_) => name(text).ok().map(Self::Name),
        }
    }
}

impl fmt::Display for HostName {
    /// As URLs have it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => out.write_str(name),
            Self::Address(IpAddr::V4(v4)) => write!(out, "{v4}"),
            Self::Address(IpAddr::V6(v6)) => write!(out, "[{v6}]"),
            Self::Socket(path) => write!(out, "{}", path.display()),
        }
    }
}

impl Pattern for HostRule {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, Self::Block(block)) => !holds_apart(block),
            (Self::Any, Self::Socket(_)) => false,
            (Self::Any, _) => true,
            (Self::Below(suffix), Self::Name(name)) => is_below(name, suffix),
            (Self::Below(one), Self::Below(other)) => one == other || is_below(other, one),
            (Self::Block(one), Self::Block(other)) => one.contains(other),
            (Self::Name(name), Self::Block(block)) => {
                name == LOCALHOST && block.network().is_loopback() && block.broadcast().is_loopback()
            }
            (one, other) => one == other,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) => one == other,
            (Self::Socket(one), Self::Socket(other)) => one == other,
            (Self::Any, Self::Socket(_)) | (Self::Socket(_), Self::Any) => true,
            (Self::Socket(_), _) | (_, Self::Socket(_)) => false,
            (Self::Below(suffix), Self::Name(name)) | (Self::Name(name), Self::Below(suffix)) => is_below(name, suffix),
            (Self::Block(one), Self::Block(other)) => one.contains(other) || other.contains(one),
            // Names and addresses may meet: that is known when the name is resolved.
            (Self::Below(one), Self::Below(other)) => one == other || is_below(one, other) || is_below(other, one),
            _ => true,
        }
    }
}

impl Pattern for NetRule {
    fn covers(&self, other: &Self) -> bool {
        let carries = self.transport.is_none() || self.transport == other.transport;
        let holds = self.ports.first <= other.ports.first && other.ports.last <= self.ports.last;
        carries && holds && self.host.covers(&other.host)
    }

    fn meets(&self, other: &Self) -> bool {
        if other.transport.is_some_and(|transport| !self.carries(transport)) {
            return false;
        }
        self.ports.first <= other.ports.last && other.ports.first <= self.ports.last && self.host.meets(&other.host)
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => out.write_str("*"),
            Self::Name(name) => out.write_str(name),
            Self::Below(suffix) => write!(out, "*.{suffix}"),
            Self::Socket(path) => write!(out, "{UNIX}{}", path.display()),
            Self::Block(block) => {
                let single = block.prefix_len() == block.max_prefix_len();
                match (block, single) {
                    (IpNet::V4(v4), true) => write!(out, "{}", v4.addr()),
                    (IpNet::V6(v6), true) => write!(out, "[{}]", v6.addr()),
                    (IpNet::V4(v4), false) => write!(out, "{v4}"),
                    (IpNet::V6(v6), false) => write!(out, "[{v6}]"),
                }
            }
        }
    }
}

impl fmt::Display for NetRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.transport == Some(Transport::Udp) {
            out.write_str(UDP)?;
        }
        self.host.fmt(out)?;
        if matches!(self.host, HostRule::Socket(_)) {
            return Ok(());
        }
        match self.ports {
            Ports::ALL => out.write_str(":*"),
            Ports { first, last } if first == last => write!(out, ":{first}"),
            Ports { first, last } => write!(out, ":{first}-{last}"),
        }
    }
}
