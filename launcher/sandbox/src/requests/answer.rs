//! Answers that are the launcher's own: why there is none of the server.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Write as _;

use http::{HeaderValue, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Bytes;
use policy::{Decision, Request};
use serde_json::{Value, json};

use super::Answer;
use super::headers;

/// Why a request has no answer of its server.
#[derive(Debug)]
pub(super) enum Failure {
    /// The policy refuses it.
    Refused(Box<(Request, Decision)>),
    /// It is none that could be carried out.
    Malformed(&'static str),
    /// A body is longer than the rule allows.
    TooLong { key: &'static str, allowed: u64, url: String },
    /// The server cannot be reached, or does not answer as it should: a code that programs know, and words.
    Failed { code: &'static str, message: String },
}

impl Failure {
    pub(super) fn refused(request: Request, decision: Decision) -> Self {
        Self::Refused(Box::new((request, decision)))
    }

    pub(super) fn failed(code: &'static str, message: impl Into<String>) -> Self {
        Self::Failed { code, message: message.into() }
    }

    /// As the preload reads it.
    pub(super) fn answer(&self) -> Answer {
        let status = match self {
            Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Failed { .. } => StatusCode::BAD_GATEWAY,
        };
        telling(status, self.text())
    }

    /// What happened, as JSON.
    fn text(&self) -> String {
        ascii(&self.story().to_string())
    }

    fn story(&self) -> Value {
        match self {
            Self::Refused(refusal) => {
                let (request, decision) = &**refusal;
                json!({
                "resource": request.resource(),
                "rule": decision.rule.to_string(),
                "fix": decision.fix,
                "message": policy::explain(request, decision),
                })
            }
            Self::Malformed(why) => json!({ "code": "ERR_INVALID_ARG_VALUE", "message": why }),
            Self::TooLong { key, allowed, url } => {
                let (which, kb) = (if *key == "max_request_kb" { "sent to" } else { "received from" }, allowed / 1024);
                json!({
                    "code": "ERR_LIMIT_EXCEEDED",
                    "message": format!("the body {which} {url} is longer than the {kb} KB that its rule allows. \
                        To allow more: {key}: {}", kb.saturating_mul(2).max(1)),
                    "limit": key, "allowed": kb,
                })
            }
            Self::Failed { code, message } => json!({ "code": code, "message": message }),
        }
    }
}

/// What an answer says is marked by a header that no server's answer has.
fn telling(status: StatusCode, text: String) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(Bytes::from(text))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(headers::FAILED, HeaderValue::from_static("1"));
    answer.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// The most failures that are kept; a program asks as soon as it hears of one.
const MOST_KEPT: usize = 64;

/// Why each `WebSocket` failed, until its program asks.
#[derive(Debug, Default)]
pub(super) struct Untold(RefCell<VecDeque<(String, String)>>);

impl Untold {
    pub(super) fn keep(&self, ticket: String, failure: &Failure) {
        let mut kept = self.0.borrow_mut();
        if kept.len() == MOST_KEPT {
            kept.pop_front();
        }
        kept.push_back((ticket, failure.text()));
    }

    /// What is known of a ticket, once. Of a server that did not agree, nothing is.
    pub(super) fn tell(&self, ticket: &str) -> Answer {
        let mut kept = self.0.borrow_mut();
        let found = kept.iter().position(|(known, _)| known == ticket).and_then(|at| kept.remove(at));
        found.map_or_else(
            || {
                let mut nothing = Response::new(Either::Left(Full::new(Bytes::new())));
                *nothing.status_mut() = StatusCode::NOT_FOUND;
                nothing
            },
            |(_, text)| telling(StatusCode::OK, text),
        )
    }
}

/// JSON in ASCII alone.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for unit in json.encode_utf16() {
        match u8::try_from(unit).ok().filter(u8::is_ascii) {
            Some(byte) => text.push(char::from(byte)),
            // Writing to a string cannot fail.
            None => drop(write!(text, "\\u{unit:04x}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_once_and_the_oldest_are_forgotten() {
        let untold = Untold::default();
        let failure = Failure::failed("ECONNREFUSED", "nobody listens");
        for number in 0..=MOST_KEPT {
            untold.keep(number.to_string(), &failure);
        }
        let told = |ticket: &str| untold.tell(ticket).headers().contains_key(headers::FAILED);
        assert_eq!([told("0"), told("1"), told("1"), told("64")], [false, true, false, true]);
    }
}
