//! A request from the program to the answer that it gets, with the redirects between.

use std::rc::Rc;

use http::{Method, Request, Response};
use http_body_util::Either;
use hyper::body::{Body, Incoming};
use hyper::ext::ReasonPhrase;
use policy::{Granted, Redirect, fetches};
use url::Url;

use super::answer::Failure;
use super::asked::Asked;
use super::body::{Received, Sent};
use super::follow::{MOST_REDIRECTS, Next, location};
use super::send::{Outgoing, send};
use super::{Answer, Requests, headers, tunnel};

/// Carries out what a program asks for.
pub(super) async fn carry_out(requests: &Rc<Requests>, request: Request<Incoming>) -> Result<Answer, Failure> {
    let asked = Asked::read(&request)?;
    let (parts, body) = request.into_parts();
    let mut program = Request::from_parts(parts, ());
    let Asked { mut url, mut method, redirect, headers: mut own, is_upgrade } = asked;
    let mut granted = granted(requests, &url, &method, &own)?;
    let mut body = Sent::new(body, granted.rule.max_request_bytes());
    for redirects in 0..=MOST_REDIRECTS {
        if let Some(allowed) = granted.rule.max_request_bytes()
            && body.size_hint().lower() > allowed
        {
            return Err(Failure::TooLong { key: "max_request_kb", allowed, url: url.into() });
        }
        let watched = body.watched();
        let mut sent = headers::outgoing(&own, granted.rule, &requests.secrets, &url)?;
        if is_upgrade {
            headers::upgrade(&mut sent);
        }
        let outgoing = Outgoing { url: &url, method: &method, headers: sent, body, is_upgrade };
        let answer = send(requests, &granted, outgoing).await?;
        let mode = headers::redirect(granted.rule, redirect);
        let Some(location) = location(answer.status(), answer.headers()).filter(|_| mode != Redirect::Manual) else {
            let answer = if is_upgrade {
                match tunnel::join(requests, &mut program, answer, &url)? {
                    Ok(agreed) => return Ok(agreed),
                    Err(answer) => answer,
                }
            } else {
                answer
            };
            return passed_on(answer, &granted, &url, redirects > 0);
        };
        if mode == Redirect::Error {
            let message = format!("UnexpectedRedirect fetching {:?}", url.as_str());
            return Err(Failure::failed("UnexpectedRedirect", message));
        }
        let next = Next::of(&url, &method, answer.status(), location)?;
        body = if next.keeps_body {
            let again = "redirects to where its body would have to be sent again, which was too long to keep";
            watched.again().ok_or_else(|| Failure::failed("UnexpectedRedirect", format!("{url} {again}")))?
        } else {
            Sent::nothing()
        };
        next.adjust(&url, &mut own);
        (url, method) = (next.url, next.method);
        granted = self::granted(requests, &url, &method, &own)?;
    }
    Err(Failure::failed("TooManyRedirects", format!("TooManyRedirects fetching {:?}", url.as_str())))
}

/// The terms of a request; a server may take it for one of another method, which has to be granted, too.
fn granted<'a>(
    requests: &'a Requests,
    url: &Url,
    method: &Method,
    own: &http::HeaderMap,
) -> Result<Granted<'a>, Failure> {
    let decide = |method: &str| {
        fetches(&requests.policy, url.as_str(), method).map_err(|decision| {
            let request = policy::Request::Fetch { url: url.to_string(), method: method.to_owned() };
            requests.refusals.note(request.clone(), decision.clone());
            Failure::refused(request, decision)
        })
    };
    for other in headers::overriding_methods(own) {
        let other = other.to_str().map_err(|_| Failure::Malformed("a header names a method that is none"))?;
        decide(&other.trim().to_ascii_uppercase())?;
    }
    decide(method.as_str())
}

/// The server's answer as the program gets it.
fn passed_on(
    answer: Response<Incoming>,
    granted: &Granted<'_>,
    url: &Url,
    is_redirected: bool,
) -> Result<Answer, Failure> {
    let (parts, body) = answer.into_parts();
    let most = granted.rule.max_response_bytes();
    if let Some(allowed) = most.filter(|most| body.size_hint().lower() > *most) {
        return Err(Failure::TooLong { key: "max_response_kb", allowed, url: url.to_string() });
    }
    let mut passed = Response::new(Either::Right(Received::new(body, most)));
    *passed.status_mut() = parts.status;
    *passed.headers_mut() = headers::incoming(&parts.headers, url, is_redirected);
    if let Some(reason) = parts.extensions.get::<ReasonPhrase>() {
        passed.extensions_mut().insert(reason.clone());
    }
    Ok(passed)
}
