//! Which other programs the sandbox holds: `allow.run` becomes files that can be executed, with their interpreters,
//! loaders and libraries. Everything else stays on mounts that forbid it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use confine::{Access, File, Kind, Link, Mask, Processes, Root};
use policy::{
    Entry as Rule, ExpandedPolicy, Namespace, PROGRAM_FOLDERS, ProgramRule, Request, SANDBOX_PROGRAMS, Side, decide,
};

use super::look::{Look, RealFiles};
use super::runtime::{bind, bind_library};
use crate::error::{self, Error, c_path};
use crate::host::{self, Cache, Footprint, Use, is_executable, loader_cache};

/// The most programs of one granted folder.
const MOST_PROGRAMS: usize = 500;

/// The most that is shown of programs: each is a mount of its own.
const MOST_FILES: usize = 800;

/// The trees of a host that programs and their libraries lie in.
const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Users and groups that programs look themselves up in.
const USERS: &str = "sandbox:x:1000:1000:sandbox:/home/sandbox:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n";
const GROUPS: &str = "sandbox:x:1000:\nnogroup:x:65534:\n";

/// The programs of a sandbox.
#[derive(Debug, Default)]
pub struct Programs {
    footprint: Footprint,
    interpreters: Vec<Interpreter>,
    /// Other names of programs, and where they are.
    links: BTreeMap<PathBuf, PathBuf>,
    /// Folders that programs are looked up in, in order.
    folders: Vec<PathBuf>,
    /// Whole trees are executable, so denials have to be covered.
    any: bool,
    some: bool,
}

/// A program that comes with the grant of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The rule that grants the script.
    pub rule: String,
    /// The script.
    pub script: PathBuf,
    /// What runs it.
    pub program: PathBuf,
}

/// The programs that `policy` grants along with scripts. An error says which grant cannot be kept.
pub fn interpreters(policy: &ExpandedPolicy) -> Result<Vec<Interpreter>, Error> {
    Ok(Programs::granted(policy, host::cache())?.interpreters)
}

/// Whether `policy` lets programs be started at all.
pub fn grants_any(policy: &ExpandedPolicy) -> bool {
    !policy.grants.run.allow.is_empty()
}

/// A program of this name in the usual folders of the host.
pub fn find(name: &str) -> Option<PathBuf> {
    let folders = PROGRAM_FOLDERS.iter().filter(|folder| **folder != SANDBOX_PROGRAMS);
    folders.map(|folder| Path::new(folder).join(name)).find(|path| is_executable(path))
}

impl Programs {
    /// Finds what `policy` grants; what is known about programs is in `cache`.
    pub fn granted(policy: &ExpandedPolicy, cache: Option<Cache>) -> Result<Self, Error> {
        let footprint = Footprint::new(cache);
        let mut programs = Self { footprint, folders: vec![SANDBOX_PROGRAMS.into()], ..Self::default() };
        for rule in &policy.grants.run.allow {
            programs.some = true;
            match &rule.value {
                ProgramRule::Any => programs.add_system(),
                // The sandbox's own Bun is there already.
                ProgramRule::Name(name) if name == "bun" => {}
                ProgramRule::Name(name) => {
                    let Some(path) = find(name) else {
                        let message = format!("{}: there is no program {name:?}", rule.statement);
                        return Err(Error::new(error::Kind::Usage, message).with_help(
                            "a name is looked for in /usr/local/bin, /usr/bin and /bin; grant others by their path",
                        ));
                    };
                    programs.add(&path, Some(rule), policy)?;
                }
                ProgramRule::Path(path) if path.is_dir() => programs.add_folder(path, rule, policy)?,
                ProgramRule::Path(path) => programs.add(path, Some(rule), policy)?,
            }
        }
        Ok(programs)
    }

    /// Adds one program by a path that may be a symbolic link: because of a rule, or because the user starts it.
    pub fn add(
        &mut self,
        path: &Path,
        rule: Option<&Rule<ProgramRule<PathBuf>>>,
        policy: &ExpandedPolicy,
    ) -> Result<(), Error> {
        let whose = rule.map_or_else(String::new, |rule| format!("{}: ", rule.statement));
        let refuse = |what: &str| Error::new(error::Kind::Usage, format!("{whose}{} {what}", path.display()));
        let found = fs::canonicalize(path).map_err(|error| refuse(&format!("cannot be opened: {error}")))?;
        if !is_executable(&found) {
            return Err(refuse("is not an executable file"));
        }
        if is_denied(policy, path) || is_denied(policy, &found) {
            // Denying wins: the grant comes to nothing.
            return Ok(());
        }
        let (before, known) = (self.footprint.executables.len(), self.footprint.names.clone());
        self.footprint.add(&found, &find)?;
        let asked = self.footprint.names.iter().filter(|(name, _)| !known.contains_key(*name));
        let asked: Vec<(PathBuf, PathBuf)> = asked.map(|(name, found)| (name.clone(), found.clone())).collect();
        let new: Vec<PathBuf> = self.footprint.executables.iter().skip(before).cloned().collect();
        for file in new.iter().chain(asked.iter().map(|(name, _)| name)) {
            if is_denied(policy, file) {
                return Err(refuse(&format!("is run by {}, which the policy denies", file.display())));
            }
            if is_written(policy, file) {
                return Err(refuse(&format!("needs {}, which the program may write to", file.display()))
                    .with_help("a program that can be changed from inside is no longer the one that was granted"));
            }
        }
        for (name, found) in asked {
            let rule = rule.map_or_else(|| "the command".to_owned(), |rule| rule.statement.to_string());
            self.interpreters.push(Interpreter { rule, script: path.to_path_buf(), program: name.clone() });
            self.name(&name, found);
        }
        // What may be written to is not mapped executable: there, packages with native code do not load.
        if !is_written(policy, path) {
            self.footprint.add_environment(path)?;
        }
        self.name(path, found);
        Ok(())
    }

