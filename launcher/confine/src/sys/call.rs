//! System calls without libc: libc's wrappers report through `errno`, which a child that shares its parent's memory
//! shares too.

use core::arch::asm;
use core::fmt;

/// An error number of the kernel, as in errno(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// What the kernel has of it is too old.
    pub(crate) const TOO_OLD: Self = Self(libc::EPROTONOSUPPORT);
    /// The operation is not permitted.
    pub const EPERM: Self = Self(libc::EPERM);
    /// Permission is denied.
    pub const EACCES: Self = Self(libc::EACCES);
    /// There is no such file or directory.
    pub const ENOENT: Self = Self(libc::ENOENT);
    /// The entry is there already.
    pub const EEXIST: Self = Self(libc::EEXIST);
    /// The object changed between two looks at it.
    pub const ESTALE: Self = Self(libc::ESTALE);
    /// There are too many of it.
    pub const E2BIG: Self = Self(libc::E2BIG);
    /// The kernel knows no such call.
    pub const ENOSYS: Self = Self(libc::ENOSYS);
    /// An argument makes no sense to the kernel.
    pub const EINVAL: Self = Self(libc::EINVAL);
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::io::Error::from_raw_os_error(self.0).fmt(f)
    }
}

impl From<Errno> for std::io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.0)
    }
}

/// Performs system call `number`; a return in -4095..0 is an error (syscall(2)).
///
/// # Safety
/// The arguments must be what this system call expects: pointers valid for the kernel's reads and writes.
#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn raw(number: libc::c_long, args: [usize; 6]) -> Result<usize, Errno> {
    let result: libc::c_long;
    // SAFETY: the kernel clobbers rcx and r11 only and keeps the stack; the caller vouches for the arguments.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    check(result)
}

/// Performs system call `number`; a return in -4095..0 is an error (syscall(2)).
///
/// # Safety
/// The arguments must be what this system call expects: pointers valid for the kernel's reads and writes.
#[cfg(target_arch = "aarch64")]
pub(super) unsafe fn raw(number: libc::c_long, args: [usize; 6]) -> Result<usize, Errno> {
    let result: libc::c_long;
    // SAFETY: the kernel keeps every register but x0 and keeps the stack; the caller vouches for the arguments.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") args[0] as libc::c_long => result,
            in("x1") args[1], in("x2") args[2], in("x3") args[3], in("x4") args[4], in("x5") args[5],
            options(nostack),
        );
    }
    check(result)
}

#[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "the range is checked first")]
fn check(result: libc::c_long) -> Result<usize, Errno> {
    if (-4095..0).contains(&result) { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}

/// A signed 32-bit argument as the kernel's ABI passes it.
#[expect(clippy::cast_sign_loss, reason = "the register holds the sign-extended value")]
pub(super) const fn int(value: i32) -> usize {
    value as isize as usize
}
