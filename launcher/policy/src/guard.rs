//! Files that a broad grant does not include: secrets among modules, and what trusted tools load later.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::glob;
use crate::places::ExpandedPolicy;

/// Names at the top of an import root that neither importing includes nor a grant of the root to read or write.
pub const SECRET_PATTERNS: &[&str] = &[".env*", ".git", ".npmrc", ".ssh", "*.pem", "*.key"];

/// Files and folders that a trusted tool reads and obeys, wherever they lie. A write grant on a folder above them
/// does not include them: what a program leaves there would run later, outside the sandbox.
pub const PROTECTED_WRITES: &[&str] = &[
    ".bash_login",
    ".bash_logout",
    ".bash_profile",
    ".bashrc",
    ".bunfig.toml",
    ".cache/secure-bun",
    ".claude",
    ".codex",
    ".cursor",
    ".devcontainer",
    ".envrc",
    ".git/config",
    ".git/hooks",
    ".github/workflows",
    ".gitconfig",
    ".gitlab-ci.yml",
    ".gitmodules",
    ".husky",
    ".idea",
    ".mcp.json",
    ".npmrc",
    ".pnpmfile.cjs",
    ".profile",
    ".ssh",
    ".vscode",
    ".yarnrc",
    ".yarnrc.yml",
    ".zprofile",
    ".zshenv",
    ".zshrc",
    "bunfig.toml",
    "secure-bun.json",
    "secure-bun.jsonc",
];

/// The secret of import root `root` that `path` is or lies in.
pub(crate) fn secret_above(root: &Path, path: &Path) -> Option<PathBuf> {
    let below = path.strip_prefix(root).ok()?;
    let Some(Component::Normal(name)) = below.components().next() else {
        return None;
    };
    let secret = SECRET_PATTERNS.iter().any(|pattern| glob::matches(pattern.as_bytes(), name.as_bytes()));
    secret.then(|| root.join(name))
}

/// Whether a grant of `policy` to read or write `granted` includes `path`. A grant of the very folder that is an import
/// root is one of the project's files, not of the secrets at its top: those have to be named.
pub(crate) fn includes(policy: &ExpandedPolicy, granted: &Path, path: &Path) -> bool {
    path.starts_with(granted) && !(is_import_root(policy, granted) && secret_above(granted, path).is_some())
}

/// Whether `folder` is one of the import roots of `policy`.
pub(crate) fn is_import_root(policy: &ExpandedPolicy, folder: &Path) -> bool {
    policy.grants.import.allow.iter().any(|root| root.value == folder)
}

/// Every protected file or folder that `path` is or lies in, the outermost first.
pub(crate) fn protected_above(path: &Path) -> impl Iterator<Item = &Path> {
    let mut above: Vec<&Path> = path.ancestors().filter(|ancestor| is_protected(ancestor)).collect();
    above.reverse();
    above.into_iter()
}

/// Whether `path` is one of the protected files or folders itself.
pub fn is_protected(path: &Path) -> bool {
    PROTECTED_WRITES.iter().any(|protected| path.ends_with(protected))
}

/// Whether `grant` names `guarded`, or something in it, and covers `path`.
pub(crate) fn opens(grant: &Path, guarded: &Path, path: &Path) -> bool {
    grant.starts_with(guarded) && path.starts_with(grant)
}
