//! From a plan to how its run went.

use std::path::PathBuf;
use std::time::Instant;

use confine::{Layer, Plan, View};
use policy::ExpandedPolicy;

use crate::error::{Error, Warning};
use crate::outcome::{Exit, Outcome, Usage};
use crate::pipes::Pipes;
use crate::run::writable;
use crate::secrets::Secrets;
use crate::supervise::{ControlGroup, Pipe, Running, Sample, Signals, supervise};

/// A plan, and what its run needs besides.
pub(crate) struct Launch {
    pub(crate) plan: Plan,
    pub(crate) policy: ExpandedPolicy,
    /// What its requests are made with.
    pub(crate) secrets: Secrets,
    pub(crate) pipes: Pipes,
    pub(crate) signals: Signals,
    pub(crate) begun: Instant,
    pub(crate) warnings: Vec<Warning>,
    /// Its temporary folder, where that lies on a file system of the host.
    pub(crate) scratch_tmp: Option<PathBuf>,
    /// Whether a preload speaks before the program does.
    pub(crate) announced: bool,
    /// Whether what it uses is told at the end.
    pub(crate) reported: bool,
}

impl Launch {
    /// Starts the program and looks after it to its end.
    pub(crate) fn through(self) -> Result<Outcome, Error> {
        let Self { plan, policy, secrets, pipes, signals, begun, mut warnings, scratch_tmp, announced, reported } =
            self;
        let group = ControlGroup::required(&policy)?;
        let started = confine::start(&plan)?;
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
            scratch_tmp,
            stdout: pipes.stdout.map(|(reader, _, sink)| Pipe { reader, sink }),
            stderr: pipes.stderr.map(|(reader, _, sink)| Pipe { reader, sink }),
            channel: pipes.channel.map(|(reader, _)| reader),
            announced,
            signals,
            sample: reported.then(|| Sample::new(has_tmp)),
        };
        let report = supervise(running).map_err(|error| Error::system("look after the program", &error))?;
        let output_bytes = counted.then(|| report.streams.bytes());
        let (stdout, stderr, truncated) = report.streams.captured();
        let channel = report.channel;
        Ok(Outcome {
            policy,
            is_mute: announced && channel.token().is_none(),
            ending: report.ending,
            exit: match (report.ended.code, report.ended.signal) {
                (Some(code), _) => Exit::Code(code),
                (None, signal) => Exit::Signal(signal.unwrap_or(0)),
            },
            program: channel.program,
            called: channel.called,
            truncated: truncated || channel.truncated,
            logs: channel.logs,
            denials: channel.denials,
            refusals: report.refusals,
            uncaught: channel.uncaught,
            stdout,
            stderr,
            usage: Usage {
                wall: report.wall,
                cpu: report.ended.cpu,
                peak_memory_bytes: report.peak_memory_bytes,
                start,
                peaks: report.peaks,
                output_bytes,
            },
            memory_control: report.memory_control,
            status: started.status,
            warnings,
        })
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
