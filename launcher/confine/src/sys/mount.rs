//! Mounts by the descriptor-based interface (open_tree(2), move_mount(2), fsopen(2), mount_setattr(2)).

use core::ffi::CStr;

use super::call::{Errno, int, raw};
use super::fd::{Fd, as_fd, close};

/// What a mount forbids (mount_setattr(2)). Set-user-id programs and device nodes are always off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MountFlags {
    /// Nothing below can be changed.
    pub read_only: bool,
    /// Nothing below can be executed or mapped executable.
    pub no_exec: bool,
    /// Device nodes below work.
    pub devices: bool,
}

const ATTR_RDONLY: u64 = 1;
const ATTR_NOSUID: u64 = 2;
const ATTR_NODEV: u64 = 4;
const ATTR_NOEXEC: u64 = 8;
const ATTR_NOATIME: u64 = 0x10;
/// All that is said about times of access, which are set as one.
const ATTR_ATIME: u64 = 0x70;
const ATTR_IDMAP: u64 = 0x0010_0000;

impl MountFlags {
    const fn bits(self) -> u64 {
        let mut bits = ATTR_NOSUID;
        if !self.devices {
            bits |= ATTR_NODEV;
        }
        if self.read_only {
            bits |= ATTR_RDONLY;
        }
        if self.no_exec {
            bits |= ATTR_NOEXEC;
        }
        bits
    }
}

/// `struct mount_attr` of mount_setattr(2).
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

const OPEN_TREE_CLONE: i32 = 1;

const AT_RECURSIVE: i32 = 0x8000;

/// How much of a tree of mounts is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// One mount.
    Alone,
    /// With what is mounted below it.
    WithSubmounts,
}

/// A detached mount of the object at `path`. The last component is not followed when it is a symbolic link.
pub(crate) fn clone_tree(dir: Fd, path: &CStr, extent: Extent) -> Result<Fd, Errno> {
    let mut flags = OPEN_TREE_CLONE | libc::O_CLOEXEC | libc::AT_SYMLINK_NOFOLLOW;
    if extent == Extent::WithSubmounts {
        flags |= AT_RECURSIVE;
    }
    if path.is_empty() {
        flags |= libc::AT_EMPTY_PATH;
    }
    // SAFETY: `path` is NUL-terminated and outlives the call.
    as_fd(unsafe { raw(libc::SYS_open_tree, [int(dir.0), path.as_ptr() as usize, int(flags), 0, 0, 0]) })
}

fn set_attributes(fd: Fd, path: &CStr, attr: &MountAttr) -> Result<(), Errno> {
    // The path is empty for a detached tree, all of which is meant; the root is sealed alone.
    let flags = if path.is_empty() { libc::AT_EMPTY_PATH | AT_RECURSIVE } else { 0 };
    let (pointer, size) = (core::ptr::from_ref(attr) as usize, size_of::<MountAttr>());
    // SAFETY: the kernel reads `size` bytes from `attr`; `path` is NUL-terminated.
    unsafe { raw(libc::SYS_mount_setattr, [int(fd.0), path.as_ptr() as usize, int(flags), pointer, size, 0]) }?;
    Ok(())
}

/// Adds `flags` to a mount; with `id_map`, a user namespace, its owners are shown as that namespace maps them.
pub(crate) fn restrict_mount(fd: Fd, path: &CStr, flags: MountFlags, id_map: Option<Fd>) -> Result<(), Errno> {
    set_attributes(fd, path, &attributes(flags, id_map)?)
}

/// The same for a detached tree that is read-only, which changes no times of access: saying so saves each read the 30 to
/// 50 ns of finding that out. Where an outer user namespace owns the mount, only that one may say so.
pub(crate) fn restrict_to_reading(tree: Fd, flags: MountFlags, id_map: Option<Fd>) -> Result<(), Errno> {
    let mut attr = attributes(flags, id_map)?;
    attr.set |= ATTR_NOATIME;
    attr.clear |= ATTR_ATIME;
    match set_attributes(tree, c"", &attr) {
        Err(Errno::EPERM) => restrict_mount(tree, c"", flags, id_map),
        done => done,
    }
}

