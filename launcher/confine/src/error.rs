//! Why a sandbox could not be established.

use std::fmt;

use crate::landlock::LEAST_ABI;
use crate::sys::Errno;

/// What was being done. One variant per step of [`crate::start`], in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Asking for Landlock's ABI version.
    LandlockVersion,
    /// Making the Landlock ruleset.
    LandlockRuleset,
    /// Giving up root's user id before the clone.
    DropUser,
    /// Opening the objects that the sandbox shows.
    OpenSource(usize),
    /// Making the user namespace that shows root's files as the program's own.
    IdMap,
    /// Setting the launcher's own limit of open files.
    RaiseOpenFiles,
    /// Making the child with its namespaces.
    Clone,
    /// Mapping the user and group of the user namespace.
    MapUser,
    /// Making the root file system.
    MakeRoot,
    /// Laying out entry number n of the root.
    LayOut(usize),
    /// Mounting /proc.
    MountProc,
    /// Changing the root.
    PivotRoot,
    /// Bringing up the sandbox's own network, and what it asks for names.
    MakeNetwork,
    /// Setting the host name.
    SetHostname,
    /// Entering the working directory.
    EnterDirectory,
    /// Handing over standard input, output and error.
    HandOverStdio,
    /// Tying the child's life to the launcher's.
    TieToParent,
    /// Making the program's process below init.
    Fork,
    /// Holding the program until its own file is sealed.
    Hold,
    /// Taking the right to be executed from the program's own file.
    Seal,
    /// Setting no_new_privs.
    NoNewPrivileges,
    /// Setting resource limits.
    SetLimits,
    /// Opening the program.
    OpenProgram,
    /// Closing every other descriptor at exec.
    CloseDescriptors,
    /// Allowing object number n in the Landlock ruleset.
    LandlockRule(usize),
    /// Enforcing the Landlock ruleset.
    LandlockRestrict,
    /// Resetting signals.
    ResetSignals,
    /// Loading the seccomp filter.
    LoadFilter,
    /// Handing over to the launcher what the sandbox asks through.
    HandOverNetwork,
    /// Running the program.
    Exec,
}

/// A step that failed. Nothing has run; nothing is left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What was being done.
    pub step: Step,
    /// What the kernel said.
    pub errno: Errno,
    /// The path it was about, where there is one.
    pub path: Option<String>,
}

/// The protection that a step builds, by its name in a policy's `kernel.require`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// User, mount, IPC and UTS namespaces.
    Namespaces,
    /// The root file system of the sandbox.
    Mounts,
    /// Landlock.
    Landlock,
    /// The system call filter.
    Seccomp,
    /// A network of the sandbox's own.
    Network,
    /// Resource limits.
    Limits,
    /// Handing over to the program.
    Start,
}

impl Step {
    /// The protection that this step builds.
    pub const fn layer(self) -> Layer {
        match self {
            Self::LandlockVersion | Self::LandlockRuleset | Self::LandlockRule(_) | Self::LandlockRestrict => {
                Layer::Landlock
            }
            Self::DropUser | Self::Clone | Self::MapUser | Self::IdMap | Self::SetHostname => Layer::Namespaces,
            Self::OpenSource(_) | Self::MakeRoot | Self::LayOut(_) | Self::MountProc | Self::PivotRoot | Self::Seal => {
                Layer::Mounts
            }
            Self::MakeNetwork | Self::HandOverNetwork => Layer::Network,
            Self::RaiseOpenFiles | Self::SetLimits => Layer::Limits,
            Self::NoNewPrivileges | Self::LoadFilter => Layer::Seccomp,
            Self::EnterDirectory
            | Self::Fork
            | Self::Hold
            | Self::HandOverStdio
            | Self::TieToParent
            | Self::OpenProgram
            | Self::CloseDescriptors
            | Self::ResetSignals
            | Self::Exec => Layer::Start,
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::LandlockVersion => "asking the kernel for Landlock",
            Self::LandlockRuleset => "making the Landlock ruleset",
            Self::DropUser => "giving up root's user id",
            Self::OpenSource(_) => "opening an object that the sandbox shows",
            Self::IdMap => "showing root's files as the program's own (id-mapped mount)",
            Self::RaiseOpenFiles => "raising the launcher's limit of open files",
            Self::Clone => "making the user, mount, IPC and UTS namespaces",
            Self::MapUser => "mapping the user of the user namespace",
            Self::MakeRoot => "mounting the sandbox's root file system",
            Self::LayOut(_) => "laying out the sandbox's root file system",
            Self::MountProc => "mounting /proc",
            Self::PivotRoot => "changing the root file system",
            Self::MakeNetwork => "making the sandbox's own network",
            Self::SetHostname => "setting the host name",
            Self::EnterDirectory => "entering the working directory",
            Self::HandOverStdio => "handing over standard input, output and error",
            Self::TieToParent => "tying the program's life to the launcher's",
            Self::Fork => "making the program's process",
            Self::Hold => "holding the program until the sandbox is complete",
            Self::Seal => "taking the right to be executed from the program's own file",
            Self::NoNewPrivileges => "setting no_new_privs",
            Self::SetLimits => "setting resource limits",
            Self::OpenProgram => "opening the program",
            Self::CloseDescriptors => "closing inherited descriptors",
            Self::LandlockRule(_) => "adding a rule to the Landlock ruleset",
            Self::LandlockRestrict => "enforcing the Landlock ruleset",
            Self::ResetSignals => "resetting signals",
            Self::LoadFilter => "loading the seccomp filter",
            Self::HandOverNetwork => "handing over the sandbox's network",
            Self::Exec => "running the program",
        }
    }
}

