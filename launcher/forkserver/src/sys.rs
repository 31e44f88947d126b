//! System calls, without a C library.

mod confine;
mod file;
mod memory;
pub(crate) mod number;
mod process;
mod socket;

use core::arch::asm;

pub(crate) use confine::{Instruction, landlock_abi, landlock_allow, landlock_restrict, landlock_ruleset, load_filter};
pub(crate) use file::{
    close, duplicate_to, entries, epoll, epoll_add, eventfd, open, read, read_link, status_flags, wait_for, write,
};
pub(crate) use memory::{PAGE_BYTES, inherit_mapping, resident};
pub(crate) use process::{exit, pid, pidfd, prctl, random, reap, set_limit, wait};
pub(crate) use socket::{Received, pair, receive_message, send, send_message};

/// An error number of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

impl Errno {
    pub(crate) const EPERM: Self = Self(1);
    pub(crate) const EINTR: Self = Self(4);
    pub(crate) const ENOENT: Self = Self(2);
    pub(crate) const EAGAIN: Self = Self(11);
    pub(crate) const EINVAL: Self = Self(22);
    pub(crate) const EPIPE: Self = Self(32);
    pub(crate) const E2BIG: Self = Self(7);
    pub(crate) const ESRCH: Self = Self(3);
}

pub(crate) type Result<T> = core::result::Result<T, Errno>;

/// The exit code after a panic.
pub(crate) const EXIT_PANIC: i32 = 70;

/// A descriptor. It is not closed by itself: whose it is differs before and after a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fd(pub(crate) i32);

/// Performs a system call.
///
/// # Safety
/// The arguments must be what this system call expects: pointers valid for the kernel's reads and writes.
#[cfg(target_arch = "x86_64")]
unsafe fn raw(number: usize, args: [usize; 6]) -> Result<usize> {
    let result: isize;
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

/// Performs a system call.
///
/// # Safety
/// The arguments must be what this system call expects: pointers valid for the kernel's reads and writes.
#[cfg(target_arch = "aarch64")]
unsafe fn raw(number: usize, args: [usize; 6]) -> Result<usize> {
    let result: isize;
    // SAFETY: the kernel keeps every register but x0 and keeps the stack; the caller vouches for the arguments.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") args[0] => result,
            in("x1") args[1], in("x2") args[2], in("x3") args[3], in("x4") args[4], in("x5") args[5],
            options(nostack),
        );
    }
    check(result)
}

#[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "the range is checked first")]
fn check(result: isize) -> Result<usize> {
    if (-4095..0).contains(&result) { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}

/// A signed 32-bit argument as the kernel's ABI passes it.
#[expect(clippy::cast_sign_loss, reason = "the register holds the sign-extended value")]
const fn int(value: i32) -> usize {
    value as isize as usize
}

fn fd(result: Result<usize>) -> Result<Fd> {
    result.and_then(|number| i32::try_from(number).map(Fd).map_err(|_| Errno::EINVAL))
}

/// Repeats a call that a signal interrupted.
fn uninterrupted<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}
