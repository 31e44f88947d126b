//! A server, and the children that it has forked ahead of their calls.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::forks::{Child, Server};
use crate::service::programs::{Listed, Programs, State};
use crate::service::{Engine, PAUSE_AFTER_CALL};

/// A server and its children that wait.
pub(super) struct Served {
    pub(super) server: Server,
    _listed: Listed,
    programs: Arc<Programs>,
    ready: RefCell<VecDeque<(Child, Listed)>>,
    is_forking: Cell<bool>,
    /// There is one more, or none will come.
    news: Notify,
}

impl Served {
    pub(super) fn new(server: Server, programs: Arc<Programs>) -> Self {
        let listed = programs.list(server.pid(), Engine::Fork, State::Server);
        Self {
            server,
            _listed: listed,
            programs,
            ready: RefCell::default(),
            is_forking: Cell::new(false),
            news: Notify::new(),
        }
    }

    /// Forks until so many children wait, one after the other. Whoever wants the same leaves it to whoever began.
    pub(super) async fn refill(self: Rc<Self>, wanted: usize) {
        if self.is_forking.replace(true) {
            return;
        }
        while self.ready.borrow().len() < wanted {
            // The next call asks again, or finds the server gone.
            let Ok(child) = self.fork().await else { break };
            self.ready.borrow_mut().push_back(child);
            self.news.notify_one();
        }
        self.is_forking.set(false);
        self.news.notify_waiters();
    }

    /// The same after a call. While there are enough for the next ones, its caller gets the processor first: a fork and
    /// the warm-up after it take two milliseconds of one, which may be the one that the caller is woken on.
    pub(super) async fn refill_after_call(self: Rc<Self>, wanted: usize) {
        if self.ready.borrow().len() > wanted / 2 {
            tokio::time::sleep(PAUSE_AFTER_CALL).await;
        }
        self.refill(wanted).await;
    }

    async fn fork(&self) -> io::Result<(Child, Listed)> {
        let child = self.server.fork().await?;
        let listed = self.programs.list(child.pid(), Engine::Fork, State::Warm);
        Ok((child, listed))
    }

    /// A child that waits, or the next one; an error where none will come.
    pub(super) async fn child(&self) -> io::Result<(Child, Listed)> {
        loop {
            let news = self.news.notified();
            let found = self.ready.borrow_mut().pop_front();
            match found {
                Some(found) if found.0.is_there() => return Ok(found),
                Some(_) => {}
                None if self.is_forking.get() => news.await,
                None => return self.fork().await,
            }
        }
    }
}
