//! The Landlock ruleset, made before the clone by the landlock crate: which rights are handled at which ABI, all as
//! hard requirements. The rules themselves are added in the child, where the objects are (crate::child).

use std::os::fd::{AsRawFd, OwnedFd};

use landlock::{ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, Scope};

use crate::error::{Error, Step};
use crate::plan::{Access, Kind, Need};
use crate::sys::{self, Errno, Fd};

/// The oldest ABI that covers truncation; older ones would leave a granted file's contents open to it.
pub const LEAST_ABI: u32 = 3;
/// The newest ABI whose rights this launcher knows.
const KNOWN_ABI: u32 = 7;

/// A ruleset that denies everything it handles, and what it handles.
pub(crate) struct Rules {
    ruleset: OwnedFd,
    abi: ABI,
    version: u32,
}

/// Which rights one rule grants, for directories and for files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rights(pub(crate) u64);

impl Rules {
    /// Makes a ruleset that handles every right of the host's ABI: all of the file system, all TCP, signals and
    /// abstract sockets. `None` where the host has none and `need` allows that.
    pub(crate) fn new(need: Need) -> Result<Option<Self>, Error> {
        let failed = |errno| Error { step: Step::LandlockVersion, errno, path: None };
        let version = match (sys::landlock_abi(), need) {
            (Ok(version), _) => version,
            (Err(_), Need::IfAvailable) => 0,
            (Err(errno), Need::Required) => return Err(failed(errno)),
        };
        let abi = match (version.min(KNOWN_ABI), need) {
            (0..LEAST_ABI, Need::Required) => return Err(failed(Errno::TOO_OLD)),
            (0, Need::IfAvailable) => return Ok(None),
            (1, _) => ABI::V1,
            (2, _) => ABI::V2,
            (3, _) => ABI::V3,
            (4, _) => ABI::V4,
            (5, _) => ABI::V5,
            (6, _) => ABI::V6,
            _ => ABI::V7,
        };
        let created = (|| {
            let mut ruleset = Ruleset::default()
                .set_compatibility(CompatLevel::HardRequirement)
                .handle_access(AccessFs::from_all(abi))?;
            if abi >= ABI::V4 {
                ruleset = ruleset.handle_access(AccessNet::from_all(abi))?;
            }
            if abi >= ABI::V6 {
                ruleset = ruleset.scope(Scope::from_all(abi))?;
            }
            ruleset.create()
        })();
        let refused = |errno| Error { step: Step::LandlockRuleset, errno, path: None };
        let ruleset = created.map_err(|_| refused(Errno(libc::EOPNOTSUPP)))?;
        let ruleset = Option::<OwnedFd>::from(ruleset).ok_or_else(|| refused(Errno(libc::EOPNOTSUPP)))?;
        Ok(Some(Self { ruleset, abi, version }))
    }

    /// The kernel's ABI version.
    pub(crate) const fn version(&self) -> u32 {
        self.version
    }

    /// The descriptor of the ruleset.
    pub(crate) fn fd(&self) -> Fd {
        Fd(self.ruleset.as_raw_fd())
    }

    /// The rights that `access` needs on an object of `kind`, as far as this ABI knows them.
    pub(crate) fn rights(&self, access: Access, kind: Kind) -> Rights {
        self.known(Self::needed(self.abi, access), kind)
    }

    /// The same, on an object that is seen through a read-only mount alone: truncation is left to the mount, which
    /// refuses it as it refuses every other change.
    ///
    /// With each open Landlock also finds out whether the file could be truncated later. It walks up from the file until
    /// rules have answered all that it asks: where reading alone is granted, that is always the way up to the root, a
    /// microsecond for each open. With this right the walk ends at the grant.
    pub(crate) fn rights_below_read_only_mount(&self, access: Access, kind: Kind) -> Rights {
        self.known(Self::needed(self.abi, access) | AccessFs::Truncate, kind)
    }

