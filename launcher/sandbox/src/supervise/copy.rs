//! Looking after a process that a server forked for one call: the same limits, streams and frames, and an end that
//! nobody waits for where the call has its answer.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Instant;

use confine::Ended;
use tokio::io::unix::AsyncFd;

use super::limits::Watch;
use super::tree::Tree;
use super::{Channel, GRACE, Pipe, Report, Sink, Streams, channel};
use crate::outcome::Ending;

/// A process that was forked, with everything that has to be looked after. Made while it waits for its call, which then
/// need not wait for that.
pub(crate) struct Copy {
    pid: u32,
    limits: policy::Limits,
    channel: RefCell<Channel>,
    /// The channel once more.
    speaking: AsyncFd<OwnedFd>,
    streams: Streams,
    tree: Tree,
}

/// The call of a copy.
pub(crate) struct Called<'a> {
    /// The copy's pidfd.
    pub(crate) end: &'a AsyncFd<OwnedFd>,
    pub(crate) started: Instant,
    /// Directories of the host that it may write to.
    pub(crate) writable: Vec<PathBuf>,
    /// Whether byte arrays of its result are wanted beside it.
    pub(crate) returns_bytes: bool,
}

impl Copy {
    /// Gets ready to look after the process with the number `pid`, as we see it, which has done nothing of its call yet.
    pub(crate) fn new(
        pid: u32,
        limits: policy::Limits,
        [stdout, stderr]: [OwnedFd; 2],
        channel: OwnedFd,
    ) -> io::Result<Self> {
        let channel = Channel::new(Some(channel), true, false)?;
        let [stdout, stderr] = [stdout, stderr].map(|reader| Some(Pipe { reader, sink: Sink::Capture }));
        Ok(Self {
            pid,
            limits,
            speaking: channel.readiness()?.ok_or(io::ErrorKind::NotConnected)?,
            channel: RefCell::new(channel),
            streams: Streams::start(stdout, stderr, limits.output_kb)?,
            tree: Tree::of_copy(pid),
        })
    }

    /// What it is told its call through.
    pub(crate) fn channel(&self) -> &OwnedFd {
        self.speaking.get_ref()
    }
}

/// Looks after `copy` until its call has an answer or it has ended; it is ended when `stop` is there. `reaped` says how
/// it ended, once it has.
pub(crate) async fn look_after_copy(
    copy: Copy,
    called: Called<'_>,
    stop: impl Future<Output = ()>,
    reaped: impl Future<Output = Option<Ended>>,
) -> io::Result<Report> {
    let Copy { pid, limits, channel, speaking, streams, tree } = copy;
    let Called { end, started, writable, returns_bytes } = called;
    channel.borrow_mut().expect_arrays(returns_bytes);
    let mut watch = Watch::of_copy(pid, tree, limits, &writable, started);
    let mut stop = pin!(stop);
    let forced = loop {
        tokio::select! {
            biased;
            () = channel::spoken(&channel, Some(&speaking)) => {
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
