//! A machine that lacks a protection: nothing runs, and it is said what is missing and what to do. The lack is emulated
//! by a seccomp filter around the launcher that answers for the kernel.
#![allow(clippy::needless_raw_string_hashes, reason = "snapbox writes the snapshots")]

mod host_view;
mod nested;
mod older_landlock;
mod relaxed;

use std::path::Path;

use secure_bun_tests::{Folder, str};
use snapbox::data::Inline;

/// The body of a function for an expression over `call`, `text` and `open`.
fn act(expression: &str) -> String {
    format!("{{ const {{ call, text, open }} = await import('./native.ts'); return {expression}; }}")
}

const WITHOUT: &str = env!("CARGO_BIN_EXE_without");

/// It runs on this machine; on one that lacks `what`, nothing does, and this is said.
#[track_caller]
fn nothing_runs_without(what: &str, snapshot: Inline) {
    let folder =
        Folder::with("main.ts", "require('fs').writeFileSync('out/ran', ''); console.log('it ran');").folder("out");
    let command = || folder.secure_bun(["run", "--allow-write=out", "main.ts"]);
    // The control, which also fills the launcher's cache: what fails is the start of the program.
    assert_eq!(command().prints(), "it ran\n");
    std::fs::remove_file(folder.path("out/ran")).unwrap();

    let ended = command().started_by(Path::new(WITHOUT), &[what]).end();
    assert_eq!((ended.code(), ended.stdout()), (125, String::new()), "{ended}");
    assert!(!folder.path("out/ran").exists(), "it ran");
    ended.is(snapshot);
}

