//! Loading a seccomp program.

use super::call::{Errno, raw};
use super::fd::{Fd, as_fd};

const SET_MODE_FILTER: usize = 1;

// Flags of seccomp(2). The second is since Linux 5.19: signals that do not kill wait until a call whose request has
// been received is answered; the engine signals its own threads all the time, which would repeat the call.
const NEW_LISTENER: usize = 1 << 3;
const WAIT_KILLABLE: usize = 1 << 5;

/// Puts `program` in force for the calling thread, for good (seccomp(2)). Needs no_new_privs.
pub(crate) fn load_filter(program: &[libc::sock_filter]) -> Result<(), Errno> {
    load(program, 0).map(|_| ())
}

/// The same for a filter that asks: the result is the descriptor, close-on-exec, through which it does
/// (seccomp_unotify(2)). `EBUSY` where a filter that is already in force asks.
pub(crate) fn load_asking_filter(program: &[libc::sock_filter]) -> Result<Fd, Errno> {
    as_fd(load(program, NEW_LISTENER | WAIT_KILLABLE))
}

fn load(program: &[libc::sock_filter], flags: usize) -> Result<usize, Errno> {
    let len = u16::try_from(program.len()).map_err(|_| Errno::EINVAL)?;
    let prog = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    let pointer = &raw const prog as usize;
    // SAFETY: the kernel copies `len` instructions from a slice of that length and verifies them.
    unsafe { raw(libc::SYS_seccomp, [SET_MODE_FILTER, flags, pointer, 0, 0, 0]) }
}
