//! What is left out of a grant: denied and secret entries, and what nobody may change.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use confine::{Access, Kind, Link, Mask};
use policy::{Request, decide, is_protected};

use super::super::look::{Look, Object};
use super::Planner;
use crate::error::{self, Error, Warning, c_path};

/// The most entries of a writable tree that are looked at for tool configuration (some 20 ms), and the most that is
/// guarded by a mount each.
const MOST_ENTRIES: usize = 20_000;
const MOST_PROTECTED: usize = 200;

impl<F: Look> Planner<'_, F> {
    fn is_visible(&self, path: &Path) -> bool {
        let allowed = |request| decide(self.policy, &request).allowed;
        allowed(Request::Read(path.into())) || allowed(Request::Import(path.into()))
    }

    /// Paths below `path`, existing or not, that are denied by a rule or are secrets of an import root.
    pub(super) fn denied_below(&self, path: &Path) -> Vec<PathBuf> {
        let grants = &self.policy.grants;
        let ruled = grants.read.deny.iter().chain(&grants.import.deny);
        let ruled = ruled.map(|rule| &rule.value).filter(|denied| !self.is_visible(denied));
        let mut denied: Vec<PathBuf> = ruled.flat_map(|denied| self.names_below(denied, path)).collect();
        let roots = grants.import.allow.iter().map(|root| root.value.as_path());
        let root =
            roots.clone().find(|root| *root == path).or_else(|| roots.clone().find(|root| self.real(root) == path));
        if let Some(root) = root
            && let Ok(entries) = self.files.entries(path)
        {
            let hidden = |name: &OsString| !self.is_visible(&path.join(name)) && !self.is_visible(&root.join(name));
            denied.extend(entries.into_iter().filter(|entry| hidden(&entry.name)).map(|entry| path.join(entry.name)));
        }
        denied
    }

    /// The names that a denied object has at or below `path`: the one in the policy, and the one without symbolic
    /// links.
    fn names_below(&self, denied: &Path, path: &Path) -> Vec<PathBuf> {
        let real = self.real(denied);
        let mut names = vec![denied.to_path_buf()];
        if real != denied {
            names.push(real);
        }
        names.retain(|name| name.starts_with(path));
        names
    }

    /// Shows a read-only tree. Where something in it is denied, the entries around it are shown one by one: what comes
    /// to the tree later is not seen, and what is denied is not there at all.
    pub(super) fn bind_without(&mut self, object: &Object, access: Access, denied: &[PathBuf]) -> Result<(), Error> {
        if denied.contains(&object.path) {
            return Ok(());
        }
        let inside: Vec<PathBuf> = denied.iter().filter(|path| path.starts_with(&object.path)).cloned().collect();
        if inside.is_empty() || object.kind == Kind::File {
            return self.bind(object, access);
        }
        self.shown.root.directories.push(c_path(&object.path)?);
        let entries = self.files.entries(&object.path);
        let entries = entries.map_err(|error| Error::io(error::Kind::Sandbox, "list", &object.path, &error))?;
        for entry in entries {
            let path = object.path.join(&entry.name);
            if denied.contains(&path) {
                continue;
            }
            if let Some(target) = entry.link {
                self.shown.root.links.push(Link { path: c_path(&path)?, target: c_path(&target)? });
                continue;
            }
            // Gone since it was listed: then it is not shown.
            if let Ok(child) = self.files.look(&path) {
                self.bind_without(&child, access, &inside)?;
            }
        }
        Ok(())
    }

    /// What trusted tools obey, anywhere below `path`. What packages brought along is left to the guards in
    /// JavaScript: a package manager has to be able to move it, and no tool of the project looks there.
    fn protected_below(&mut self, path: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![path.to_path_buf()];
        let mut looked = 0;
        while let Some(folder) = folders.pop() {
            // Gone, or not ours to list: then nothing in it can be guarded, nor changed by the program.
            let Ok(entries) = self.files.entries(&folder) else { continue };
            looked += entries.len();
            for entry in entries {
                let inside = folder.join(&entry.name);
                if is_protected(&inside) {
                    found.push(inside);
                } else if entry.is_directory && entry.name != "node_modules" {
                    folders.push(inside);
                }
            }
            if looked > MOST_ENTRIES || found.len() > MOST_PROTECTED {
                let message = format!("{} is too large to guard all tool configuration in it", path.display());
                self.shown.warnings.push(Warning(message));
                break;
            }
        }
        found
    }

    /// Covers what may not be read or written in a tree that the program may change. It has to be the living tree, so
    /// this holds for the objects that are there now.
    pub(super) fn guard(&mut self, path: &Path, denied: &[PathBuf]) -> Result<(), Error> {
        for hidden in denied {
            if let Ok(object) = self.files.look(hidden) {
                self.shown.root.masks.push(Mask { target: c_path(&object.path)?, kind: object.kind });
            }
        }
        let ruled: Vec<&PathBuf> = self.policy.grants.write.deny.iter().map(|rule| &rule.value).collect();
        let mut closed: Vec<PathBuf> = ruled.into_iter().flat_map(|closed| self.names_below(closed, path)).collect();
        let named = closed.len();
        closed.extend(self.protected_below(path));
        let mut held = BTreeSet::new();
        for (index, closed) in closed.into_iter().enumerate() {
            // Something protected may be opened by a grant of its own, what a rule names may not.
            let writable = index >= named && decide(self.policy, &Request::Write(closed.clone())).allowed;
            let hidden = denied.iter().any(|hidden| closed.starts_with(hidden));
            if !writable
                && !hidden
                && let Ok(object) = self.files.look(&closed)
                && object.path.starts_with(path)
            {
                self.bind(&object, Access::Read)?;
                // A mount point cannot be renamed: nobody moves the folders above it aside and makes new ones.
                for above in object.path.ancestors().skip(1).take_while(|above| *above != path) {
                    if held.insert(above.to_path_buf()) {
                        let above = self.files.look(above);
                        let above =
                            above.map_err(|error| Error::io(error::Kind::Sandbox, "open", &object.path, &error))?;
                        self.bind(&above, Access::Write)?;
                    }
                }
            }
        }
        Ok(())
    }
}
