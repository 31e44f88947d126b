//! Which calls may run, which wait, and which are refused.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::rpc::{Code, Fault};

/// Places for calls that run, and for calls that wait.
pub(super) struct Admission {
    running: Arc<Semaphore>,
    /// Those that run have a place here as well.
    all: Arc<Semaphore>,
    pub(super) concurrency: usize,
    pub(super) queue: usize,
}

/// A call's place among all.
pub(super) struct Place {
    running: Arc<Semaphore>,
    all: OwnedSemaphorePermit,
}

/// A call's place among those that run.
pub(super) struct Turn {
    _running: Option<OwnedSemaphorePermit>,
    _all: OwnedSemaphorePermit,
}

impl Admission {
    pub(super) fn of(concurrency: usize, queue: usize) -> Self {
        let all = concurrency.saturating_add(queue).min(Semaphore::MAX_PERMITS);
        Self { running: Arc::new(Semaphore::new(concurrency)), all: Arc::new(Semaphore::new(all)), concurrency, queue }
    }

    /// Takes a place, if there is one.
    pub(super) fn enter(&self) -> Result<Place, Fault> {
        let all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| {
            let message =
                format!("{} calls run and {} wait: there is no place for another", self.concurrency, self.queue);
            Fault::new(Code::Overloaded, message).with(json!({ "queue": self.queue }))
        })?;
        Ok(Place { running: Arc::clone(&self.running), all })
    }

    /// Calls that wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        let inside = (self.concurrency + self.queue).saturating_sub(self.all.available_permits());
        inside.saturating_sub(self.concurrency - self.running.available_permits())
    }

    /// Waits until there is no call.
    pub(super) async fn idle(&self) {
        let all = u32::try_from(self.concurrency + self.queue).unwrap_or(u32::MAX);
        // Nobody closes it.
        let _ = self.all.acquire_many(all).await;
    }
}

impl Place {
    /// Waits for a turn; the first to come is the first to go.
    pub(super) async fn turn(self) -> Turn {
        // Nobody closes it.
        Turn { _running: self.running.acquire_owned().await.ok(), _all: self.all }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn some_run_some_wait_and_others_are_refused() {
        let admission = Admission::of(2, 1);
        let [one, other] = [admission.enter().unwrap(), admission.enter().unwrap()];
        let (one, other) = (one.turn().await, other.turn().await);
        let third = admission.enter().unwrap();
        assert_eq!(admission.waiting(), 1);
        let refused = admission.enter().map(drop).unwrap_err();
        assert_eq!((refused.code, refused.data), (Code::Overloaded, json!({ "queue": 1 })));
        let mut third = Box::pin(third.turn());
        assert!(futures_poll(&mut third).is_none());
        drop(one);
        let third = third.await;
        assert_eq!(admission.waiting(), 0);
        drop((other, third));
        admission.idle().await;
    }

    /// What a future has to say now.
    fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(ready) => Some(ready),
            std::task::Poll::Pending => None,
        }
    }
}
