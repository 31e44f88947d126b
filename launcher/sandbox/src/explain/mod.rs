//! What a run came to: verdict, exit code and envelope of an outcome. The launcher's own knowledge decides; what the
//! program reported only adds detail.

mod cause;

use policy::{Limit, Permission};
use wire::envelope::{
    Denial, Envelope, Exit, Failure, Layers, Log, Refusal, Reporter, Sandbox, Stats, Use, resembles_envelope,
};
use wire::frame::{Denial as Reported, Error as Thrown};

use self::cause::{Cause, at_limit, described, refusal};
use crate::network::is_granted;
use crate::outcome::{Ending, Exit as ProcessExit, Outcome, Reached};
use crate::package::package_at;

/// Exit code of a program that was ended by its wall, CPU or output limit.
const LIMIT: i32 = 124;
/// Exit code where the preload did not come to speak.
const SANDBOX: i32 = 125;
/// Exit code of a program that was ended by its memory limit, as if the kernel had killed it.
const MEMORY: i32 = 137;

/// What a run came to.
#[derive(Debug)]
pub struct Verdict {
    /// Why it is not ok; `None` when it is.
    pub failure: Option<Failure>,
    /// What the launcher exits with.
    pub code: i32,
    /// The signal that ended the program, for the launcher to end by as well.
    pub signal: Option<i32>,
}

impl Verdict {
    fn ok() -> Self {
        Self { failure: None, code: 0, signal: None }
    }

    fn failed(code: i32, failure: Failure) -> Self {
        Self { failure: Some(failure), code, signal: None }
    }
}

/// Judges an outcome. `must_return`: the user asked for a function's result.
pub fn verdict(outcome: &Outcome, must_return: bool) -> Verdict {
    let verdict = judge(outcome, must_return);
    let failure = verdict.failure.map(|failure| {
        let docs = failure.code.as_deref().and_then(policy::error_page);
        outcome.redaction.failure(Failure { docs, ..failure })
    });
    Verdict { failure, ..verdict }
}

fn judge(outcome: &Outcome, must_return: bool) -> Verdict {
    match &outcome.ending {
        Ending::Returned(_) => Verdict::ok(),
        Ending::Threw(thrown) => Verdict::failed(1, thrown_failure(outcome, thrown)),
        Ending::Limit(reached) => {
            let code = if reached.limit == Limit::Memory { MEMORY } else { LIMIT };
            Verdict::failed(code, limit_failure(*reached))
        }
        Ending::Stopped => Verdict::failed(1, failure("SandboxError", "ERR_CANCELLED", "it was cancelled".to_owned())),
        Ending::BrokenChannel(what) => {
            let message = format!("the program wrote to the sandbox channel and was ended: {what}");
            Verdict::failed(1, failure("SandboxError", "ERR_CHANNEL_BROKEN", message))
        }
        Ending::Ended if outcome.is_mute && outcome.exit != ProcessExit::Code(0) => {
            let message = format!("Bun ended before the program was loaded ({})", ending_words(outcome.exit));
            Verdict::failed(SANDBOX, failure("SandboxError", "ERR_SANDBOX_START", message))
        }
        Ending::Ended => ended(outcome, must_return),
    }
}

fn ended(outcome: &Outcome, must_return: bool) -> Verdict {
    let words = ending_words(outcome.exit);
    match outcome.exit {
        _ if outcome.called || (must_return && outcome.exit == ProcessExit::Code(0)) => {
            let message = format!("the function did not return: {words}");
            let code = match outcome.exit {
                ProcessExit::Code(0) => 1,
                ProcessExit::Code(code) => code,
                ProcessExit::Signal(signal) => 128 + signal,
            };
            Verdict::failed(code, uncaught(outcome, failure("Error", "ERR_FUNCTION_EXITED", message)))
        }
        ProcessExit::Code(0) => Verdict::ok(),
        ProcessExit::Code(code) => {
            Verdict::failed(code, uncaught(outcome, failure("Error", "ERR_PROGRAM_FAILED", words)))
        }
        ProcessExit::Signal(signal) => Verdict {
            failure: Some(failure("Error", "ERR_PROGRAM_KILLED", words)),
            code: 128 + signal,
            signal: Some(signal),
        },
    }
}

