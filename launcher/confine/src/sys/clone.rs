//! A child that shares the parent's memory until it runs its program.

use core::ffi::c_void;
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::call::{Errno, int, raw};
use super::fd::{Fd, open_path};
use super::identity::set_signal_mask;
use super::shared::Shared;

/// Namespaces that a child starts in (clone(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CloneFlags(pub i32);

/// A child and a descriptor that refers to it, whatever becomes of its number.
#[derive(Debug)]
pub struct Child {
    /// Its process id as the parent sees it.
    pub pid: u32,
    /// Its pidfd (pidfd_open(2)): readable when it has ended.
    pub pidfd: OwnedFd,
    /// Its entries in /proc, where Landlock rules depend on them.
    proc_entries: Vec<OwnedFd>,
    /// Where it leaves how the program ended, if it is the init of a tree and not the program itself.
    pub(crate) program: Option<Shared<i32>>,
}

/// What a child has of the memory of its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// All of it, while the parent is suspended until the child has run its program or ended
    /// (`CLONE_VM | CLONE_VFORK`): nothing is copied, which saves a fork's page tables.
    Borrowed,
    /// A copy.
    Copied,
}

/// A stack for one child at a time, with an unmapped page below it.
pub(crate) struct Stack {
    base: *mut c_void,
}

impl Child {
    /// Ends it at once (pidfd_send_signal(2)). That it has ended already is not an error.
    pub fn kill(&self) {
        self.signal(libc::SIGKILL);
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        has_ended(&self.pidfd)
    }

    /// Whether it is the init of a tree, and the program below it.
    pub const fn is_init(&self) -> bool {
        self.program.is_some()
    }

    /// Sends it a signal, if it is still there.
    pub fn signal(&self, signal: i32) {
        send(&self.pidfd, signal);
    }

    /// Holds on to what is at `paths` below /proc/self for the child, as long as this value lives: an entry that nobody
    /// uses may be forgotten and made anew, and a rule that allows the old one is not about the new one.
    pub(crate) fn with_own_entries(mut self, paths: &[&CStr]) -> Self {
        let own = format!("/proc/{}/", self.pid);
        let path = |path: &&CStr| CString::new(path.to_string_lossy().replace("/proc/self/", &own)).ok();
        // It may have ended already; then nobody looks there.
        let opened = |path: CString| open_path(Fd::CWD, &path).map(super::fd::own).ok();
        self.proc_entries = paths.iter().filter_map(path).filter_map(opened).collect();
        self
    }

    /// Waits for its end and forgets it. May be called once.
    pub fn reap(&self) -> Result<super::process::Ended, Errno> {
        let ended = super::process::reap(self.pid)?;
        let status = self.program.as_ref().and_then(Shared::get);
        Ok(status.map_or(ended, |status| ended.with(status)))
    }
}

/// Whether the process of a pidfd has ended.
pub fn has_ended(pidfd: &OwnedFd) -> bool {
    super::process::has_ended(Fd(pidfd.as_raw_fd()))
}

/// Ends the process of a pidfd at once. That it has ended already is not an error.
pub fn kill(pidfd: &OwnedFd) {
    send(pidfd, libc::SIGKILL);
}

fn send(pidfd: &OwnedFd, signal: i32) {
    let fd = int(pidfd.as_raw_fd());
    // SAFETY: a null siginfo asks for the ordinary one; the descriptor is open.
    let _ = unsafe { raw(libc::SYS_pidfd_send_signal, [fd, int(signal), 0, 0, 0, 0]) };
}

const STACK_BYTES: usize = 128 * 1024;
const GUARD_BYTES: usize = 4096;

impl Stack {
    /// Maps the stack; the pages are given by the kernel as they are touched.
    pub(crate) fn new() -> Result<Self, Errno> {
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches no memory of ours.
        let base = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                STACK_BYTES,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(last_errno());
        }
        let stack = Self { base };
        // SAFETY: the first page of the mapping made above is ours and unused.
        if unsafe { libc::mprotect(base, GUARD_BYTES, libc::PROT_NONE) } != 0 {
            return Err(last_errno());
        }
        Ok(stack)
    }

    /// Where a child's stack begins; it grows down from here.
    pub(super) fn top(&mut self) -> *mut c_void {
        // SAFETY: one past the end of the mapping made by `new`.
        unsafe { self.base.byte_add(STACK_BYTES) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this size, and no child runs on it: `clone_in` returns only
        // after the child has left it, or with the child on a copy.
        unsafe { libc::munmap(self.base, STACK_BYTES) };
    }
}

pub(super) fn last_errno() -> Errno {
    Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL))
}

/// Starts a child in the namespaces `flags` that calls `body(context)`.
///
/// All signals are blocked meanwhile, so that no handler of the caller runs in the child; it begins with all blocked.
///
/// `body` must not return normally, allocate, lock, panic or use `errno`: the child may share all memory, thread-local
/// storage included, with the caller. Other threads of the process go on meanwhile; of what `body` uses nothing may be
/// theirs to change.
pub(crate) fn clone_in<T>(
    flags: CloneFlags,
    memory: Memory,
    stack: &mut Stack,
    body: fn(&T) -> !,
    context: &T,
) -> Result<Child, Errno> {
    struct Start<'a, T> {
        body: fn(&T) -> !,
        context: &'a T,
    }
    extern "C" fn entry<T>(start: *mut c_void) -> i32 {
        // SAFETY: `start` points to the `Start` below, alive while the caller is suspended.
        let start = unsafe { &*start.cast::<Start<'_, T>>() };
        (start.body)(start.context)
    }
    let start = Start { body, context };
    let mut pidfd: i32 = -1;
    let memory = match memory {
        Memory::Borrowed => libc::CLONE_VM | libc::CLONE_VFORK,
        Memory::Copied => 0,
    };
    let all = flags.0 | memory | libc::CLONE_PIDFD | libc::SIGCHLD;
    let blocked = set_signal_mask(u64::MAX)?;
    // SAFETY: the stack grows down from the end of a mapping of this size; `start` and `pidfd` outlive the suspension,
    // and a child with a copy has copies of them and of the stack.
    // With CLONE_PIDFD the first variadic argument receives the descriptor.
    let pid =
        unsafe { libc::clone(entry::<T>, stack.top(), all, (&raw const start).cast_mut().cast(), &raw mut pidfd) };
    let failure = last_errno();
    set_signal_mask(blocked)?;
    let pid = u32::try_from(pid).map_err(|_| failure)?;
    // SAFETY: the kernel just opened this descriptor for us alone.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Child { pid, pidfd, proc_entries: Vec::new(), program: None })
}
