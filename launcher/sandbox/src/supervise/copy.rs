//! Looking after a process that a server forked for one call: the same limits, streams and frames, and an end that
//! nobody waits for where the call has its answer.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::pin;
use std::rc::Rc;
use std::time::Instant;

use confine::Ended;
use tokio::io::unix::AsyncFd;

use super::limits::Watch;
use super::sample::Sample;
use super::{Channel, GRACE, Pipe, Report, Streams, channel};
use crate::outcome::Ending;

/// A process that was forked, with everything that has to be looked after.
pub(crate) struct Copy<'a> {
    /// Its number, as we see it.
    pub(crate) pid: u32,
    /// Its pidfd.
    pub(crate) end: &'a AsyncFd<OwnedFd>,
    pub(crate) started: Instant,
    pub(crate) limits: policy::Limits,
    /// Directories of the host that it may write to.
    pub(crate) writable: Vec<PathBuf>,
    pub(crate) stdout: Pipe,
    pub(crate) stderr: Pipe,
    pub(crate) channel: OwnedFd,
    /// Whether byte arrays of its result are wanted beside it.
    pub(crate) returns_bytes: bool,
}

/// Looks after `copy` until its call has an answer or it has ended; it is ended when `stop` is there. `reaped` says how
/// it ended, once it has.
pub(crate) async fn look_after_copy(
    copy: Copy<'_>,
    stop: impl Future<Output = ()>,
    reaped: impl Future<Output = Option<Ended>>,
) -> io::Result<Report> {
    let Copy { pid, end, started, limits, writable, stdout, stderr, channel, returns_bytes } = copy;
    let channel = Rc::new(RefCell::new(Channel::new(Some(channel), true, returns_bytes)?));
    let streams = Streams::start(Some(stdout), Some(stderr), limits.output_kb)?;
    let mut watch = Watch::of_copy(pid, limits, &writable, started, Sample::new(false));
    let mut stop = pin!(stop);
    let speaking = channel.borrow().readiness()?;
    let forced = loop {
        tokio::select! {
            biased;
            () = channel::spoken(&channel, speaking.as_ref()) => {
                if let Some(ending) = channel.borrow_mut().drain() {
                    break Some(ending);
                }
            }
            ready = end.readable() => {
                ready?.retain_ready();
                break None;
            }
            () = streams.overflow() => break Some(Ending::Limit(streams.reached())),
            reached = watch.next() => match reached {
                Ok(reached) => break Some(Ending::Limit(reached)),
                Err(error) => {
                    confine::kill(end.get_ref());
                    return Err(io::Error::new(error.kind(), format!("its process cannot be looked at: {error}")));
                }
            },
            () = &mut stop => break Some(Ending::Stopped),
        }
    };
    watch.look_at_copy_once_more();
    if forced.is_some() {
        confine::kill(end.get_ref());
    }
    let wall = started.elapsed();
    let peak_memory_bytes = watch.peak_memory_bytes();
    let memory_control = watch.memory_control();
    // What it did before it answered is here already, and it does nothing after that. Of any other end it is asked how.
    let has_answered = matches!(forced, Some(Ending::Returned(_) | Ending::Threw(_)));
    let (ended, said) = if has_answered {
        streams.take_what_is_there();
        (Ended::by_signal(nix::libc::SIGKILL, watch.cpu()), None)
    } else {
        end.readable().await?.retain_ready();
        let mut ended = reaped.await.unwrap_or_else(|| Ended::by_signal(nix::libc::SIGKILL, watch.cpu()));
        ended.cpu = ended.cpu.saturating_sub(watch.cpu_before()).max(watch.cpu());
        streams.finish(forced.is_some().then_some(GRACE)).await;
        let said = if forced.is_none() { channel.borrow_mut().drain() } else { None };
        (ended, said)
    };
    let overflowed = streams.has_overflown().then(|| Ending::Limit(streams.reached()));
    let ending = forced.or(overflowed).or(said).unwrap_or(Ending::Ended);
    let ending = watch.kernel_limit(ending, &ended);
    let channel = channel.take();
    Ok(Report {
        ending,
        ended,
        wall,
        peak_memory_bytes: peak_memory_bytes.unwrap_or(ended.peak_resident_bytes),
        memory_control,
        peaks: watch.peaks(),
        channel,
        refusals: Vec::new(),
        streams,
    })
}
