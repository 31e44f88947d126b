//! One Bun that forks for each call of a function (docs/fork-engine.md).

mod child;
mod control;
mod server;

pub(crate) use child::Child;
pub(crate) use server::Server;

use confine::seccomp::Files;
use confine::{ProcessLimits, Processes};
use forkserver::messages::{Limit, Limits};
use policy::{ExpandedPolicy, Protection};

use crate::layers::Layers;
use crate::network;
use crate::resolve;
use crate::resolve::{native, programs};

/// Children of one server at a time, those included that wait or are just ending.
pub(crate) const MOST_CHILDREN: u64 = 64;

/// Tasks of one child, where its policy sets no limit: Bun's own and those of its pools.
const TASKS_OF_ONE: u64 = 128;

/// Why calls under `policy` are not forked: what one call leaves there, another would find.
pub(crate) fn obstacle(policy: &ExpandedPolicy, layers: Layers) -> Option<&'static str> {
    let obstacles = [
        (
            layers.files == Files::Host,
            "without namespaces, a process reads of /proc what belongs to the one that forked it",
        ),
        (!resolve::engine(policy).jit, "\"jit\": false: forking needs bun:ffi, which makes machine code"),
        (network::is_granted(policy), "grants of a network: the calls would be in one network namespace"),
        (programs::grants_any(policy), "grants of run: the calls would see each other's processes"),
        (native::any(policy), "grants of native code: it may start threads before the fork"),
        (
            resolve::has_private_tmp(policy),
            "a temporary folder that may be written to: the calls would have one together",
        ),
        (policy.kernel.requires(Protection::Cgroup), "kernel.require lists cgroup: the calls would be in one group"),
    ];
    obstacles.into_iter().find_map(|(is_there, why)| is_there.then_some(why))
}

/// The limits of a server, which hold for its children as well unless they are lower.
pub(crate) fn limits_of_all(policy: &ExpandedPolicy) -> ProcessLimits {
    ProcessLimits {
        // It lives on when a call has used up its time.
        cpu_s: None,
        // The kernel counts all of them together; those of one child are counted by who looks after it.
        tasks: Some(policy.limits.threads.unwrap_or(TASKS_OF_ONE).saturating_mul(MOST_CHILDREN)),
        ..limits_of_a_process(policy)
    }
}

/// What a child lowers before anything of its call is there.
fn limits_of_one(policy: &ExpandedPolicy) -> Limits {
    /// getrlimit(2).
    const RLIMIT_CPU: u32 = 0;
    let limit = limits_of_a_process(policy).cpu_s.map(|s| Limit { resource: RLIMIT_CPU, soft: s, hard: s });
    limit.and_then(|limit| Limits::default().and(limit)).unwrap_or_default()
}

fn limits_of_a_process(policy: &ExpandedPolicy) -> ProcessLimits {
    resolve::process_limits(policy, Processes::Copies, Files::Own)
}
