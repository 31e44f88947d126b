//! The npm package that a place in a program belongs to.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use crate::plain_file::{self, Links};

/// Manifests are shorter; what is longer is not read on.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;
/// The longest name that npm takes.
const MAX_NAME_BYTES: usize = 214;

/// `name@version` of the package that `place`, a `file:line:column` relative to `cwd`, lies in; `None` outside of
/// `node_modules`. The version stands in the package's own manifest, and is left out where that cannot be read.
///
/// The place is the program's to say, and so are the files below its folder: the answer names, it proves nothing.
pub fn package_at(place: &str, cwd: &Path) -> Option<String> {
    let (folder, name) = package_folder(&cwd.join(place))?;
    let version = manifest(&folder).and_then(|manifest| Some(manifest.get("version")?.as_str()?.to_owned()));
    match version.filter(|version| is_plain(version)) {
        Some(version) => Some(format!("{name}@{version}")),
        None => Some(name),
    }
}

/// The innermost folder of a package on a path, and the package's name.
fn package_folder(path: &Path) -> Option<(PathBuf, String)> {
    let parts: Vec<_> = path.components().collect();
    let modules = parts.iter().rposition(|part| part.as_os_str() == "node_modules")?;
    let text = |index: usize| match parts.get(index) {
        // The last part is a file.
        Some(Component::Normal(part)) if index + 1 < parts.len() => part.to_str(),
        _ => None,
    };
    let first = text(modules + 1)?;
    let (name, length) = match first.strip_prefix('@') {
        Some(_) => (format!("{first}/{}", text(modules + 2)?), 2),
        None => (first.to_owned(), 1),
    };
    let folder = parts.get(..=modules + length)?.iter().collect();
    is_plain(&name).then_some((folder, name))
}

fn manifest(folder: &Path) -> Option<Value> {
    let file = plain_file::open(&folder.join("package.json"), Links::Follow).ok()?;
    let mut text = String::new();
    file.take(MAX_MANIFEST_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn is_plain(text: &str) -> bool {
    text.len() <= MAX_NAME_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_package_with_its_version() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("node_modules/a/node_modules/@b/c");
        std::fs::create_dir_all(package.join("lib")).unwrap();
        std::fs::write(package.join("package.json"), r#"{"name": "else", "version": "1.2.3-rc.1"}"#).unwrap();
        let at = |place: &str| package_at(place, folder.path());
        assert_eq!(at("node_modules/a/node_modules/@b/c/lib/x.js:3:9").unwrap(), "@b/c@1.2.3-rc.1");
        assert_eq!(at("node_modules/a/index.js:1:1").unwrap(), "a", "it has no manifest");
        assert_eq!(at("node_modules/.bun/d@2.0.0/node_modules/d/index.js:1:1").unwrap(), "d");
        assert_eq!(at("src/index.ts:1:1"), None);
        assert_eq!(at("node_modules/loose.js:1:1"), None);
        assert_eq!(at("node_modules/@b/loose.js:1:1"), None);
    }

    #[test]
    fn a_manifest_that_commands_the_terminal_or_is_a_pipe_gives_no_version() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("node_modules/a");
        std::fs::create_dir_all(&package).unwrap();
        std::fs::write(package.join("package.json"), r#"{"version": "1\u001b[2J"}"#).unwrap();
        assert_eq!(package_at("node_modules/a/x.js:1:1", folder.path()).unwrap(), "a");
        std::fs::remove_file(package.join("package.json")).unwrap();
        nix::unistd::mkfifo(&package.join("package.json"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert_eq!(package_at("node_modules/a/x.js:1:1", folder.path()).unwrap(), "a");
    }
}