/// With what the policy has to do with the exception that ended the program, if anything.
fn uncaught(outcome: &Outcome, failure: Failure) -> Failure {
    let Some(thrown) = &outcome.uncaught else { return failure };
    let Failure { name, message, limit, refusal, .. } = thrown_failure(outcome, thrown);
    if limit.is_none() && refusal.is_none() && message == thrown.message {
        return failure;
    }
    Failure { message: format!("{}: {name}: {message}", failure.message), limit, refusal, ..failure }
}

/// What Bun, which printed the error of a program, does not know about it.
pub fn afterword(outcome: &Outcome) -> Option<String> {
    let thrown = match &outcome.ending {
        Ending::Threw(thrown) => Some(thrown),
        _ => outcome.uncaught.as_ref(),
    };
    let words = thrown.and_then(|thrown| Cause::of(outcome, thrown).words);
    words.map(|words| outcome.redaction.told(words))
}

fn failure(name: &str, code: &str, message: String) -> Failure {
    Failure { name: name.to_owned(), code: Some(code.to_owned()), message, ..Failure::default() }
}

fn ending_words(exit: ProcessExit) -> String {
    match exit {
        ProcessExit::Code(code) => format!("the program exited with code {code}"),
        ProcessExit::Signal(signal) => format!("the program was ended by {}", signal_name(signal)),
    }
}

fn signal_name(signal: i32) -> String {
    crate::outcome::signal_name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned)
}

fn limit_failure(reached: Reached) -> Failure {
    let (limit, message) = at_limit(reached.limit, reached.allowed, Some(reached.value));
    Failure { limit: Some(limit), ..failure("LimitError", "ERR_LIMIT_EXCEEDED", message) }
}

fn thrown_failure(outcome: &Outcome, thrown: &Thrown) -> Failure {
    let Cause { refusal, limit, words } = Cause::of(outcome, thrown);
    let message = match words {
        Some(words) => format!("{}; {words}", thrown.message),
        None => thrown.message.clone(),
    };
    Failure {
        name: thrown.name.clone(),
        code: thrown.code.clone(),
        message,
        stack: thrown.stack.clone(),
        limit,
        refusal,
        docs: None,
    }
}

/// What was refused, each explained by the policy.
pub fn denials(outcome: &Outcome) -> Vec<Denial> {
    let explained = outcome.denials.iter().filter_map(|reported| match reported {
        Reported::Act { permission, resource, at, count, .. } => {
            let permission = Permission::from_name(permission)?;
            Some(Denial {
                refusal: refusal(outcome, permission, resource.as_deref())?,
                reported_by: Reporter::Program,
                package: at.as_deref().and_then(|at| package_at(at, &outcome.policy.cwd)),
                at: at.clone(),
                count: *count,
                traceparent: None,
            })
        }
        Reported::More { .. } => None,
    });
    let mut denials: Vec<Denial> = explained.collect();
    for refused in &outcome.refusals {
        let refusal = described(&refused.request, &refused.decision);
        // The program says where it asked; that it was refused, the launcher knows better.
        let is_same = |known: &&mut Denial| {
            let told = &known.refusal;
            told.permission == refusal.permission
                && (told.resource == refusal.resource || refused.is_look_up && host(told) == host(&refusal))
        };
        if let Some(known) = denials.iter_mut().find(is_same) {
            known.reported_by = Reporter::Broker;
            known.count = known.count.max(refused.count);
        } else {
            let (reported_by, count) = (Reporter::Broker, refused.count);
            denials.push(Denial { refusal, reported_by, package: None, at: None, count, traceparent: None });
        }
    }
    denials.into_iter().map(|denial| outcome.redaction.denial(denial)).collect()
}

/// The host of a connection that was refused: a name is asked for without its port.
fn host(refusal: &Refusal) -> Option<&str> {
    refusal.resource.as_deref().and_then(|resource| resource.rsplit_once(':')).map(|(host, _)| host)
}