    /// Lets the program at `found` be asked for by `name`, too.
    fn name(&mut self, name: &Path, found: PathBuf) {
        for folder in [name.parent(), found.parent()].into_iter().flatten() {
            if !self.folders.iter().any(|known| known == folder) {
                self.folders.push(folder.to_path_buf());
            }
        }
        if name != found {
            self.links.insert(name.to_path_buf(), found);
        }
    }

    /// Adds the program that the user starts, whether or not the policy lets it be started again.
    pub fn add_command(&mut self, path: &Path, policy: &ExpandedPolicy) -> Result<(), Error> {
        let decision = decide(policy, &Request::Run(path.into()));
        if is_denied(policy, path) {
            let message = format!("{} is denied by {}", path.display(), decision.rule);
            return Err(Error::new(error::Kind::Usage, message));
        }
        self.add(path, None, policy)
    }

    /// Whether the program at `path`, canonical, is one that may be started from inside.
    pub fn holds(&self, path: &Path) -> bool {
        self.any || self.footprint.executables.iter().any(|known| known == path)
    }

    fn add_folder(
        &mut self,
        folder: &Path,
        rule: &Rule<ProgramRule<PathBuf>>,
        policy: &ExpandedPolicy,
    ) -> Result<(), Error> {
        let entries = fs::read_dir(folder).map_err(|error| Error::io(error::Kind::Usage, "list", folder, &error))?;
        let programs: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| is_executable(path)).collect();
        if programs.len() > MOST_PROGRAMS {
            let message = format!("{}: {} holds more than {MOST_PROGRAMS} programs", rule.statement, folder.display());
            return Err(Error::new(error::Kind::Usage, message).with_help("grant those that are needed, by name"));
        }
        programs.iter().try_for_each(|path| self.add(path, Some(rule), policy))
    }

    fn add_system(&mut self) {
        self.any = true;
        for folder in SYSTEM {
            let folder = Path::new(folder);
            if fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_dir()) {
                self.footprint.parts.folders.insert(folder.to_path_buf(), Use::Execute);
            }
        }
        let alternatives = Path::new("/etc/alternatives");
        if alternatives.is_dir() {
            self.footprint.parts.folders.insert(alternatives.to_path_buf(), Use::Read);
        }
        self.folders.extend(PROGRAM_FOLDERS.iter().skip(1).map(PathBuf::from));
    }

    /// Which processes the sandbox needs.
    pub fn processes(&self, policy: &ExpandedPolicy) -> Processes {
        let listed = policy.kernel.namespaces.iter().any(|namespace| namespace.value == Namespace::Pid);
        if self.some || listed {
            Processes::Tree { again: decide(policy, &Request::Run(Path::new(SANDBOX_PROGRAMS).join("bun"))).allowed }
        } else {
            Processes::One
        }
    }

    /// The folders that programs are looked up in, as `PATH` names them. Without programs it is what programs expect.
    pub fn path(&self) -> String {
        if !self.some {
            return PROGRAM_FOLDERS.join(":");
        }
        let folders: Vec<_> = self.folders.iter().map(|folder| folder.to_string_lossy()).collect();
        folders.join(":")
    }

    /// Puts all of it into `root`.
    pub fn show(self, root: &mut Root, policy: &ExpandedPolicy) -> Result<(), Error> {
        if !self.some && self.footprint.executables.is_empty() {
            return Ok(());
        }
        let Footprint { executables, parts, .. } = self.footprint;
        if executables.len() + parts.libraries.len() + parts.folders.len() > MOST_FILES {
            let message = format!("the granted programs need more than {MOST_FILES} programs, libraries and folders");
            return Err(Error::new(error::Kind::Usage, message)
                .with_help("grant fewer, or those of the whole system: `\"run\": true`"));
        }
        let looked =
            |path: &Path| RealFiles::at(path).map_err(|error| Error::io(error::Kind::Sandbox, "open", path, &error));
        for (folder, used) in &parts.folders {
            root.binds.push(bind(&looked(folder)?, c_path(folder)?, (*used).into(), false)?);
            cover_denied(root, folder, policy)?;
        }
        for program in &executables {
            root.binds.push(bind(&looked(program)?, c_path(program)?, Access::Execute, false)?);
        }
        for library in parts.libraries.values() {
            root.binds.push(bind_library(library, "open")?);
        }
        for (path, target) in &self.links {
            root.links.push(Link { path: c_path(path)?, target: c_path(target)? });
        }
        if self.any {
            cover_programs(root, policy)?;
        }
        if let Ok(cache) = RealFiles::at(Path::new(loader_cache::PATH)) {
            root.binds.push(bind(&cache, c_path(&cache.path)?, Access::Read, false)?);
        }
        for (path, contents) in [("/etc/passwd", USERS), ("/etc/group", GROUPS)] {
            root.files.push(File { target: c_path(Path::new(path))?, contents: contents.into() });
        }
        follow_system_links(root)?;
        unite(root);
        Ok(())
    }
}

