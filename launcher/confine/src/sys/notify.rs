//! Answering system calls of another process (seccomp_unotify(2)).

use core::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::call::{Errno, int, raw};
use super::fd::{Fd, as_fd, own};

/// `struct seccomp_notif` of linux/seccomp.h, with the `struct seccomp_data` in it.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Request {
    /// The kernel's number for this call.
    pub(crate) id: u64,
    /// The thread, as seen from the reader's pid namespace; 0 if it is not there.
    pub(crate) thread: u32,
    flags: u32,
    /// The call's number.
    pub(crate) number: i32,
    architecture: u32,
    instruction: u64,
    /// Its arguments.
    pub(crate) arguments: [u64; 6],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// `struct seccomp_notif_addfd`.
#[repr(C)]
struct AddedDescriptor {
    id: u64,
    flags: u32,
    source: u32,
    target: u32,
    target_flags: u32,
}

// Of linux/seccomp.h: _IOWR('!', 0, …), _IOWR('!', 1, …), _IOW('!', 2, u64), _IOW('!', 3, …), _IOW('!', 4, u64).
const RECEIVE: usize = 0xC050_2100;
const SEND: usize = 0xC018_2101;
const IS_VALID: usize = 0x4008_2102;
const ADD_DESCRIPTOR: usize = 0x4018_2103;
const SET_FLAGS: usize = 0x4008_2104;

const _: () = assert!(size_of::<Request>() == 0x50 && size_of::<Response>() == 0x18);
const _: () = assert!(size_of::<AddedDescriptor>() == 0x18);

/// Puts the added descriptor at a given number (`SECCOMP_ADDFD_FLAG_SETFD`).
const AT_NUMBER: u32 = 1;

/// The waiting thread is run on the answering one's processor (`SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`).
const WAKE_ON_THIS_CPU: usize = 1;

/// Waits for the next request (`SECCOMP_IOCTL_NOTIF_RECV`).
pub(crate) fn receive(listener: BorrowedFd<'_>) -> Result<Request, Errno> {
    // The kernel refuses a buffer that is not all zero.
    let mut request = Request::default();
    // SAFETY: the kernel fills one `struct seccomp_notif`, ours.
    unsafe { raw(libc::SYS_ioctl, [int(listener.as_raw_fd()), RECEIVE, &raw mut request as usize, 0, 0, 0]) }?;
    Ok(request)
}

/// Ends the call `id` with a value or an error (`SECCOMP_IOCTL_NOTIF_SEND`).
pub(crate) fn respond(listener: BorrowedFd<'_>, id: u64, answer: Result<(), Errno>) -> Result<(), Errno> {
    let error = answer.err().map_or(0, |errno| -errno.0);
    let response = Response { id, value: 0, error, flags: 0 };
    // SAFETY: the kernel reads one `struct seccomp_notif_resp`, ours.
    unsafe { raw(libc::SYS_ioctl, [int(listener.as_raw_fd()), SEND, &raw const response as usize, 0, 0, 0]) }?;
    Ok(())
}

/// Whether the call `id` still waits (`SECCOMP_IOCTL_NOTIF_ID_VALID`).
pub(crate) fn is_waiting(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads one u64, ours.
    unsafe { raw(libc::SYS_ioctl, [int(listener.as_raw_fd()), IS_VALID, &raw const id as usize, 0, 0, 0]) }.is_ok()
}

/// Puts a copy of `source` at descriptor `target` of the caller of `id`, in place of what is there
/// (`SECCOMP_IOCTL_NOTIF_ADDFD`).
pub(crate) fn replace_descriptor(
    listener: BorrowedFd<'_>,
    id: u64,
    source: BorrowedFd<'_>,
    target: u32,
    close_on_exec: bool,
) -> Result<(), Errno> {
    let target_flags = if close_on_exec { libc::O_CLOEXEC.cast_unsigned() } else { 0 };
    let source = source.as_raw_fd().cast_unsigned();
    let added = AddedDescriptor { id, flags: AT_NUMBER, source, target, target_flags };
    let place = &raw const added as usize;
    // SAFETY: the kernel reads one `struct seccomp_notif_addfd`, ours.
    unsafe { raw(libc::SYS_ioctl, [int(listener.as_raw_fd()), ADD_DESCRIPTOR, place, 0, 0, 0]) }?;
    Ok(())
}

/// Has whoever waits run where the answer is given, which saves a third of the time (since Linux 6.6).
pub(crate) fn wake_on_this_cpu(listener: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: the flags are an integer.
    unsafe { raw(libc::SYS_ioctl, [int(listener.as_raw_fd()), SET_FLAGS, WAKE_ON_THIS_CPU, 0, 0, 0]) }?;
    Ok(())
}

/// Reads `buffer.len()` bytes of the memory of a process, or as many as there are before a hole
/// (process_vm_readv(2)).
pub(crate) fn read_memory(thread: u32, address: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
    let ours = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let theirs = libc::iovec {
        iov_base: usize::try_from(address).map_err(|_| Errno(libc::EFAULT))? as *mut libc::c_void,
        iov_len: buffer.len(),
    };
    let pid = usize::try_from(thread).map_err(|_| Errno::EINVAL)?;
    let (ours, theirs) = (&raw const ours as usize, &raw const theirs as usize);
    // SAFETY: the kernel writes at most `buffer.len()` bytes into the buffer; the other address is checked by it in
    // the other process.
    unsafe { raw(libc::SYS_process_vm_readv, [pid, ours, 1, theirs, 1, 0]) }
}

/// A descriptor of one thread, or (before Linux 6.9) of its process if it is the thread that leads that
/// (pidfd_open(2)).
pub(crate) fn open_thread(thread: u32) -> Result<OwnedFd, Errno> {
    const PIDFD_THREAD: i32 = libc::O_EXCL;
    let pid = usize::try_from(thread).map_err(|_| Errno::EINVAL)?;
    // SAFETY: pidfd_open takes no pointer.
    as_fd(unsafe { raw(libc::SYS_pidfd_open, [pid, int(PIDFD_THREAD), 0, 0, 0, 0]) }).map(own)
}

/// A copy of a descriptor of another process (pidfd_getfd(2)), close-on-exec.
pub(crate) fn copy_descriptor(process: BorrowedFd<'_>, number: Fd) -> Result<OwnedFd, Errno> {
    // SAFETY: pidfd_getfd takes no pointer.
    as_fd(unsafe { raw(libc::SYS_pidfd_getfd, [int(process.as_raw_fd()), int(number.0), 0, 0, 0, 0]) }).map(own)
}
