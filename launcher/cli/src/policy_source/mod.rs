//! Which policy holds, and reading it with everything it extends.

mod approvals;
mod discovery;

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io::Read as _;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use policy::{Chain, Diagnostic, Flags, Layer, MAX_POLICY_BYTES, Places, Policy, Preset, Source, ignored};
use secure_bun::places;
use sha2::Digest as _;

pub(crate) use approvals::{Approval, Approvals, check_path};
pub(crate) use discovery::{POLICY_FILES, is_discoverable, read_whole};

use approvals::Approved;
use discovery::{Discovered, discover};

use crate::args::GrantFlag;

/// The variable that names a policy where no flag does.
pub(crate) const VARIABLE: &str = "SECURE_BUN_POLICY";

/// What holds where nobody names a policy.
pub(crate) const DEFAULT: Preset = Preset::Script;

/// Why there is no policy.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The texts say something that makes no sense, or that cannot be enforced yet.
    Invalid(Vec<Diagnostic>),
    /// There is no text to read.
    Unreadable {
        /// What happened to what.
        message: String,
        /// What would be right.
        help: Option<String>,
    },
}

impl From<Diagnostic> for Fault {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Invalid(vec![diagnostic])
    }
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Unreadable { message: message.into(), help: None }
    }

    pub(crate) fn with_help(self, advice: impl Into<String>) -> Self {
        match self {
            Self::Unreadable { message, .. } => Self::Unreadable { message, help: Some(advice.into()) },
            fault @ Self::Invalid(_) => fault,
        }
    }
}

/// A policy with everything it extends.
#[derive(Debug)]
pub(crate) struct Read {
    /// What each source says, after what it builds on.
    layers: Vec<Layer>,
    /// The files among them.
    files: Vec<File>,
}

impl Read {
    fn preset(preset: Preset) -> Self {
        Self { layers: vec![Layer::preset(preset)], files: Vec::new() }
    }

    /// What they say together.
    pub(crate) fn policy(&self) -> Policy {
        Policy::merge(&self.layers)
    }

    /// The files in the form of an approval.
    pub(crate) fn approved(&self) -> Vec<Approved> {
        let approved = |file: &File| Approved { path: file.path.clone(), sha256: file.sha256.clone() };
        let mut files: Vec<Approved> = self.files.iter().map(approved).collect();
        files.sort();
        files
    }
}

/// A policy file that was read.
#[derive(Clone, Debug)]
pub(crate) struct File {
    layer: Layer,
    /// Its path as it was named.
    named: PathBuf,
    /// The same, free of symbolic links.
    path: PathBuf,
    sha256: String,
}

impl File {
    fn new(layer: Layer, named: PathBuf, path: PathBuf, text: &[u8]) -> Self {
        Self { layer, named, path, sha256: sha256(text) }
    }
}

fn sha256(text: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = sha2::Sha256::digest(text);
    digest.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// Where policy files may lie, and what their paths start from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits<'a> {
    /// They have to lie in this folder.
    inside: Option<&'a Path>,
    /// Relative paths of the first one start here, wherever it lies.
    base: Option<&'a Path>,
}

impl<'a> Limits<'a> {
    /// Files that are not trusted: a link out of the project would have their errors quote anything.
    fn inside(folder: &'a Path) -> Self {
        Self { inside: Some(folder), base: None }
    }

    /// Paths start from `base`.
    pub(crate) fn based(base: Option<&'a Path>) -> Self {
        Self { inside: None, base }
    }

    /// The canonical path of a file that may be read.
    fn check(&self, path: &Path, shown: &Path) -> Result<PathBuf, Fault> {
        let canonical = path.canonicalize().map_err(|error| unreadable(shown, &error))?;
        let Some(folder) = self.inside else { return Ok(canonical) };
        if !canonical.starts_with(folder) {
            let message =
                format!("the policy {} leads out of the project, to {}", shown.display(), canonical.display());
            return Err(Fault::new(message).with_help("name it with --policy if you trust it"));
        }
        // Opening a pipe would wait for its other end.
        if !canonical.is_file() {
            return Err(Fault::new(format!("the policy {} is not a regular file", shown.display())));
        }
        Ok(canonical)
    }
}

