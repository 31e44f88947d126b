//! Which headers go from one end to the other. Those about a connection, and where it leads, are the launcher's.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE,
    COOKIE, EXPECT, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue};
use policy::{FetchRule, Redirect};
use url::Url;

use super::answer::Failure;
use crate::secrets::Secrets;

/// The URL that a program asks for, and in an answer the one that redirects led to.
pub(super) const URL: &str = "x-secure-bun-url";
/// How it wants redirects.
pub(super) const REDIRECT: &str = "x-secure-bun-redirect";
/// In an answer: it is the launcher's own, and says why there is no other.
pub(super) const FAILED: &str = "x-secure-bun-failed";
/// By what name a program asks why a `WebSocket` failed, which hears of nothing but a status.
pub(super) const TICKET: &str = "x-secure-bun-ticket";
/// What the names of these begin with.
const OURS: &str = "x-secure-bun-";

/// Headers of one connection (RFC 9110, 7.6.1), and those that say where it leads.
const HOP: [HeaderName; 10] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    HOST,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
const HOP_BY_NAME: [&str; 3] = ["keep-alive", "proxy-connection", "http2-settings"];

/// Headers by which servers take a request for one with another method.
const OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// Those of a request that are for its server.
pub(super) fn end_to_end(given: &HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = given
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let mut kept = HeaderMap::with_capacity(given.len());
    for (name, value) in given {
        let text = name.as_str();
        let is_hop = HOP.contains(name) || HOP_BY_NAME.contains(&text) || named.contains(name);
        if !is_hop && !text.starts_with(OURS) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

/// The methods that a server could take a request to have besides its own.
pub(super) fn overriding_methods(headers: &HeaderMap) -> impl Iterator<Item = &HeaderValue> {
    OVERRIDES.iter().flat_map(|name| headers.get_all(*name))
}

/// What is sent to a server: the program's headers, those of the rule, which win, and where it goes.
pub(super) fn outgoing(own: &HeaderMap, rule: &FetchRule, secrets: &Secrets, url: &Url) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::with_capacity(own.len() + 2);
    headers.insert(HOST, host(url)?);
    headers.extend(own.clone());
    for (name, template) in rule.headers() {
        let name: HeaderName = name.parse().map_err(|_| Failure::Malformed("a rule has a header that is none"))?;
        let value = secrets.fill(template).ok_or(Failure::Malformed("a rule has a header that cannot be sent"))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

fn host(url: &Url) -> Result<HeaderValue, Failure> {
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_suffix('.').unwrap_or(host);
    let text = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    HeaderValue::from_str(&text).map_err(|_| Failure::Malformed("the URL has no host"))
}

/// What is sent back: the server's headers, and where redirects led.
pub(super) fn incoming(given: &HeaderMap, url: &Url, is_redirected: bool) -> HeaderMap {
    let mut headers = end_to_end(given);
    // With a transfer encoding the length is not the one of the body.
    if let (Some(length), None) = (given.get(CONTENT_LENGTH), given.get(TRANSFER_ENCODING)) {
        headers.insert(CONTENT_LENGTH, length.clone());
    }
    if let Some(Ok(url)) = is_redirected.then(|| HeaderValue::from_str(url.as_str())) {
        headers.insert(URL, url);
    }
    headers
}

/// Drops what describes a body that is not sent again.
pub(super) fn drop_body(headers: &mut HeaderMap) {
    for name in [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE] {
        headers.remove(name);
    }
}

/// Drops what was meant for one origin.
pub(super) fn drop_credentials(headers: &mut HeaderMap) {
    for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
        headers.remove(name);
    }
}

/// Makes a request, or the answer to it, the beginning of a `WebSocket`.
pub(super) fn upgrade(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// What becomes of a redirect: as the rule says, else as the program does.
pub(super) fn redirect(rule: &FetchRule, asked: Redirect) -> Redirect {
    match rule.redirect() {
        None | Some(Redirect::Follow) => asked,
        Some(stated) => stated,
    }
}
