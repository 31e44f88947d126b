//! Landlock calls that run in the child: rules on objects that exist only inside, and the restriction itself.
//! The ruleset is made before, by the landlock crate (crate::landlock).

use super::call::{Errno, int, raw};
use super::fd::Fd;

const CREATE_RULESET_VERSION: usize = 1;
const RULE_PATH_BENEATH: usize = 1;

/// `struct landlock_path_beneath_attr` (landlock_add_rule(2)), packed as the kernel declares it.
#[repr(C, packed)]
struct PathBeneath {
    allowed_access: u64,
    parent_fd: i32,
}

/// The kernel's Landlock ABI version, an error when it has none or it is off.
pub(crate) fn landlock_abi() -> Result<u32, Errno> {
    // SAFETY: with the version flag the kernel wants a null pointer of size 0.
    let version = unsafe { raw(libc::SYS_landlock_create_ruleset, [0, 0, CREATE_RULESET_VERSION, 0, 0, 0]) }?;
    Ok(u32::try_from(version).unwrap_or(u32::MAX))
}

/// Allows `access` at and below the object that `parent` refers to.
pub(crate) fn landlock_add_path(ruleset: Fd, parent: Fd, access: u64) -> Result<(), Errno> {
    let rule = PathBeneath { allowed_access: access, parent_fd: parent.0 };
    let attr = &raw const rule as usize;
    // SAFETY: the kernel reads one packed `PathBeneath`, which lives until the call returns.
    unsafe { raw(libc::SYS_landlock_add_rule, [int(ruleset.0), RULE_PATH_BENEATH, attr, 0, 0, 0]) }?;
    Ok(())
}

/// Enforces the ruleset on the calling thread for good.
pub(crate) fn landlock_restrict_self(ruleset: Fd) -> Result<(), Errno> {
    // SAFETY: landlock_restrict_self takes no pointer.
    unsafe { raw(libc::SYS_landlock_restrict_self, [int(ruleset.0), 0, 0, 0, 0, 0]) }?;
    Ok(())
}
