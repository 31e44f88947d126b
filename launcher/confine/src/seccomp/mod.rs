//! The seccomp filter: which system calls the sandboxed program may make, and why.
//!
//! The rules are data, in `groups`: every call that is allowed carries its reason, everything else is refused.
//! Unknown calls fail with ENOSYS, so that a program falls back as it would on an older kernel; refusals of policy
//! fail with the errno that programs already know for the situation. Another architecture's calls kill the process.
//!
//! The program is assembled here and not by `seccompiler`, which tests the call numbers one after another: the
//! kernel takes 340 µs to load its 622 instructions, and 55 µs for a binary search of 294. `seccompiler` serves as
//! the oracle in the tests.
//!
//! This module only produces the program; loading it is the last thing a child does before its exec.

mod assembler;
mod groups;
mod rule;
#[cfg(test)]
mod tests;

use std::fmt;

use libc::{c_int, sock_filter};

use self::{
    assembler::{Program, Verdicts, assemble},
    rule::{Group, Rule, Ungranted, Verdict},
};

/// The descriptor that the one exec must name. With a hard `RLIMIT_NOFILE` of the same value, nothing that the
/// program opens later can have it.
pub const EXEC_FD: c_int = 1000;

/// What calls that no rule names fail with.
const DEFAULT_ERRNO: c_int = libc::ENOSYS;

/// What the Plan grants, as far as system calls are concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a grant of its own")]
pub struct Options {
    /// Some path is writable, be it only a private temporary directory.
    pub write: bool,
    /// A standard stream is a terminal that the program may configure.
    pub tty: bool,
    /// No memory becomes executable that is not mapped, unwritable, from a file: for a program without a JIT.
    pub deny_new_executable_memory: bool,
    /// Other programs may be started. Which ones, mounts and Landlock decide; whom they may signal, the pid namespace.
    pub run: bool,
    /// There are sockets: in a network namespace of the program's own or, where it sees the host's files, in the host's.
    /// Where they lead, the launcher decides.
    pub sockets: bool,
    /// The program may fork copies of itself, each of which gives up more before anything else.
    pub copies: bool,
    /// Which files the program sees.
    pub files: Files,
    /// What it is for a program that another one starts in a narrower sandbox within its own.
    pub narrower: Option<Fewer>,
}

/// What a narrower sandbox lets be opened of the files that stay in sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fewer {
    /// Fewer are read.
    Read,
    /// Fewer are written to as well.
    Written,
}

/// Which files a program sees, whatever it may do with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Files {
    /// Those of a root file system of its own.
    #[default]
    Own,
    /// The host's, with nothing but Landlock before them.
    Host,
}

impl Options {
    /// Whether folders are in sight that Landlock alone keeps from being listed.
    fn unlisted_in_sight(self) -> bool {
        self.files == Files::Host || self.narrower.is_some()
    }

    /// Whether files are in sight that Landlock alone keeps from being written to.
    fn unwritten_in_sight(self) -> bool {
        self.files == Files::Host || self.narrower == Some(Fewer::Written)
    }
}

/// A filter, ready to be loaded.
#[derive(Clone, Debug)]
pub struct Filter {
    program: Program,
}

impl Filter {
    /// Assembles the filter for `options`.
    ///
    /// `exec_key` is the launcher's ticket for its one exec: an unpredictable number, drawn anew for each start.
    /// `execveat` is allowed only with [`EXEC_FD`], `AT_EMPTY_PATH` and this number as a sixth argument, which the
    /// kernel ignores and only the filter sees. The descriptor alone is no protection: with an absolute path the
    /// kernel does not even look at it, so whoever may name it may run any file that is executable. The key is
    /// nowhere in the memory of the new program, and a process cannot read its own filter.
    #[must_use]
    pub fn new(options: &Options, exec_key: u64) -> Self {
        let mut verdicts: Verdicts = [None; rule::CALL_CEILING];
        for Ruling { rule, verdict, .. } in rulings(options) {
            verdicts[rule.call.number as usize] = Some(verdict);
        }
        Self { program: assemble(&verdicts, DEFAULT_ERRNO, exec_key) }
    }