#[test]
fn landlock_in_the_kernel() {
    nothing_runs_without(
        "landlock",
        str![[r"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: asking the kernel for Landlock failed: Function not implemented (os error 38)
secure-bun: help: the kernel has no Landlock, or it is off: use Linux 6.2 or newer with `landlock` in CONFIG_LSM or in the boot parameter `lsm=`; in a container, allow the landlock_* system calls in its seccomp profile; `secure-bun doctor` tries each layer

"]],
    );
}

#[test]
fn landlock_switched_on() {
    nothing_runs_without(
        "landlock-enabled",
        str![[r"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: asking the kernel for Landlock failed: [..] (os error 95)
secure-bun: help: the kernel has no Landlock, or it is off: use Linux 6.2 or newer with `landlock` in CONFIG_LSM or in the boot parameter `lsm=`; in a container, allow the landlock_* system calls in its seccomp profile; `secure-bun doctor` tries each layer

"]],
    );
}

#[test]
fn a_landlock_that_is_new_enough() {
    nothing_runs_without(
        "landlock-new-enough",
        str![[r#"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: asking the kernel for Landlock failed: its version is older than 3
secure-bun: help: Linux 6.2 or newer is needed (Landlock ABI 3); `secure-bun doctor` tries each layer

"#]],
    );
}

#[test]
fn landlock_rules() {
    nothing_runs_without(
        "landlock-rules",
        str![[r#"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: adding a rule to the Landlock ruleset failed for "/tmp": Function not implemented (os error 38)
secure-bun: help: the kernel has no Landlock, or it is off: use Linux 6.2 or newer with `landlock` in CONFIG_LSM or in the boot parameter `lsm=`; in a container, allow the landlock_* system calls in its seccomp profile; `secure-bun doctor` tries each layer

"#]],
    );
}

#[test]
fn room_for_another_landlock_domain() {
    nothing_runs_without(
        "landlock-enforcement",
        str![[r"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: enforcing the Landlock ruleset failed: Argument list too long (os error 7)
secure-bun: help: in a container, allow the landlock_* system calls in its seccomp profile; more than 16 nested Landlock domains are not possible; `secure-bun doctor` tries each layer

"]],
    );
}

#[test]
fn user_namespaces() {
    nothing_runs_without(
        "user-namespaces",
        str![[r"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: making the user, mount, IPC and UTS namespaces failed: Operation not permitted (os error 1)
secure-bun: help: unprivileged user namespaces are forbidden here: in a container, use a seccomp profile that allows clone with CLONE_NEWUSER; in a systemd service, `RestrictNamespaces=no`; on Debian, `sysctl kernel.unprivileged_userns_clone=1`; `secure-bun doctor` tries each layer

"]],
    );
}

#[test]
fn room_for_another_user_namespace() {
    nothing_runs_without(
        "more-user-namespaces",
        str![[r"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: making the user, mount, IPC and UTS namespaces failed: No space left on device (os error 28)
secure-bun: help: the number of user namespaces is limited: raise it with `sysctl user.max_user_namespaces=10000`; `secure-bun doctor` tries each layer

"]],
    );
}

#[test]
fn the_mount_calls() {
    nothing_runs_without(
        "open-tree",
        str![[r#"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: opening an object that the sandbox shows failed for "[BUN]": Operation not permitted (os error 1)
secure-bun: help: Linux 5.12 or newer is needed, and for root CAP_SYS_ADMIN, without which secure-bun can be started as an unprivileged user; in a container, a seccomp profile that allows mounting (open_tree, mount_setattr, move_mount, fsopen, pivot_root); `secure-bun doctor` tries each layer

"#]],
    );
}

#[test]
fn the_right_to_mount() {
    nothing_runs_without(
        "mounting",
        str![[r"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: mounting the sandbox's root file system failed: Operation not permitted (os error 1)
secure-bun: help: a user namespace was made but may not mount: on Ubuntu, `sysctl kernel.apparmor_restrict_unprivileged_userns=0` or an AppArmor profile for secure-bun with `userns,`; in a container, an unmasked /proc and a seccomp profile that allows mounting (open_tree, mount_setattr, move_mount, fsopen, pivot_root); `secure-bun doctor` tries each layer

"]],
    );
}

#[test]
fn the_call_that_makes_mounts_read_only() {
    nothing_runs_without(
        "mount-setattr",
        str![[r#"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: opening an object that the sandbox shows failed for "[BUN]": Function not implemented (os error 38)
secure-bun: help: Linux 5.12 or newer is needed, and for root CAP_SYS_ADMIN, without which secure-bun can be started as an unprivileged user; in a container, a seccomp profile that allows mounting (open_tree, mount_setattr, move_mount, fsopen, pivot_root); `secure-bun doctor` tries each layer

"#]],
    );
}

#[test]
fn the_right_to_change_the_root() {
    nothing_runs_without(
        "pivot-root",
        str![[r"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: changing the root file system failed: Operation not permitted (os error 1)
secure-bun: help: a user namespace was made but may not mount: on Ubuntu, `sysctl kernel.apparmor_restrict_unprivileged_userns=0` or an AppArmor profile for secure-bun with `userns,`; in a container, an unmasked /proc and a seccomp profile that allows mounting (open_tree, mount_setattr, move_mount, fsopen, pivot_root); `secure-bun doctor` tries each layer

"]],
    );
}

#[test]
fn the_system_call_filter() {
    nothing_runs_without(
        "seccomp",
        str![[r"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: loading the seccomp filter failed: Invalid argument (os error 22)
secure-bun: help: the kernel lacks CONFIG_SECCOMP_FILTER; `secure-bun doctor` tries each layer

"]],
    );
}

#[test]
fn no_new_privileges() {
    nothing_runs_without(
        "no-new-privileges",
        str![[r"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: setting no_new_privs failed: Invalid argument (os error 22)
secure-bun: help: `secure-bun doctor` tries each layer

"]],
    );
}

#[test]
fn resource_limits() {
    nothing_runs_without(
        "resource-limits",
        str![[r"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: raising the launcher's limit of open files failed: Operation not permitted (os error 1)
secure-bun: help: raise the hard limit of open files above 1001: `ulimit -Hn`; in a systemd service, `LimitNOFILE=`; for a container, `docker run --ulimit nofile=`; `secure-bun doctor` tries each layer

"]],
    );
}

#[test]
fn the_right_to_name_the_host() {
    nothing_runs_without(
        "host-name",
        str![[r#"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: setting the host name failed: Operation not permitted (os error 1)
secure-bun: help: in a systemd service, `ProtectHostname=no`; in a container, a seccomp profile that allows sethostname; `secure-bun doctor` tries each layer

"#]],
    );
}

#[test]
fn a_first_run_fails_as_clearly() {
    let folder = Folder::with("main.ts", "console.log('it ran')").folder("cache");
    let command = folder.secure_bun(["run", "main.ts"]).env("XDG_CACHE_HOME", folder.path("cache"));
    command.started_by(Path::new(WITHOUT), &["landlock"]).shows(str![[r"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: asking the kernel for Landlock failed: Function not implemented (os error 38)
secure-bun: help: the kernel has no Landlock, or it is off: use Linux 6.2 or newer with `landlock` in CONFIG_LSM or in the boot parameter `lsm=`; in a container, allow the landlock_* system calls in its seccomp profile; `secure-bun doctor` tries each layer

"]]);
}
