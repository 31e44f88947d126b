//! Answers on their way to standard output.

use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tokio::sync::Notify;

/// Bytes that may wait to be read before no more requests are taken.
const ROOM_BYTES: usize = 8 << 20;

/// Where answers go. Lines are whole and in the order in which they come.
pub(super) struct Output {
    lines: mpsc::Sender<String>,
    waiting: Arc<Waiting>,
}

#[derive(Default)]
struct Waiting {
    bytes: AtomicUsize,
    written: Notify,
}

impl Output {
    /// Starts the thread that writes, which ends when there is nothing more to write.
    pub(super) fn start() -> std::io::Result<(Rc<Self>, JoinHandle<()>)> {
        let (lines, to_write) = mpsc::channel::<String>();
        let waiting = Arc::new(Waiting::default());
        let written = Arc::clone(&waiting);
        let writer = thread::Builder::new().name("secure-bun-output".to_owned()).spawn(move || {
            let mut stdout = std::io::stdout().lock();
            for line in to_write {
                // A host that has gone reads nothing; it is noticed at standard input.
                let _ = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
                written.bytes.fetch_sub(line.len(), Ordering::Relaxed);
                written.written.notify_one();
            }
        })?;
        Ok((Rc::new(Self { lines, waiting }), writer))
    }

    /// Sends a line.
    pub(super) fn send(&self, line: String) {
        self.waiting.bytes.fetch_add(line.len(), Ordering::Relaxed);
        // Its thread ends after this.
        let _ = self.lines.send(line);
    }

    /// Waits until the host has read most of what it was sent.
    pub(super) async fn room(&self) {
        while self.waiting.bytes.load(Ordering::Relaxed) > ROOM_BYTES {
            self.waiting.written.notified().await;
        }
    }
}
