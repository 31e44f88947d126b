//! `without WHAT COMMAND [ARGS…]` runs a command as on a machine that lacks a protection: a seccomp filter, which the
//! command inherits, answers for the kernel. `without landlock-abi-N` answers as a kernel whose Landlock is that old.
#![forbid(unsafe_code)]

mod older_landlock;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    apply_filter,
};

type Failure = Box<dyn std::error::Error>;

/// System calls that fail with an errno, all of them or those whose first argument has one of these flags.
struct Lack {
    calls: &'static [i64],
    flags: &'static [i32],
    errno: i32,
}

const NAMESPACES: &[i32] = &[
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// What Docker's default seccomp profile leaves to containers with CAP_SYS_ADMIN.
const ADMINISTRATION: &[i64] = &[
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_sethostname,
];

/// What of that a sandbox can do without.
const BEYOND_ADDITIONS: &[i64] =
    &[libc::SYS_unshare, libc::SYS_setns, libc::SYS_mount, libc::SYS_chroot, libc::SYS_fspick, libc::SYS_swapon];

fn lacks(what: &str) -> Option<Vec<Lack>> {
    let always = |calls, errno| Some(vec![Lack { calls, flags: &[], errno }]);
    let flagged = |calls, flags, errno| Some(vec![Lack { calls, flags, errno }]);
    match what {
        // A kernel that was built without it, one where it is off, and one that is too old: errno 0 makes the call
        // return 0, which stands for an ABI version.
        "landlock" => always(&[libc::SYS_landlock_create_ruleset], libc::ENOSYS),
        "landlock-enabled" => always(&[libc::SYS_landlock_create_ruleset], libc::EOPNOTSUPP),
        "landlock-new-enough" => always(&[libc::SYS_landlock_create_ruleset], 0),
        "landlock-enforcement" => always(&[libc::SYS_landlock_restrict_self], libc::E2BIG),
        "landlock-rules" => always(&[libc::SYS_landlock_add_rule], libc::ENOSYS),
        // A container under Docker's default seccomp profile.
        "namespaces" => Some(vec![
            Lack { calls: ADMINISTRATION, flags: &[], errno: libc::EPERM },
            Lack { calls: &[libc::SYS_clone], flags: NAMESPACES, errno: libc::EPERM },
            Lack { calls: &[libc::SYS_clone3], flags: &[], errno: libc::ENOSYS },
        ]),
        // The same to a program that connects: what needs CAP_SYS_PTRACE there.
        "namespaces-and-copies-of-descriptors" => {
            let copies = Lack { calls: &[libc::SYS_pidfd_getfd, libc::SYS_kcmp], flags: &[], errno: libc::EPERM };
            Some(lacks("namespaces")?.into_iter().chain([copies]).collect())
        }
        // The same with what docs/deployment.md adds to that profile.
        "what-docker-allows-with-additions" => Some(vec![
            Lack { calls: BEYOND_ADDITIONS, flags: &[], errno: libc::EPERM },
            Lack { calls: &[libc::SYS_clone3], flags: &[], errno: libc::ENOSYS },
        ]),
        "namespaces-and-landlock" => Some([lacks("namespaces")?, lacks("landlock")?].into_iter().flatten().collect()),
        "user-namespaces" => flagged(&[libc::SYS_clone], &[libc::CLONE_NEWUSER], libc::EPERM),
        "more-user-namespaces" => flagged(&[libc::SYS_clone], &[libc::CLONE_NEWUSER], libc::ENOSPC),
        "open-tree" => always(&[libc::SYS_open_tree], libc::EPERM),
        "mounting" => always(&[libc::SYS_move_mount, libc::SYS_fsopen, libc::SYS_fsmount], libc::EPERM),
        "mount-setattr" => always(&[libc::SYS_mount_setattr], libc::ENOSYS),
        "pivot-root" => always(&[libc::SYS_pivot_root], libc::EPERM),
        "seccomp" => always(&[libc::SYS_seccomp], libc::EINVAL),
        "no-new-privileges" => flagged(&[libc::SYS_prctl], &[libc::PR_SET_NO_NEW_PRIVS], libc::EINVAL),
        "resource-limits" => always(&[libc::SYS_prlimit64], libc::EPERM),
        "host-name" => always(&[libc::SYS_sethostname], libc::EPERM),
        _ => None,
    }
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let what = words.next().unwrap_or_default();
    let what = what.to_string_lossy();
    let command: Vec<OsString> = words.collect();
    let ended = match (what.strip_prefix("landlock-abi-").map(str::parse), lacks(&what)) {
        _ if command.is_empty() => return usage(),
        (Some(Ok(abi)), _) => older_landlock::run(abi, &command),
        _ if what == older_landlock::TRACED => older_landlock::be_traced().and_then(|()| become_command(&command)),
        (_, Some(lacks)) => lacks.iter().try_for_each(take_away).and_then(|()| become_command(&command)),
        _ => return usage(),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("without: {error}");
        ExitCode::FAILURE
    })
}

fn usage() -> ExitCode {
    eprintln!("usage: without WHAT COMMAND [ARGS…]");
    ExitCode::from(2)
}

fn become_command(words: &[OsString]) -> Result<ExitCode, Failure> {
    let (command, arguments) = words.split_first().ok_or("there is no command")?;
    Err(Command::new(command).args(arguments).exec().into())
}

fn take_away(lack: &Lack) -> Result<(), Failure> {
    let rules = |call: i64| lack.flags.iter().map(|flag| rule(call, *flag)).collect::<Result<Vec<_>, _>>();
    let rules = lack.calls.iter().map(|call| Ok((*call, rules(*call)?)));
    load(rules.collect::<Result<_, Failure>>()?, SeccompAction::Errno(u32::try_from(lack.errno)?))
}

/// Lets `action` answer for the kernel where `rules` hold, from here on.
fn load(rules: BTreeMap<i64, Vec<SeccompRule>>, action: SeccompAction) -> Result<(), Failure> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch)?;
    apply_filter(&seccompiler::BpfProgram::try_from(filter)?)?;
    Ok(())
}

/// prctl(2) is chosen by the value of its first argument, clone(2) by a flag in it.
fn rule(call: i64, flags: i32) -> Result<SeccompRule, seccompiler::BackendError> {
    let flags = u64::from(flags.cast_unsigned());
    let compare = if call == libc::SYS_prctl { SeccompCmpOp::Eq } else { SeccompCmpOp::MaskedEq(flags) };
    SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Dword, compare, flags)?])
}
