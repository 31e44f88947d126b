//! Holding a child at its exec (ptrace(2)).

use super::call::{Errno, int, raw};

/// Lets the parent hold the calling process: at its next exec it stops, before any code of the program runs.
pub(crate) fn trace_me() -> Result<(), Errno> {
    // SAFETY: PTRACE_TRACEME ignores its other arguments.
    unsafe { raw(libc::SYS_ptrace, [libc::PTRACE_TRACEME as usize, 0, 0, 0, 0, 0]) }?;
    Ok(())
}

/// Lets a held child go on, with `signal` if it is not 0.
pub(crate) fn go_on(pid: u32, signal: i32) -> Result<(), Errno> {
    // SAFETY: PTRACE_CONT takes integers.
    unsafe { raw(libc::SYS_ptrace, [libc::PTRACE_CONT as usize, pid as usize, 0, int(signal), 0, 0]) }?;
    Ok(())
}

/// Lets a held child go on, for good.
pub(crate) fn let_go(pid: u32) -> Result<(), Errno> {
    // SAFETY: PTRACE_DETACH takes integers.
    unsafe { raw(libc::SYS_ptrace, [libc::PTRACE_DETACH as usize, pid as usize, 0, 0, 0, 0]) }?;
    Ok(())
}
