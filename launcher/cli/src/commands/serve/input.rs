//! Requests on their way from standard input.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

/// What is read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Standard input, chunk by chunk, as fast as it is taken.
pub(super) struct Input {
    source: Source,
    chunk: Vec<u8>,
}

enum Source {
    /// Says when there is something.
    Ready(AsyncFd<OwnedFd>),
    /// A file, which is always ready: a thread reads it.
    File(mpsc::Receiver<Vec<u8>>),
}

impl Input {
    /// Within a runtime.
    pub(super) fn open() -> io::Result<Self> {
        let source = match confine::watch(rustix::stdio::stdin().try_clone_to_owned()?) {
            Ok(stdin) => Source::Ready(stdin),
            // epoll_ctl(2): what is always ready cannot be waited for.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Source::File(read_file()?),
            Err(error) => return Err(error),
        };
        Ok(Self { source, chunk: vec![0; CHUNK_BYTES] })
    }

    /// The next chunk; none at the end, or where that is as good as reached. May be dropped and asked again.
    pub(super) async fn next(&mut self) -> Option<&[u8]> {
        let Self { source, chunk } = self;
        let stdin = match source {
            Source::Ready(stdin) => stdin,
            Source::File(chunks) => {
                *chunk = chunks.recv().await?;
                return Some(chunk);
            }
        };
        loop {
            let mut ready = stdin.readable().await.ok()?;
            // Whoever gave it to us may read it as well, so it is not ours to make non-blocking.
            if !is_readable(stdin.get_ref()) {
                ready.clear_ready();
                continue;
            }
            match rustix::io::read(stdin.get_ref(), &mut *chunk) {
                Ok(0) => return None,
                Ok(length) => return chunk.get(..length),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(_) => return None,
            }
        }
    }
}

/// Whether reading waits for nothing.
fn is_readable(descriptor: &OwnedFd) -> bool {
    let mut wanted = [PollFd::new(descriptor, PollFlags::IN)];
    let now = Timespec::try_from(Duration::ZERO).ok();
    // What cannot be asked is found out by reading.
    poll(&mut wanted, now.as_ref()) != Ok(0)
}

fn read_file() -> io::Result<mpsc::Receiver<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(1);
    thread::Builder::new().name("secure-bun-input".to_owned()).spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match stdin.read(&mut chunk) {
                Ok(length @ 1..) => {
                    if sender.blocking_send(chunk.get(..length).unwrap_or_default().to_vec()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return,
            }
        }
    })?;
    Ok(receiver)
}
