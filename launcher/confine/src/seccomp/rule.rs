//! The words the tables are written in: which call, what is decided, on which arguments, and why.

use libc::{c_int, c_long};

/// One more than the highest system call number a table may name. Both architectures are below 480 today.
pub(super) const CALL_CEILING: usize = 512;

/// The call numbers of libc, and those that it does not give for every architecture and C library.
pub(super) mod numbers {
    pub(in crate::seccomp) use libc::*;

    #[cfg(target_arch = "aarch64")]
    mod missing {
        #![expect(non_upper_case_globals, reason = "spelled as in libc")]

        use libc::c_long;

        pub(in crate::seccomp) const SYS_renameat: c_long = 38;
        pub(in crate::seccomp) const SYS_sync_file_range: c_long = 84;
        pub(in crate::seccomp) const SYS_getrlimit: c_long = 163;
        pub(in crate::seccomp) const SYS_setrlimit: c_long = 164;
        pub(in crate::seccomp) const SYS_fchmodat2: c_long = 452;
    }
    #[cfg(target_arch = "aarch64")]
    pub(in crate::seccomp) use self::missing::{
        SYS_fchmodat2, SYS_getrlimit, SYS_renameat, SYS_setrlimit, SYS_sync_file_range,
    };
}

/// A system call of this architecture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    symbol: &'static str,
    pub(super) number: u32,
}

impl Call {
    /// `symbol` is the name of the constant in `libc`, such as `SYS_read`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is asserted first")]
    pub(super) const fn new(symbol: &'static str, number: c_long) -> Self {
        assert!(number >= 0 && (number as usize) < CALL_CEILING, "system call number out of range");
        Self { symbol, number: number as u32 }
    }

    /// The name as strace and the manual pages write it.
    pub(super) fn name(self) -> &'static str {
        self.symbol.strip_prefix("SYS_").unwrap_or(self.symbol)
    }
}

/// A line of a table: every call carries the reason for its verdict.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) call: Call,
    pub(super) verdict: Verdict,
    pub(super) reason: &'static str,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    Allow,
    /// The call fails with this errno and has no effect.
    Refuse(c_int),
    /// Allowed when all checks of one of the cases hold, otherwise the call fails with the errno.
    Only {
        cases: &'static [Case],
        otherwise: c_int,
    },
    /// The launcher decides, and does it.
    Ask,
}

/// Checks that must all hold.
pub(super) type Case = &'static [Check];

/// A test of one argument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check {
    pub(super) arg: Arg,
    pub(super) test: Test,
}

/// The position of an argument, and how much of its 64-bit register the kernel reads. A filter that looks at more
/// than the kernel does refuses honest calls, whose compilers leave rubbish in the upper half; one that looks at
/// less lets a value through that the kernel reads differently.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arg {
    /// Declared `int` or `unsigned int`: the upper half never reaches the kernel's code.
    Int(u8),
    /// Declared as a pointer, `unsigned long` or `u64`, or not declared at all: all 64 bits count.
    Long(u8),
}

/// What an argument must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Test {
    /// One of these values; a long one with its upper half clear.
    OneOf(&'static [u32]),
    /// At most this, unsigned; a long one with its upper half clear.
    AtMost(u32),
    /// Greater than this, unsigned; for an int.
    Over(u32),
    /// Has the bits `value` among the bits `mask`.
    Bits { mask: u64, value: u64 },
    /// The process the filter was patched for.
    OwnPid,
    /// The secret that only the launcher knows.
    ExecKey,
}

impl Check {
    pub(super) const fn int(position: u8, test: Test) -> Self {
        Self { arg: Arg::Int(position), test }
    }

    pub(super) const fn long(position: u8, test: Test) -> Self {
        Self { arg: Arg::Long(position), test }
    }
}

/// Rules that are granted together.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: &'static str,
    /// Whether the options grant these rules.
    pub(super) granted: fn(&super::Options) -> bool,
    pub(super) ungranted: Ungranted,
    pub(super) rules: &'static [Rule],
}

/// What a group that is not granted says about its calls.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ungranted {
    /// They fail with this errno.
    Refuse(c_int),
    /// Nothing: the earlier groups and the default decide.
    LeaveAsIs,
}

/// A table of rules. A reason is not optional.
macro_rules! rules {
    ($($call:ident: $verdict:expr, $reason:literal;)*) => {
        &[$($crate::seccomp::rule::Rule {
            call: $crate::seccomp::rule::Call::new(stringify!($call), $crate::seccomp::rule::numbers::$call),
            verdict: $verdict,
            reason: $reason,
        }),*]
    };
}
pub(super) use rules;
