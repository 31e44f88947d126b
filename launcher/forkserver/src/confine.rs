//! What a child takes from itself before anything of its call is there.

use crate::filter::Filter;
use crate::messages::Limits;
use crate::sys::{self, Fd, Result};

/// Which step failed, as the child's exit code.
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
pub(crate) enum Step {
    Events = 72,
    Random = 73,
    Limits = 74,
    Domain = 75,
    Filter = 76,
}

/// Sets the limits of the call.
pub(crate) fn limit(limits: &Limits) -> Result<()> {
    limits.as_slice().iter().try_for_each(|limit| sys::set_limit(limit.resource, limit.soft, limit.hard))
}

/// Enters a Landlock domain of its own. A process reaches into another one, by /proc, ptrace(2) or its descriptors, only
/// if that is in its own domain or in one below it: siblings and the server are not. It takes nothing else away.
pub(crate) fn separate() -> Result<()> {
    const PR_SET_NO_NEW_PRIVS: usize = 38;
    const SCOPES_SINCE_ABI: usize = 6;
    const ABSTRACT_SOCKETS_AND_SIGNALS: u64 = 0b11;
    // Older kernels know no domain that handles nothing. This right is granted below the root, which is everywhere.
    const REFER: u64 = 1 << 13;
    sys::prctl(PR_SET_NO_NEW_PRIVS, 1)?;
    if sys::landlock_abi()? >= SCOPES_SINCE_ABI {
        let ruleset = sys::landlock_ruleset(0, ABSTRACT_SOCKETS_AND_SIGNALS)?;
        let result = sys::landlock_restrict(ruleset);
        sys::close(ruleset);
        return result;
    }
    let (ruleset, root) = (sys::landlock_ruleset(REFER, 0)?, sys::open(c"/")?);
    let result = sys::landlock_allow(ruleset, root, REFER).and_then(|()| sys::landlock_restrict(ruleset));
    sys::close(root);
    sys::close(ruleset);
    result
}

/// Loads the child's own filter.
pub(crate) fn filter(gate: Fd) -> Result<()> {
    sys::load_filter(Filter::for_process(sys::pid(), gate).code())
}

/// From here on the process ends when it draws a random number from the kernel.
pub(crate) fn end_at_random_numbers() -> Result<()> {
    sys::load_filter(Filter::without_random_numbers().code())
}
