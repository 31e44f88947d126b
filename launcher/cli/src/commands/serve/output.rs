//! Answers on their way to standard output.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, write};
use rustix::stdio::stdout;
use tokio::sync::Notify;

/// Bytes that may wait to be read before no more requests are taken.
const ROOM_BYTES: usize = 8 << 20;

/// pipe(7): a pipe that can be written to takes so many bytes at once. Sockets take more.
const PIPE_BUF: usize = 4096;

/// Where answers go. Lines are whole and in the order in which they come.
pub(super) struct Output {
    lines: mpsc::Sender<Vec<u8>>,
    waiting: Arc<Waiting>,
}

#[derive(Default)]
struct Waiting {
    bytes: AtomicUsize,
    written: Notify,
}

impl Output {
    /// Starts the thread that writes what a host does not take at once. It ends when there is nothing more to write.
    pub(super) fn start() -> std::io::Result<(Self, JoinHandle<()>)> {
        let (lines, to_write) = mpsc::channel::<Vec<u8>>();
        let waiting = Arc::new(Waiting::default());
        let written = Arc::clone(&waiting);
        let writer = thread::Builder::new().name("secure-bun-output".to_owned()).spawn(move || {
            for line in to_write {
                write_all(&line);
                written.bytes.fetch_sub(line.len(), Ordering::Release);
                written.written.notify_one();
            }
        })?;
        Ok((Self { lines, waiting }, writer))
    }

    /// Sends a line.
    pub(super) fn send(&self, line: String) {
        let mut line = line.into_bytes();
        // What waits goes first. A host that takes a line at once gets it without the way through the thread.
        if self.waiting.bytes.load(Ordering::Acquire) == 0 && line.len() <= PIPE_BUF && is_writable() {
            match write(stdout(), &line) {
                Ok(length) if length == line.len() => return,
                Ok(length) => drop(line.drain(..length)),
                // The thread learns it, too.
                Err(_) => {}
            }
        }
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

/// Whether a host takes [`PIPE_BUF`] bytes at once.
fn is_writable() -> bool {
    let now = Timespec::try_from(Duration::ZERO).ok();
    let mut wanted = [to_write()];
    poll(&mut wanted, now.as_ref()) == Ok(1)
}

fn to_write() -> PollFd<'static> {
    PollFd::from_borrowed_fd(stdout(), PollFlags::OUT)
}

/// Writes for as long as it takes.
fn write_all(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match write(stdout(), bytes) {
            Ok(length) => bytes = bytes.get(length..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                // What it says is said by writing again.
                let _ = poll(&mut [to_write()], None);
            }
            // A host that has gone reads nothing; it is noticed at standard input.
            Err(_) => return,
        }
    }
}
