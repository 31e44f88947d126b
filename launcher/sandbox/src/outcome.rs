//! How a run went.

use std::time::Duration;

use serde_json::value::RawValue;
use wire::byte_arrays::ByteArray;
use wire::frame::{Denial, Error as Thrown, Kind as ProgramKind, Log};

use crate::error::Warning;
use crate::network::Refusal;
use crate::redaction::Redaction;

/// How a run went, as the launcher saw it.
#[derive(Debug)]
pub struct Outcome {
    /// What it was allowed.
    pub policy: policy::ExpandedPolicy,
    /// How it ended.
    pub ending: Ending,
    /// Whether the preload was expected to speak and did not.
    pub is_mute: bool,
    /// How the process ended.
    pub exit: Exit,
    /// What the file turned out to be, when the preload said so.
    pub program: Option<ProgramKind>,
    /// Whether the function was being called when it ended.
    pub called: bool,
    /// Byte arrays of what the function returned, which has `null` at their places.
    pub bytes: Vec<ByteArray>,
    /// Console output of the call.
    pub logs: Vec<Log>,
    /// What the preload reported as refused.
    pub denials: Vec<Denial>,
    /// What the launcher refused.
    pub refusals: Vec<Refusal>,
    /// The last exception that nobody caught.
    pub uncaught: Option<Thrown>,
    /// Captured standard output.
    pub stdout: Vec<u8>,
    /// Captured standard error.
    pub stderr: Vec<u8>,
    /// Whether captured output was cut off.
    pub truncated: bool,
    /// What it used.
    pub usage: Usage,
    /// How memory was limited: by a control group or by polling. None where it was not.
    pub memory_control: Option<&'static str>,
    /// What was enforced.
    pub status: confine::Status,
    /// What the user should know.
    pub warnings: Vec<Warning>,
    /// What must not show. Resources still have it: the policy is asked about them as they are, and what is said of them
    /// goes through this.
    pub(crate) redaction: Redaction,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ending {
    /// The process ended by itself.
    Ended,
    /// The function returned.
    Returned(Box<RawValue>),
    /// The function threw, or could not be called.
    Threw(Thrown),
    /// It reached a limit.
    Limit(Reached),
    /// Whoever asked for it wanted it no longer.
    Stopped,
    /// It spoiled the sandbox channel.
    BrokenChannel(String),
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Which.
    pub limit: policy::Limit,
    /// What was reached, in the unit of the limit's key.
    pub value: u64,
    /// What was allowed, in the unit of the limit's key.
    pub allowed: u64,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// What a run used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// From the start of the sandbox to the end of the program.
    pub wall: Duration,
    /// CPU time.
    pub cpu: Duration,
    /// The most memory, in bytes.
    pub peak_memory_bytes: u64,
    /// What it took to establish the sandbox.
    pub start: Duration,
    /// What was seen of it while it ran, where its run is reported.
    pub peaks: Peaks,
    /// What it wrote to standard output and standard error, where that goes through the launcher.
    pub output_bytes: Option<u64>,
}

/// The most that was seen of a running program; `None` where nothing was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peaks {
    /// Processes at a time.
    pub processes: Option<u64>,
    /// Threads of all processes at a time.
    pub threads: Option<u64>,
    /// Open descriptors of one process at a time.
    pub open_files: Option<u64>,
    /// What its private temporary folder held.
    pub tmp_bytes: Option<u64>,
}

/// The name of a signal.
pub fn signal_name(signal: i32) -> Option<&'static str> {
    nix::sys::signal::Signal::try_from(signal).ok().map(nix::sys::signal::Signal::as_str)
}

/// Ends the calling process by `signal`, as the program was ended, so that whoever waits for us learns the same.
/// Comes back when the signal does not end a process.
pub fn end_by_signal(signal: i32) {
    use nix::sys::signal::{SigSet, Signal, raise};
    if let Ok(signal) = Signal::try_from(signal) {
        // A failure leaves the ordinary exit code, 128 and the signal's number.
        let _ = SigSet::from(signal).thread_unblock();
        let _ = raise(signal);
    }
}
