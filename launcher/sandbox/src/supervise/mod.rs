//! Looking after a running program: limits, output, the sandbox channel, signals, and its end.

mod cgroup;
mod channel;
mod copy;
mod disk;
mod limits;
mod memory;
mod sample;
mod signals;
mod streams;
mod tasks;
mod tree;

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use confine::{Child, Ended};

pub(crate) use cgroup::{ControlGroup, REMEDY as CGROUP_REMEDY};
pub(crate) use channel::Channel;
pub(crate) use copy::{Called, Copy, look_after_copy};
use limits::Watch;
pub(crate) use memory::Memory;
pub(crate) use sample::Sample;
use signals::Passing;
pub(crate) use signals::Signals;
pub(crate) use streams::{Pipe, Sink, Streams};
pub(crate) use tree::below;

use crate::network;
use crate::outcome::{Ending, Peaks, Reached};
use crate::secrets::Secrets;

/// How long output may still be written after a program was ended by force. A host that does not read must not keep
/// a limit from being one.
const GRACE: Duration = Duration::from_millis(30);

/// How long Bun may take to print why a program could not be loaded, and to exit.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A started program with everything that has to be looked after.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) started: Instant,
    pub(crate) limits: policy::Limits,
    /// Its network, if it has one, the policy that says where it leads, and the secrets of its requests.
    pub(crate) network: Option<(confine::Network, policy::ExpandedPolicy, Secrets)>,
    /// The control group that the policy requires.
    pub(crate) group: Option<ControlGroup>,
    /// Its temporary folder, where that lies on a file system of the host.
    pub(crate) scratch_tmp: Option<PathBuf>,
    /// Directories of the host that it may write to.
    pub(crate) writable: Vec<PathBuf>,
    pub(crate) stdout: Option<Pipe>,
    pub(crate) stderr: Option<Pipe>,
    pub(crate) channel: Option<OwnedFd>,
    /// Whether the preload speaks first.
    pub(crate) announced: bool,
    /// Whether byte arrays of its result are wanted beside it.
    pub(crate) returns_bytes: bool,
    /// Signals to the launcher that it is to get.
    pub(crate) signals: Option<Signals>,
    /// Looks at what it uses, where its run is reported.
    pub(crate) sample: Option<Sample>,
}

/// What became of it.
pub(crate) struct Report {
    pub(crate) ending: Ending,
    pub(crate) ended: Ended,
    pub(crate) wall: Duration,
    pub(crate) peak_memory_bytes: u64,
    pub(crate) memory_control: Option<&'static str>,
    pub(crate) peaks: Peaks,
    pub(crate) channel: Channel,
    /// What was refused of its network.
    pub(crate) refusals: Vec<network::Refusal>,
    pub(crate) streams: Streams,
}

/// Waits for the end of a program that needs no looking after.
pub(crate) fn wait(child: &Child) {
    // Its end is all that is wanted; an error means that it has been waited for.
    let _ = child.reap();
}

/// Looks after the program until it has ended and its output is written.
pub(crate) fn supervise(running: Running) -> io::Result<Report> {
    // Made after the clone, while Bun starts on another core: what it costs is not seen.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let local = tokio::task::LocalSet::new();
    let report = local.block_on(&runtime, look_after(running, std::future::pending()));
    // A look-up of a name may still wait for an answer, on a thread of its own.
    runtime.shutdown_background();
    report
}

/// The same within a runtime's local set. It is ended when `stop` is there.
pub(crate) async fn look_after(running: Running, stop: impl Future<Output = ()>) -> io::Result<Report> {
    let Running {
        child,
        started,
        limits,
        network,
        group,
        scratch_tmp,
        writable,
        stdout,
        stderr,
        channel,
        announced,
        returns_bytes,
        signals,
        sample,
    } = running;
    let network = network.map(|(network, policy, secrets)| network::serve(network, &policy, secrets)).transpose()?;
    let channel = Rc::new(RefCell::new(Channel::new(channel, announced, returns_bytes)?));
    let streams = Streams::start(stdout, stderr, limits.output_kb)?;
    let mut watch = Watch::new(&child, limits, group, &writable, scratch_tmp, started, sample);
    let end = confine::watch(child.pidfd.try_clone()?)?;
    let signals = signals.map(Passing::on).transpose()?;
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
                    child.kill();
                    end.readable().await?.retain_ready();
                    child.reap()?;
                    streams.finish(Some(GRACE)).await;
                    return Err(io::Error::new(error.kind(), format!("its processes cannot be counted: {error}")));
                }
            },
            passed = signals::pass_on(signals.as_ref(), &child) => passed?,
            () = &mut stop => break Some(Ending::Stopped),
        }
    };
    if forced.is_some() {
        watch.look_once_more();
        if channel.borrow().bun_reports(forced.as_ref()) {
            // Whether it comes to an end by itself or not, it has had its time.
            let _ = tokio::time::timeout(LAST_WORDS, end.readable()).await;
        }
        child.kill();
        end.readable().await?.retain_ready();
    }
    let wall = started.elapsed();
    let peak_memory_bytes = watch.peak_memory_bytes();
    let memory_control = watch.memory_control();
    let mut ended = child.reap()?;
    ended.cpu = ended.cpu.max(watch.cpu());
    let by_force = matches!(forced, Some(Ending::Limit(_) | Ending::BrokenChannel(_) | Ending::Stopped));
    streams.finish(by_force.then_some(GRACE)).await;
    // What was said before the end counts, also when the end was seen first.
    let said = if forced.is_none() { channel.borrow_mut().drain() } else { None };
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
        refusals: network.map(|network| network.refusals()).unwrap_or_default(),
        streams,
    })
}

/// A limit in the unit of its key.
pub(crate) fn reached(limit: policy::Limit, value: u64, allowed: u64) -> Reached {
    Reached { limit, value, allowed }
}