/// The policy of one run.
#[derive(Debug)]
pub(crate) struct InForce {
    /// What it says.
    pub(crate) policy: Policy,
    /// What the user should know about it.
    pub(crate) warnings: Vec<String>,
}

/// What flags add to a policy.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Added<'a> {
    /// Grants and denials.
    pub(crate) grants: &'a [GrantFlag],
    /// Limits.
    pub(crate) limits: &'a [String],
}

/// What is run, where policies may come with it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Code<'a> {
    /// This program.
    Program(&'a Path),
    /// A command of the system, on what lies in the working directory.
    Folder,
}

/// The policy named by a flag or by the variable, else those that came with the program, else the preset `script`; with
/// what flags add. Each that came with the program may only narrow what would hold without it, until it is approved: so
/// one that a program puts in the way of another, for the next run, widens nothing.
pub(crate) fn load(named: Option<&OsStr>, code: Code<'_>, added: Added<'_>, cwd: &Path) -> Result<InForce, Fault> {
    let flags = flags(added, cwd)?;
    let variable = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    let (program, places) = match code {
        Code::Program(program) => {
            let program = places::program(program, cwd).ok();
            let of = |program: &Path| places::places(program, cwd, home().as_deref(), Path::new(places::TMP));
            let places = program.as_deref().map(of);
            (program, places)
        }
        // Any name in it will do.
        Code::Folder => (Some(cwd.join("command")), Some(places::places_of_folder(cwd, home().as_deref()))),
    };
    let with_flags = |mut read: Read| {
        read.layers.push(flags.clone());
        read
    };
    let close = |read: &Read| closed(read, places.as_ref());
    if let Some(named) = named.or(variable.as_deref()) {
        let read = with_flags(read(named, Limits::default(), cwd)?);
        return Ok(InForce { policy: enforceable(close(&read)?)?, warnings: Vec::new() });
    }
    let default = close(&with_flags(Read::preset(DEFAULT)))?;
    let found = match &program {
        Some(program) => discover(program, cwd)?,
        None => Vec::new(),
    };
    let mut in_force = default;
    let mut above = format!("preset {}", DEFAULT.name());
    let mut warnings = Vec::new();
    for Discovered { shown, read, is_approved } in found.into_iter().rev() {
        let own = close(&with_flags(read))?;
        in_force = if is_approved { own } else { own.bounded_by(above.as_str(), in_force) };
        warnings.extend(places.as_ref().and_then(|places| unheeded(&in_force, places, &shown, &above)));
        above = shown.display().to_string();
    }
    Ok(InForce { policy: enforceable(in_force)?, warnings })
}

/// What a policy that came with the program asks for in vain.
fn unheeded(policy: &Policy, places: &Places, shown: &Path, above: &str) -> Option<String> {
    let ignored: Vec<String> = ignored(policy, places).iter().map(ToString::to_string).collect();
    let shown = shown.display();
    (!ignored.is_empty()).then(|| {
        format!(
            "{shown} came with the program and may only narrow {above}. Ignored: {}. To approve all of it: \
             secure-bun policy trust {shown}",
            ignored.join("; ")
        )
    })
}

fn flags(added: Added<'_>, cwd: &Path) -> Result<Layer, Fault> {
    let mut flags = Flags::new(cwd);
    for grant in added.grants {
        flags.state(grant.side, grant.permission, grant.values.as_deref(), &grant.typed);
    }
    for limit in added.limits {
        flags.limit(limit, &format!("--limit {limit}"));
    }
    flags.into_layer().map_err(Fault::Invalid)
}

/// The policy of `read`, without the right to write what decides about the next run: the files that it was read from,
/// and the approvals.
fn closed(read: &Read, places: Option<&Places>) -> Result<Policy, Fault> {
    let approvals = approvals::folder();
    if let Some(places) = places {
        check_guardable(read, approvals.as_deref(), places)?;
    }
    let files = read.files.iter().map(|file| file.path.clone()).chain(approvals);
    Ok(Policy::merge(read.layers.iter().chain([&Layer::guarding("the policy in force", files)])))
}

