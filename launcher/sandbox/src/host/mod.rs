//! What this machine offers: Bun with its libraries, and who we are.

mod cache;
mod elf;
mod find;
mod known;
pub(crate) mod libraries;
pub(crate) mod loader_cache;
mod probe;
mod programs;
mod record;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use cache::Cache;
pub use find::find;
pub(crate) use known::Use;
pub use libraries::Library;
pub(crate) use programs::{Footprint, interpreter, is_executable};
pub use record::BunRecord;

use crate::error::Error;
use crate::layers::Layers;

/// What this machine offers.
#[derive(Debug)]
pub struct Host {
    /// The Bun that runs programs.
    pub bun: BunRecord,
    /// Whom the program will run as.
    pub identity: confine::Identity,
    /// Which layers it will have.
    pub layers: Layers,
    /// Where what is expensive to find out is kept, if there is a private place for it.
    pub cache: Option<Cache>,
    /// The home folder of the launcher's user.
    pub home: Option<PathBuf>,
}

/// Where to look for Bun, as far as the user said.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// `--bun`.
    pub flag: Option<PathBuf>,
    /// `SECURE_BUN_BUN`.
    pub variable: Option<OsString>,
    /// `PATH`.
    pub path: Option<OsString>,
    /// Folders that the program may write to: a Bun there could be the program's own.
    pub untrusted: Vec<PathBuf>,
}

/// The user who takes programs that root starts: `nobody` on every distribution.
const UNPRIVILEGED: u32 = 65534;

impl Host {
    /// Finds Bun and what is known about it; the first time it is looked at closely, confined.
    pub fn discover(search: &Search, identity: confine::Identity, layers: Layers) -> Result<Self, Error> {
        let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        let cache = cache();
        let path = find(search)?;
        let bun = BunRecord::load_or_make(&path, cache.as_ref(), identity, layers)?;
        Ok(Self { bun, identity, layers, cache, home })
    }
}

/// The place for what is expensive to find out.
pub(crate) fn cache() -> Option<Cache> {
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    Cache::open(std::env::var_os("XDG_CACHE_HOME").as_deref().map(Path::new), home.as_deref())
}

/// Whom a program will run as when we start it.
pub fn identity() -> confine::Identity {
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    if uid == 0 && !is_user_outside(&std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default()) {
        confine::Identity::Dropped { uid: UNPRIVILEGED, gid: UNPRIVILEGED }
    } else {
        confine::Identity::Own { uid, gid }
    }
}

/// Whether our root, by this /proc/self/uid_map, is an ordinary user outside of our user namespace, in which there is
/// nobody else to be.
fn is_user_outside(map: &str) -> bool {
    let mut ranges = map.lines().map(|line| line.split_whitespace().map(str::parse::<u32>));
    let only = (ranges.next(), ranges.next());
    let (Some(mut range), None) = only else { return false };
    matches!((range.next(), range.next(), range.next()), (Some(Ok(0)), Some(Ok(1..)), Some(Ok(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_of_a_user_namespace_may_be_an_ordinary_user() {
        assert!(is_user_outside("         0       1000          1\n"));
        // The machine's root, root of a container with users of its own, and one who is root outside as well.
        assert!(!is_user_outside("         0          0 4294967295\n"));
        assert!(!is_user_outside("         0     100000      65536\n"));
        assert!(!is_user_outside("         0       1000          1\n         1     100000      65536\n"));
        assert!(!is_user_outside("         0          0          1\n"));
        assert!(!is_user_outside(""));
    }
}
