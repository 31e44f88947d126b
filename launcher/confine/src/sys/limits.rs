//! Resource limits and no_new_privs.

use super::call::{Errno, int, raw};

/// A kernel resource limit (getrlimit(2)). C libraries disagree about the type of these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(isize)]
#[allow(clippy::cast_possible_wrap, reason = "the numbers are small, whatever type they have")]
pub(crate) enum Resource {
    /// CPU time of the process, in seconds.
    Cpu = libc::RLIMIT_CPU as isize,
    /// Largest file it may write, in bytes.
    FileSize = libc::RLIMIT_FSIZE as isize,
    /// Size of a core dump, in bytes.
    Core = libc::RLIMIT_CORE as isize,
    /// Tasks of its user in its user namespace.
    Tasks = libc::RLIMIT_NPROC as isize,
    /// One more than the highest descriptor number.
    OpenFiles = libc::RLIMIT_NOFILE as isize,
    /// Bytes of memory it may lock.
    LockedMemory = libc::RLIMIT_MEMLOCK as isize,
    /// Bytes in POSIX message queues.
    MessageQueues = libc::RLIMIT_MSGQUEUE as isize,
}

/// Soft and hard limit of the calling process (prlimit(2)).
fn limits(resource: Resource) -> Result<[u64; 2], Errno> {
    let mut limit = [0u64; 2];
    // SAFETY: the kernel writes one `struct rlimit64`, two u64; pid 0 is the caller.
    unsafe { raw(libc::SYS_prlimit64, [0, resource as usize, 0, limit.as_mut_ptr() as usize, 0, 0]) }?;
    Ok(limit)
}

fn set_limits(resource: Resource, limit: [u64; 2]) -> Result<(), Errno> {
    // SAFETY: the kernel reads one `struct rlimit64`, two u64; pid 0 is the caller.
    unsafe { raw(libc::SYS_prlimit64, [0, resource as usize, limit.as_ptr() as usize, 0, 0, 0]) }?;
    Ok(())
}

/// Sets soft and hard limit of the calling process to `value`, or to the hard limit where that is lower already: a
/// host's own limits are never raised.
pub(crate) fn set_limit(resource: Resource, value: u64) -> Result<(), Errno> {
    let [_, hard] = limits(resource)?;
    let value = value.min(hard);
    set_limits(resource, [value, value])
}

/// Lets the calling process open as many descriptors as its hard limit allows (prlimit(2)): it needs some for each
/// process that it looks at and each call that it answers. An error of `EMFILE` says that `least` are not allowed.
pub(crate) fn raise_open_files(least: u64) -> Result<(), Errno> {
    let [soft, hard] = limits(Resource::OpenFiles)?;
    if hard < least {
        return Err(Errno(libc::EMFILE));
    }
    if soft < hard { set_limits(Resource::OpenFiles, [hard, hard]) } else { Ok(()) }
}

/// No program run from here on gains privileges by exec (`PR_SET_NO_NEW_PRIVS`); seccomp and Landlock ask for it.
pub(crate) fn no_new_privileges() -> Result<(), Errno> {
    // SAFETY: this option takes integers.
    unsafe { raw(libc::SYS_prctl, [int(libc::PR_SET_NO_NEW_PRIVS), 1, 0, 0, 0, 0]) }?;
    Ok(())
}