/// What is guarded by its name has to be there, under the name that will be looked up next time.
fn check_guardable(read: &Read, approvals: Option<&Path>, places: &Places) -> Result<(), Fault> {
    let grants = read.policy().expand(places).grants;
    let is_writable = |path: &Path| grants.write.allow.iter().any(|grant| path.starts_with(&grant.value));
    if let Some(file) = read.files.iter().find(|file| file.named != file.path && is_writable(&file.named)) {
        let message = format!("the policy {} is a link that the program may replace", file.named.display());
        return Err(Fault::new(message).with_help(format!("name the file itself: {}", file.path.display())));
    }
    if let Some(folder) = approvals.filter(|folder| is_writable(folder) && !folder.exists()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
            Fault::new(format!("cannot make {}: {error}", folder.display()))
                .with_help("approvals of policies are kept there, and the program may write around it")
        })?;
    }
    Ok(())
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from)
}

/// What cannot be enforced is refused, never ignored.
pub(crate) fn enforceable(policy: Policy) -> Result<Policy, Fault> {
    let unavailable = policy::unavailable(&policy);
    if unavailable.is_empty() { Ok(policy) } else { Err(Fault::Invalid(unavailable)) }
}

/// A file or preset with everything it extends.
pub(crate) fn read(named: &OsStr, limits: Limits<'_>, cwd: &Path) -> Result<Read, Fault> {
    if let Some(preset) = named.to_str().and_then(Preset::from_name) {
        return Ok(Read { layers: Chain::new(Layer::preset(preset))?.into_layers(), files: Vec::new() });
    }
    let path = Path::new(named);
    follow(layer(path, &cwd.join(path), &limits)?, cwd, &limits)
}

/// Reads what a file extends.
fn follow(first: File, cwd: &Path, limits: &Limits<'_>) -> Result<Read, Fault> {
    let mut chain = Chain::new(first.layer.clone())?;
    let mut files = vec![first];
    while let Some(next) = chain.next_file() {
        let next: PathBuf = next.to_path_buf();
        let shown = next.strip_prefix(cwd).unwrap_or(&next);
        match layer(shown, &next, &Limits { base: None, ..*limits }) {
            Ok(file) => {
                chain.push(file.layer.clone())?;
                files.push(file);
            }
            Err(Fault::Unreadable { message, .. }) => {
                return Err(chain.problem(message).map_or(Fault::Invalid(Vec::new()), Fault::from));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(Read { layers: chain.into_layers(), files })
}

/// Reads one file. Relative paths in it start from the folder that it really lies in.
fn layer(shown: &Path, path: &Path, limits: &Limits<'_>) -> Result<File, Fault> {
    let canonical = limits.check(path, shown)?;
    let text = bounded(&canonical).map_err(|error| unreadable(shown, &error))?;
    let place = match (limits.base, canonical.file_name()) {
        (Some(base), Some(name)) => base.join(name),
        _ => canonical.clone(),
    };
    let layer = Layer::parse(&Source::file(shown.to_string_lossy(), place), &text).map_err(Fault::Invalid)?;
    Ok(File::new(layer, path.to_path_buf(), canonical, &text))
}

fn unreadable(shown: &Path, error: &std::io::Error) -> Fault {
    Fault::Unreadable { message: format!("cannot read the policy {}: {error}", shown.display()), help: help(shown) }
}

/// One byte more than is allowed is enough to see that it is too much.
fn bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    let mut text = Vec::new();
    let most = u64::try_from(MAX_POLICY_BYTES).unwrap_or(u64::MAX);
    file.take(most.saturating_add(1)).read_to_end(&mut text)?;
    Ok(text)
}

fn help(shown: &Path) -> Option<String> {
    let name = shown.to_str()?;
    (!name.contains(['/', '.'])).then(|| {
        let presets: Vec<&str> = Preset::ALL.iter().map(|preset| preset.name()).collect();
        format!("the presets are {}", presets.join(", "))
    })
}
