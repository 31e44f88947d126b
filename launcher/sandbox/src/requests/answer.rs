//! Answers that are the launcher's own: why there is none of the server.

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

    /// As the preload reads it. What it says is marked by a header that no server's answer has.
    pub(super) fn into_answer(self) -> Answer {
        let status = match &self {
            Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Failed { .. } => StatusCode::BAD_GATEWAY,
        };
        let mut answer = Response::new(Either::Left(Full::new(Bytes::from(ascii(&self.story().to_string())))));
        *answer.status_mut() = status;
        answer.headers_mut().insert(headers::FAILED, HeaderValue::from_static("1"));
        answer.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
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
