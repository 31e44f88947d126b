//! Which objects of the host the program sees, and how: grants become binds, denials become gaps or masks.

mod gaps;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use confine::{Access, Link, Root, Tmpfs};
use policy::{Entry as Rule, ExpandedPolicy, Request, Rules, decide};

use super::look::{Look, Object};
use super::native;
use super::runtime::bind;
use crate::error::{self, Error, Warning, c_path};
use crate::places::TMP;

/// The most that a private temporary folder holds when the policy names no limit, in MB.
const DEFAULT_TMP_MB: u64 = 64;

/// What a program is shown.
#[derive(Debug, Default)]
pub struct Shown {
    /// The file system.
    pub root: Root,
    /// Grants that could not be shown, and what else the user should know.
    pub warnings: Vec<Warning>,
    /// Whether anything can be written to.
    pub writable: bool,
    paths: Vec<PathBuf>,
    /// Directories of our own, which hide what the host has below them.
    empty: Vec<PathBuf>,
}

impl Shown {
    /// Whether a directory exists inside: it is shown, in something shown, or on the way to it.
    pub fn has_directory(&self, path: &Path) -> bool {
        path == Path::new("/")
            || self.paths.iter().any(|shown| path.starts_with(shown))
            || self.paths.iter().chain(&self.empty).any(|shown| shown.starts_with(path))
    }
}

/// Shows what `policy` grants, on top of `root`. `dropped`: root starts the program, which runs as somebody else.
pub fn filesystem(policy: &ExpandedPolicy, files: &impl Look, root: Root, dropped: bool) -> Result<Shown, Error> {
    let mut plan =
        Planner { policy, files, dropped, shown: Shown { root, ..Shown::default() }, wanted: BTreeMap::new() };
    plan.temporary()?;
    plan.collect()?;
    plan.show()?;
    Ok(plan.shown)
}

/// What `policy` grants of the host's own view, where the temporary folder is an ordinary one.
pub(super) fn granted(policy: &ExpandedPolicy, files: &impl Look) -> Result<Shown, Error> {
    let mut plan = Planner { policy, files, dropped: false, shown: Shown::default(), wanted: BTreeMap::new() };
    if let Some(rule) = policy.grants.write.allow.iter().find(|rule| rule.value == Path::new(TMP)) {
        let message = format!("{}: {TMP} is the host's here and stays closed: use os.tmpdir()", rule.statement);
        plan.shown.warnings.push(Warning(message));
    }
    plan.collect()?;
    plan.show()?;
    Ok(plan.shown)
}

/// Whether a program may write to a temporary folder of its own.
pub fn has_private_tmp(policy: &ExpandedPolicy) -> bool {
    policy.grants.write.allow.iter().any(|rule| rule.value == Path::new(TMP))
}

struct Planner<'a, F> {
    policy: &'a ExpandedPolicy,
    files: &'a F,
    dropped: bool,
    shown: Shown,
    /// What is granted, by canonical path.
    wanted: BTreeMap<PathBuf, (Object, Access)>,
}

