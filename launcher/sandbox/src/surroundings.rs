//! What the launcher runs in, as far as that takes layers away: switches of the kernel, a container, a service. Each has
//! a remedy of its own.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use confine::{Errno, Layer, Step};

/// What was found around the launcher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surroundings {
    keeper: Option<Keeper>,
    /// `user.max_user_namespaces` is 0.
    no_user_namespaces: bool,
    /// Debian's `kernel.unprivileged_userns_clone` is 0.
    not_for_users: bool,
    /// Ubuntu's `kernel.apparmor_restrict_unprivileged_userns` is 1.
    restricted_by_apparmor: bool,
}

/// Who decides about the system calls that the launcher may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeper {
    Kubernetes,
    Docker,
    Podman,
    Systemd,
}

impl Keeper {
    const fn remedy(self) -> &'static str {
        match self {
            Self::Kubernetes => {
                "this is a Kubernetes pod: in its securityContext, a seccompProfile of type Localhost that allows what \
                 docs/deployment.md lists, and appArmorProfile: {type: Unconfined} where the node has AppArmor"
            }
            Self::Docker => {
                "this is a Docker container: run it with `--security-opt seccomp=FILE`, a profile that allows what \
                 docs/deployment.md lists, and with `--security-opt apparmor=unconfined` where the host has AppArmor"
            }
            Self::Podman => {
                "this is a Podman container: run it with `--security-opt seccomp=FILE`, a profile that allows what \
                 docs/deployment.md lists, and with `--security-opt label=disable` where the host has SELinux"
            }
            Self::Systemd => {
                "this is a systemd service: it needs `RestrictNamespaces=no` (or `user mnt ipc uts`), \
                 `SystemCallFilter=@mount` besides what it has, and `ProtectHostname=no`"
            }
        }
    }
}

impl Surroundings {
    /// Those of this process.
    pub(crate) fn look() -> Self {
        Self::at(Path::new("/"), |name| std::env::var_os(name))
    }

    /// Those of a process that sees the host's files below `root`, with its variables.
    fn at(root: &Path, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let is = |path: &str, value: &str| fs::read_to_string(root.join(path)).is_ok_and(|text| text.trim() == value);
        let group = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let keeper = if variable("KUBERNETES_SERVICE_HOST").is_some() {
            Some(Keeper::Kubernetes)
        } else if root.join(".dockerenv").exists() {
            Some(Keeper::Docker)
        } else if root.join("run/.containerenv").exists() {
            Some(Keeper::Podman)
        } else if variable("INVOCATION_ID").is_some() && group.lines().any(|line| line.ends_with(".service")) {
            Some(Keeper::Systemd)
        } else {
            None
        };
        Self {
            keeper,
            no_user_namespaces: is("proc/sys/user/max_user_namespaces", "0"),
            not_for_users: is("proc/sys/kernel/unprivileged_userns_clone", "0"),
            restricted_by_apparmor: is("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
        }
    }

    /// What to do here about a step that failed, where these surroundings say more than the step itself.
    pub(crate) fn remedy(self, error: &confine::Error) -> Option<&'static str> {
        let forbidden = matches!(error.errno, Errno::EPERM | Errno::EACCES | Errno::ENOSYS);
        match error.step.layer() {
            // That is about users, whatever is around.
            _ if error.step == Step::DropUser => None,
            Layer::Namespaces if self.no_user_namespaces => {
                Some("user namespaces are switched off here: `sysctl user.max_user_namespaces=10000`")
            }
            Layer::Namespaces if forbidden && self.not_for_users => {
                Some("user namespaces are switched off here: `sysctl kernel.unprivileged_userns_clone=1`")
            }
            Layer::Namespaces | Layer::Mounts if forbidden && self.keeper.is_some() => self.keeper.map(Keeper::remedy),
            Layer::Namespaces | Layer::Mounts if forbidden && self.restricted_by_apparmor => Some(
                "AppArmor keeps programs without a profile of their own from it \
                 (kernel.apparmor_restrict_unprivileged_userns is 1): install the profile that stands in \
                 docs/deployment.md",
            ),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use confine::Error;

    const CLONE: Step = Step::Clone;
    const MOUNT: Step = Step::MakeRoot;
    const EPERM: i32 = Errno::EPERM.0;

    /// A host of these files and variables, and what it says about a step.
    fn said(files: &[(&str, &str)], variables: &[&str], step: Step, errno: i32) -> Option<&'static str> {
        let root = tempfile::tempdir().unwrap();
        for (path, contents) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents).unwrap();
        }
        let variable = |name: &str| variables.contains(&name).then(OsString::new);
        Surroundings::at(root.path(), variable).remedy(&Error { step, errno: Errno(errno), path: None })
    }

    #[test]
    fn each_host_has_its_own_remedy() {
        const SERVICE: (&str, &str) = ("proc/self/cgroup", "0::/system.slice/functions.service\n");
        const UBUNTU: (&str, &str) = ("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
        const DEBIAN: (&str, &str) = ("proc/sys/kernel/unprivileged_userns_clone", "0\n");
        const NONE: (&str, &str) = ("proc/sys/user/max_user_namespaces", "0\n");
        const DOCKER: (&str, &str) = (".dockerenv", "");
        const PODMAN: (&str, &str) = ("run/.containerenv", "");
        for (files, variables, step, errno, beginning) in [
            (&[DOCKER][..], &[][..], CLONE, EPERM, "this is a Docker container: "),
            (&[DOCKER, UBUNTU], &[], MOUNT, 13, "this is a Docker container: "),
            (&[DOCKER, NONE], &[], CLONE, 28, "user namespaces are switched off here: `sysctl user."),
            (&[PODMAN], &[], MOUNT, EPERM, "this is a Podman container: "),
            (&[DOCKER], &["KUBERNETES_SERVICE_HOST"], CLONE, EPERM, "this is a Kubernetes pod: "),
            (&[SERVICE], &["INVOCATION_ID"], Step::SetHostname, EPERM, "this is a systemd service: "),
            (&[UBUNTU], &[], MOUNT, 13, "AppArmor keeps "),
            (&[DEBIAN], &[], CLONE, EPERM, "user namespaces are switched off here: `sysctl kernel."),
        ] {
            let said = said(files, variables, step, errno);
            assert!(said.is_some_and(|text| text.starts_with(beginning)), "{files:?} {step:?}: {said:?}");
        }
    }

    #[test]
    fn they_say_nothing_about_what_is_not_their_doing() {
        let docker = (".dockerenv", "");
        // A shell that systemd started is no service.
        let session = ("proc/self/cgroup", "0::/user.slice/user-1000.slice/session-2.scope\n");
        assert_eq!(said(&[], &[], CLONE, EPERM), None);
        assert_eq!(said(&[session], &["INVOCATION_ID"], CLONE, EPERM), None);
        assert_eq!(said(&[docker], &[], Step::LandlockVersion, 38), None);
        assert_eq!(said(&[docker], &[], Step::OpenSource(0), Errno::ESTALE.0), None);
        assert_eq!(said(&[docker], &[], Step::SetLimits, EPERM), None);
        assert_eq!(said(&[docker], &[], Step::DropUser, EPERM), None);
    }
}
