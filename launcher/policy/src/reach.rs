//! Whether what a host's name stands for may be reached: names belong to others, who can point them anywhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::decide::{Decision, Rule, Verdict, decide, listed};
use crate::net::{HostName, HostRule, LOCALHOST, NetRule, Ports, Transport};
use crate::permission::Side;
use crate::places::ExpandedPolicy;
use crate::request::Request;
use crate::requests::fetched;

/// Whether `policy` grants any port of `host`, so that it may be asked where that is.
pub fn resolves(policy: &ExpandedPolicy, host: &str) -> bool {
    let is_name = matches!(HostName::parse(host), Some(HostName::Name(_)));
    is_name && [Transport::Tcp, Transport::Udp].into_iter().any(|transport| carries(policy, transport, host))
}

/// Whether `policy` grants any port of `host` by this transport.
pub fn carries(policy: &ExpandedPolicy, transport: Transport, host: &str) -> bool {
    let Some(host) = HostName::parse(host) else { return false };
    let rules = &policy.grants.net;
    let speaks = |rule: &NetRule, side| rule.carries(transport) && rule.host.speaks_of(&host, side);
    let is_denied = |rule: &NetRule| rule.ports == Ports::ALL && speaks(rule, Side::Deny);
    rules.allow.iter().any(|entry| speaks(&entry.value, Side::Allow))
        && !rules.deny.iter().any(|entry| is_denied(&entry.value))
}

/// Whether `policy` lets a program connect to `port` of `host`, as far as that goes by its name: what a rule of `fetch`
/// names is requested, and not connected to, nor spoken to in datagrams (HTTP/3).
pub fn connects(policy: &ExpandedPolicy, transport: Transport, host: &str, port: u16) -> Decision {
    let request = transport.request(host, port);
    let by_rules = decide(policy, &request);
    match (&by_rules.rule, fetched(policy, host, port)) {
        (Rule::Stated(statement), _) if statement.side == Side::Deny => by_rules,
        (_, Some(statement)) => {
            let rule = Rule::Stated(statement.clone());
            Decision { allowed: false, fix: Some(crate::explain::fix(&request, &rule)), rule }
        }
        (_, None) => by_rules,
    }
}

/// What `policy` says of a request as a program asks it, by name: of a connection, that is what [`connects`] says.
pub fn decide_as_asked(policy: &ExpandedPolicy, request: &Request) -> Decision {
    match request {
        Request::Net { host, port } => connects(policy, Transport::Tcp, host, *port),
        Request::Udp { host, port } => connects(policy, Transport::Udp, host, *port),
        _ => decide(policy, request),
    }
}

/// Whether `policy` lets a program connect to `port` of `host`, which stands for `address`.
///
/// Addresses that lead to the machine itself, its neighbours, or what clouds tell machines about themselves are reached
/// by a name only where a rule names that address, too (RFC 6890 lists them).
pub fn reaches(policy: &ExpandedPolicy, transport: Transport, host: &str, port: u16, address: IpAddr) -> Decision {
    let by_name = connects(policy, transport, host, port);
    let (true, Some(name)) = (by_name.allowed, HostName::parse(host)) else { return by_name };
    let at_address = HostName::Address(address.to_canonical());
    let named = listed(&policy.grants.net, |rule, side| rule.speaks_of(transport, &at_address, port, side));
    leads(by_name, &name, address, named, |address| transport.request(&address.to_string(), port))
}

/// What becomes of a decision by name, or by a URL with one, where the name stands for `address`: `named` is what the
/// rules say of that address itself, which is asked for by `request`.
pub(crate) fn leads(
    by_name: Decision,
    name: &HostName,
    address: IpAddr,
    named: Verdict,
    request: impl FnOnce(IpAddr) -> Request,
) -> Decision {
    let address = address.to_canonical();
    let is_localhost = matches!(name, HostName::Name(name) if name == LOCALHOST) && address.is_loopback();
    let rule = match named {
        Err(denial @ Rule::Stated(_)) => denial,
        Err(_) if !is_localhost && !is_public(address) => Rule::Reserved,
        _ => return by_name,
    };
    let fix = crate::explain::fix(&request(address), &rule);
    Decision { allowed: false, rule, fix: Some(fix) }
}

/// The unix sockets that `policy` grants, by their paths, as far as it does not deny them.
pub fn granted_sockets(policy: &ExpandedPolicy) -> Vec<PathBuf> {
    let rules = policy.grants.net.allow.iter().map(|entry| &entry.value.host);
    let paths = rules.filter_map(|host| if let HostRule::Socket(path) = host { Some(path) } else { None });
    paths.filter(|path| decide(policy, &unix_request(path)).allowed).cloned().collect()
}

/// The request to connect to the unix socket at `path`.
pub fn unix_request(path: &Path) -> Request {
    Request::Net { host: format!("unix:{}", path.display()), port: 0 }
}

