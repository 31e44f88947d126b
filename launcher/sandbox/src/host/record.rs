//! What is known about one Bun binary, kept in the cache as long as the file stays the same.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::cache::Cache;
use super::libraries::{self, Library};
use super::probe;
use crate::errand::Runner;
use crate::error::{Error, Kind};
use crate::layers::Layers;

/// A Bun binary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BunRecord {
    /// Its canonical path.
    pub path: PathBuf,
    /// Which file it was.
    identity: FileIdentity,
    /// SHA-256 of its contents, in hex.
    pub sha256: String,
    /// Its version, as `Bun.version` says.
    pub version: String,
    /// Its loader and libraries.
    pub libraries: Vec<Library>,
}

/// What changes when a file does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileIdentity {
    pub(super) fn of(path: &Path) -> Result<Self, Error> {
        let metadata = fs::metadata(path).map_err(|error| Error::io(Kind::NotFound, "look at", path, &error))?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// The name of the cache's entry about it.
    pub(super) fn key(&self, kind: &str) -> String {
        // Each version of the launcher looks for itself: it may ask more than the one before.
        format!("{kind}-{}-{}-{}.json", env!("CARGO_PKG_VERSION"), self.device, self.inode)
    }
}

impl BunRecord {
    /// What the cache knows about the Bun at `path`, or else what a close look finds.
    pub(super) fn load_or_make(
        path: &Path,
        cache: Option<&Cache>,
        user: confine::Identity,
        layers: Layers,
    ) -> Result<Self, Error> {
        let identity = FileIdentity::of(path)?;
        let key = identity.key("bun");
        if let Some(cache) = cache
            && let Ok(text) = fs::read(cache.path(&key))
            && let Ok(record) = serde_json::from_slice::<Self>(&text)
            && record.identity == identity
            && record.path == path
            && record.libraries.iter().all(|library| library.path.exists())
        {
            return Ok(record);
        }
        let libraries = libraries::libraries(path)?;
        let version = probe::version(Runner { bun: path, libraries: &libraries, identity: user, layers })?;
        let record = Self { path: path.to_path_buf(), identity, sha256: hash(path)?, version, libraries };
        if let (Some(cache), Ok(text)) = (cache, serde_json::to_vec(&record)) {
            // A full disk costs time at the next start, no more.
            let _ = cache.write(&key, &text);
        }
        Ok(record)
    }
}

fn hash(path: &Path) -> Result<String, Error> {
    let unreadable = |error: std::io::Error| Error::io(Kind::Sandbox, "read Bun", path, &error);
    let mut file = fs::File::open(path).map_err(unreadable)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer).map_err(unreadable)?;
        if n == 0 {
            break;
        }
        hasher.update(buffer.get(..n).unwrap_or_default());
    }
    let mut hex = String::with_capacity(64);
    for byte in hasher.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}