impl<F: Look> Planner<'_, F> {
    fn temporary(&mut self) -> Result<(), Error> {
        if has_private_tmp(self.policy) {
            let megabytes = self.policy.limits.tmp_mb.unwrap_or(DEFAULT_TMP_MB);
            self.shown.root.tmpfs.push(Tmpfs { target: c_path(Path::new(TMP))?, bytes: megabytes << 20 });
            self.shown.writable = true;
        }
        for path in [TMP, crate::places::HOME] {
            self.shown.root.directories.push(c_path(Path::new(path))?);
            self.shown.empty.push(path.into());
        }
        Ok(())
    }

    fn collect(&mut self) -> Result<(), Error> {
        let grants = &self.policy.grants;
        // Native modules are loaded from where modules are, if from anywhere.
        let import = if native::any(self.policy) { Access::Load } else { Access::Read };
        let granted = [(&grants.import, import), (&grants.read, Access::Read), (&grants.write, Access::Write)];
        for (rules, access) in granted {
            for rule in &rules.allow {
                let Some(access) = self.undenied(rules, &rule.value, access) else { continue };
                if rule.value == Path::new(TMP) {
                    continue;
                }
                if rule.value == Path::new("/") {
                    self.want_everything(rule, access)?;
                } else {
                    self.want(rule, access)?;
                }
            }
        }
        self.collect_libraries()
    }

    /// What is named as native code, or denied as such in what modules are loaded from.
    fn collect_libraries(&mut self) -> Result<(), Error> {
        for rule in native::named(&self.policy.grants.ffi.allow) {
            if !is_covered(&self.policy.grants.read, &rule.value) {
                self.want(&rule, Access::Load)?;
            }
        }
        for rule in native::named(&self.policy.grants.ffi.deny) {
            let real = self.real(&rule.value);
            let is_loaded =
                |(path, (_, access)): (&PathBuf, &(Object, Access))| *access == Access::Load && real.starts_with(path);
            if self.wanted.iter().any(is_loaded)
                && let Ok(object) = self.files.look(&rule.value)
            {
                self.wanted.insert(object.path.clone(), (object, Access::Read));
            }
        }
        Ok(())
    }

    /// What is left of a grant that lies in a denied folder: denying wins, whichever of the two is the narrower one.
    fn undenied(&self, rules: &Rules<PathBuf>, path: &Path, access: Access) -> Option<Access> {
        if is_covered(&self.policy.grants.read, path) {
            return None;
        }
        match access {
            Access::Write if is_covered(rules, path) => Some(Access::Read),
            _ if is_covered(rules, path) => None,
            access => Some(access),
        }
    }

    /// Everything is what lies in the host's root, without what the sandbox itself is made of.
    fn want_everything(&mut self, rule: &Rule<PathBuf>, access: Access) -> Result<(), Error> {
        let root = Path::new("/");
        let entries =
            self.files.entries(root).map_err(|error| Error::io(error::Kind::Sandbox, "list", root, &error))?;
        for entry in entries {
            let path = root.join(&entry.name);
            if let Some(target) = entry.link {
                self.follow(&path)?;
                self.shown.root.links.push(Link { path: c_path(&path)?, target: c_path(&target)? });
            } else if !is_reserved(&path) && path != Path::new(TMP) {
                self.want(&Rule { value: path, statement: rule.statement.clone() }, access)?;
            }
        }
        Ok(())
    }

    /// What is shown already below a path that becomes a symbolic link goes to where that leads: Bun's loader is asked
    /// for in /lib64, which lies in /usr on most hosts.
    fn follow(&mut self, link: &Path) -> Result<(), Error> {
        let Ok(end) = self.files.look(link) else { return Ok(()) };
        for bind in &mut self.shown.root.binds {
            let target = Path::new(OsStr::from_bytes(bind.target.to_bytes()));
            if let Ok(rest) = target.strip_prefix(link) {
                bind.target = c_path(&end.path.join(rest))?;
            }
        }
        Ok(())
    }

    fn want(&mut self, rule: &Rule<PathBuf>, access: Access) -> Result<(), Error> {
        let path = &rule.value;
        let object = match self.files.look(path) {
            Ok(object) => object,
            Err(error) if access == Access::Write => {
                let message = format!("{}: {} cannot be opened: {error}", rule.statement, path.display());
                return Err(Error::new(error::Kind::Usage, message)
                    .with_help("create it first: what may be written to has to be there when the program starts"));
            }
            Err(error) => {
                let message = format!("{}: {} cannot be shown: {error}", rule.statement, path.display());
                self.shown.warnings.push(Warning(message));
                return Ok(());
            }
        };
        if is_reserved(&object.path) {
            let message = format!("{}: {} cannot be granted", rule.statement, object.path.display());
            return Err(Error::new(error::Kind::Usage, message)
                .with_help("it is secure-bun's own inside; grant the files in question by name"));
        }
        self.refuse_foreign_link(rule, &object, access)?;
        if object.links > 1 && self.policy.grants.read.deny.iter().any(|deny| !deny.value.starts_with(path)) {
            let message = format!("{} has other names (hard links), which a deny rule does not cover", path.display());
            self.shown.warnings.push(Warning(message));
        }
        if object.path != *path {
            let link = Link { path: c_path(path)?, target: c_path(&object.path)? };
            self.shown.root.links.push(link);
        }
        self.shown.writable |= access == Access::Write;
        let entry = self.wanted.entry(object.path.clone()).or_insert_with(|| (object, access));
        entry.1 = entry.1.max(access);
        Ok(())
    }

    /// A symbolic link may be the word of somebody else than the policy's author: where it leads out of the policy's
    /// folder, it may have come with the code; in what may be written to, an earlier program may have made it. Such a
    /// link grants nothing by itself: where it leads to has to be granted too.
    fn refuse_foreign_link(&self, rule: &Rule<PathBuf>, object: &Object, access: Access) -> Result<(), Error> {
        let (path, end) = (&rule.value, &object.path);
        if end == path {
            return Ok(());
        }
        let left = rule.statement.origin.folder().filter(|folder| path.starts_with(folder));
        let left = left.map(|folder| self.real(folder)).filter(|folder| !end.starts_with(folder));
        let writable = self.policy.grants.write.allow.iter().find(|grant| {
            let below = path.strip_prefix(&grant.value).ok().filter(|below| *below != Path::new(""));
            below.is_some_and(|below| self.real(&grant.value).join(below) != *end)
        });
        let why = match (left, writable) {
            (Some(folder), _) => format!("that leads out of {}", folder.display()),
            (None, Some(grant)) => format!("in {}, which may be written to", grant.value.display()),
            (None, None) => return Ok(()),
        };
        let (key, request) = match access {
            Access::Write => ("write", Request::Write(end.clone())),
            _ => ("read", Request::Import(end.clone())),
        };
        if decide(self.policy, &request).allowed {
            return Ok(());
        }
        let (path, end) = (path.display(), end.display());
        let message = format!("{}: {path} is a symbolic link {why}, to {end}", rule.statement);
        Err(Error::new(error::Kind::Usage, message)
            .with_help(format!("if that is meant, grant it by its own name too: allow.{key}: [{end:?}]")))
    }

    /// A path without symbolic links, as far as it exists.
    fn real(&self, path: &Path) -> PathBuf {
        match (self.files.look(path), path.parent(), path.file_name()) {
            (Ok(object), _, _) => object.path,
            (Err(_), Some(parent), Some(name)) => self.real(parent).join(name),
            _ => path.to_path_buf(),
        }
    }

    fn show(&mut self) -> Result<(), Error> {
        let wanted = std::mem::take(&mut self.wanted);
        for (path, (object, access)) in &wanted {
            let above = wanted.iter().rev().find(|(other, _)| *other != path && path.starts_with(other));
            let denied = self.denied_below(path);
            // What the tree above already shows, with the same gaps, is not laid out a second time.
            let covered = above.is_some_and(|(root, (_, outer))| {
                let left_out = self.denied_below(root);
                // A tree that libraries are loaded from is read as well; what is denied in it as native code is not.
                let is_data = *outer == Access::Load && *access == Access::Read;
                (outer == access || is_data && !native::is_denied(self.policy, path))
                    && !left_out.iter().any(|hidden| path.starts_with(hidden))
                    && denied.iter().all(|hidden| left_out.contains(hidden))
            });
            if covered {
                continue;
            }
            self.shown.paths.push(path.clone());
            match access {
                Access::Write => {
                    self.bind(object, Access::Write)?;
                    self.guard(path, &denied)?;
                }
                _ => self.bind_without(object, *access, &denied)?,
            }
        }
        Ok(())
    }

    fn bind(&mut self, object: &Object, access: Access) -> Result<(), Error> {
        let target = c_path(&object.path)?;
        self.shown.root.binds.push(bind(object, target, access, self.dropped)?);
        Ok(())
    }
}

/// Whether a path lies in a folder that is denied.
fn is_covered(rules: &Rules<PathBuf>, path: &Path) -> bool {
    rules.deny.iter().any(|denial| path.starts_with(&denial.value))
}

/// Places that hold what the sandbox itself is made of.
fn is_reserved(path: &Path) -> bool {
    let own = ["/", "/dev", "/run", "/run/secure-bun"];
    own.iter().any(|own| Path::new(own) == path) || path.starts_with("/proc") || path.starts_with("/sys")
}