/// The addresses by which `allow.listen` names `port`.
pub fn listening_addresses(policy: &ExpandedPolicy, port: u16) -> Vec<IpAddr> {
    let rules = policy.grants.listen.allow.iter().map(|entry| &entry.value);
    let addresses = rules.filter(|rule| rule.ports.contains(port)).filter_map(|rule| match &rule.host {
        HostRule::Block(block) if block.prefix_len() == block.max_prefix_len() => Some(block.addr()),
        HostRule::Name(name) if name == LOCALHOST => Some(Ipv4Addr::LOCALHOST.into()),
        _ => None,
    });
    addresses.collect()
}

/// Ranges that even a rule for any host does not mean: of the link, of many at once, and where clouds hand out
/// credentials.
fn apart() -> [IpNet; 7] {
    let v4 = |a, b, c, d, bits| IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits));
    let v6 = |first, bits| IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0), bits));
    let credentials = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    [
        v4(169, 254, 0, 0, 16),
        v4(224, 0, 0, 0, 4),
        v4(255, 255, 255, 255, 32),
        v4(100, 100, 100, 200, 32),
        v6(0xfe80, 10),
        v6(0xff00, 8),
        IpNet::V6(Ipv6Net::new_assert(credentials, 128)),
    ]
}

/// Whether an address is in one of those ranges, or embeds one that is.
pub(crate) fn is_apart(address: IpAddr) -> bool {
    let embedded = if let IpAddr::V6(v6) = address { embedded(v6) } else { None };
    apart().iter().any(|range| range.contains(&address)) || embedded.is_some_and(|v4| is_apart(v4.into()))
}

/// Whether a block has an address of those ranges. What embeds an IPv4 address could be any of them.
pub(crate) fn holds_apart(block: &IpNet) -> bool {
    let ranges = apart().into_iter().chain(embedding().map(IpNet::V6));
    ranges.into_iter().any(|range| range.contains(block) || block.contains(&range))
}

/// Whether an address is one of the Internet at large.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let special = v4.is_private()
                || v4.is_loopback()
                || v4.is_documentation()
                || matches!((a, b, c), (0 | 240.., _, _) | (100, 64..=127, _) | (192, 0, 0) | (198, 18 | 19, _));
            !special && !is_apart(address)
        }
        IpAddr::V6(v6) => {
            let [a, b, ..] = v6.segments();
            let global = a & 0xe000 == 0x2000;
            let documentation = (a == 0x2001 && b == 0xdb8) || (a == 0x3fff && b < 0x1000);
            // Teredo, ORCHID and the like.
            let protocol = a == 0x2001 && b < 0x200;
            match embedded(v6) {
                Some(v4) => is_public(v4.into()),
                None => global && !documentation && !protocol && !is_apart(address),
            }
        }
    }
}

/// Ranges whose addresses carry an IPv4 address that a translator sends them on to: NAT64 (RFC 6052) and 6to4
/// (RFC 3056).
fn embedding() -> [Ipv6Net; 2] {
    [
        Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
        Ipv6Net::new_assert(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    ]
}

fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let four = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(four(high, low)),
        _ => None,
    }
}

impl HostRule {
    /// Whether a rule for any host means this one.
    pub(crate) fn any_means(host: &HostName) -> bool {
        match host {
            HostName::Name(_) => true,
            HostName::Address(address) => !is_apart(*address),
            // Services of the machine that trust whoever reaches them: named, or not at all.
            HostName::Socket(_) => false,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Layer, Places, Policy, Source};

    pub(crate) fn policy(text: &str) -> ExpandedPolicy {
        let layer = Layer::parse(&Source::file("p.json", "/p/p.json"), text.as_bytes()).unwrap();
        Policy::merge([&layer]).expand(&Places {
            program: "/p".into(),
            project: vec!["/p".into()],
            tmp: "/tmp".into(),
            home: "/home/me".into(),
            cwd: "/p".into(),
        })
    }

    fn answer(text: &str, host: &str, address: &str) -> String {
        let Decision { allowed, rule, .. } =
            reaches(&policy(text), Transport::Tcp, host, 443, address.parse().unwrap());
        if allowed { "allowed".to_owned() } else { rule.to_string() }
    }

    const NAMED: &str = r#"{"net": ["api.example.com:443"]}"#;

    #[test]
    fn a_name_reaches_what_is_public() {
        for address in ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"] {
            assert_eq!(answer(NAMED, "api.example.com", address), "allowed", "{address}");
        }
        assert_eq!(answer(NAMED, "other.example.com", "1.1.1.1"), "default");
    }

