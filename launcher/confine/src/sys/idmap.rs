//! A user namespace to hand to id-mapped mounts (mount_setattr(2)): it exists as long as somebody holds its descriptor,
//! but only a process can make one.

use core::ffi::c_void;
use std::fs;
use std::os::fd::OwnedFd;

use super::call::{Errno, int, raw};
use super::clone::Stack;
use super::identity::{parent_pid, pid, set_parent_death_signal};

fn errno(error: &std::io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EINVAL))
}

/// Why there is no such namespace.
pub(crate) enum NoMapping {
    /// It could not be made.
    Namespace(Errno),
    /// It was made, but the ids could not be mapped.
    Ids(Errno),
}

/// Makes a user namespace in which id 0 stands for `uid` and `gid` of ours. Needs CAP_SETUID and CAP_SETGID.
pub(crate) fn user_namespace_mapping_root_to(uid: u32, gid: u32, stack: &mut Stack) -> Result<OwnedFd, NoMapping> {
    extern "C" fn wait_for_the_end(parent: *mut c_void) -> i32 {
        let expected = parent as usize;
        let tied = set_parent_death_signal(libc::SIGKILL).is_ok();
        // The parent may have died before the tie; then nobody would end us.
        while tied && parent_pid() as usize == expected {
            // SAFETY: ppoll of nothing without a timeout sleeps until a signal; null pointers mean "none".
            let _ = unsafe { raw(libc::SYS_ppoll, [0; 6]) };
        }
        0
    }
    let flags = libc::CLONE_NEWUSER | libc::CLONE_VM | libc::SIGCHLD;
    // SAFETY: the child runs on a stack of its own, makes raw system calls only and touches no memory of ours.
    let child = unsafe { libc::clone(wait_for_the_end, stack.top(), flags, pid() as usize as *mut c_void) };
    if child < 0 {
        return Err(NoMapping::Namespace(errno(&std::io::Error::last_os_error())));
    }
    let namespace = (|| {
        fs::write(format!("/proc/{child}/uid_map"), format!("0 {uid} 1\n"))?;
        fs::write(format!("/proc/{child}/gid_map"), format!("0 {gid} 1\n"))?;
        fs::File::open(format!("/proc/{child}/ns/user")).map(OwnedFd::from)
    })();
    // SAFETY: `child` is our unreaped child, so the number is still its.
    let _ = unsafe { raw(libc::SYS_kill, [int(child), int(libc::SIGKILL), 0, 0, 0, 0]) };
    // SAFETY: null pointers: neither status nor usage is wanted.
    let _ = unsafe { raw(libc::SYS_wait4, [int(child), 0, 0, 0, 0, 0]) };
    namespace.map_err(|error| NoMapping::Ids(errno(&error)))
}