fn is_written(policy: &ExpandedPolicy, path: &Path) -> bool {
    policy.grants.write.allow.iter().any(|grant| path.starts_with(&grant.value))
}

fn is_denied(policy: &ExpandedPolicy, program: &Path) -> bool {
    let decision = decide(policy, &Request::Run(program.into()));
    matches!(decision.rule, policy::Rule::Stated(statement) if statement.side == Side::Deny)
}

/// Covers what `deny.read` names in a folder of ours.
fn cover_denied(root: &mut Root, folder: &Path, policy: &ExpandedPolicy) -> Result<(), Error> {
    for denial in policy.grants.read.deny.iter().filter(|denial| denial.value.starts_with(folder)) {
        if let Ok(object) = RealFiles.look(&denial.value) {
            root.masks.push(Mask { target: c_path(&object.path)?, kind: object.kind });
        }
    }
    Ok(())
}

/// Where all programs are there, those that are denied are covered, whatever they are called by.
fn cover_programs(root: &mut Root, policy: &ExpandedPolicy) -> Result<(), Error> {
    for denial in &policy.grants.run.deny {
        let named = match &denial.value {
            ProgramRule::Any => continue,
            ProgramRule::Name(name) => SYSTEM_PROGRAMS.iter().map(|folder| Path::new(folder).join(name)).collect(),
            ProgramRule::Path(path) => vec![path.clone()],
        };
        for path in named {
            if let Ok(object) = RealFiles.look(&path) {
                root.masks.push(Mask { target: c_path(&object.path)?, kind: object.kind });
            }
        }
    }
    root.masks.sort_by(|one, other| one.target.cmp(&other.target));
    root.masks.dedup_by(|one, other| one.target == other.target);
    Ok(())
}

/// Where a system has programs.
const SYSTEM_PROGRAMS: [&str; 6] = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];

/// `/bin` and `/lib` are symbolic links on most hosts, and so they are inside: what is asked for there goes to where the
/// link leads.
fn follow_system_links(root: &mut Root) -> Result<(), Error> {
    for name in SYSTEM {
        let link = Path::new(name);
        let (Ok(points), Ok(end)) = (fs::read_link(link), fs::canonicalize(link)) else { continue };
        let redirect = |path: &mut std::ffi::CString| {
            let old = Path::new(OsStr::from_bytes(path.to_bytes()));
            if let Ok(rest) = old.strip_prefix(link) {
                *path = c_path(&end.join(rest))?;
            }
            Ok::<_, Error>(())
        };
        root.binds.iter_mut().try_for_each(|bind| redirect(&mut bind.target))?;
        root.links.iter_mut().try_for_each(|link| redirect(&mut link.path))?;
        root.masks.iter_mut().try_for_each(|mask| redirect(&mut mask.target))?;
        root.links.push(Link { path: c_path(link)?, target: c_path(&points)? });
    }
    Ok(())
}

/// At each place inside there is one object: the grants of one place unite, and what a folder of programs shows already
/// is not shown once more with less.
fn unite(root: &mut Root) {
    let mut binds: BTreeMap<std::ffi::CString, confine::Bind> = BTreeMap::new();
    for bind in std::mem::take(&mut root.binds) {
        match binds.get_mut(&bind.target) {
            Some(known) if known.object == bind.object => known.access = known.access.max(bind.access),
            _ => {
                binds.insert(bind.target.clone(), bind);
            }
        }
    }
    let trees: Vec<_> = binds
        .values()
        .filter(|bind| bind.kind == Kind::Directory && matches!(bind.access, Access::Load | Access::Execute))
        .map(|bind| bind.target.clone())
        .collect();
    let is_within = |path: &[u8], tree: &[u8]| path.strip_prefix(tree).is_some_and(|rest| rest.first() == Some(&b'/'));
    root.binds = binds
        .into_values()
        .filter(|bind| {
            let shown = trees.iter().any(|tree| is_within(bind.target.to_bytes(), tree.to_bytes()));
            !(shown && bind.access == Access::Read && bind.source == bind.target)
        })
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    root.links.retain(|link| link.path != link.target && seen.insert(link.path.clone()));
}
