//! Requests that the launcher makes for a program: which rule they are made under, and where they may lead.

use std::net::IpAddr;

use crate::decide::{Decision, Rule, decide, listed};
use crate::fetch::{FetchRule, Scheme, Url, UrlRule};
use crate::grants::Statement;
use crate::net::{HostName, HostRule, Transport};
use crate::permission::Side;
use crate::places::ExpandedPolicy;
use crate::reach::leads;
use crate::request::Request;

/// A URL that a program may request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted<'a> {
    /// On what terms.
    pub rule: &'a FetchRule,
    /// Its host: a name in lower case without a dot at its end, or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it is requested over TLS.
    pub is_https: bool,
}

/// The terms on which a program may request a URL: of several rules that grant it, the last one counts, since it is the
/// most particular one where a policy extends another.
pub fn fetches<'a>(policy: &'a ExpandedPolicy, url: &str, method: &str) -> Result<Granted<'a>, Decision> {
    let decision = decide(policy, &request(url, method));
    if !decision.allowed {
        return Err(decision);
    }
    let granting = |parsed: &Url| {
        let mut rules = policy.grants.fetch.allow.iter().rev();
        rules.find(|entry| entry.value.speaks_of(parsed, method, Side::Allow))
    };
    match Url::parse(url).map(|parsed| (granting(&parsed), parsed)) {
        Ok((Some(entry), Url { scheme, host, port, .. })) => {
            Ok(Granted { rule: &entry.value, host: host.to_string(), port, is_https: scheme == Scheme::Https })
        }
        // What is allowed has been read, and a rule allows it.
        Err(_) | Ok((None, _)) => Err(Decision { allowed: false, rule: Rule::Default, fix: None }),
    }
}

/// Whether a URL may be requested of `address`, which its host stands for. As for connections, addresses that are not of
/// the Internet at large are reached by a name only where a rule names them, too.
pub fn fetch_reaches(policy: &ExpandedPolicy, url: &str, method: &str, address: IpAddr) -> Decision {
    let by_name = decide(policy, &request(url, method));
    let (true, Ok(parsed)) = (by_name.allowed, Url::parse(url)) else { return by_name };
    let at = HostName::Address(address.to_canonical());
    let denied_range = policy.grants.net.deny.iter().find(|entry| {
        matches!(entry.value.host, HostRule::Block(_))
            && entry.value.speaks_of(Transport::Tcp, &at, parsed.port, Side::Deny)
    });
    let at_address = parsed.at(at);
    let named = match denied_range {
        Some(entry) => Err(Rule::Stated(entry.statement.clone())),
        None => listed(&policy.grants.fetch, |rule, side| rule.speaks_of(&at_address, method, side)),
    };
    leads(by_name, &parsed.host, address, named, |_| request(&at_address.to_string(), method))
}

/// The rule of `fetch` that names a host and port, which is not connected to then.
pub(crate) fn fetched<'a>(policy: &'a ExpandedPolicy, host: &str, port: u16) -> Option<&'a Statement> {
    let host = HostName::parse(host)?;
    let names = |rule: &FetchRule| match &rule.url {
        UrlRule::Any | UrlRule::At { host: HostRule::Any, .. } => false,
        UrlRule::At { host: named, port: own, .. } => *own == port && named.speaks_of(&host, Side::Allow),
    };
    policy.grants.fetch.allow.iter().find(|entry| names(&entry.value)).map(|entry| &entry.statement)
}

