//! The Landlock ruleset, made before the clone by the landlock crate: which rights are handled at which ABI, all as
//! hard requirements. The rules themselves are added in the child, where the objects are (crate::child).

use std::os::fd::{AsRawFd, OwnedFd};

use landlock::{ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, Scope};

use crate::error::{Error, Step};
use crate::plan::{Access, Kind};
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
    /// abstract sockets.
    pub(crate) fn new() -> Result<Self, Error> {
        let version = sys::landlock_abi().map_err(|errno| Error { step: Step::LandlockVersion, errno, path: None })?;
        let abi = match version.min(KNOWN_ABI) {
            0..LEAST_ABI => {
                return Err(Error { step: Step::LandlockVersion, errno: Errno(libc::EOPNOTSUPP), path: None });
            }
            3 => ABI::V3,
            4 => ABI::V4,
            5 => ABI::V5,
            6 => ABI::V6,
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
        Ok(Self { ruleset, abi, version })
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
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let rights: BitFlags<AccessFs> = match access {
            // Mapping a file executable is the mount's to allow; to Landlock it is reading.
            Access::Read | Access::Load => read,
            Access::Execute => read | AccessFs::Execute,
            Access::Write => {
                let devices = AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev;
                read | (AccessFs::from_write(self.abi) & !devices)
            }
            Access::Device => AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate,
        };
        let known = match kind {
            Kind::Directory => AccessFs::from_all(self.abi),
            Kind::File => AccessFs::from_file(self.abi),
        };
        Rights((rights & known).bits())
    }

    /// The right to list directories only, for the skeleton of the root.
    pub(crate) fn listing() -> Rights {
        Rights(BitFlags::from(AccessFs::ReadDir).bits())
    }
}
