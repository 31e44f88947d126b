//! Requests by URL: the launcher carries out what `allow.fetch` grants.
//!
//! A program reaches this by connecting to [`PLACE`], which leads to no file: what it gets is one end of a connection to
//! the launcher, on which it speaks HTTP/1.1. Which URL it wants stands in a header; everything else is the request as
//! it would be made directly. The preload does so for `fetch()` and `WebSocket`. Whoever else does gets what the policy
//! grants, and no more: each request, and each that a redirect leads to, is decided about here, and secrets are put into
//! headers here.

mod answer;
mod asked;
mod body;
mod follow;
mod headers;
mod hop;
mod pool;
mod reach;
mod send;
mod tunnel;

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use policy::ExpandedPolicy;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

use crate::count::Count;
use crate::network::Refusals;
use crate::secrets::Secrets;
use answer::Untold;
use body::Received;
use pool::Pool;
use reach::Trust;

/// Where programs find this.
pub(crate) const PLACE: &str = "/run/secure-bun.fetch";

/// Requests, and connections of `WebSocket`, at a time.
const MOST_CONNECTIONS: usize = 256;

/// Names that are looked up at a time: each takes a thread while the host's resolver waits.
const MOST_LOOK_UPS: usize = 16;

/// The longest head of a request or an answer, in bytes, and the most headers in it.
const MOST_HEAD_BYTES: usize = 64 << 10;
const MOST_HEADERS: usize = 128;

/// What is sent back to a program.
type Answer = Response<Either<Full<Bytes>, Received>>;

/// What carries out the requests of a sandbox.
pub(crate) struct Requests {
    policy: ExpandedPolicy,
    secrets: Secrets,
    refusals: Refusals,
    untold: Untold,
    connections: Count,
    look_ups: Arc<Semaphore>,
    trust: Trust,
    pool: Pool,
}

impl Requests {
    /// `None` where the policy grants none.
    pub(crate) fn granted(policy: &ExpandedPolicy, secrets: Secrets, refusals: Refusals) -> Option<Rc<Self>> {
        (!policy.grants.fetch.allow.is_empty()).then(|| {
            Rc::new(Self {
                policy: policy.clone(),
                secrets,
                refusals,
                untold: Untold::default(),
                connections: Count::default(),
                look_ups: Arc::new(Semaphore::new(MOST_LOOK_UPS)),
                trust: Trust::default(),
                pool: Pool::default(),
            })
        })
    }

    /// Answers what comes through a connection, to its end. `None` where there are too many.
    pub(crate) fn serve(self: &Rc<Self>, stream: UnixStream) -> Option<()> {
        let one = self.connections.one(MOST_CONNECTIONS)?;
        let requests = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let service = service_fn(|request| {
                let requests = Rc::clone(&requests);
                async move { Ok::<_, Infallible>(requests.answer(request).await) }
            });
            let connection = http1::Builder::new()
                .max_buf_size(MOST_HEAD_BYTES)
                .max_headers(MOST_HEADERS)
                // Answers are the server's, and may have none.
                .auto_date_header(false)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            // However it ends, it is the program's.
            let _ = connection.await;
            drop(one);
        });
        Some(())
    }

    async fn answer(self: Rc<Self>, request: Request<Incoming>) -> Answer {
        let ticket = match asked::ticket(&request) {
            Some((ticket, true)) => return self.untold.tell(&ticket),
            Some((ticket, false)) => Some(ticket),
            None => None,
        };
        hop::carry_out(&self, request).await.unwrap_or_else(|failure| {
            if let Some(ticket) = ticket {
                self.untold.keep(ticket, &failure);
            }
            failure.answer()
        })
    }
}
