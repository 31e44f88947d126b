//! Becoming the program.

use core::convert::Infallible;
use core::ffi::{CStr, c_char};
use core::mem::MaybeUninit;
use core::time::Duration;

use super::call::{Errno, int, raw};
use super::fd::Fd;

/// chdir(2).
pub(crate) fn change_directory(path: &CStr) -> Result<(), Errno> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { raw(libc::SYS_chdir, [path.as_ptr() as usize, 0, 0, 0, 0, 0]) }?;
    Ok(())
}

/// fchdir(2).
pub(crate) fn enter_directory(dir: Fd) -> Result<(), Errno> {
    // SAFETY: fchdir takes no pointer.
    unsafe { raw(libc::SYS_fchdir, [int(dir.0), 0, 0, 0, 0, 0]) }?;
    Ok(())
}

/// Ends the calling process at once, running no handler of the parent whose memory it may share.
pub(crate) fn exit_now(status: i32) -> ! {
    loop {
        // SAFETY: exit_group takes an integer; it does not return.
        let _ = unsafe { raw(libc::SYS_exit_group, [int(status), 0, 0, 0, 0, 0]) };
    }
}

/// How a child ended and what it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code, when it exited.
    pub code: Option<i32>,
    /// The signal that ended it, when one did.
    pub signal: Option<i32>,
    /// CPU time of it and of the children it waited for.
    pub cpu: Duration,
    /// The most memory it had resident, in bytes.
    pub peak_resident_bytes: u64,
}

impl Ended {
    /// As a wait status (wait(2)) and what was used say it.
    pub fn of(status: i32, cpu: Duration, peak_resident_bytes: u64) -> Self {
        Self { code: None, signal: None, cpu, peak_resident_bytes }.with(status)
    }

    /// By a signal, of which nobody has told more.
    pub const fn by_signal(signal: i32, cpu: Duration) -> Self {
        Self { code: None, signal: Some(signal), cpu, peak_resident_bytes: 0 }
    }

    /// The same, with another wait status.
    pub(super) fn with(self, status: i32) -> Self {
        Self {
            code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
            signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
            ..self
        }
    }
}

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It has ended; its wait status.
    Ended(i32),
    /// It is held, because of this signal.
    Held(i32),
}

/// Waits for a change of one child, or of any that has changed already with `None` (wait4(2)). `None` when there is no
/// child of that kind, or none has changed.
pub(crate) fn next_change(pid: Option<u32>) -> Option<(u32, Change)> {
    let (wanted, options) = match pid {
        Some(pid) => (i32::try_from(pid).ok()?, 0),
        None => (-1, libc::WNOHANG),
    };
    loop {
        let mut status = 0i32;
        // SAFETY: the kernel writes one int, ours; no usage is asked for.
        match unsafe { raw(libc::SYS_wait4, [int(wanted), &raw mut status as usize, int(options), 0, 0, 0]) } {
            Ok(0) => return None,
            Ok(pid) => {
                let change =
                    if libc::WIFSTOPPED(status) { Change::Held(libc::WSTOPSIG(status)) } else { Change::Ended(status) };
                return Some((u32::try_from(pid).ok()?, change));
            }
            Err(Errno(libc::EINTR)) => {}
            Err(_) => return None,
        }
    }
}

/// A descriptor of process `pid` (pidfd_open(2)).
pub(crate) fn open_pidfd(pid: u32) -> Result<Fd, Errno> {
    // SAFETY: pidfd_open takes integers.
    super::fd::as_fd(unsafe { raw(libc::SYS_pidfd_open, [pid as usize, 0, 0, 0, 0, 0]) })
}

/// Whether the process of a pidfd has ended (ppoll(2)).
pub(crate) fn has_ended(pidfd: Fd) -> bool {
    let mut poll = libc::pollfd { fd: pidfd.0, events: libc::POLLIN, revents: 0 };
    let mut now = [0i64; 2];
    let (polled, timeout) = (&raw mut poll as usize, &raw mut now as usize);
    // SAFETY: the kernel reads and writes one pollfd and may write to the timespec of two words; no mask is given.
    let answer = unsafe { raw(libc::SYS_ppoll, [polled, 1, timeout, 0, 0, 0]) };
    answer != Ok(0)
}

