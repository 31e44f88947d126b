//! Connections of `WebSocket`: once the server has agreed, bytes go both ways as they come.

use http::{Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;

use super::answer::Failure;
use super::{Answer, MOST_CONNECTIONS, Requests, headers};

/// Joins the two ends. `None` where the server did not agree.
pub(super) fn join(
    requests: &Requests,
    program: &mut Request<()>,
    mut answer: Response<Incoming>,
    url: &url::Url,
) -> Result<Result<Answer, Response<Incoming>>, Failure> {
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Err(answer));
    }
    let one = requests.connections.one(MOST_CONNECTIONS * 2);
    let one = one.ok_or_else(|| Failure::failed("EMFILE", "there are too many connections"))?;
    let (ours, theirs) = (hyper::upgrade::on(&mut answer), hyper::upgrade::on(program));
    let mut agreed = Response::new(Either::Left(Full::new(Bytes::new())));
    *agreed.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *agreed.headers_mut() = headers::incoming(answer.headers(), url, false);
    agreed.headers_mut().remove(header::CONTENT_LENGTH);
    headers::upgrade(agreed.headers_mut());
    tokio::task::spawn_local(async move {
        if let (Ok(server), Ok(program)) = (ours.await, theirs.await) {
            let (mut server, mut program) = (TokioIo::new(server), TokioIo::new(program));
            // Its end is the program's and the server's to explain.
            let _ = tokio::io::copy_bidirectional(&mut server, &mut program).await;
        }
        drop(one);
    });
    Ok(Ok(agreed))
}