/// The whole story in one object.
pub fn envelope(outcome: Outcome, verdict: &Verdict) -> Envelope {
    let (denials, limits) = (denials(&outcome), limits(&outcome));
    let usage = outcome.usage;
    let exit = match (&outcome.ending, outcome.exit) {
        // The launcher ended it once its work was done: that is no exit of its own.
        (Ending::Returned(_) | Ending::Threw(_), _) => Exit { code: Some(verdict.code), signal: None },
        (_, ProcessExit::Code(code)) => Exit { code: Some(code), signal: None },
        (_, ProcessExit::Signal(signal)) => Exit { code: None, signal: Some(signal_name(signal)) },
    };
    let (result, bytes) = match outcome.ending {
        Ending::Returned(value) => (Some(value), outcome.bytes),
        _ => (None, Vec::new()),
    };
    Envelope {
        ok: verdict.failure.is_none(),
        error: verdict.failure.clone(),
        logs: outcome.logs.into_iter().map(Log::from).map(unmistakable).collect(),
        stats: Stats {
            limits,
            wall_ms: millis(usage.wall),
            cpu_ms: millis(usage.cpu),
            peak_memory_bytes: usage.peak_memory_bytes,
            start_ms: millis(usage.start),
        },
        denials,
        exit,
        stdout: outcome.stdout.into(),
        stderr: outcome.stderr.into(),
        truncated: outcome.truncated,
        sandbox: Sandbox {
            status: if outcome.status.missing().is_empty() { "full" } else { "partial" },
            layers: Layers {
                landlock: outcome.status.landlock_abi.map_or_else(|| "none".to_owned(), |abi| format!("abi{abi}")),
                seccomp: "enforced",
                namespaces: outcome.status.namespaces.to_vec(),
                network: match (is_granted(&outcome.policy), outcome.status.namespaces) {
                    (false, _) => "none",
                    (true, []) => "broker-host-network",
                    (true, _) => "broker",
                },
                memory: outcome.memory_control,
            },
        },
        result,
        bytes,
    }
}

/// What was used of each limit. Stack and the size of single files are the engine's and the kernel's to count.
fn limits(outcome: &Outcome) -> Vec<(&'static str, Use)> {
    const KB: u64 = 1 << 10;
    const MB: u64 = 1 << 20;
    let usage = outcome.usage;
    let whole_millis = |duration: std::time::Duration| u64::try_from(duration.as_micros().div_ceil(1000)).ok();
    let used = |limit: Limit| match limit {
        Limit::Wall => whole_millis(usage.wall),
        Limit::Cpu => whole_millis(usage.cpu),
        Limit::Memory => Some(usage.peak_memory_bytes.div_ceil(MB)),
        // The program itself was there, seen or not.
        Limit::Processes => usage.peaks.processes.max(Some(1)),
        Limit::Threads => usage.peaks.threads,
        Limit::OpenFiles => usage.peaks.open_files,
        Limit::Tmp => usage.peaks.tmp_bytes.map(|bytes| bytes.div_ceil(MB)),
        Limit::Output => usage.output_bytes.map(|bytes| bytes.div_ceil(KB)),
        Limit::Stack | Limit::File => None,
    };
    let allowed = &outcome.policy.limits;
    Limit::ALL.map(|limit| (limit.name(), Use { used: used(limit), allowed: allowed.get(limit) })).to_vec()
}

/// A log line that a careless reader could take for an envelope is encoded, and says so.
fn unmistakable(log: Log) -> Log {
    if resembles_envelope(&log.text) {
        let text = format!("base64:{}", wire::envelope::encode(log.text.as_bytes()));
        return Log { text, ..log };
    }
    log
}

fn millis(duration: std::time::Duration) -> f64 {
    // Three decimals: microseconds.
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// The lines of a policy under which nothing of this would have been refused.
pub fn suggestions(denials: &[Denial]) -> Vec<String> {
    let mut lines: Vec<String> = denials.iter().filter_map(|denial| denial.refusal.fix.clone()).collect();
    lines.sort();
    lines.dedup();
    lines
}
