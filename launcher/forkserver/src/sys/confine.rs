//! Landlock and filters.

use core::mem::size_of;

use super::{Errno, Fd, Result, fd, int, number, raw};

/// The kernel's Landlock ABI version (landlock_create_ruleset(2)).
pub(crate) fn landlock_abi() -> Result<usize> {
    const VERSION: usize = 1;
    // SAFETY: with the version flag the kernel wants a null pointer of size 0.
    unsafe { raw(number::LANDLOCK_CREATE_RULESET, [0, 0, VERSION, 0, 0, 0]) }
}

/// A ruleset that handles `files` and `scopes`. Older kernels know the first field alone.
pub(crate) fn landlock_ruleset(files: u64, scopes: u64) -> Result<Fd> {
    let handled = [files, 0, scopes];
    let length = if scopes == 0 { size_of::<u64>() } else { size_of_val(&handled) };
    // SAFETY: the kernel reads the first one or all three of the numbers.
    fd(unsafe { raw(number::LANDLOCK_CREATE_RULESET, [handled.as_ptr() as usize, length, 0, 0, 0, 0]) })
}

/// Allows `access` below `directory` (landlock_add_rule(2)).
pub(crate) fn landlock_allow(ruleset: Fd, directory: Fd, access: u64) -> Result<()> {
    const PATH_BENEATH: usize = 1;
    #[repr(C, packed)]
    struct PathBeneath {
        allowed_access: u64,
        parent_fd: i32,
    }
    let rule = PathBeneath { allowed_access: access, parent_fd: directory.0 };
    let rule = &raw const rule as usize;
    // SAFETY: the kernel reads one `landlock_path_beneath_attr`, ours.
    unsafe { raw(number::LANDLOCK_ADD_RULE, [int(ruleset.0), PATH_BENEATH, rule, 0, 0, 0]) }.map(|_| ())
}

/// Enters a domain of its own below the one that is in force (landlock_restrict_self(2)).
pub(crate) fn landlock_restrict(ruleset: Fd) -> Result<()> {
    // SAFETY: landlock_restrict_self takes no pointer.
    unsafe { raw(number::LANDLOCK_RESTRICT_SELF, [int(ruleset.0), 0, 0, 0, 0, 0]) }.map(|_| ())
}

/// One instruction of a filter: `struct sock_filter` of linux/filter.h.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) jump_true: u8,
    pub(crate) jump_false: u8,
    pub(crate) operand: u32,
}

/// Puts a filter in force, on top of those that are (seccomp(2)).
pub(crate) fn load_filter(program: &[Instruction]) -> Result<()> {
    const SET_MODE_FILTER: usize = 1;
    #[repr(C)]
    struct Program {
        length: u16,
        instructions: *const Instruction,
    }
    let length = u16::try_from(program.len()).map_err(|_| Errno::E2BIG)?;
    let program = Program { length, instructions: program.as_ptr() };
    // SAFETY: the kernel copies `length` instructions of a slice of that length, and verifies them.
    unsafe { raw(number::SECCOMP, [SET_MODE_FILTER, 0, &raw const program as usize, 0, 0, 0]) }.map(|_| ())
}
