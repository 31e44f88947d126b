//! Connections to servers that wait for another request.

use std::cell::RefCell;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use hyper::client::conn::http1::SendRequest;

use super::body::Sent;

/// The most that wait, and how long.
const MOST: usize = 32;
const PATIENCE: Duration = Duration::from_secs(15);

/// A server as requests name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_https: bool,
}

/// A connection to a server, at one of its addresses.
pub(super) struct Connection {
    pub(super) server: Server,
    pub(super) address: IpAddr,
    pub(super) sender: SendRequest<Sent>,
}

/// Those that wait, the last used one last.
#[derive(Default)]
pub(super) struct Pool(RefCell<Vec<(Instant, Connection)>>);

impl Pool {
    /// Takes a connection to `server`, if one waits whose address `may_be_used`.
    pub(super) fn take(&self, server: &Server, may_be_used: impl Fn(IpAddr) -> bool) -> Option<Connection> {
        let mut waiting = self.0.borrow_mut();
        waiting.retain(|(since, connection)| since.elapsed() < PATIENCE && !connection.sender.is_closed());
        let fits = |(_, connection): &(Instant, Connection)| {
            connection.server == *server && connection.sender.is_ready() && may_be_used(connection.address)
        };
        let place = waiting.iter().rposition(fits)?;
        Some(waiting.remove(place).1)
    }

    pub(super) fn put(&self, connection: Connection) {
        let mut waiting = self.0.borrow_mut();
        if waiting.len() == MOST {
            waiting.remove(0);
        }
        waiting.push((Instant::now(), connection));
    }
}
