//! `without WHAT COMMAND [ARGS…]` runs a command as on a machine that lacks a protection: a seccomp filter, which the
//! command inherits, answers for the kernel.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    apply_filter,
};

/// System calls that fail with an errno, all of them or those whose first argument has these flags.
struct Lack {
    calls: &'static [i64],
    flags: Option<i32>,
    errno: i32,
}

fn lack(what: &str) -> Option<Lack> {
    let always = |calls, errno| Some(Lack { calls, flags: None, errno });
    match what {
        // A kernel that was built without it, one where it is off, and one that is too old: errno 0 makes the call
        // return 0, which stands for an ABI version.
        "landlock" => always(&[libc::SYS_landlock_create_ruleset], libc::ENOSYS),
        "landlock-enabled" => always(&[libc::SYS_landlock_create_ruleset], libc::EOPNOTSUPP),
        "landlock-new-enough" => always(&[libc::SYS_landlock_create_ruleset], 0),
        "landlock-enforcement" => always(&[libc::SYS_landlock_restrict_self], libc::E2BIG),
        "landlock-rules" => always(&[libc::SYS_landlock_add_rule], libc::ENOSYS),
        "user-namespaces" => {
            Some(Lack { calls: &[libc::SYS_clone], flags: Some(libc::CLONE_NEWUSER), errno: libc::EPERM })
        }
        "more-user-namespaces" => {
            Some(Lack { calls: &[libc::SYS_clone], flags: Some(libc::CLONE_NEWUSER), errno: libc::ENOSPC })
        }
        "open-tree" => always(&[libc::SYS_open_tree], libc::EPERM),
        "mounting" => always(&[libc::SYS_move_mount, libc::SYS_fsopen, libc::SYS_fsmount], libc::EPERM),
        "mount-setattr" => always(&[libc::SYS_mount_setattr], libc::ENOSYS),
        "pivot-root" => always(&[libc::SYS_pivot_root], libc::EPERM),
        "seccomp" => always(&[libc::SYS_seccomp], libc::EINVAL),
        "no-new-privileges" => {
            Some(Lack { calls: &[libc::SYS_prctl], flags: Some(libc::PR_SET_NO_NEW_PRIVS), errno: libc::EINVAL })
        }
        "resource-limits" => always(&[libc::SYS_prlimit64], libc::EPERM),
        "host-name" => always(&[libc::SYS_sethostname], libc::EPERM),
        _ => None,
    }
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let what = words.next().unwrap_or_default();
    let (Some(lack), Some(command)) = (lack(&what.to_string_lossy()), words.next()) else {
        eprintln!("usage: without WHAT COMMAND [ARGS…]");
        return ExitCode::from(2);
    };
    let error = match take_away(&lack) {
        Ok(()) => Command::new(command).args(words).exec().to_string(),
        Err(error) => error.to_string(),
    };
    eprintln!("without: {error}");
    ExitCode::FAILURE
}

fn take_away(lack: &Lack) -> Result<(), Box<dyn std::error::Error>> {
    let rules: BTreeMap<i64, Vec<SeccompRule>> = lack
        .calls
        .iter()
        .map(|call| Ok((*call, lack.flags.map(|flags| rule(*call, flags)).transpose()?.into_iter().collect())))
        .collect::<Result<_, seccompiler::BackendError>>()?;
    let errno = SeccompAction::Errno(u32::try_from(lack.errno)?);
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, errno, arch)?;
    apply_filter(&seccompiler::BpfProgram::try_from(filter)?)?;
    Ok(())
}

/// prctl(2) is chosen by the value of its first argument, clone(2) by a flag in it.
fn rule(call: i64, flags: i32) -> Result<SeccompRule, seccompiler::BackendError> {
    let flags = u64::from(flags.cast_unsigned());
    let compare = if call == libc::SYS_prctl { SeccompCmpOp::Eq } else { SeccompCmpOp::MaskedEq(flags) };
    SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Dword, compare, flags)?])
}
