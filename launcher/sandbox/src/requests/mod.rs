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
use std::io;
use std::os::unix::net;
use std::rc::Rc;

use http::{Request, Response};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use nix::libc;
use policy::ExpandedPolicy;
use socket2::SockRef;
use tokio::net::UnixStream;

use crate::count::Count;
use crate::network::Refusals;
use crate::resolver::Resolver;
use crate::secrets::Secrets;
use answer::Untold;
use body::Received;
use pool::Pool;
use reach::Trust;

/// Where programs find this.
pub(crate) const PLACE: &str = "/run/secure-bun.fetch";

/// Requests, and connections of `WebSocket`, at a time.
const MOST_CONNECTIONS: usize = 256;

/// How much may be on its way through a connection, in bytes, where not many are open: the fewer wake-ups there are for a
/// long body, the faster it is. What a program does not read stays in the kernel's memory.
const WIDE_BYTES: usize = 1 << 20;
const MOST_WIDE: usize = 16;

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
    wide: Count,
    resolver: Resolver,
    trust: Trust,
    pool: Pool,
}

impl Requests {
    /// `None` where the policy grants none.
    pub(crate) fn granted(
        policy: &ExpandedPolicy,
        secrets: Secrets,
        resolver: Resolver,
        refusals: Refusals,
    ) -> Option<Rc<Self>> {
        (!policy.grants.fetch.allow.is_empty()).then(|| {
            Rc::new(Self {
                policy: policy.clone(),
                secrets,
                refusals,
                untold: Untold::default(),
                connections: Count::default(),
                wide: Count::default(),
                resolver,
                trust: Trust::default(),
                pool: Pool::default(),
            })
        })
    }

    /// The program's end of a new connection. What comes through it is answered, to its end.
    pub(crate) fn connect(self: &Rc<Self>) -> io::Result<net::UnixStream> {
        let many = || io::Error::from_raw_os_error(libc::EAGAIN);
        let one = self.connections.one(MOST_CONNECTIONS).ok_or_else(many)?;
        let wide = self.wide.one(MOST_WIDE);
        let (ours, theirs) = net::UnixStream::pair()?;
        if wide.is_some() {
            // The host may allow less, and it works with less.
            let _ = [&ours, &theirs].map(|end| SockRef::from(end).set_send_buffer_size(WIDE_BYTES));
        }
        ours.set_nonblocking(true)?;
        let stream = UnixStream::from_std(ours)?;
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
            drop((one, wide));
        });
        Ok(theirs)
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
