//! Loading a seccomp program.

use super::call::{Errno, raw};

const SET_MODE_FILTER: usize = 1;

/// Puts `program` in force for the calling thread, for good (seccomp(2)). Needs no_new_privs.
pub(crate) fn load_filter(program: &[libc::sock_filter]) -> Result<(), Errno> {
    let len = u16::try_from(program.len()).map_err(|_| Errno::EINVAL)?;
    let prog = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    let pointer = &raw const prog as usize;
    // SAFETY: the kernel copies `len` instructions from a slice of that length and verifies them.
    unsafe { raw(libc::SYS_seccomp, [SET_MODE_FILTER, 0, pointer, 0, 0, 0]) }?;
    Ok(())
}
