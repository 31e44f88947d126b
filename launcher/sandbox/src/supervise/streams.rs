//! Standard output and standard error where they go through the launcher: counted, relayed or captured.

use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, mpsc};
use tokio::task;

use super::reached;
use crate::outcome::Reached;

/// What is read and handed on at once: at first, since many programs print a line, and where that is not enough.
const FIRST_CHUNK_BYTES: usize = 4 * 1024;
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks under way to a slow reader before the program has to wait.
const CHUNKS_UNDER_WAY: usize = 4;
/// The most that is captured of a stream whose size the policy does not limit.
const MAX_CAPTURED_BYTES: usize = 64 << 20;

/// A stream of the program's and where it goes.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// The reading end.
    pub(crate) reader: OwnedFd,
    /// Where it goes.
    pub(crate) sink: Sink,
}

/// Where a stream goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sink {
    /// To our standard output. At the mark that the preload sets when it calls the program's function, it turns to
    /// our standard error.
    Output {
        /// That mark, where it may come: a line.
        mark: Option<&'static str>,
    },
    /// To our standard error.
    Error,
    /// Into the envelope.
    Capture,
}

/// The streams under way.
pub(crate) struct Streams {
    shared: Rc<Shared>,
    tasks: RefCell<Vec<task::JoinHandle<()>>>,
    /// What is captured, and whether it is standard output.
    capturing: Vec<(Rc<AsyncFd<OwnedFd>>, bool)>,
    writers: Rc<RefCell<Vec<JoinHandle<()>>>>,
    allowed_kb: Option<u64>,
}

#[derive(Default)]
struct Shared {
    bytes: Cell<u64>,
    limit_bytes: Option<u64>,
    overflow: Notify,
    overflown: Cell<bool>,
    truncated: Cell<bool>,
    stdout: RefCell<Vec<u8>>,
    stderr: RefCell<Vec<u8>>,
}

impl Shared {
    /// Counts a chunk; what of it is within the limit.
    fn count<'c>(&self, chunk: &'c [u8]) -> &'c [u8] {
        let before = self.bytes.get();
        let after = before.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        self.bytes.set(after);
        match self.limit_bytes {
            Some(limit) if after > limit => {
                self.overflown.set(true);
                self.truncated.set(true);
                self.overflow.notify_one();
                let left = usize::try_from(limit.saturating_sub(before)).unwrap_or(0);
                chunk.get(..left).unwrap_or(chunk)
            }
            _ => chunk,
        }
    }

    fn capture(&self, is_stdout: bool, chunk: &[u8]) {
        let mut captured = if is_stdout { &self.stdout } else { &self.stderr }.borrow_mut();
        let room = MAX_CAPTURED_BYTES.saturating_sub(captured.len());
        if chunk.len() > room {
            self.truncated.set(true);
        }
        captured.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
    }
}

impl Streams {
    /// Starts to carry the streams. Runs on the supervisor's thread, but for a writer each where it goes to a host
    /// that may be slow to read.
    pub(crate) fn start(stdout: Option<Pipe>, stderr: Option<Pipe>, allowed_kb: Option<u64>) -> io::Result<Self> {
        let shared = Rc::new(Shared { limit_bytes: allowed_kb.map(|kb| kb * 1024), ..Shared::default() });
        let mut streams =
            Self { shared, tasks: RefCell::default(), capturing: Vec::new(), writers: Rc::default(), allowed_kb };
        for (pipe, is_stdout) in [(stdout, true), (stderr, false)] {
            let Some(Pipe { reader, sink }) = pipe else { continue };
            let mut reader = Reader::new(reader)?;
            let shared = Rc::clone(&streams.shared);
            let carried = match sink {
                Sink::Capture => {
                    streams.capturing.push((Rc::clone(&reader.pipe), is_stdout));
                    task::spawn_local(async move {
                        while let Some(chunk) = reader.read().await {
                            shared.capture(is_stdout, shared.count(chunk));
                        }
                    })
                }
                Sink::Error => {
                    let mut error = streams.writer(io::stderr);
                    task::spawn_local(async move {
                        while let Some(chunk) = reader.read().await
                            && error.send(shared.count(chunk)).await
                        {}
                    })
                }
                Sink::Output { mark } => {
                    let mut output = streams.writer(io::stdout);
                    let mut marked = mark.map(|mark| (Split::at_line(mark), streams.writer(io::stderr)));
                    task::spawn_local(async move {
                        while let Some(chunk) = reader.read().await {
                            let chunk = shared.count(chunk);
                            let Some((split, error)) = &mut marked else {
                                if output.send(chunk).await {
                                    continue;
                                }
                                break;
                            };
                            let (before, after) = split.feed(chunk);
                            if !(output.send(&before).await && error.send(&after).await) {
                                break;
                            }
                        }
                        // At the end there is nobody to stop any more.
                        if let Some((split, _)) = &marked {
                            let _ = output.send(&split.held).await;
                        }
                    })
                }
            };
            streams.tasks.borrow_mut().push(carried);
        }
        Ok(streams)
    }