    /// The filter of the init of a tree of processes: it waits, reaps, passes signals on, and ends.
    #[must_use]
    pub(crate) fn for_init() -> Self {
        let mut verdicts: Verdicts = [None; rule::CALL_CEILING];
        for rule in groups::INIT {
            verdicts[rule.call.number as usize] = Some(rule.verdict);
        }
        Self { program: assemble(&verdicts, DEFAULT_ERRNO, 0) }
    }

    /// Names the process that may be signalled: the one that loads the filter, by its own `getpid`. Until then
    /// nobody may. Allocates nothing, so that it can run between vfork and exec.
    pub fn patch_pid(&mut self, pid: u32) {
        for slot in &self.program.pid_slots {
            self.program.code[*slot].k = pid;
        }
    }

    /// The instructions, in the form that `seccomp(SECCOMP_SET_MODE_FILTER)` takes.
    #[must_use]
    pub fn program(&self) -> &[sock_filter] {
        &self.program.code
    }
}

/// One call's rule under some options, for documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The call, as in section 2 of the manual.
    pub call: &'static str,
    /// Its number on this architecture.
    pub number: u32,
    /// The group that decided.
    pub group: &'static str,
    /// What happens.
    pub action: Action,
    /// Why the call is in the table.
    pub reason: &'static str,
}

/// What happens to a call, in outline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Allowed with any arguments.
    Allow,
    /// Allowed with some arguments, refused with this errno otherwise.
    AllowSome(c_int),
    /// Refused with this errno.
    Refuse(c_int),
    /// Done by the launcher where the policy grants it.
    Ask,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => write!(f, "allowed"),
            Self::AllowSome(errno) => write!(f, "allowed with some arguments, otherwise {}", errno_name(*errno)),
            Self::Refuse(errno) => write!(f, "{}", errno_name(*errno)),
            Self::Ask => write!(f, "the launcher decides"),
        }
    }
}

/// Says what the filter for `options` does, call by call in the order of their names. Calls that are not listed
/// fail with ENOSYS.
#[must_use]
pub fn describe(options: &Options) -> Vec<Description> {
    let by_call: std::collections::BTreeMap<_, _> = rulings(options)
        .map(|Ruling { rule, group, verdict }| {
            let action = match verdict {
                Verdict::Allow => Action::Allow,
                Verdict::Only { otherwise, .. } => Action::AllowSome(otherwise),
                Verdict::Refuse(errno) => Action::Refuse(errno),
                Verdict::Ask => Action::Ask,
            };
            let call = rule.call.name();
            (call, Description { call, number: rule.call.number, group: group.name, action, reason: rule.reason })
        })
        .collect();
    by_call.into_values().collect()
}

/// A rule as the options leave it.
struct Ruling {
    rule: &'static Rule,
    group: &'static Group,
    verdict: Verdict,
}

/// All rules in the order of the groups. Where a call occurs again, the later ruling replaces the earlier.
fn rulings(options: &Options) -> impl Iterator<Item = Ruling> {
    groups::GROUPS.iter().flat_map(move |group| {
        let granted = (group.granted)(options);
        group.rules.iter().filter_map(move |rule| {
            let verdict = match group.ungranted {
                // The filter of the program that starts it has the listener, and that verdict goes before this one.
                _ if granted && matches!(rule.verdict, Verdict::Ask) && options.narrower.is_some() => Verdict::Allow,
                _ if granted => rule.verdict,
                Ungranted::Refuse(errno) => Verdict::Refuse(errno),
                Ungranted::LeaveAsIs => return None,
            };
            Some(Ruling { rule, group, verdict })
        })
    })
}

/// The names of the errnos that the tables use.
fn errno_name(errno: c_int) -> &'static str {
    match errno {
        libc::EPERM => "EPERM",
        libc::EACCES => "EACCES",
        libc::EINVAL => "EINVAL",
        libc::ENOTTY => "ENOTTY",
        libc::EROFS => "EROFS",
        libc::ENOSYS => "ENOSYS",
        libc::ESRCH => "ESRCH",
        libc::EISCONN => "EISCONN",
        libc::EOPNOTSUPP => "EOPNOTSUPP",
        libc::EAFNOSUPPORT => "EAFNOSUPPORT",
        libc::ENOPROTOOPT => "ENOPROTOOPT",
        _ => "another errno",
    }
}