fn request(url: &str, method: &str) -> Request {
    Request::Fetch { url: url.to_owned(), method: method.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::tests::policy;

    fn answer(text: &str, url: &str, address: &str) -> String {
        let decision = fetch_reaches(&policy(text), url, "GET", address.parse().unwrap());
        if decision.allowed { "allowed".to_owned() } else { decision.rule.to_string() }
    }

    #[test]
    fn the_last_rule_that_grants_counts() {
        let policy = policy(
            r#"{"fetch": ["https://*/*", {"url": "https://a.example/v1/*", "headers": {"x-key": "${secret:KEY}"}}, "https://b.example/*"]}"#,
        );
        let secrets = |url| fetches(&policy, url, "GET").unwrap().rule.secrets().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(secrets("https://a.example/v1/x"), ["KEY"]);
        assert!(secrets("https://a.example/v2/x").is_empty());
        assert!(secrets("https://b.example/v1/x").is_empty());
    }

    #[test]
    fn what_is_requested_of_whom() {
        let policy = policy(r#"{"fetch": ["https://a.example:8443/*", "http://[::1]/"]}"#);
        let granted = fetches(&policy, "https://A.example.:8443/x?y", "get").unwrap();
        assert_eq!((granted.host.as_str(), granted.port, granted.is_https), ("a.example", 8443, true));
        let granted = fetches(&policy, "http://[::1]/", "GET").unwrap();
        assert_eq!((granted.host.as_str(), granted.port, granted.is_https), ("[::1]", 80, false));
        assert_eq!(fetches(&policy, "https://a.example:8443/x", "POST").unwrap_err().rule, Rule::Default);
    }

    #[test]
    fn urls_that_can_be_read_in_two_ways_are_no_ones() {
        let policy = policy(r#"{"fetch": ["https://a.example/*"]}"#);
        for url in [
            "https://a.example/v1/..%2fadmin",
            "https://a.example/v1/%2E%2e/admin",
            "https://a.example/v1/../admin",
            "https://a.example/v1/..;x/admin",
            "https://a.example/v1\\..\\admin",
            "https://a.example/v1%5cadmin",
            "https://user@a.example/",
            "https://a.example@b.example/",
            "https://a.example/ HTTP/1.1",
            "ftp://a.example/",
        ] {
            let refusal = fetches(&policy, url, "GET").unwrap_err();
            assert_eq!((refusal.rule.to_string().as_str(), &refusal.fix), ("ambiguous", &None), "{url}");
        }
    }

    #[test]
    fn names_that_lead_home_are_refused() {
        let named = r#"{"fetch": "https://a.example/*"}"#;
        assert_eq!(answer(named, "https://a.example/x", "1.1.1.1"), "allowed");
        for address in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254", "::ffff:192.168.0.1"] {
            assert_eq!(answer(named, "https://a.example/x", address), "reserved", "{address}");
        }
        let decision = fetch_reaches(&policy(named), "https://a.example/x?y", "GET", "10.0.0.1".parse().unwrap());
        assert_eq!(
            decision.fix.as_deref(),
            Some(r#"allow.fetch: [{"url": "https://10.0.0.1/x?y", "methods": ["GET"]}]"#)
        );
        let both = r#"{"fetch": ["https://a.example/*", "https://10.0.0.1/*"]}"#;
        assert_eq!(answer(both, "https://a.example/x", "10.0.0.1"), "allowed");
        assert_eq!(answer(both, "https://a.example/x", "10.0.0.2"), "reserved");
        let localhost = r#"{"fetch": "http://localhost:3000/*"}"#;
        assert_eq!(answer(localhost, "http://localhost:3000/", "127.0.0.1"), "allowed");
        assert_eq!(answer(localhost, "http://localhost:3000/", "10.0.0.1"), "reserved");
    }

    #[test]
    fn any_url_is_any_but_those_of_the_link_and_credentials() {
        assert_eq!(answer(r#"{"fetch": true}"#, "http://a.example/", "10.0.0.1"), "allowed");
        assert_eq!(answer(r#"{"fetch": true}"#, "http://a.example/", "169.254.169.254"), "reserved");
        assert_eq!(answer(r#"{"fetch": true}"#, "http://169.254.169.254/", "169.254.169.254"), "default");
    }

    #[test]
    fn a_rule_that_limits_is_within_one_that_does_not() {
        let rule = |besides: &str| policy(&format!(r#"{{"fetch": {{"url": "https://a.example/*"{besides}}}}}"#));
        let free = rule("");
        for limited in [r#", "redirect": "error""#, r#", "max_request_kb": 1"#, r#", "max_response_kb": 1"#] {
            assert_eq!(crate::is_within(&rule(limited), &free), Ok(()), "{limited}");
            assert!(crate::is_within(&free, &rule(limited)).is_err(), "{limited}");
        }
        let most = |kb: u64| rule(&format!(r#", "max_response_kb": {kb}"#));
        assert_eq!(crate::is_within(&most(1), &most(2)), Ok(()));
        assert!(crate::is_within(&most(2), &most(1)).is_err());
    }

    #[test]
    fn what_requests_reach_is_not_connected_to() {
        let policy = policy(r#"{"net": ["a.example:*", "b.example:443"], "fetch": ["https://a.example/*"]}"#);
        let reaches =
            |host: &str, port: u16| crate::reaches(&policy, Transport::Tcp, host, port, "1.1.1.1".parse().unwrap());
        let refusal = reaches("a.example", 443);
        assert_eq!(refusal.rule.to_string(), "allow.fetch \"https://a.example/*\" (p.json:1:53)");
        assert_eq!(refusal.fix.as_deref(), Some("remove allow.fetch \"https://a.example/*\" (p.json:1:53)"));
        assert_eq!(
            crate::explain(&Request::Net { host: "a.example".to_owned(), port: 443 }, &refusal),
            "connecting to \"a.example:443\" is not allowed: a rule of fetch names this host and port, which fetch() and \
             WebSocket alone reach then. To allow it: remove allow.fetch \"https://a.example/*\" (p.json:1:53)"
        );
        // Nothing of net would help here, either.
        let other = crate::reach::tests::policy(r#"{"fetch": ["https://a.example/*"]}"#);
        assert_eq!(
            crate::connects(&other, Transport::Tcp, "a.example", 443).rule.to_string(),
            "allow.fetch \"https://a.example/*\" (p.json:1:12)"
        );
        assert_eq!(crate::connects(&other, Transport::Tcp, "a.example", 80).rule, Rule::Default);
        let denied =
            crate::reach::tests::policy(r#"{"fetch": ["https://a.example/*"], "deny": {"net": ["a.example"]}}"#);
        assert!(crate::connects(&denied, Transport::Tcp, "a.example", 443).rule.to_string().starts_with("deny.net"));
        assert!(reaches("a.example", 80).allowed);
        assert!(reaches("b.example", 443).allowed);
    }

    #[test]
    fn denied_addresses_win() {
        let text = r#"{"fetch": "http://a.example/*", "deny": {"fetch": "http://1.1.1.1/*", "net": "1.1.2.0/24"}}"#;
        assert_eq!(answer(text, "http://a.example/", "1.1.1.1"), "deny.fetch \"http://1.1.1.1/*\" (p.json:1:51)");
        assert_eq!(answer(text, "http://a.example/", "1.1.2.9"), "deny.net \"1.1.2.0/24\" (p.json:1:78)");
        assert_eq!(answer(text, "http://a.example/", "1.1.3.1"), "allowed");
    }
}
