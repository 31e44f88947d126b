//! What a close look at a program has found, kept in the cache as long as the files that were looked at stay the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use confine::Access;
use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::libraries::Library;
use super::loader_cache;
use super::record::FileIdentity;
use crate::error::Error;

/// What programs open while they start and run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parts {
    /// Folders that belong to them: modules, subcommands, templates.
    pub(crate) folders: BTreeMap<PathBuf, Use>,
    /// Their loaders and libraries, by the names they are asked for.
    pub(crate) libraries: BTreeMap<PathBuf, Library>,
}

/// What is done with the files of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Use {
    /// They are read.
    Read,
    /// They are mapped executable, too.
    Load,
    /// They are executed, too.
    Execute,
}

impl From<Use> for Access {
    fn from(used: Use) -> Self {
        match used {
            Use::Read => Self::Read,
            Use::Load => Self::Load,
            Use::Execute => Self::Execute,
        }
    }
}

impl Parts {
    /// Adds those of another program.
    pub(crate) fn add(&mut self, other: Self) {
        for (folder, used) in other.folders {
            let known = self.folders.entry(folder).or_insert(used);
            *known = (*known).max(used);
        }
        for (name, library) in other.libraries {
            let is_loader = library.is_loader;
            self.libraries.entry(name).or_insert(library).is_loader |= is_loader;
        }
    }
}

/// An entry of the cache.
#[derive(Serialize, Deserialize)]
struct Known {
    place: PathBuf,
    parts: Parts,
    /// All that was looked at, as it was then.
    seen: Vec<(PathBuf, FileIdentity)>,
}

impl Known {
    fn holds(&self, place: &Path) -> bool {
        self.place == place && self.seen.iter().all(|(path, then)| FileIdentity::of(path).is_ok_and(|now| now == *then))
    }
}

/// What the cache knows about the program or folder at `place`, or else what `look` finds: its parts, and more folders
/// whose change would change them.
pub(super) fn load_or_make(
    place: &Path,
    cache: Option<&Cache>,
    look: impl FnOnce() -> Result<(Parts, BTreeSet<PathBuf>), Error>,
) -> Result<Parts, Error> {
    let key = FileIdentity::of(place)?.key("program");
    let known = cache.and_then(|cache| fs::read(cache.path(&key)).ok());
    if let Some(known) = known.and_then(|text| serde_json::from_slice::<Known>(&text).ok())
        && known.holds(place)
    {
        return Ok(known.parts);
    }
    let (parts, folders) = look()?;
    let Some(cache) = cache else { return Ok(parts) };
    let paths = [place, Path::new(loader_cache::PATH)].into_iter().map(Path::to_path_buf);
    let paths = paths.chain(parts.libraries.values().map(|library| library.path.clone()));
    let paths: BTreeSet<PathBuf> = paths.chain(parts.folders.keys().cloned()).chain(folders).collect();
    // What is not there, such as the loader's cache of another C library, cannot change either.
    let seen = paths.into_iter().filter_map(|path| Some((path.clone(), FileIdentity::of(&path).ok()?))).collect();
    let known = Known { place: place.to_path_buf(), parts, seen };
    if let Ok(text) = serde_json::to_vec(&known) {
        // A full disk costs time at the next start, no more.
        let _ = cache.write(&key, &text);
    }
    Ok(known.parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_at_once_until_something_changes() {
        let base = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(base.path()), None).unwrap();
        let (program, folder) = (base.path().join("program"), base.path().join("modules"));
        fs::write(&program, "1").unwrap();
        fs::create_dir(&folder).unwrap();
        let mut looks = 0;
        let mut look = |cache: Option<&Cache>| {
            let found = load_or_make(&program, cache, || {
                looks += 1;
                let parts = Parts { folders: [(folder.clone(), Use::Load)].into(), ..Parts::default() };
                Ok((parts, BTreeSet::new()))
            });
            assert_eq!(found.unwrap().folders, [(folder.clone(), Use::Load)].into());
            looks
        };
        assert_eq!([look(Some(&cache)), look(Some(&cache))], [1, 1]);
        fs::write(folder.join("new.so"), "").unwrap();
        assert_eq!([look(Some(&cache)), look(Some(&cache))], [2, 2]);
        fs::write(&program, "22").unwrap();
        assert_eq!(look(Some(&cache)), 3);
        assert_eq!(look(None), 4);
    }

    #[test]
    fn parts_unite() {
        let part = |used, is_loader| Parts {
            folders: [("/a".into(), used)].into(),
            libraries: [("/l".into(), Library { name: "/l".into(), path: "/l".into(), is_loader })].into(),
        };
        let mut all = part(Use::Execute, false);
        all.add(part(Use::Read, true));
        assert_eq!(all, part(Use::Execute, true));
    }
}
