//! The user's approvals of policies that came with programs: `$XDG_STATE_HOME/secure-bun/trust.json`.
//!
//! They are state and not configuration: they name paths and contents of this machine, and nobody would carry them to
//! another one. They lie outside any project, and no program may write there.

use std::fs::{self, DirBuilder};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Fault, Read};

/// More approvals than anybody makes, in bytes.
const MOST_BYTES: u64 = 4 << 20;
const FILE: &str = "trust.json";

/// Everything that is approved.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approvals {
    /// One for each policy file.
    pub(crate) approved: Vec<Approval>,
}

/// One approved policy.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approval {
    /// Its canonical path.
    pub(crate) policy: PathBuf,
    /// It and all that it extends.
    pub(crate) files: Vec<Approved>,
}

/// One file of an approved policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approved {
    /// Its canonical path.
    pub(crate) path: PathBuf,
    /// Its SHA-256 in hexadecimal digits.
    pub(crate) sha256: String,
}

/// Where they are kept; `None` where there is no home folder.
pub(crate) fn folder() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("secure-bun"))
}

impl Approvals {
    /// Reads them. What somebody else could have written is not believed.
    pub(crate) fn open() -> Result<Self, Fault> {
        let Some(folder) = folder() else { return Ok(Self::default()) };
        let path = folder.join(FILE);
        if path.symlink_metadata().is_err() {
            return Ok(Self::default());
        }
        check_private(&folder)?;
        check_private(&path)?;
        let refuse = |error: &dyn std::fmt::Display| {
            Fault::new(format!("cannot read the approvals in {}: {error}", path.display()))
                .with_help("remove the file, and approve again what you trust")
        };
        let mut text = Vec::new();
        let file = fs::File::open(&path).map_err(|error| refuse(&error))?;
        file.take(MOST_BYTES).read_to_end(&mut text).map_err(|error| refuse(&error))?;
        serde_json::from_slice(&text).map_err(|error| refuse(&error))
    }

    /// Whether there is an approval of `file` whose files all are what they were, out of the reach of others. Nothing of
    /// them is parsed for that.
    pub(crate) fn hold(&self, file: &Path) -> bool {
        let is_same = |approved: &Approved| {
            // Opening a pipe in its place would wait for its other end.
            let is_kept = approved.path.is_file() && check_path(&approved.path).is_ok();
            is_kept && super::bounded(&approved.path).is_ok_and(|text| super::sha256(&text) == approved.sha256)
        };
        self.of(file).is_some_and(|approval| approval.files.iter().all(is_same))
    }

    /// Whether exactly what was `read` is approved.
    pub(crate) fn approve(&self, file: &Path, read: &Read) -> bool {
        self.of(file).is_some_and(|approval| approval.files == read.approved())
    }

    fn of(&self, file: &Path) -> Option<&Approval> {
        let path = file.canonicalize().ok()?;
        self.approved.iter().find(|approval| approval.policy == path)
    }

    /// Changes them in one step, which no other launcher interrupts.
    pub(crate) fn change<T>(change: impl FnOnce(&mut Self) -> T) -> Result<T, Fault> {
        let Some(folder) = folder() else {
            return Err(Fault::new("there is no place for approvals").with_help("set HOME or XDG_STATE_HOME"));
        };
        let refuse =
            |error: std::io::Error| Fault::new(format!("cannot write {}: {error}", folder.join(FILE).display()));
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(refuse)?;
        check_private(&folder)?;
        // Held until the folder is closed.
        let lock = fs::File::open(&folder).map_err(refuse)?;
        lock.lock().map_err(refuse)?;
        let mut approvals = Self::open()?;
        let result = change(&mut approvals);
        approvals.approved.sort_by(|one, other| one.policy.cmp(&other.policy));
        let mut text = serde_json::to_string_pretty(&approvals).unwrap_or_default();
        text.push('\n');
        // Made for its owner alone, and complete when it gets its name.
        let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(refuse)?;
        file.write_all(text.as_bytes()).map_err(refuse)?;
        file.as_file().sync_all().map_err(refuse)?;
        file.persist(folder.join(FILE)).map_err(|error| refuse(error.error))?;
        Ok(result)
    }
}

/// A place of ours that nobody else can change.
fn check_private(path: &Path) -> Result<(), Fault> {
    let metadata = fs::symlink_metadata(path)
        .map_err(|error| Fault::new(format!("cannot look at {}: {error}", path.display())))?;
    let is_ours = metadata.uid() == secure_bun::places::user() && !metadata.is_symlink();
    if is_ours && metadata.mode() & 0o022 == 0 {
        return Ok(());
    }
    let message = format!("{} can be changed by others, so approvals in it prove nothing", path.display());
    Err(Fault::new(message).with_help("remove it, and approve again what you trust"))
}

/// Whose grants could be turned around: relative paths in a policy start from its folder, so whoever may rename
/// something on the way there decides what they mean, whatever the contents of the file.
pub(crate) fn check_path(file: &Path) -> Result<(), Fault> {
    let user = secure_bun::places::user();
    for place in file.ancestors() {
        let metadata = fs::symlink_metadata(place)
            .map_err(|error| Fault::new(format!("cannot look at {}: {error}", place.display())))?;
        let is_trusted_owner = metadata.uid() == user || metadata.uid() == 0;
        // A group of the user alone has the user's number, where there are such groups.
        let is_open_to_group = metadata.mode() & 0o020 != 0 && metadata.gid() != user && metadata.gid() != 0;
        // In a sticky folder, as /tmp is, nobody moves what belongs to others.
        let is_sticky = metadata.is_dir() && metadata.mode() & 0o1000 != 0;
        let is_open = (metadata.mode() & 0o002 != 0 || is_open_to_group) && !is_sticky;
        if !is_trusted_owner || is_open {
            let message = format!("{} is not approved: others can change {}", file.display(), place.display());
            return Err(Fault::new(message).with_help(
                "what the policy grants is relative to its folder, which they could replace; take away their right to write",
            ));
        }
    }
    Ok(())
}
