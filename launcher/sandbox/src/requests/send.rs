//! One request to one server, and its answer.

use std::rc::Rc;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, Version, header};
use hyper::body::{Body, Incoming};
use policy::{Granted, fetch_reaches};
use url::Url;

use super::Requests;
use super::answer::Failure;
use super::body::{SILENCE, Sent, Watched};
use super::pool::{Connection, Server};
use super::reach;

/// A request as it is sent.
pub(super) struct Outgoing<'a> {
    pub(super) url: &'a Url,
    pub(super) method: &'a Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Sent,
    /// Its connection is not for another request afterwards.
    pub(super) is_upgrade: bool,
}

impl Outgoing<'_> {
    fn request(&self, body: Sent) -> Result<Request<Sent>, Failure> {
        let target = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        let uri: Uri = target.parse().map_err(|_| Failure::Malformed("the URL has a path that cannot be sent"))?;
        // Servers expect that of methods that come with a body (RFC 9110, 8.6).
        let is_empty = body.is_end_stream() && [Method::POST, Method::PUT, Method::PATCH].contains(self.method);
        let mut request = Request::new(body);
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        request.method_mut().clone_from(self.method);
        request.headers_mut().clone_from(&self.headers);
        if is_empty {
            request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Ok(request)
    }
}

/// Sends a request that is granted, through a connection that waits or a new one.
pub(super) async fn send(
    requests: &Rc<Requests>,
    granted: &Granted<'_>,
    mut outgoing: Outgoing<'_>,
) -> Result<Response<Incoming>, Failure> {
    let (url, method) = (outgoing.url.as_str(), outgoing.method.as_str());
    let server = Server { host: granted.host.clone(), port: granted.port, is_https: granted.is_https };
    let watched = outgoing.body.watched();
    let most = granted.rule.max_request_bytes();
    let is_empty = outgoing.body.is_end_stream();
    let may_be_used = |address| fetch_reaches(&requests.policy, url, method, address).allowed;
    let mut first = None;
    if !outgoing.is_upgrade
        && let Some(connection) = requests.pool.take(&server, may_be_used)
    {
        let body = std::mem::replace(&mut outgoing.body, Sent::nothing());
        match attempt(requests, connection, outgoing.request(body)?, &watched, outgoing.is_upgrade).await {
            Ok(answer) => return Ok(answer),
            // The server had enough of the connection before it read anything.
            Err(Unsent::Whole(body)) => first = Some(*body),
            Err(Unsent::Lost(_)) if is_empty && is_repeatable(outgoing.method) => first = Some(Sent::nothing()),
            Err(Unsent::Lost(why)) => return Err(lost(url, &watched, most, &why)),
            Err(Unsent::Silent) => return Err(reach::timed_out(url)),
        }
    }
    let body = first.unwrap_or_else(|| std::mem::replace(&mut outgoing.body, Sent::nothing()));
    let connection = reach::connect(requests, &server, (url, method)).await?;
    let attempt = attempt(requests, connection, outgoing.request(body)?, &watched, outgoing.is_upgrade);
    attempt.await.map_err(|unsent| match unsent {
        Unsent::Whole(_) => lost(url, &watched, most, "the server closed the connection"),
        Unsent::Lost(why) => lost(url, &watched, most, &why),
        Unsent::Silent => reach::timed_out(url),
    })
}

fn is_repeatable(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

fn lost(url: &str, watched: &Watched, most: Option<u64>, why: &str) -> Failure {
    match most.filter(|_| watched.is_refused()) {
        Some(allowed) => Failure::TooLong { key: "max_request_kb", allowed, url: url.to_owned() },
        None => Failure::failed("ECONNRESET", format!("ECONNRESET: {url}: {why}")),
    }
}

/// Why there is no answer.
enum Unsent {
    /// Nothing was sent: the body is as it was.
    Whole(Box<Sent>),
    Lost(String),
    /// Neither was anything sent, nor did anything come, for too long.
    Silent,
}

async fn attempt(
    requests: &Rc<Requests>,
    mut connection: Connection,
    request: Request<Sent>,
    watched: &Watched,
    is_upgrade: bool,
) -> Result<Response<Incoming>, Unsent> {
    let begun = Instant::now();
    let answer = {
        let answer = connection.sender.try_send_request(request);
        tokio::pin!(answer);
        loop {
            let moved = watched.moved().max(begun);
            tokio::select! {
                answer = &mut answer => break answer,
                () = tokio::time::sleep_until((moved + SILENCE).into()) => {
                    if watched.moved() <= moved {
                        return Err(Unsent::Silent);
                    }
                }
            }
        }
    };
    match answer {
        Ok(answer) => {
            if !is_upgrade {
                let requests = Rc::clone(requests);
                tokio::task::spawn_local(async move {
                    // Once the answer has been read.
                    if connection.sender.ready().await.is_ok() {
                        requests.pool.put(connection);
                    }
                });
            }
            Ok(answer)
        }
        Err(mut error) => Err(match error.take_message() {
            Some(request) => Unsent::Whole(Box::new(request.into_body())),
            None => Unsent::Lost(error.into_error().to_string()),
        }),
    }
}
