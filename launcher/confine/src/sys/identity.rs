//! Who the process is: ids, signals, its parent.

use super::call::{Errno, int, raw};

/// The caller's process id.
pub(crate) fn pid() -> u32 {
    // SAFETY: getpid takes no arguments and cannot fail.
    unsafe { raw(libc::SYS_getpid, [0; 6]) }.map_or(0, |pid| u32::try_from(pid).unwrap_or(0))
}

/// The parent's process id, 0 when the parent is outside our pid namespace.
pub(crate) fn parent_pid() -> u32 {
    // SAFETY: getppid takes no arguments and cannot fail.
    unsafe { raw(libc::SYS_getppid, [0; 6]) }.map_or(0, |pid| u32::try_from(pid).unwrap_or(0))
}

const KEEP: usize = usize::MAX;

/// Changes the effective ids of the calling thread only; real and saved ones stay, so that it can change back.
pub(crate) fn set_effective_ids(uid: u32, gid: u32) -> Result<(), Errno> {
    // The group goes first while user 0 still may; on the way back the user must come first.
    let change_group = || {
        // SAFETY: setresgid takes no pointer.
        unsafe { raw(libc::SYS_setresgid, [KEEP, gid as usize, KEEP, 0, 0, 0]) }
    };
    let change_user = || {
        // SAFETY: setresuid takes no pointer.
        unsafe { raw(libc::SYS_setresuid, [KEEP, uid as usize, KEEP, 0, 0, 0]) }
    };
    if uid == 0 {
        change_user()?;
        change_group()?;
    } else {
        change_group()?;
        change_user()?;
    }
    Ok(())
}

/// Does `act` as another user, on the calling thread alone. Saved ids stay, so that root can change back.
///
/// For as long as it takes, that user may signal this thread (kill(2)).
pub(crate) fn as_user<T>(uid: u32, gid: u32, act: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
    let change = |call, id: u32| {
        // SAFETY: setresuid and setresgid take no pointer.
        unsafe { raw(call, [id as usize, id as usize, KEEP, 0, 0, 0]) }
    };
    change(libc::SYS_setresgid, gid)?;
    let done = change(libc::SYS_setresuid, uid).and_then(|_| {
        let done = act();
        change(libc::SYS_setresuid, 0)?;
        done
    });
    change(libc::SYS_setresgid, 0)?;
    done
}

/// Sets real, effective and saved ids of the calling thread.
pub(crate) fn set_ids(uid: u32, gid: u32) -> Result<(), Errno> {
    let (uid, gid) = (uid as usize, gid as usize);
    // SAFETY: setresgid takes no pointer.
    unsafe { raw(libc::SYS_setresgid, [gid, gid, gid, 0, 0, 0]) }?;
    // SAFETY: setresuid takes no pointer.
    unsafe { raw(libc::SYS_setresuid, [uid, uid, uid, 0, 0, 0]) }?;
    Ok(())
}

/// Drops all supplementary groups.
pub(crate) fn clear_groups() -> Result<(), Errno> {
    // SAFETY: with a count of 0 the pointer is not read (setgroups(2)).
    unsafe { raw(libc::SYS_setgroups, [0; 6]) }?;
    Ok(())
}

/// Gives up every capability, inheritable and ambient ones included (capset(2)).
pub(crate) fn drop_capabilities() -> Result<(), Errno> {
    /// `_LINUX_CAPABILITY_VERSION_3`, and the calling thread.
    const HEADER: [u32; 2] = [0x2008_0522, 0];
    /// Effective, permitted and inheritable ones, twice 32 of them.
    const NONE: [u32; 6] = [0; 6];
    let mut header = HEADER;
    let (header, none) = (header.as_mut_ptr() as usize, NONE.as_ptr() as usize);
    // SAFETY: the kernel reads a header of two words, which it may correct, and two sets of three words.
    unsafe { raw(libc::SYS_capset, [header, none, 0, 0, 0, 0]) }?;
    Ok(())
}