/// Waits for the end of child `pid` and forgets it (wait4(2)).
pub(crate) fn reap(pid: u32) -> Result<Ended, Errno> {
    let pid = i32::try_from(pid).map_err(|_| Errno::EINVAL)?;
    let mut status = 0i32;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        let (status, usage) = (&raw mut status as usize, usage.as_mut_ptr() as usize);
        // SAFETY: the kernel writes one int and one `struct rusage`, both ours.
        match unsafe { raw(libc::SYS_wait4, [int(pid), status, 0, usage, 0, 0]) } {
            Ok(_) => break,
            Err(Errno(libc::EINTR)) => {}
            Err(errno) => return Err(errno),
        }
    }
    // SAFETY: all bytes zero is a valid `rusage`, and the kernel has filled it.
    let usage = unsafe { usage.assume_init() };
    let time = |value: libc::timeval| {
        let micros = value.tv_sec.saturating_mul(1_000_000).saturating_add(value.tv_usec);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    };
    Ok(Ended {
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        peak_resident_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0).saturating_mul(1024),
    })
}

/// Random bits that nobody can foresee (getrandom(2)).
pub(crate) fn random() -> Result<u64, Errno> {
    let mut bytes = [0u8; 8];
    // SAFETY: the kernel writes at most 8 bytes; requests of up to 256 bytes are never short.
    unsafe { raw(libc::SYS_getrandom, [bytes.as_mut_ptr() as usize, bytes.len(), 0, 0, 0, 0]) }?;
    Ok(u64::from_ne_bytes(bytes))
}

/// What to run, laid out as execveat(2) wants it. Borrowing keeps every pointer in it alive.
pub(crate) struct Exec<'a> {
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    strings: core::marker::PhantomData<&'a CStr>,
}

impl<'a> Exec<'a> {
    /// Lays the strings out; allocates, so it is made before the clone.
    pub(crate) fn new(argv: impl Iterator<Item = &'a CStr>, envp: impl Iterator<Item = &'a CStr>) -> Self {
        let terminated = |strings: &mut dyn Iterator<Item = &'a CStr>| {
            strings.map(CStr::as_ptr).chain(core::iter::once(core::ptr::null())).collect::<Vec<_>>()
        };
        let (mut argv, mut envp) = (argv, envp);
        Self { argv: terminated(&mut argv), envp: terminated(&mut envp), strings: core::marker::PhantomData }
    }
}

/// Runs the file that `fd` refers to (execveat(2) with `AT_EMPTY_PATH`); returns only to say why it could not.
/// `key` goes along as a sixth argument, which the kernel ignores and a seccomp filter can ask for.
pub(crate) fn exec(fd: Fd, exec: &Exec<'_>, key: u64) -> Result<Infallible, Errno> {
    let (argv, envp) = (exec.argv.as_ptr() as usize, exec.envp.as_ptr() as usize);
    let key = usize::try_from(key).map_err(|_| Errno::EINVAL)?;
    // SAFETY: both arrays end with a null pointer and hold NUL-terminated strings that `exec` borrows.
    unsafe { raw(libc::SYS_execveat, [int(fd.0), c"".as_ptr() as usize, argv, envp, int(libc::AT_EMPTY_PATH), key]) }?;
    // A successful exec does not come back; a kernel that says otherwise is not to be trusted further.
    Err(Errno::EINVAL)
}

/// Runs the file at `path` (execve(2)); returns only to say why it could not. `key` goes along as in [`exec`].
pub(crate) fn exec_path(path: &CStr, exec: &Exec<'_>, key: u64) -> Result<Infallible, Errno> {
    let (argv, envp) = (exec.argv.as_ptr() as usize, exec.envp.as_ptr() as usize);
    let key = usize::try_from(key).map_err(|_| Errno::EINVAL)?;
    // SAFETY: `path` is NUL-terminated; both arrays end with a null pointer and hold NUL-terminated strings that `exec`
    // borrows.
    unsafe { raw(libc::SYS_execve, [path.as_ptr() as usize, argv, envp, 0, 0, key]) }?;
    Err(Errno::EINVAL)
}

/// Overwrites the variables that the process was started with, where /proc shows them. Only for a process that was cloned,
/// which has one thread, and that reads none of them any more.
pub(crate) fn forget_environment() {
    unsafe extern "C" {
        static environ: *const *mut libc::c_char;
    }
    // SAFETY: the only thread is here, so that nobody changes the list meanwhile.
    let mut entry = unsafe { environ };
    if entry.is_null() {
        return;
    }
    loop {
        // SAFETY: the list ends with a null pointer (environ(7)), which has not been met yet.
        let text = unsafe { *entry };
        if text.is_null() {
            return;
        }
        // SAFETY: each entry is a NUL-terminated string.
        let length = unsafe { CStr::from_ptr(text) }.count_bytes();
        // SAFETY: so many bytes are there, in memory that is the process's own to write to. The only thread is here, and
        // holds no reference into them: the standard library copies what it reads.
        unsafe { core::slice::from_raw_parts_mut(text, length) }.fill(0);
        entry = entry.wrapping_add(1);
    }
}
