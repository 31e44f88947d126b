//! Which policy holds, and reading it with everything it extends.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use policy::{Chain, Diagnostic, Flags, Layer, MAX_POLICY_BYTES, Policy, Preset, Source};

use crate::args::GrantFlag;

/// The variable that names a policy where no flag does.
pub(crate) const VARIABLE: &str = "SECURE_BUN_POLICY";

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

/// The policy named by a flag, by the variable, or else the preset `script`, with what the flags add.
pub(crate) fn load(
    named: Option<&OsStr>,
    grants: &[GrantFlag],
    limits: &[String],
    cwd: &Path,
) -> Result<Policy, Fault> {
    let variable = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    let named = named.or(variable.as_deref()).unwrap_or(OsStr::new("script"));
    let (mut layers, files) = read(named, cwd)?;
    let mut flags = Flags::new(cwd);
    for grant in grants {
        flags.state(grant.side, grant.permission, grant.values.as_deref(), &grant.typed);
    }
    for limit in limits {
        flags.limit(limit, &format!("--limit {limit}"));
    }
    layers.push(flags.into_layer().map_err(Fault::Invalid)?);
    for file in files {
        layers.push(closed(&file)?);
    }
    enforceable(Policy::merge(&layers))
}

/// No program may write the policy that holds for it: the next run would be under another one.
fn closed(file: &Path) -> Result<Layer, Fault> {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_path_buf());
    let text = serde_json::json!({ "deny": { "write": [file.to_string_lossy()] } }).to_string();
    Layer::parse(&Source::file("the policy in force", file), text.as_bytes()).map_err(Fault::Invalid)
}

/// The policy of a file or preset alone.
pub(crate) fn load_named(named: &OsStr, cwd: &Path) -> Result<Policy, Fault> {
    Ok(Policy::merge(&read(named, cwd)?.0))
}

/// What cannot be enforced is refused, never ignored.
pub(crate) fn enforceable(policy: Policy) -> Result<Policy, Fault> {
    let unavailable = policy::unavailable(&policy);
    if unavailable.is_empty() { Ok(policy) } else { Err(Fault::Invalid(unavailable)) }
}

/// The layers of a policy, and the files that they were read from.
fn read(named: &OsStr, cwd: &Path) -> Result<(Vec<Layer>, Vec<PathBuf>), Fault> {
    if let Some(preset) = named.to_str().and_then(Preset::from_name) {
        return Ok((Chain::new(Layer::preset(preset))?.into_layers(), Vec::new()));
    }
    let path = Path::new(named);
    let mut files = vec![cwd.join(path)];
    let mut chain = Chain::new(layer(path, &cwd.join(path))?)?;
    while let Some(next) = chain.next_file() {
        let next: PathBuf = next.to_path_buf();
        files.push(next.clone());
        let shown = next.strip_prefix(cwd).unwrap_or(&next);
        match layer(shown, &next) {
            Ok(layer) => chain.push(layer)?,
            Err(Fault::Unreadable { message, .. }) => {
                return Err(chain.problem(message).map_or(Fault::Invalid(Vec::new()), Fault::from));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok((chain.into_layers(), files))
}

/// Reads one file. Relative paths in it start from the folder that it really lies in.
fn layer(shown: &Path, path: &Path) -> Result<Layer, Fault> {
    let text = bounded(path).map_err(|error| Fault::Unreadable {
        message: format!("cannot read the policy {}: {error}", shown.display()),
        help: help(shown),
    })?;
    let absolute = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    Layer::parse(&Source::file(shown.to_string_lossy(), absolute), &text).map_err(Fault::Invalid)
}

/// One byte more than is allowed is enough to see that it is too much.
fn bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = File::open(path)?;
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

/// A policy file that lies with the program. It is not used yet, and that must not go unnoticed.
pub(crate) fn discovered(program: &Path) -> Option<PathBuf> {
    let folder = program.parent()?;
    folder
        .ancestors()
        .filter(|ancestor| !ancestor.components().any(|part| part.as_os_str() == "node_modules"))
        .flat_map(|ancestor| ["secure-bun.json", "secure-bun.jsonc"].map(|name| ancestor.join(name)))
        .find(|file| file.is_file())
}
