//! A kernel with an older Landlock: a tracer answers for landlock_create_ruleset(2), as that kernel would. It says its
//! version, and refuses rights and structures that came later.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use seccompiler::SeccompAction;

use crate::{Failure, load};

/// What the command is started as, to be traced.
pub(crate) const TRACED: &str = "--traced";

/// Waits for the tracer, and leaves the call in question to it.
pub(crate) fn be_traced() -> Result<(), Failure> {
    ptrace::traceme()?;
    raise(Signal::SIGSTOP)?;
    load(BTreeMap::from([(libc::SYS_landlock_create_ruleset, Vec::new())]), SeccompAction::Trace(0))
}

/// Runs `command` on a kernel with Landlock ABI `abi`.
pub(crate) fn run(abi: u32, command: &[OsString]) -> Result<ExitCode, Failure> {
    let child = Command::new(std::env::current_exe()?).arg(TRACED).args(command).spawn()?;
    let child = Pid::from_raw(i32::try_from(child.id())?);
    waitpid(child, None)?;
    ptrace::setoptions(child, Options::PTRACE_O_TRACESECCOMP | Options::PTRACE_O_EXITKILL)?;
    let mut signal = None;
    loop {
        ptrace::cont(child, signal)?;
        signal = match waitpid(child, None)? {
            WaitStatus::Exited(_, code) => return Ok(ExitCode::from(u8::try_from(code)?)),
            WaitStatus::Signaled(_, signal, _) => return Err(format!("ended by {signal}").into()),
            WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_SECCOMP) => {
                answer(child, abi)?;
                None
            }
            // What the tracer itself causes is a trap; everything else is the command's.
            WaitStatus::Stopped(_, Signal::SIGTRAP) => None,
            WaitStatus::Stopped(_, signal) => Some(signal),
            _ => None,
        };
    }
}

/// Answers for the kernel, where that differs from what the real one would say.
#[cfg(target_arch = "x86_64")]
fn answer(child: Pid, abi: u32) -> Result<(), Failure> {
    const VERSION: u64 = 1;
    let mut registers = ptrace::getregs(child)?;
    let (attr, size, flags) = (registers.rdi, registers.rsi, registers.rdx);
    let result = if flags == VERSION {
        i64::from(abi)
    } else if is_known(child, abi, attr, size)? {
        return Ok(());
    } else {
        -i64::from(libc::EINVAL)
    };
    // No call has this number: nothing is done, and the result stands.
    registers.orig_rax = u64::MAX;
    registers.rax = result.cast_unsigned();
    Ok(ptrace::setregs(child, registers)?)
}

#[cfg(not(target_arch = "x86_64"))]
fn answer(_child: Pid, _abi: u32) -> Result<(), Failure> {
    Err("an older Landlock is emulated on x86_64 only".into())
}

/// Whether a kernel of that ABI knows all rights of a `struct landlock_ruleset_attr` (landlock_create_ruleset(2)).
#[cfg(target_arch = "x86_64")]
fn is_known(child: Pid, abi: u32, attr: u64, size: u64) -> Result<bool, Failure> {
    let files = match abi {
        1 => 13,
        2 => 14,
        3 | 4 => 15,
        _ => 16,
    };
    let (tcp, scopes) = (if abi >= 4 { 2 } else { 0 }, if abi >= 6 { 2 } else { 0 });
    for (at, known) in [files, tcp, scopes].into_iter().enumerate() {
        let offset = u64::try_from(at)? * 8;
        if offset < size {
            let word = ptrace::read(child, (attr + offset) as ptrace::AddressType)?.cast_unsigned();
            if word >> known != 0 {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