    #[test]
    fn a_name_that_leads_home_is_refused() {
        let inside = [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "100.100.100.200",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2002:a00:1::",
            "5f00::1",
            "100::1",
        ];
        for address in inside {
            assert_eq!(answer(NAMED, "api.example.com", address), "reserved", "{address}");
        }
        let decision = reaches(&policy(NAMED), Transport::Tcp, "api.example.com", 443, "10.0.0.1".parse().unwrap());
        assert_eq!(decision.fix.as_deref(), Some(r#"allow.net: ["10.0.0.1:443"]"#));
    }

    #[test]
    fn a_rule_that_names_the_range_as_well_lets_it() {
        let both = r#"{"net": ["api.example.com:443", "10.0.0.0/8:443"]}"#;
        assert_eq!(answer(both, "api.example.com", "10.0.0.1"), "allowed");
        assert_eq!(answer(both, "api.example.com", "192.168.0.1"), "reserved");
        let other_port = r#"{"net": ["api.example.com:443", "10.0.0.0/8:5432"]}"#;
        assert_eq!(answer(other_port, "api.example.com", "10.0.0.1"), "reserved");
        assert_eq!(answer(r#"{"net": "localhost:443"}"#, "localhost", "127.0.0.1"), "allowed");
        assert_eq!(answer(r#"{"net": "localhost:443"}"#, "localhost", "10.0.0.1"), "reserved");
    }

    #[test]
    fn any_host_is_any_but_the_link_and_credentials() {
        for address in ["10.0.0.1", "127.0.0.1", "1.1.1.1", "::1"] {
            assert_eq!(answer(r#"{"net": true}"#, "a.example", address), "allowed", "{address}");
        }
        for address in ["169.254.169.254", "fe80::1", "fd00:ec2::254", "100.100.100.200", "64:ff9b::a9fe:a9fe"] {
            assert_eq!(answer(r#"{"net": true}"#, "a.example", address), "reserved", "{address}");
            assert_eq!(answer(r#"{"net": true}"#, address, address), "default", "{address}");
        }
        let named = r#"{"net": ["*:*", "169.254.169.254:443"]}"#;
        assert_eq!(answer(named, "169.254.169.254", "169.254.169.254"), "allowed");
    }

    #[test]
    fn a_denied_range_wins_over_the_name() {
        let text = r#"{"net": ["api.example.com:443"], "deny": {"net": ["1.1.1.0/24"]}}"#;
        assert_eq!(answer(text, "api.example.com", "1.1.1.1"), "deny.net \"1.1.1.0/24\" (p.json:1:51)");
        assert_eq!(answer(text, "api.example.com", "1.1.2.1"), "allowed");
    }

    #[test]
    fn unix_sockets_are_granted_by_their_paths_alone() {
        let text = r#"{"net": ["unix:/run/db.sock", "a.example:443"], "deny": {"net": ["unix:/run/no.sock"]}}"#;
        assert_eq!(granted_sockets(&policy(text)), [Path::new("/run/db.sock")]);
        for (text, path, allowed) in [
            (text, "/run/db.sock", true),
            (text, "/run/../run/db.sock", true),
            (text, "/run/db.sock2", false),
            (text, "/run/no.sock", false),
            (r#"{"net": true}"#, "/run/db.sock", false),
        ] {
            let decision = decide(&policy(text), &unix_request(Path::new(path)));
            assert_eq!(decision.allowed, allowed, "{text} {path}");
        }
        let decision = decide(&policy("{}"), &unix_request(Path::new("/run/db.sock")));
        assert_eq!(decision.fix.as_deref(), Some(r#"allow.net: ["unix:/run/db.sock"]"#));
    }

    #[test]
    fn datagrams_and_connections_are_granted_apart() {
        let policy =
            policy(r#"{"net": ["udp://a.example:53", "b.example:443"], "deny": {"net": ["udp://c.example"]}}"#);
        for name in ["a.example", "b.example"] {
            assert!(resolves(&policy, name), "{name}");
        }
        for (transport, host, port) in [(Transport::Udp, "a.example", 53), (Transport::Tcp, "b.example", 443)] {
            let other = if transport == Transport::Udp { Transport::Tcp } else { Transport::Udp };
            assert!(carries(&policy, transport, host) && !carries(&policy, other, host), "{host}");
            let answer = |transport| reaches(&policy, transport, host, port, "1.1.1.1".parse().unwrap());
            assert!(answer(transport).allowed, "{host}");
            assert_eq!(answer(other).rule, Rule::Default, "{host}");
        }
        let leads_home = reaches(&policy, Transport::Udp, "a.example", 53, "10.0.0.1".parse().unwrap());
        assert_eq!(leads_home.fix.as_deref(), Some(r#"allow.net: ["udp://10.0.0.1:53"]"#));
    }

    #[test]
    fn names_are_looked_up_only_where_some_port_is_granted() {
        let policy = policy(
            r#"{"net": ["a.example:443", "*.b.example:80", "10.0.0.1:5432"], "deny": {"net": ["x.b.example", "y.b.example:80"]}}"#,
        );
        for name in ["a.example", "A.Example.", "c.b.example", "y.b.example"] {
            assert!(resolves(&policy, name), "{name}");
        }
        for name in ["b.example", "x.b.example", "b.a.example", "10.0.0.1", "", "secret.evil.example"] {
            assert!(!resolves(&policy, name), "{name}");
        }
    }
}