    fn writer<W: Write + Send + 'static>(&self, to: fn() -> W) -> Writer<W> {
        Writer { to, sender: None, threads: Rc::clone(&self.writers) }
    }

    /// Comes back when more was written than is allowed.
    pub(crate) async fn overflow(&self) {
        self.shared.overflow.notified().await;
    }

    /// Whether more was written than is allowed.
    pub(crate) fn has_overflown(&self) -> bool {
        self.shared.overflown.get()
    }

    /// How much went through here so far, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.shared.bytes.get()
    }

    /// The limit on output, as reached.
    pub(crate) fn reached(&self) -> Reached {
        reached(policy::Limit::Output, self.shared.bytes.get().div_ceil(1024), self.allowed_kb.unwrap_or(u64::MAX))
    }

    /// Waits until everything is written, or until `grace` is over.
    pub(crate) async fn finish(&self, grace: Option<Duration>) {
        let (tasks, writers) = (self.tasks.take(), Rc::clone(&self.writers));
        let all = async move {
            for carried in tasks {
                // A task of ours does not panic; were it to, the others still have to be finished.
                let _ = carried.await;
            }
            // Only now: what was written last may be read here first, and its writer made.
            let writers = writers.take();
            while writers.iter().any(|writer| !writer.is_finished()) {
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        };
        match grace {
            Some(grace) => {
                let _ = tokio::time::timeout(grace, all).await;
            }
            None => all.await,
        }
    }

    /// Captures what has been written so far, without waiting for more.
    pub(crate) fn take_what_is_there(&self) {
        let mut buffer = [0; FIRST_CHUNK_BYTES];
        for (pipe, is_stdout) in &self.capturing {
            while let Ok(length @ 1..) = nix::unistd::read(pipe.get_ref().as_fd(), &mut buffer)
                && !self.has_overflown()
            {
                self.shared.capture(*is_stdout, self.shared.count(buffer.get(..length).unwrap_or_default()));
            }
        }
    }

    /// What was captured: standard output, standard error, and whether something is missing.
    pub(crate) fn captured(&self) -> (Vec<u8>, Vec<u8>, bool) {
        (self.shared.stdout.take(), self.shared.stderr.take(), self.shared.truncated.get())
    }
}

/// A thread that writes what it is sent, so that a host that does not read blocks nothing but the program. It is made
/// for the first chunk: many functions print nothing.
struct Writer<W> {
    to: fn() -> W,
    sender: Option<mpsc::Sender<Vec<u8>>>,
    threads: Rc<RefCell<Vec<JoinHandle<()>>>>,
}

impl<W: Write + Send + 'static> Writer<W> {
    /// Whether there is still somebody to write to. Where there is not, the pipe is closed by the caller, and the
    /// program learns that its reader has gone, as it would without us.
    async fn send(&mut self, chunk: &[u8]) -> bool {
        if chunk.is_empty() {
            return true;
        }
        let sender = self.sender.get_or_insert_with(|| {
            let (sender, chunks) = mpsc::channel(CHUNKS_UNDER_WAY);
            let to = self.to;
            self.threads.borrow_mut().push(std::thread::spawn(move || write(chunks, to())));
            sender
        });
        sender.send(chunk.to_vec()).await.is_ok()
    }
}

