//! From a plan to how its run went.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use confine::{Layer, Plan, View};
use policy::ExpandedPolicy;

use crate::error::{Error, Warning};
use crate::outcome::{Ending, Exit, Outcome, Usage};
use crate::pipes::Pipes;
use crate::redaction::Redaction;
use crate::run::writable;
use crate::scratch::Scratch;
use crate::secrets::Secrets;
use crate::supervise::{ControlGroup, Pipe, Report, Running, Sample, Signals, look_after, supervise};

/// A plan, and what its run needs besides.
pub(crate) struct Launch {
    pub(crate) plan: Plan,
    pub(crate) policy: ExpandedPolicy,
    /// What its requests are made with.
    pub(crate) secrets: Secrets,
    pub(crate) pipes: Pipes,
    /// Those to the launcher that the program is to get, if it is to get any.
    pub(crate) signals: Option<Signals>,
    pub(crate) begun: Instant,
    pub(crate) warnings: Vec<Warning>,
    /// Its folder on the host, where it sees the host's files. It goes away with this.
    pub(crate) scratch: Option<Scratch>,
    /// Whether a preload speaks before the program does.
    pub(crate) announced: bool,
    /// Whether what it uses is told at the end.
    pub(crate) reported: bool,
}

impl Launch {
    /// Starts the program and looks after it to its end.
    pub(crate) fn through(self) -> Result<Outcome, Error> {
        let Started { running, rest, call: _ } = self.start()?;
        let report = supervise(running).map_err(|error| Error::system("look after the program", &error))?;
        Ok(rest.outcome(report))
    }

    /// Starts the program, which nobody looks after so far.
    pub(crate) fn start(self) -> Result<Started, Error> {
        let Self { plan, policy, secrets, pipes, signals, begun, mut warnings, scratch, announced, reported } = self;
        let group = ControlGroup::required(&policy)?;
        let started = confine::start(&plan)?;
        // Not before: the init of a sandbox is a copy of us.
        let redaction = Redaction::of(secrets.values());
        let group = group.map(|group| group.with(&started.child)).transpose()?;
        let start = begun.elapsed();
        warnings.extend(weakened(&started.status));
        warnings.extend(started.status.unmapped.iter().map(|path| {
            Warning(format!(
                "{path} lies on a file system that cannot map owners: what only root may read there is refused"
            ))
        }));
        let has_tmp = matches!(&plan.view, View::Private(root) if !root.tmpfs.is_empty());
        drop(plan);
        let counted = pipes.stdout.is_some() && pipes.stderr.is_some();
        let running = Running {
            child: started.child,
            started: Instant::now(),
            limits: policy.limits,
            network: started.network.map(|network| (network, policy.clone(), secrets)),
            group,
            writable: writable(&policy),
            scratch_tmp: scratch.as_ref().map(Scratch::tmp),
            stdout: pipes.stdout.map(|(reader, _, sink)| Pipe { reader, sink }),
            stderr: pipes.stderr.map(|(reader, _, sink)| Pipe { reader, sink }),
            channel: pipes.channel.map(|(reader, _)| reader),
            announced,
            returns_bytes: false,
            signals,
            sample: reported.then(|| Sample::new(has_tmp)),
        };
        let rest =
            Rest { policy, status: started.status, warnings, start, announced, counted, redaction, _scratch: scratch };
        Ok(Started { running, rest, call: pipes.call })
    }
}

/// A program that runs.
pub(crate) struct Started {
    running: Running,
    rest: Rest,
    /// Where its call is written to, if it waits for one.
    pub(crate) call: Option<OwnedFd>,
}

impl Started {
    /// Looks after it to its end, within a runtime's local set; it is ended when `stop` is there.
    pub(crate) async fn through(self, stop: impl Future<Output = ()>) -> Result<Outcome, Error> {
        let Self { running, rest, call: _ } = self;
        // What it starts besides, such as what answers for its network, ends with it.
        let own = tokio::task::LocalSet::new();
        // It is large, and there may be many.
        let report = own.run_until(Box::pin(look_after(running, stop))).await;
        drop(own);
        Ok(rest.outcome(report.map_err(|error| Error::system("look after the program", &error))?))
    }

    /// Counts its time from `begun` on.
    pub(crate) fn begin(&mut self, begun: Instant) {
        self.running.started = begun;
        self.rest.start = begun.elapsed();
    }

    /// Its limit on wall time.
    pub(crate) fn wall_ms(&self) -> Option<u64> {
        self.running.limits.wall_ms
    }

    /// From here on its result may have byte arrays beside it.
    pub(crate) fn expect_bytes(&mut self) {
        self.running.returns_bytes = true;
    }

    /// The number of its first process.
    pub(crate) fn pid(&self) -> u32 {
        self.running.child.pid
    }

    /// Whether it has ended already.
    pub(crate) fn has_ended(&self) -> bool {
        self.running.child.has_ended()
    }

    /// Ends it, unlooked at.
    pub(crate) fn end(&self) {
        self.running.child.kill();
        // Its end is all that is wanted.
        let _ = self.running.child.reap();
    }
}

/// What is known of a run besides how it went.
pub(crate) struct Rest {
    pub(crate) policy: ExpandedPolicy,
    pub(crate) status: confine::Status,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) start: Duration,
    pub(crate) announced: bool,
    /// Whether what it writes goes through the launcher.
    pub(crate) counted: bool,
    pub(crate) redaction: Redaction,
    /// Goes away at the end.
    pub(crate) _scratch: Option<Scratch>,
}

impl Rest {
    pub(crate) fn outcome(self, report: Report) -> Outcome {
        let Self { policy, status, warnings, start, announced, counted, redaction, _scratch } = self;
        let output_bytes = counted.then(|| report.streams.bytes());
        let (stdout, stderr, truncated) = report.streams.captured();
        let channel = report.channel;
        Outcome {
            policy,
            is_mute: announced && channel.token().is_none(),
            ending: match report.ending {
                Ending::Threw(error) => Ending::Threw(redaction.error(error)),
                ending => ending,
            },
            exit: match (report.ended.code, report.ended.signal) {
                (Some(code), _) => Exit::Code(code),
                (None, signal) => Exit::Signal(signal.unwrap_or(0)),
            },
            program: channel.program,
            bytes: channel.bytes,
            called: channel.called,
            truncated: truncated || channel.truncated,
            logs: channel.logs.into_iter().map(|log| redaction.log(log)).collect(),
            denials: channel.denials,
            refusals: report.refusals,
            uncaught: channel.uncaught.map(|error| redaction.error(error)),
            stdout: redaction.bytes(stdout),
            stderr: redaction.bytes(stderr),
            usage: Usage {
                wall: report.wall,
                cpu: report.ended.cpu,
                peak_memory_bytes: report.peak_memory_bytes,
                start,
                peaks: report.peaks,
                output_bytes,
            },
            memory_control: report.memory_control,
            status,
            warnings: warnings.into_iter().map(|warning| redaction.warning(warning)).collect(),
            redaction,
        }
    }
}

/// One line about the layers that a run had to do without, as its policy allows.
fn weakened(status: &confine::Status) -> Option<Warning> {
    let name = |layer| match (layer, status.landlock_abi) {
        (Layer::Landlock, None) => "Landlock",
        (Layer::Landlock, Some(_)) => "a Landlock that is new enough",
        _ => "namespaces (the program sees names and attributes of the host's files, not their contents)",
    };
    let missing: Vec<&str> = status.missing().into_iter().map(name).collect();
    (!missing.is_empty()).then(|| {
        Warning(format!("the sandbox is partial, as kernel.require allows: without {}", missing.join(" and ")))
    })
}