/// Whether others of the same user may look into this address space: `/proc/PID` belongs to the user when they may,
/// to root when not (`PR_SET_DUMPABLE`).
pub(crate) fn set_dumpable(dumpable: bool) -> Result<(), Errno> {
    // SAFETY: this option takes an integer.
    unsafe { raw(libc::SYS_prctl, [int(libc::PR_SET_DUMPABLE), usize::from(dumpable), 0, 0, 0, 0]) }?;
    Ok(())
}

/// The child dies when the thread that made it does (`PR_SET_PDEATHSIG`).
pub(crate) fn set_parent_death_signal(signal: i32) -> Result<(), Errno> {
    // SAFETY: this option takes an integer.
    unsafe { raw(libc::SYS_prctl, [int(libc::PR_SET_PDEATHSIG), int(signal), 0, 0, 0, 0]) }?;
    Ok(())
}

/// umask(2), which cannot fail.
pub(crate) fn set_umask(mask: u32) {
    // SAFETY: umask takes an integer.
    let _ = unsafe { raw(libc::SYS_umask, [mask as usize, 0, 0, 0, 0, 0]) };
}

/// The kernel's own signal set size, not libc's (rt_sigprocmask(2)).
pub(super) const SIGNAL_SET_BYTES: usize = 8;

/// Gives every signal its default action and unblocks all: what the launcher ignores or handles must not leak into
/// the program. The caller's pending handlers cannot run here, all signals are blocked until the last step.
pub(crate) fn reset_signals() -> Result<(), Errno> {
    default_signals()?;
    set_signal_mask(0)?;
    Ok(())
}

/// Gives every signal its default action.
pub(crate) fn default_signals() -> Result<(), Errno> {
    (1..=64).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal)).try_for_each(default_signal)
}

/// Gives one signal its default action (rt_sigaction(2)).
pub(crate) fn default_signal(signal: i32) -> Result<(), Errno> {
    // The kernel's sigaction starts with the handler; all zero is SIG_DFL with no flags and an empty mask.
    let default = [0u64; 4];
    // SAFETY: the kernel reads one sigaction of 32 bytes from `default` and writes nothing.
    unsafe { raw(libc::SYS_rt_sigaction, [int(signal), default.as_ptr() as usize, 0, SIGNAL_SET_BYTES, 0, 0]) }?;
    Ok(())
}

/// A signal that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signal {
    /// Its number.
    pub number: i32,
    /// A process outside our pid namespace has sent it; neither one inside nor the kernel.
    pub from_outside: bool,
}

/// Waits for a blocked signal (rt_sigtimedwait(2)); `None` when it was woken without one.
pub(crate) fn next_signal() -> Option<Signal> {
    /// The first words of `siginfo_t`: number, errno, code, padding, and for a signal that was sent, the sender.
    #[repr(C, align(8))]
    struct Info([i32; 32]);
    let all = u64::MAX;
    let mut info = Info([0; 32]);
    let (set, filled) = (&raw const all as usize, &raw mut info as usize);
    // SAFETY: the kernel reads 8 bytes from `all` and writes one siginfo of 128 bytes, the size of `Info`.
    let number = unsafe { raw(libc::SYS_rt_sigtimedwait, [set, filled, 0, SIGNAL_SET_BYTES, 0, 0]) }.ok()?;
    let Info([_, _, code, _, sender, ..]) = info;
    // Codes above 0 are the kernel's. A sender that our namespace does not know is number 0.
    Some(Signal { number: i32::try_from(number).ok()?, from_outside: code <= 0 && sender == 0 })
}

/// kill(2). That the process has ended already is not an error.
pub(crate) fn send_signal(pid: u32, signal: i32) {
    // SAFETY: kill takes integers.
    let _ = unsafe { raw(libc::SYS_kill, [pid as usize, int(signal), 0, 0, 0, 0]) };
}

/// Replaces the calling thread's mask of blocked signals and returns the one before.
pub(super) fn set_signal_mask(mask: u64) -> Result<u64, Errno> {
    let mut before = 0u64;
    let (set, old) = (&raw const mask as usize, &raw mut before as usize);
    // SAFETY: the kernel reads 8 bytes from `mask` and writes 8 to `before`; both live until the call returns.
    unsafe { raw(libc::SYS_rt_sigprocmask, [int(libc::SIG_SETMASK), set, old, SIGNAL_SET_BYTES, 0, 0]) }?;
    Ok(before)
}
