//! From a policy and a host to a plan: what exactly the kernel is asked to do.

pub mod environment;
mod filesystem;
pub mod host_view;
pub mod look;
pub mod native;
pub mod network;
pub mod programs;
pub mod runtime;
pub(crate) mod seen;
mod sight;

use confine::seccomp::Files;
use confine::{Identity, Processes, Root};
use policy::ExpandedPolicy;

pub use filesystem::{Shown, filesystem, has_private_tmp};
use look::RealFiles;
use programs::Programs;
pub use sight::{Found, Sight, sight};

use crate::error::Error;
use runtime::Engine;

const MB: u64 = 1 << 20;

/// The file system that a policy makes: what is granted, granted programs, and what every program finds. Bun itself
/// and its libraries are not in it, nor what secure-bun puts in for its own use.
pub fn visible(policy: &ExpandedPolicy, identity: Identity) -> Result<Root, Error> {
    let mut root = Root::default();
    runtime::show_surroundings(&mut root)?;
    Ok(lay_out(root, policy, identity, Programs::granted(policy, crate::host::cache())?)?.root)
}

/// What a policy grants, laid out on top of `root`, which holds what the program itself is made of. Libraries come
/// first: where the host's folders of libraries are shown as well, theirs are the places that symbolic links lead to.
pub(crate) fn lay_out(
    mut root: Root,
    policy: &ExpandedPolicy,
    identity: Identity,
    programs: Programs,
) -> Result<Shown, Error> {
    native::show(&mut root, policy)?;
    network::show(&mut root, policy)?;
    let dropped = matches!(identity, Identity::Dropped { .. });
    let mut shown = filesystem(policy, &RealFiles, root, dropped)?;
    programs.show(&mut shown.root, policy)?;
    Ok(shown)
}

/// Limits that the kernel keeps per process.
pub fn process_limits(policy: &ExpandedPolicy, processes: Processes, files: Files) -> confine::ProcessLimits {
    let limits = policy.limits;
    // The init of a tree is a task as well, but none of the program's.
    let init = u64::from(processes.has_init());
    confine::ProcessLimits {
        // The supervisor ends the tree to the millisecond; the kernel's whole seconds are there in case it cannot.
        cpu_s: limits.cpu_ms.map(|ms| ms.div_ceil(1000) + 1),
        file_bytes: limits.file_mb.map(|mb| mb * MB),
        // Without a user namespace the kernel would count all tasks of the user; the supervisor counts then.
        tasks: limits.threads.filter(|_| files == Files::Own).map(|tasks| tasks + init),
        open_files: limits.open_files.unwrap_or(confine::seccomp::EXEC_FD.unsigned_abs().into()),
    }
}

/// The engine's switches.
pub fn engine(policy: &ExpandedPolicy) -> Engine {
    Engine {
        jit: policy.js.jit(),
        wasm: policy::decide(policy, &policy::Request::Wasm).allowed,
        stack_bytes: policy.limits.stack_kb.map(|kb| kb * 1024),
        forks: false,
    }
}

/// Whether code may be compiled from strings.
pub fn eval(policy: &ExpandedPolicy) -> bool {
    policy::decide(policy, &policy::Request::Eval).allowed
}
