//! Files and descriptors.

use core::ffi::CStr;
use core::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};

use super::call::{Errno, int, raw};

/// A borrowed descriptor number. The child of [`super::clone_in`] owns no descriptors: all go with its exec or exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fd(pub i32);

impl Fd {
    /// The working directory, as the `*at` calls name it.
    pub(crate) const CWD: Self = Self(libc::AT_FDCWD);
}

/// Which object a descriptor refers to, whatever its name is by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    /// Device of the file system.
    pub device: u64,
    /// Inode number on it.
    pub inode: u64,
}

fn opened(result: Result<usize, Errno>) -> Result<Fd, Errno> {
    // A descriptor number is below RLIMIT_NOFILE, which the kernel caps far below i32::MAX.
    result.map(|fd| Fd(i32::try_from(fd).unwrap_or(-1)))
}

/// Turns the result of a raw call that opens something into a descriptor.
pub(super) fn as_fd(result: Result<usize, Errno>) -> Result<Fd, Errno> {
    opened(result)
}

/// openat(2), always close-on-exec.
pub(crate) fn open_at(dir: Fd, path: &CStr, flags: i32, mode: u32) -> Result<Fd, Errno> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    opened(unsafe {
        raw(libc::SYS_openat, [int(dir.0), path.as_ptr() as usize, int(flags | libc::O_CLOEXEC), mode as usize, 0, 0])
    })
}

/// Opens a path only to name it (`O_PATH`): no permission on the object itself is needed.
pub(crate) fn open_path(dir: Fd, path: &CStr) -> Result<Fd, Errno> {
    open_at(dir, path, libc::O_PATH, 0)
}

/// Takes ownership of a descriptor that a call of this module has just opened.
pub(crate) fn own(fd: Fd) -> OwnedFd {
    // SAFETY: the callers pass on what they opened and keep no copy of the number.
    unsafe { OwnedFd::from_raw_fd(fd.0) }
}

/// close(2).
pub(crate) fn close(fd: Fd) {
    // SAFETY: closing any number is memory-safe. An error leaves nothing to do.
    let _ = unsafe { raw(libc::SYS_close, [int(fd.0), 0, 0, 0, 0, 0]) };
}

/// Device and inode of an open descriptor, `O_PATH` ones included (fstat(2)).
pub(crate) fn file_id(fd: Fd) -> Result<FileId, Errno> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills exactly one `struct stat`, for which there is room.
    unsafe { raw(libc::SYS_fstat, [int(fd.0), stat.as_mut_ptr() as usize, 0, 0, 0, 0]) }?;
    // SAFETY: the call succeeded, so the structure is initialised.
    let stat = unsafe { stat.assume_init() };
    Ok(FileId { device: stat.st_dev, inode: stat.st_ino })
}

/// mkdirat(2) where a directory that is there already will do.
pub(crate) fn make_directory(dir: Fd, path: &CStr) -> Result<(), Errno> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    match unsafe { raw(libc::SYS_mkdirat, [int(dir.0), path.as_ptr() as usize, 0o755, 0, 0, 0]) } {
        Ok(_) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// symlinkat(2).
pub(crate) fn make_symlink(target: &CStr, dir: Fd, path: &CStr) -> Result<(), Errno> {
    // SAFETY: both strings are NUL-terminated and outlive the call.
    unsafe { raw(libc::SYS_symlinkat, [target.as_ptr() as usize, int(dir.0), path.as_ptr() as usize, 0, 0, 0]) }?;
    Ok(())
}

/// Creates a file below `dir` with `contents`; an empty one serves as a mount point.
pub(crate) fn create_file(dir: Fd, path: &CStr, mode: u32, contents: &[u8]) -> Result<(), Errno> {
    let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_NOFOLLOW;
    let file = open_at(dir, path, flags, mode)?;
    let written = write_all(file, contents);
    close(file);
    written
}

/// write(2) until all is written.
pub(crate) fn write_all(fd: Fd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        // SAFETY: the kernel reads at most `bytes.len()` bytes from the slice.
        let n = unsafe { raw(libc::SYS_write, [int(fd.0), bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]) }?;
        bytes = bytes.get(n..).unwrap_or_default();
    }
    Ok(())
}

/// dup3(2): `to` becomes a copy of `from`, inherited over exec unless `close_on_exec`.
/// Where both are one number, only that flag is set, since dup3 refuses this case.
pub(crate) fn duplicate_to(from: Fd, to: Fd, close_on_exec: bool) -> Result<(), Errno> {
    if from == to {
        let flags = if close_on_exec { libc::FD_CLOEXEC } else { 0 };
        // SAFETY: F_SETFD takes no pointer.
        unsafe { raw(libc::SYS_fcntl, [int(from.0), int(libc::F_SETFD), int(flags), 0, 0, 0]) }?;
        return Ok(());
    }
    let flags = if close_on_exec { libc::O_CLOEXEC } else { 0 };
    // SAFETY: dup3 takes no pointer.
    unsafe { raw(libc::SYS_dup3, [int(from.0), int(to.0), int(flags), 0, 0, 0]) }?;
    Ok(())
}

/// Closes every descriptor from `first` on (close_range(2)).
pub(crate) fn close_from(first: Fd) -> Result<(), Errno> {
    // SAFETY: close_range takes no pointer; whoever calls this uses no descriptor any more.
    unsafe { raw(libc::SYS_close_range, [int(first.0), u32::MAX as usize, 0, 0, 0, 0]) }?;
    Ok(())
}

/// Marks every descriptor from `first` on close-on-exec, known to us or not (close_range(2)).
pub(crate) fn close_on_exec_from(first: Fd) -> Result<(), Errno> {
    let cloexec = libc::CLOSE_RANGE_CLOEXEC as usize;
    // SAFETY: close_range takes no pointer.
    unsafe { raw(libc::SYS_close_range, [int(first.0), u32::MAX as usize, cloexec, 0, 0, 0]) }?;
    Ok(())
}