fn attributes(flags: MountFlags, id_map: Option<Fd>) -> Result<MountAttr, Errno> {
    let mut attr = MountAttr { set: flags.bits(), clear: 0, propagation: 0, userns_fd: 0 };
    if let Some(namespace) = id_map {
        attr.set |= ATTR_IDMAP;
        attr.userns_fd = u64::try_from(namespace.0).map_err(|_| Errno::EINVAL)?;
    }
    Ok(attr)
}

/// Attaches a detached mount at `path` below `dir`.
pub(crate) fn attach(mount: Fd, dir: Fd, path: &CStr) -> Result<(), Errno> {
    const FROM_EMPTY_PATH: usize = 4;
    const TO_EMPTY_PATH: usize = 0x40;
    let flags = FROM_EMPTY_PATH | if path.is_empty() { TO_EMPTY_PATH } else { 0 };
    let empty = c"".as_ptr() as usize;
    // SAFETY: both paths are NUL-terminated and outlive the call.
    unsafe { raw(libc::SYS_move_mount, [int(mount.0), empty, int(dir.0), path.as_ptr() as usize, flags, 0]) }?;
    Ok(())
}

/// A new, detached file system of type `kind` with the given options.
pub(crate) fn filesystem(kind: &CStr, options: &[(&CStr, &CStr)], flags: MountFlags) -> Result<Fd, Errno> {
    const CLOEXEC: usize = 1;
    const SET_STRING: usize = 1;
    const CREATE: usize = 6;
    // SAFETY: `kind` is NUL-terminated and outlives the call.
    let context = as_fd(unsafe { raw(libc::SYS_fsopen, [kind.as_ptr() as usize, CLOEXEC, 0, 0, 0, 0]) })?;
    let made = (|| {
        for (key, value) in options {
            let (key, value) = (key.as_ptr() as usize, value.as_ptr() as usize);
            // SAFETY: key and value are NUL-terminated and outlive the call.
            unsafe { raw(libc::SYS_fsconfig, [int(context.0), SET_STRING, key, value, 0, 0]) }?;
        }
        // SAFETY: this command takes no pointer.
        unsafe { raw(libc::SYS_fsconfig, [int(context.0), CREATE, 0, 0, 0, 0]) }?;
        let bits = usize::try_from(flags.bits()).map_err(|_| Errno::EINVAL)?;
        // SAFETY: fsmount takes no pointer.
        as_fd(unsafe { raw(libc::SYS_fsmount, [int(context.0), CLOEXEC, bits, 0, 0, 0]) })
    })();
    close(context);
    made
}

/// A new, detached tmpfs of at most `size` bytes and `inodes` objects (decimal text, as tmpfs(5) takes them).
pub(crate) fn tmpfs(size: &CStr, inodes: &CStr, mode: &CStr, flags: MountFlags) -> Result<Fd, Errno> {
    filesystem(c"tmpfs", &[(c"size", size), (c"nr_inodes", inodes), (c"mode", mode)], flags)
}

/// Makes the working directory, a mount, the root and drops the old root with all below it. With both arguments of
/// pivot_root(2) the same directory, the old root ends up mounted over the new one, where umount2(2) takes it off.
pub(crate) fn pivot_into() -> Result<(), Errno> {
    let here = c".".as_ptr() as usize;
    // SAFETY: both paths are NUL-terminated.
    unsafe { raw(libc::SYS_pivot_root, [here, here, 0, 0, 0, 0]) }?;
    // SAFETY: the path is NUL-terminated.
    unsafe { raw(libc::SYS_umount2, [here, int(libc::MNT_DETACH), 0, 0, 0, 0]) }?;
    Ok(())
}

/// sethostname(2) in the calling UTS namespace.
pub(crate) fn set_hostname(name: &CStr) -> Result<(), Errno> {
    let bytes = name.to_bytes();
    // SAFETY: the kernel reads `bytes.len()` bytes.
    unsafe { raw(libc::SYS_sethostname, [bytes.as_ptr() as usize, bytes.len(), 0, 0, 0, 0]) }?;
    Ok(())
}
