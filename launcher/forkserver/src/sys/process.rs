//! This process, and its children.

use super::{Errno, Fd, Result, fd, int, number, raw, uninterrupted};
use crate::messages::Reaped;

/// Ends the process, all threads of it.
pub(crate) fn exit(code: i32) -> ! {
    loop {
        // SAFETY: exit_group takes no pointer.
        let _ = unsafe { raw(number::EXIT_GROUP, [int(code), 0, 0, 0, 0, 0]) };
    }
}

pub(crate) fn pid() -> u32 {
    // SAFETY: getpid takes no argument.
    unsafe { raw(number::GETPID, [0; 6]) }.ok().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0)
}

/// Fills `bytes` with random ones (getrandom(2)).
pub(crate) fn random(bytes: &mut [u8]) -> Result<()> {
    let (place, length) = (bytes.as_mut_ptr() as usize, bytes.len());
    // SAFETY: the kernel writes at most as many bytes as the slice has.
    let got = uninterrupted(|| unsafe { raw(number::GETRANDOM, [place, length, 0, 0, 0, 0]) })?;
    if got == length { Ok(()) } else { Err(Errno::EAGAIN) }
}

/// An operation of prctl(2) whose arguments are plain numbers.
pub(crate) fn prctl(operation: usize, argument: usize) -> Result<()> {
    // SAFETY: the operation that is used takes no pointer.
    unsafe { raw(number::PRCTL, [operation, argument, 0, 0, 0, 0]) }.map(|_| ())
}

/// Sets a limit of this process (prlimit(2)).
pub(crate) fn set_limit(resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limit = [soft, hard];
    // SAFETY: the kernel reads one `rlimit64`, two numbers of 64 bits, ours.
    unsafe { raw(number::PRLIMIT64, [0, resource as usize, limit.as_ptr() as usize, 0, 0, 0]) }.map(|_| ())
}

/// A descriptor of a process (pidfd_open(2)), close-on-exec.
pub(crate) fn pidfd(pid: u32) -> Result<Fd> {
    // SAFETY: pidfd_open takes no pointer.
    fd(unsafe { raw(number::PIDFD_OPEN, [pid as usize, 0, 0, 0, 0, 0]) })
}

/// Forgets the child `pid`, if it has ended (wait4(2)).
pub(crate) fn reap(pid: u32) -> Result<Option<Reaped>> {
    const WNOHANG: usize = 1;
    const ECHILD: Errno = Errno(10);
    /// `struct rusage` of getrusage(2): two times, and 14 numbers of which the first is wanted.
    #[repr(C)]
    #[derive(Default)]
    struct Usage {
        user: [i64; 2],
        system: [i64; 2],
        peak_memory_kib: i64,
        rest: [i64; 13],
    }
    let (mut status, mut usage) = (0i32, Usage::default());
    let (status_place, usage_place) = (&raw mut status as usize, &raw mut usage as usize);
    let wanted = i32::try_from(pid).unwrap_or(i32::MAX);
    // SAFETY: the kernel writes one int and one `rusage`, ours.
    match unsafe { raw(number::WAIT4, [int(wanted), status_place, WNOHANG, usage_place, 0, 0]) } {
        Ok(0) | Err(ECHILD) => Ok(None),
        Ok(found) => Ok(Some(Reaped {
            pid: u32::try_from(found).map_err(|_| Errno::ESRCH)?,
            status,
            user_us: microseconds(usage.user),
            system_us: microseconds(usage.system),
            peak_memory_kib: usage.peak_memory_kib.cast_unsigned(),
        })),
        Err(errno) => Err(errno),
    }
}

/// Waits for the end of the child `pid` (wait4(2)): its exit code, or the signal that ended it, negated.
pub(crate) fn wait(pid: u32) -> Result<i32> {
    let mut status = 0i32;
    let (wanted, place) = (int(i32::try_from(pid).unwrap_or(i32::MAX)), &raw mut status as usize);
    // SAFETY: the kernel writes one int, ours; the usage may be null.
    uninterrupted(|| unsafe { raw(number::WAIT4, [wanted, place, 0, 0, 0, 0]) })?;
    // As wait(2) has it: the signal in the lowest seven bits, the code in the next byte.
    let (signal, code) = (status & 0x7f, (status >> 8) & 0xff);
    Ok(if signal == 0 { code } else { -signal })
}

fn microseconds([seconds, microseconds]: [i64; 2]) -> u64 {
    seconds.cast_unsigned().saturating_mul(1_000_000).saturating_add(microseconds.cast_unsigned())
}
