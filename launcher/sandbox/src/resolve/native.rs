//! Native code: the libraries that a policy names, or those beside a program's modules, and what these need in turn.
//! They are mapped executable, and so can never be written to at the same path.

use std::path::{Path, PathBuf};

use confine::Root;
use policy::{Entry, ExpandedPolicy, LibraryRule};

use super::runtime::bind_library;
use crate::error::Error;
use crate::host::libraries::Libraries;

/// What native modules expect of every system: the parts of the C library, and what compilers add.
const USUAL: [&str; 8] = [
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
];

/// Whether native modules are loaded from the folders of modules (`ffi: true`).
pub(crate) fn any(policy: &ExpandedPolicy) -> bool {
    grants_any(policy) && policy.grants.ffi.allow.iter().any(|rule| rule.value == LibraryRule::Any)
}

/// Whether any native code is granted.
pub fn grants_any(policy: &ExpandedPolicy) -> bool {
    !policy.grants.ffi.allow.is_empty() && !policy.grants.ffi.deny.iter().any(|rule| rule.value == LibraryRule::Any)
}

/// Whether a rule denies to load what lies at `path`.
pub(super) fn is_denied(policy: &ExpandedPolicy, path: &Path) -> bool {
    named(&policy.grants.ffi.deny).iter().any(|rule| path.starts_with(&rule.value))
}

/// The rules that name a path.
pub(super) fn named(rules: &[Entry<LibraryRule<PathBuf>>]) -> Vec<Entry<PathBuf>> {
    let path = |rule: &Entry<LibraryRule<PathBuf>>| match &rule.value {
        LibraryRule::Any => None,
        LibraryRule::Path(path) => Some(Entry { value: path.clone(), statement: rule.statement.clone() }),
    };
    rules.iter().filter_map(path).collect()
}

/// Shows the libraries that granted ones need. What is missing then fails where it is loaded.
pub(super) fn show(root: &mut Root, policy: &ExpandedPolicy) -> Result<(), Error> {
    if !grants_any(policy) {
        return Ok(());
    }
    let mut libraries = Libraries::default();
    if any(policy) {
        for name in USUAL {
            libraries.add_by_name(name)?;
        }
    }
    for rule in named(&policy.grants.ffi.allow) {
        for file in files(rule.value) {
            libraries.add_library(&file)?;
        }
    }
    for library in libraries.into_list() {
        let bind = bind_library(&library, "open")?;
        // Bun's own are there already.
        if !root.binds.iter().any(|shown| shown.target == bind.target) {
            root.binds.push(bind);
        }
    }
    Ok(())
}

/// The most files of a folder of libraries that are looked into.
const MOST_FILES: usize = 100;

/// A library, or those in a folder.
fn files(path: PathBuf) -> Vec<PathBuf> {
    match std::fs::read_dir(&path) {
        Err(_) => vec![path],
        Ok(entries) => entries.flatten().take(MOST_FILES).map(|entry| entry.path()).collect(),
    }
}
