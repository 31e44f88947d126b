//! What a program asks for on its connection to the launcher.

use http::{HeaderMap, Method, Request, header};
use policy::Redirect;
use url::Url;

use super::answer::Failure;
use super::headers;

/// The longest ticket.
const MOST_TICKET_BYTES: usize = 64;

/// A request as it arrives, without its body.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) url: Url,
    pub(super) method: Method,
    pub(super) redirect: Redirect,
    /// Without those that say where it goes, and how it is transmitted.
    pub(super) headers: HeaderMap,
    /// It is to become a connection of `WebSocket`.
    pub(super) is_upgrade: bool,
}

impl Asked {
    /// Reads the head of a request. What could be read in another way by somebody else is refused.
    pub(super) fn read<B>(request: &Request<B>) -> Result<Self, Failure> {
        let uri = request.uri();
        if uri.authority().is_some() || uri.scheme().is_some() || uri.path_and_query().is_none_or(|path| path != "/") {
            return Err(Failure::Malformed("the path of a request to the launcher is /"));
        }
        let method = request.method().clone();
        if method == Method::CONNECT || method == Method::TRACE {
            return Err(Failure::Malformed("the methods CONNECT and TRACE cannot be requested"));
        }
        let given = request.headers();
        if given.get_all(header::HOST).iter().count() > 1 {
            return Err(Failure::Malformed("there is more than one host"));
        }
        let url = one(given, headers::URL)?.ok_or(Failure::Malformed("there is no URL"))?;
        let url = canonical(url).ok_or(Failure::Malformed("the URL is not written as the URL standard has it"))?;
        let redirect = match one(given, headers::REDIRECT)? {
            None => Redirect::Follow,
            Some(word) => Redirect::from_name(word).ok_or(Failure::Malformed("there is no such redirect mode"))?,
        };
        let is_upgrade = given.get(header::UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
        if is_upgrade && method != Method::GET {
            return Err(Failure::Malformed("a WebSocket begins with GET"));
        }
        Ok(Self { url, method, redirect, headers: headers::end_to_end(given), is_upgrade })
    }
}

/// The ticket of a `WebSocket`, with which the program asks why there is none; and whether it asks that now.
pub(super) fn ticket<B>(request: &Request<B>) -> Option<(String, bool)> {
    let ticket = one(request.headers(), headers::TICKET).ok().flatten()?;
    let asks = !request.headers().contains_key(headers::URL);
    (ticket.len() <= MOST_TICKET_BYTES).then(|| (ticket.to_owned(), asks))
}

/// A header that may be there once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Failure> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(http::HeaderValue::to_str), values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(value)), None) => Ok(Some(value)),
        _ => Err(Failure::Malformed("a header of the request to the launcher is there twice, or no text")),
    }
}

/// A URL that is written in the one way that the URL standard gives it, so that the policy, which reads it as text, and
/// the connection see the same.
fn canonical(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (url.as_str() == text && url.fragment().is_none()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<Asked, Failure> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Asked::read(&request.body(()).unwrap())
    }

    fn url(text: &str) -> Result<Asked, Failure> {
        read("GET", "/", &[(headers::URL, text)])
    }

    #[test]
    fn a_request() {
        let asked = read(
            "POST",
            "/",
            &[
                ("host", "launcher"),
                (headers::URL, "https://a.example/x?y"),
                (headers::REDIRECT, "manual"),
                ("x-own", "1"),
                ("connection", "keep-alive, x-hop"),
                ("x-hop", "1"),
            ],
        )
        .unwrap();
        assert_eq!(
            (asked.url.as_str(), asked.method, asked.redirect),
            ("https://a.example/x?y", Method::POST, Redirect::Manual)
        );
        assert_eq!(asked.headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["x-own"]);
        assert!(!asked.is_upgrade);
    }

    #[test]
    fn urls_are_written_in_one_way() {
        for text in [
            "https://a.example",
            "https://A.example/",
            "https://a.example:443/",
            "https://a.example/x/../y",
            "https://a.example/x\\y",
            "https://a.example/#x",
            "http://0x7f.1/",
            "http://127.1/",
            " https://a.example/",
            "a.example",
            "",
        ] {
            assert!(url(text).is_err(), "{text}");
        }
        for text in
            ["https://a.example/", "http://127.0.0.1:8080/x?%20", "http://[::1]/", "https://xn--bcher-kva.example/"]
        {
            assert!(url(text).is_ok(), "{text}");
        }
    }

    proptest! {
        /// Whatever is asked for: the policy, which reads the URL as text, and the connection see the same.
        #[test]
        fn a_url_has_one_reading(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "http", "https", "HTTP", ":", "/", "//", "\\", "@", "a.example", "A.example", "b.example", ".", "..",
                    "%2e", "%2f", "%00", "?", "#", ";", "127.0.0.1", "0x7f.1", "[::1]", "[", "]", ":80", ":443", ":0", ":8080",
                    ":99999", " ", "\t", "é", "xn--", "%", "*",
                ]),
                0..12,
            ),
            scheme in prop::sample::select(vec!["", "http://", "https://"]),
        ) {
            let text = format!("{scheme}{}", parts.concat());
            if let Some(url) = canonical(&text)
                && let Ok(granted) = policy::fetches(&any_url(), &text, "GET")
            {
                let host = url.host_str().unwrap_or_default();
                prop_assert_eq!(&granted.host, host.strip_suffix('.').unwrap_or(host));
                prop_assert_eq!(Some(granted.port), url.port_or_known_default());
                prop_assert_eq!(granted.is_https, url.scheme() == "https");
                prop_assert_eq!((url.username(), url.password()), ("", None));
            }
        }
    }

    /// A policy that grants every URL.
    fn any_url() -> policy::ExpandedPolicy {
        let source = policy::Source::file("p.json", "/p/p.json");
        let layer = policy::Layer::parse(&source, br#"{"fetch": true}"#).unwrap();
        policy::Policy::merge([&layer]).expand(&policy::Places {
            program: "/p".into(),
            project: vec!["/p".into()],
            tmp: "/tmp".into(),
            home: "/home/me".into(),
            cwd: "/p".into(),
        })
    }

    #[test]
    fn what_is_no_request_to_the_launcher() {
        let good = (headers::URL, "https://a.example/");
        for (method, target, given) in [
            ("GET", "http://b.example/", vec![good]),
            ("GET", "/other", vec![good]),
            ("CONNECT", "b.example:443", vec![good]),
            ("OPTIONS", "*", vec![good]),
            ("TRACE", "/", vec![good]),
            ("GET", "/", vec![]),
            ("GET", "/", vec![good, good]),
            ("GET", "/", vec![good, ("host", "a"), ("host", "b")]),
            ("GET", "/", vec![good, (headers::REDIRECT, "sometimes")]),
            ("POST", "/", vec![good, ("connection", "upgrade"), ("upgrade", "websocket")]),
        ] {
            assert!(matches!(read(method, target, &given), Err(Failure::Malformed(_))), "{method} {target} {given:?}");
        }
    }
}
