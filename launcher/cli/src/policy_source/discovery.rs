//! A policy that came with the program: it lies beside it, or above it up to the root of its project.

use std::path::{Path, PathBuf};

use policy::{Layer, MAX_POLICY_BYTES, Source};
use secure_bun::places;

use super::approvals::Approvals;
use super::{Fault, Limits, Read, bounded, follow, home, layer, unreadable};

/// Files that hold nothing but a policy.
pub(crate) const POLICY_FILES: [&str; 2] = ["secure-bun.json", "secure-bun.jsonc"];
/// A file that can also hold one, and the key it stands under.
const MANIFEST: &str = "package.json";
const MANIFEST_KEY: &str = "secureBun";

/// A policy that came with the program.
#[derive(Debug)]
pub(crate) struct Discovered {
    /// Its path as people know it.
    pub(crate) shown: PathBuf,
    /// What it says.
    pub(crate) read: Read,
    /// Whether the user has approved exactly this.
    pub(crate) is_approved: bool,
}

/// Whether files of this name are discovered.
pub(crate) fn is_discoverable(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_below_modules = file.components().any(|part| part.as_os_str() == "node_modules");
    !is_below_modules && (name == MANIFEST || POLICY_FILES.contains(&name))
}

/// Finds and reads it. Two in one folder are an error: nobody could tell which one holds.
pub(crate) fn discover(program: &Path, cwd: &Path) -> Result<Option<Discovered>, Fault> {
    let folders = places::policy_folders(program, home().as_deref());
    let Some(root) = folders.last() else { return Ok(None) };
    for folder in &folders {
        let mut found = Vec::new();
        for name in POLICY_FILES {
            let file = folder.join(name);
            if file.symlink_metadata().is_ok() {
                found.push(file);
            }
        }
        let manifest = folder.join(MANIFEST);
        if speaks_of_policies(&manifest) && read_file(&manifest, cwd, &Limits::inside(root))?.is_some() {
            found.push(manifest);
        }
        match &found[..] {
            [] => {}
            [file] => return open(file, root, cwd).map(Some),
            [one, other, ..] => {
                let message = format!("there are two policies: {} and {}", shown(one, cwd), shown(other, cwd));
                return Err(Fault::new(message).with_help("keep one of them, or name one with --policy"));
            }
        }
    }
    Ok(None)
}

/// Most manifests say nothing about policies, and their syntax is not our business then. One that is not read to its
/// end may speak of them.
fn speaks_of_policies(manifest: &Path) -> bool {
    if !manifest.is_file() {
        return false;
    }
    let key = format!("\"{MANIFEST_KEY}\"");
    let Ok(text) = bounded(manifest) else { return true };
    text.len() > MAX_POLICY_BYTES || text.windows(key.len()).any(|window| window == key.as_bytes())
}

/// What is approved may build on files anywhere. What is not stays inside the project: its errors quote what they read.
fn open(file: &Path, root: &Path, cwd: &Path) -> Result<Discovered, Fault> {
    let approvals = Approvals::open()?;
    let absent = || Fault::new(format!("{} has gone", file.display()));
    if approvals.hold(file) {
        let read = read_whole(file, cwd, &Limits::default())?.ok_or_else(absent)?;
        if approvals.approve(file, &read) {
            return Ok(Discovered { shown: shown_path(file, cwd), read, is_approved: true });
        }
    }
    let read = read_whole(file, cwd, &Limits::inside(root))?.ok_or_else(absent)?;
    Ok(Discovered { shown: shown_path(file, cwd), read, is_approved: false })
}

/// Reads a policy file or a manifest with everything it extends; `None` for a manifest that says nothing.
pub(crate) fn read_whole(file: &Path, cwd: &Path, limits: &Limits<'_>) -> Result<Option<Read>, Fault> {
    let Some(first) = read_file(file, cwd, limits)? else { return Ok(None) };
    follow(first, cwd, limits).map(Some)
}

fn read_file(file: &Path, cwd: &Path, limits: &Limits<'_>) -> Result<Option<super::File>, Fault> {
    let shown = shown_path(file, cwd);
    if file.file_name().is_none_or(|name| name != MANIFEST) {
        return layer(&shown, file, limits).map(Some);
    }
    let path = limits.check(file, &shown)?;
    let text = bounded(&path).map_err(|error| unreadable(&shown, &error))?;
    let source = Source::file(shown.to_string_lossy(), path.clone());
    let layer = Layer::parse_member(&source, &text, MANIFEST_KEY).map_err(Fault::Invalid)?;
    Ok(layer.map(|layer| super::File::new(layer, file.to_path_buf(), path, &text)))
}

fn shown_path(file: &Path, cwd: &Path) -> PathBuf {
    file.strip_prefix(cwd).unwrap_or(file).to_path_buf()
}

fn shown(file: &Path, cwd: &Path) -> String {
    shown_path(file, cwd).display().to_string()
}
