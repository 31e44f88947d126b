//! The sandbox channel: what the preload says, kept within bounds.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;
use wire::byte_arrays::{self, ByteArray};
use wire::frame::{Decoder, Denial, Error, Frame, Kind, Log};

use crate::outcome::Ending;

/// The most log lines that are kept, and the most bytes of them.
const MAX_LOGS: usize = 10_000;
const MAX_LOG_BYTES: usize = 4 << 20;
/// What is read of a byte array at a time: what a pipe holds.
const MOST_AT_ONCE: usize = 64 << 10;
/// The preload reports a hundred different denials; each may come several times with a higher count.
const MAX_DENIALS: usize = 128;

/// The launcher's end of the channel and what came through it.
#[derive(Debug, Default)]
pub(crate) struct Channel {
    pipe: Option<File>,
    decoder: Decoder,
    announced: bool,
    /// The most byte arrays that its result may have.
    most_arrays: usize,
    ending: Option<Ending>,
    /// What the program's file turned out to be.
    pub(crate) program: Option<Kind>,
    /// Whether the function is being called.
    pub(crate) called: bool,
    /// Byte arrays of its result.
    pub(crate) bytes: Vec<ByteArray>,
    /// Console output of the call.
    pub(crate) logs: Vec<Log>,
    log_bytes: usize,
    /// Whether console output was left out.
    pub(crate) truncated: bool,
    /// What was refused.
    pub(crate) denials: Vec<Denial>,
    /// The exception that ended the program.
    pub(crate) uncaught: Option<Error>,
}

impl Channel {
    /// Takes the reading end of the pipe. Where the preload has not `announced` itself before the program runs, the
    /// program could have: it is heard, and decides nothing.
    pub(crate) fn new(pipe: Option<OwnedFd>, announced: bool, returns_bytes: bool) -> io::Result<Self> {
        if let Some(pipe) = &pipe {
            super::streams::set_nonblocking(pipe)?;
        }
        let mut channel = Self { pipe: pipe.map(File::from), announced, ..Self::default() };
        channel.expect_arrays(returns_bytes);
        Ok(channel)
    }

    /// Whether byte arrays of its result are wanted beside it, where that is known only later.
    pub(crate) fn expect_arrays(&mut self, returns_bytes: bool) {
        self.most_arrays = if returns_bytes { byte_arrays::MOST } else { 0 };
    }

    /// Something to wait on for the next frame.
    pub(crate) fn readiness(&self) -> io::Result<Option<AsyncFd<OwnedFd>>> {
        self.pipe.as_ref().map(|pipe| confine::watch(pipe.try_clone()?.into())).transpose()
    }

    /// The token of the preload, once it has said hello.
    pub(crate) fn token(&self) -> Option<&str> {
        self.decoder.token()
    }

    /// Reads what is there and says whether that ends the run.
    pub(crate) fn drain(&mut self) -> Option<Ending> {
        self.read();
        self.ending.take()
    }

    /// Reads what is there.
    pub(crate) fn read(&mut self) {
        // Frames are short; every page that is touched costs the start of a call a microsecond.
        let mut buffer = [0; 4096];
        // A byte array is worth more room.
        let mut large = Vec::new();
        while let Some(pipe) = &mut self.pipe {
            let buffer = if self.decoder.missing() > buffer.len() {
                large.resize(MOST_AT_ONCE, 0);
                large.as_mut_slice()
            } else {
                buffer.as_mut_slice()
            };
            match io::Read::read(pipe, buffer) {
                Ok(0) => self.pipe = None,
                Ok(n) => self.decoder.push(buffer.get(..n).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.pipe = None,
            }
            loop {
                match self.decoder.next_frame() {
                    Ok(None) => break,
                    Ok(Some(frame)) => self.take(frame),
                    Err(bad) => {
                        self.pipe = None;
                        self.end(Ending::BrokenChannel(bad.to_string()));
                        return;
                    }
                }
            }
        }
    }

    /// Whether this end is an error of loading the program, which Bun itself prints before it exits. A missing export is
    /// none: the program is loaded, and waits.
    pub(crate) fn bun_reports(&self, ending: Option<&Ending>) -> bool {
        let is_missing_export = |code: &String| code.starts_with("ERR_EXPORT_");
        self.program.is_none()
            && matches!(ending, Some(Ending::Threw(error)) if !error.code.as_ref().is_some_and(is_missing_export))
    }

    /// The first end counts.
    fn end(&mut self, ending: Ending) {
        if self.announced {
            self.ending.get_or_insert(ending);
        }
    }

    fn take(&mut self, frame: Frame) {
        match frame {
            Frame::Hello => {}
            Frame::Loaded(loaded) => self.program = Some(loaded.kind),
            Frame::Call => self.called = self.announced,
            Frame::Log(log) => {
                self.log_bytes = self.log_bytes.saturating_add(log.text.len());
                if self.logs.len() < MAX_LOGS && self.log_bytes <= MAX_LOG_BYTES {
                    self.logs.push(log);
                } else {
                    self.truncated = true;
                }
            }
            Frame::Denial(denial) => self.note(denial),
            Frame::Bytes(array) => self.keep(array),
            Frame::Result(value) => match byte_arrays::check(&self.bytes, value.get()) {
                Ok(()) => self.end(Ending::Returned(value)),
                Err(wrong) => self.end(Ending::BrokenChannel(format!("byte arrays of the result: {}", wrong.message))),
            },
            Frame::Error(error) => self.end(Ending::Threw(error)),
            Frame::Uncaught(error) => self.uncaught = Some(error),
        }
    }

    /// Keeps a byte array. The preload sends none that were not asked for, and never more than there may be.
    fn keep(&mut self, array: ByteArray) {
        let sum = self.bytes.iter().map(|array| array.bytes.len()).sum::<usize>() + array.bytes.len();
        if self.bytes.len() < self.most_arrays && sum <= byte_arrays::MOST_BYTES {
            self.bytes.push(array);
        } else {
            self.pipe = None;
            self.end(Ending::BrokenChannel("byte arrays that nobody asked for, or too many".to_owned()));
        }
    }

    /// Keeps the last count of each denial.
    fn note(&mut self, denial: Denial) {
        let same = |known: &&mut Denial| match (&**known, &denial) {
            (
                Denial::Act { permission, resource, .. },
                Denial::Act { permission: other_permission, resource: other_resource, .. },
            ) => permission == other_permission && resource == other_resource,
            (Denial::More { .. }, Denial::More { .. }) => true,
            _ => false,
        };
        if let Some(known) = self.denials.iter_mut().find(same) {
            *known = denial;
        } else if self.denials.len() < MAX_DENIALS {
            self.denials.push(denial);
        } else {
            self.truncated = true;
        }
    }
}

/// Waits until the preload has said something; for ever, where there is no channel or it is closed.
pub(super) async fn spoken(channel: &RefCell<Channel>, readiness: Option<&AsyncFd<OwnedFd>>) {
    // At its end a pipe stays readable, and nobody clears that.
    let open = channel.borrow().pipe.is_some();
    if let Some(readiness) = readiness.filter(|_| open)
        && let Ok(mut ready) = readiness.readable().await
    {
        ready.clear_ready();
        return;
    }
    std::future::pending::<()>().await;
}