    fn needed(abi: ABI, access: Access) -> BitFlags<AccessFs> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        match access {
            Access::List => AccessFs::ReadDir.into(),
            // Mapping a file executable is the mount's to allow; to Landlock it is reading.
            Access::Read | Access::Load => read,
            Access::Execute => read | AccessFs::Execute,
            Access::Write => {
                let devices = AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev;
                read | (AccessFs::from_write(abi) & !devices)
            }
            Access::Device => AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate,
        }
    }

    fn known(&self, rights: BitFlags<AccessFs>, kind: Kind) -> Rights {
        let known = match kind {
            Kind::Directory => AccessFs::from_all(self.abi),
            Kind::File => AccessFs::from_file(self.abi),
        };
        Rights((rights & known).bits())
    }
}

/// What an older Landlock leaves out, and what keeps it from the program all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What is left out.
    pub what: &'static str,
    /// The first ABI that covers it.
    pub since: u32,
    /// What covers it here.
    pub covered_by: Cover,
}

/// What covers a gap of Landlock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// The system call filter, always.
    Filter,
    /// Mounts that are read-only, where the program has a root file system of its own.
    Mounts,
}

/// What each ABI brought, and what this launcher has beside it.
const HISTORY: [Gap; 6] = [
    Gap { what: "files", since: 1, covered_by: Cover::Mounts },
    Gap { what: "renames between directories", since: 2, covered_by: Cover::Mounts },
    Gap { what: "truncation", since: LEAST_ABI, covered_by: Cover::Mounts },
    Gap { what: "TCP", since: 4, covered_by: Cover::Filter },
    Gap { what: "commands of devices", since: 5, covered_by: Cover::Filter },
    Gap { what: "signals and abstract sockets", since: 6, covered_by: Cover::Filter },
];

/// What a Landlock of this ABI, 0 for none, leaves to the other layers. What only mounts cover is why a program in the
/// host's view needs [`LEAST_ABI`], and why less than that is not what a policy gets unless it says so.
pub fn gaps(abi: u32) -> impl Iterator<Item = Gap> {
    HISTORY.into_iter().filter(move |gap| abi < gap.since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_abi_lacks_is_covered_by_the_filter_from_the_least_one_on() {
        let covers = |abi| gaps(abi).map(|gap| gap.covered_by).collect::<Vec<_>>();
        assert_eq!(covers(0), [[Cover::Mounts; 3], [Cover::Filter; 3]].concat());
        assert_eq!(covers(1), [[Cover::Mounts; 2].as_slice(), &[Cover::Filter; 3]].concat());
        assert_eq!(covers(2), [[Cover::Mounts; 1].as_slice(), &[Cover::Filter; 3]].concat());
        assert_eq!(covers(LEAST_ABI), [Cover::Filter; 3]);
        assert_eq!(covers(4), [Cover::Filter; 2]);
        assert_eq!(covers(5), [Cover::Filter; 1]);
        assert_eq!(covers(6), []);
        assert_eq!(covers(KNOWN_ABI), []);
    }

    #[test]
    fn the_filter_refuses_what_an_older_landlock_leaves_to_it() {
        let refused =
            crate::seccomp::describe(&crate::seccomp::Options { write: true, tty: true, ..Default::default() });
        let verdict = |call| refused.iter().find(|line| line.call == call).map(|line| line.action);
        // TCP and abstract sockets: there are no sockets but pairs. Commands of devices: a list of harmless ones.
        assert_eq!(verdict("socket"), Some(crate::seccomp::Action::Refuse(libc::EAFNOSUPPORT)));
        assert_eq!(verdict("ioctl"), Some(crate::seccomp::Action::AllowSome(libc::ENOTTY)));
        // Signals: to oneself.
        for call in ["kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"] {
            assert_eq!(verdict(call), Some(crate::seccomp::Action::AllowSome(libc::EPERM)), "{call}");
        }
        for call in ["tkill", "pidfd_send_signal"] {
            assert!(!matches!(verdict(call), Some(crate::seccomp::Action::Allow)), "{call}");
        }
    }
}