impl Error {
    /// What an administrator can do about it, where we know.
    pub fn remedy(&self) -> Option<&'static str> {
        let unsupported = matches!(self.errno.0, libc::ENOSYS | libc::EOPNOTSUPP);
        Some(match self.step {
            Step::LandlockVersion | Step::LandlockRuleset | Step::LandlockRule(_) if unsupported => {
                "the kernel has no Landlock, or it is off: use Linux 6.2 or newer with `landlock` in CONFIG_LSM or in \
                 the boot parameter `lsm=`; in a container, allow the landlock_* system calls in its seccomp profile"
            }
            Step::LandlockVersion => "Linux 6.2 or newer is needed (Landlock ABI 3)",
            Step::LandlockRestrict | Step::LandlockRuleset => {
                "in a container, allow the landlock_* system calls in its seccomp profile; more than 16 nested \
                 Landlock domains are not possible"
            }
            Step::DropUser => {
                "root's programs run as user and group 65534: root needs CAP_SETUID and CAP_SETGID for that, and a user \
                 namespace around it has to map 65534; or start secure-bun as an unprivileged user"
            }
            Step::Clone if self.errno.0 == libc::ENOSPC || self.errno.0 == libc::EUSERS => {
                "the number of user namespaces is limited: raise it with `sysctl user.max_user_namespaces=10000`"
            }
            Step::Clone if self.errno.0 == libc::EPERM || unsupported => {
                "unprivileged user namespaces are forbidden here: in a container, use a seccomp profile that allows \
                 clone with CLONE_NEWUSER; in a systemd service, `RestrictNamespaces=no`; on Debian, `sysctl \
                 kernel.unprivileged_userns_clone=1`"
            }
            Step::MapUser | Step::MakeRoot | Step::LayOut(_) | Step::MountProc | Step::PivotRoot
                if unsupported || matches!(self.errno.0, libc::EPERM | libc::EACCES) =>
            {
                "a user namespace was made but may not mount: on Ubuntu, `sysctl \
                 kernel.apparmor_restrict_unprivileged_userns=0` or an AppArmor profile for secure-bun with `userns,`; \
                 in a container, an unmasked /proc and a seccomp profile that allows mounting (open_tree, \
                 mount_setattr, move_mount, fsopen, pivot_root)"
            }
            Step::OpenSource(_) if unsupported || self.errno == Errno(libc::EPERM) => {
                "Linux 5.12 or newer is needed, and for root CAP_SYS_ADMIN, without which secure-bun can be started as an \
                 unprivileged user; in a container, a seccomp profile that allows mounting (open_tree, \
                 mount_setattr, move_mount, fsopen, pivot_root)"
            }
            Step::IdMap => {
                "this file system has no id-mapped mounts (overlayfs): start secure-bun as an unprivileged user, or \
                 make the granted files accessible to others"
            }
            Step::RaiseOpenFiles => {
                "raise the hard limit of open files above 1001: `ulimit -Hn`; in a systemd service, `LimitNOFILE=`; \
                 for a container, `docker run --ulimit nofile=`"
            }
            Step::Hold => {
                "a program that may start others is traced by its init for a moment: in a container, use a seccomp \
                 profile that allows ptrace; `sysctl kernel.yama.ptrace_scope` must be below 3"
            }
            Step::LoadFilter if self.errno.0 == libc::EBUSY => {
                "another program answers for system calls of the launcher already, and a filter that asks about the \
                 network cannot be loaded below that: start secure-bun outside of it"
            }
            Step::MakeNetwork => {
                "in a systemd service, `RestrictAddressFamilies=` must leave AF_INET, AF_INET6 and AF_UNIX, and \
                 `RestrictNamespaces=no`"
            }
            Step::LoadFilter if unsupported || self.errno.0 == libc::EINVAL => "the kernel lacks CONFIG_SECCOMP_FILTER",
            Step::SetHostname => {
                "in a systemd service, `ProtectHostname=no`; in a container, a seccomp profile that allows sethostname"
            }
            Step::OpenSource(_) if self.errno == Errno::ESTALE => {
                "it was replaced while the sandbox was being made: run again"
            }
            Step::OpenSource(_) if self.errno == Errno::EINVAL => {
                "another file system is mounted below it, which a user cannot leave out: name what lies beside that \
                 one by one, or start secure-bun as root"
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.step.what())?;
        if let Some(path) = &self.path {
            write!(f, " for {path:?}")?;
        }
        if (self.step, self.errno) == (Step::LandlockVersion, Errno::TOO_OLD) {
            return write!(f, ": its version is older than {LEAST_ABI}");
        }
        write!(f, ": {}", self.errno)
    }
}

impl std::error::Error for Error {}
