//! Programs that were started ahead of their call. Each is called once. Nothing of the function's code has run before.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use nix::fcntl::{FcntlArg, fcntl};
use wire::byte_arrays::Bytes;

use super::Engine;
use super::functions::Function;
use super::programs::{Listed, Programs, State};
use crate::error::Error;
use crate::launch::{Launch, Started};
use crate::outcome::Outcome;
use crate::run::{self, Job};
use crate::stage;

/// Programs that one thread has ahead, of one function and of all.
const MOST_OF_ONE: usize = 2;
const MOST: usize = 16;

/// What is written to a pipe without waiting for its reader, once the pipe is that large: what ordinary users may have.
const MOST_AT_ONCE: usize = 1 << 20;

/// The programs that one thread has ahead. The oldest make room for others.
pub(super) struct Pool {
    ahead: RefCell<VecDeque<Ahead>>,
    /// Those of all threads.
    programs: Arc<Programs>,
}

struct Ahead {
    function: Arc<Function>,
    program: Waiting,
}

/// A program that waits; it ends with this.
struct Waiting {
    started: Option<(Started, Listed)>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some((started, _)) = &self.started {
            started.end();
        }
    }
}

impl Pool {
    pub(super) fn new(programs: Arc<Programs>) -> Self {
        Self { ahead: RefCell::default(), programs }
    }

    /// Takes a program of a function that waits.
    pub(super) fn take(&self, function: &Arc<Function>) -> Option<(Started, Listed)> {
        let mut ahead = self.ahead.borrow_mut();
        while let Some(at) = ahead.iter().position(|one| Arc::ptr_eq(&one.function, function)) {
            let (found, listed) = ahead.remove(at)?.program.started.take()?;
            if !found.has_ended() {
                listed.is_called();
                return Some((found, listed));
            }
            found.end();
        }
        None
    }

    /// Starts programs of a function until there are as many as there should be. One that cannot be started will say
    /// why when it is called.
    pub(super) fn refill(&self, function: &Arc<Function>, job: &Job) {
        let missing = || {
            let ahead = self.ahead.borrow();
            ahead.iter().filter(|one| Arc::ptr_eq(&one.function, function)).count() < MOST_OF_ONE
        };
        while missing() {
            let started = run::prepare(job, || Ok(None)).and_then(Launch::start);
            let Ok(started) = started else { return };
            let listed = self.programs.list(started.pid(), Engine::Pool, State::Warm);
            let program = Waiting { started: Some((started, listed)) };
            let mut ahead = self.ahead.borrow_mut();
            ahead.push_back(Ahead { function: Arc::clone(function), program });
            if ahead.len() > MOST {
                ahead.pop_front();
            }
        }
    }

    /// Ends the programs of a function that is no more.
    pub(super) fn forget(&self, function: &Arc<Function>) {
        self.ahead.borrow_mut().retain(|one| !Arc::ptr_eq(&one.function, function));
    }
}

/// Calls a program that waits, as `job` would be called, and looks after it to its end; it is ended when
/// `stop` is there.
pub(super) async fn call(mut started: Started, job: &Job, stop: impl Future<Output = ()>) -> Result<Outcome, Error> {
    let begun = Instant::now();
    tell(&mut started, job)?;
    started.begin(begun);
    started.through(stop).await
}

/// Tells a program that waits what to call.
pub(super) fn tell(started: &mut Started, job: &Job) -> Result<(), Error> {
    let text = stage::Call {
        args: job.args.as_deref().unwrap_or("[]"),
        context: stage::Context::of(&job.context.clone().unwrap_or_default(), started.wall_ms()),
        env: job.variables.iter().map(|(name, value)| (name.to_string_lossy(), value.to_string_lossy())).collect(),
        besides: stage::Besides::of(job),
    }
    .to_json()?;
    if let Some(pipe) = started.call.take() {
        let message = stage::message(&text, job)?;
        write(pipe, message).map_err(|error| Error::system("call the program", &error))?;
    }
    if job.returns_bytes {
        started.expect_bytes();
    }
    Ok(())
}

/// Writes all of a call, and ends the program's input with it.
fn write(pipe: OwnedFd, message: Vec<Bytes>) -> io::Result<()> {
    let length = message.iter().map(Bytes::len).sum::<usize>();
    let wanted = length.clamp(4096, MOST_AT_ONCE);
    let room = fcntl(pipe.as_fd(), FcntlArg::F_SETPIPE_SZ(i32::try_from(wanted).unwrap_or(i32::MAX)));
    let fits = room.is_ok_and(|room| usize::try_from(room).is_ok_and(|room| length <= room));
    let mut pipe = std::fs::File::from(pipe);
    let mut write = move || message.iter().try_for_each(|part| pipe.write_all(part));
    if fits {
        // That it has ended shows soon enough.
        return ignore_closed(write());
    }
    // For as long as the program takes to read it, which has a limit.
    tokio::task::spawn_blocking(move || ignore_closed(write()));
    Ok(())
}

fn ignore_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