fn write(mut chunks: mpsc::Receiver<Vec<u8>>, mut to: impl Write) {
    while let Some(chunk) = chunks.blocking_recv() {
        // A host that has gone does not want the rest.
        if to.write_all(&chunk).and_then(|()| to.flush()).is_err() {
            break;
        }
    }
}

/// The reading end of a stream.
struct Reader {
    pipe: Rc<AsyncFd<OwnedFd>>,
    buffer: Vec<u8>,
}

impl Reader {
    fn new(pipe: OwnedFd) -> io::Result<Self> {
        set_nonblocking(&pipe)?;
        Ok(Self { pipe: Rc::new(confine::watch(pipe)?), buffer: Vec::new() })
    }

    /// The next chunk; `None` at the end.
    async fn read(&mut self) -> Option<&[u8]> {
        let length = read(&self.pipe, &mut self.buffer).await?;
        self.buffer.get(..length)
    }
}

async fn read(pipe: &AsyncFd<OwnedFd>, buffer: &mut Vec<u8>) -> Option<usize> {
    loop {
        let mut ready = pipe.readable().await.ok()?;
        if buffer.is_empty() {
            buffer.resize(FIRST_CHUNK_BYTES, 0);
        }
        match ready.try_io(|pipe| nix::unistd::read(pipe.get_ref().as_fd(), buffer).map_err(io::Error::from)) {
            Ok(Ok(0)) => return None,
            Ok(Ok(n)) => {
                if n == buffer.len() {
                    buffer.resize(CHUNK_BYTES, 0);
                }
                return Some(n);
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(Err(_)) => return None,
            Err(_would_block) => {}
        }
    }
}

pub(super) fn set_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(fd, true)?)
}

/// Divides standard output at the mark.
#[derive(Debug)]
struct Split {
    mark: Vec<u8>,
    /// What could be the beginning of the mark.
    held: Vec<u8>,
    passed: bool,
}

impl Split {
    fn at_line(mark: &str) -> Self {
        Self { mark: format!("{mark}\n").into_bytes(), held: Vec::new(), passed: false }
    }

    /// What stands before the mark, and what after it.
    fn feed(&mut self, chunk: &[u8]) -> (Vec<u8>, Vec<u8>) {
        if self.passed {
            return (Vec::new(), chunk.to_vec());
        }
        let mark = &self.mark;
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(chunk);
        if let Some(at) = bytes.windows(mark.len()).position(|window| window == mark) {
            self.passed = true;
            let after = bytes.split_off(at + mark.len());
            bytes.truncate(at);
            return (bytes, after);
        }
        let longest = bytes.len().min(mark.len() - 1);
        let begun = (1..=longest).rev().find(|n| bytes.ends_with(mark.get(..*n).unwrap_or_default())).unwrap_or(0);
        self.held = bytes.split_off(bytes.len() - begun);
        (bytes, Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_divides_wherever_the_pipe_cuts() {
        let text = b"before\n\0mark\nafter";
        for cut in 0..text.len() {
            let mut split = Split::at_line("\0mark");
            let (first, second) = text.split_at(cut);
            let (mut before, mut after) = split.feed(first);
            let (more_before, more_after) = split.feed(second);
            before.extend(more_before);
            after.extend(more_after);
            assert_eq!((before.as_slice(), after.as_slice()), (&b"before\n"[..], &b"after"[..]), "cut at {cut}");
        }
    }

    #[test]
    fn a_writer_that_is_made_after_the_programs_end_is_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        task::LocalSet::new().block_on(&runtime, async {
            let (reader, writer) = nix::unistd::pipe().unwrap();
            nix::unistd::write(writer, b"\n").unwrap();
            let streams = Streams::start(None, Some(Pipe { reader, sink: Sink::Error }), None).unwrap();
            streams.finish(None).await;
            assert_eq!(streams.bytes(), 1);
            assert!(streams.writers.borrow().is_empty(), "a writer was left alone");
        });
    }

    #[test]
    fn half_a_mark_at_the_end_is_output_after_all() {
        let mut split = Split::at_line("\0mark");
        assert_eq!(split.feed(b"x\0ma"), (b"x".to_vec(), Vec::new()));
        assert_eq!(split.held, b"\0ma");
        assert_eq!(split.feed(b"!"), (b"\0ma!".to_vec(), Vec::new()));
    }
}
