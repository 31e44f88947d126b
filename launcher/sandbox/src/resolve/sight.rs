//! What a plan comes to for one path: what the kernel will show a program there.

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use confine::{Access, Root};

use super::look::Look;

/// What a program finds at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The path, free of symbolic links where the host has something there.
    pub path: PathBuf,
    /// It is reached through a symbolic link.
    pub through_link: bool,
    /// The host has something there.
    pub exists: bool,
    /// What is seen of it.
    pub seen: Seen,
}

/// What is seen of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing: it is not part of the program's file system.
    Nothing,
    /// An empty object that cannot be opened covers it, or a folder above it.
    Mask(PathBuf),
    /// It lies in this mount.
    Mount {
        /// Where the mount is.
        target: PathBuf,
        /// What can be done with it.
        access: Access,
    },
    /// It lies in a private file system in memory.
    Private(PathBuf),
    /// A file of secure-bun's making is there.
    Made,
}

/// Looks at `path`, which is absolute, in the file system `root`. The deepest entry is the one that is seen; of two at
/// one place, a mask.
pub fn sight(root: &Root, files: &impl Look, path: &Path) -> Sight {
    let found = files.look(path);
    let exists = found.is_ok();
    let real = found.map_or_else(|_| nearest(files, path), |object| object.path);
    let masks = root.masks.iter().map(|mask| (host(&mask.target), Seen::Mask(host(&mask.target))));
    let tmpfs = root.tmpfs.iter().map(|tmpfs| (host(&tmpfs.target), Seen::Private(host(&tmpfs.target))));
    // A later bind at one place covers an earlier one.
    let binds = root.binds.iter().map(|bind| {
        let target = host(&bind.target);
        (target.clone(), Seen::Mount { target, access: bind.access })
    });
    let made = root.files.iter().map(|file| (host(&file.target), Seen::Made));
    let covering = tmpfs.chain(binds).chain(made).chain(masks).filter(|(target, _)| real.starts_with(target));
    let seen = covering.max_by_key(|(target, _)| target.components().count()).map_or(Seen::Nothing, |(_, seen)| seen);
    Sight { through_link: real != path, exists, path: real, seen }
}

/// The path with the part of it that exists free of symbolic links.
fn nearest(files: &impl Look, path: &Path) -> PathBuf {
    for above in path.ancestors().skip(1) {
        if let (Ok(object), Ok(rest)) = (files.look(above), path.strip_prefix(above)) {
            return object.path.join(rest);
        }
    }
    path.to_path_buf()
}

fn host(path: &CStr) -> PathBuf {
    OsStr::from_bytes(path.to_bytes()).into()
}

impl fmt::Display for Sight {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if self.through_link {
            write!(out, "a symbolic link leads to {path}, which is ")?;
        }
        match &self.seen {
            Seen::Nothing if !self.exists => out.write_str("not there, as on this machine"),
            Seen::Nothing => out.write_str("not there: no mount shows it"),
            Seen::Mask(mask) => write!(out, "covered: {} is masked and cannot be opened", mask.display()),
            Seen::Private(folder) => write!(out, "in the private, empty {} of the program", folder.display()),
            Seen::Made => out.write_str("a file that secure-bun makes, not the one of this machine"),
            Seen::Mount { target, access: Access::Device } => write!(out, "the device {}", target.display()),
            Seen::Mount { target, access } => {
                let kind = if *access == Access::Write { "writable" } else { "read-only" };
                let gone = if self.exists { "" } else { ", but nothing has this name" };
                write!(out, "in the {kind} mount of {}{gone}", target.display())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::{filesystem, look::RealFiles};
    use policy::{Layer, Places, Policy, Source};

    /// What is seen of paths below a folder, under a policy that lies in it.
    fn seen(folder: &Path, policy: &str, paths: &[&str]) -> Vec<String> {
        let layer = Layer::parse(&Source::file("p.json", folder.join("p.json")), policy.as_bytes()).unwrap();
        let policy = Policy::merge([&layer]).expand(&Places {
            program: folder.into(),
            project: vec![folder.into()],
            tmp: crate::places::TMP.into(),
            home: "/root".into(),
            cwd: folder.into(),
        });
        let shown = filesystem(&policy, &RealFiles, Root::default(), false).unwrap();
        let one = |path: &&str| {
            sight(&shown.root, &RealFiles, &folder.join(path)).to_string().replace(&folder.display().to_string(), "F")
        };
        paths.iter().map(one).collect()
    }

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        folder
    }

    #[test]
    fn a_read_only_tree_leaves_out_what_is_denied() {
        let folder = folder(&["data/a", "data/private/b"]);
        let policy = r#"{"import": [], "read": "./data", "deny": {"read": "./data/private"}}"#;
        assert_eq!(
            seen(folder.path(), policy, &["data/a", "data/private/b", "data/new", "other"]),
            [
                "in the read-only mount of F/data/a",
                "not there: no mount shows it",
                "not there, as on this machine",
                "not there, as on this machine"
            ]
        );
    }

    #[test]
    fn a_writable_tree_is_covered_where_it_is_denied() {
        let folder = folder(&["out/a", "out/private/b", "out/.npmrc"]);
        let policy = r#"{"import": [], "write": ["./out", "${TMP}"], "deny": {"read": "./out/private"}}"#;
        assert_eq!(
            seen(folder.path(), policy, &["out/a", "out/new", "out/private/b", "out/.npmrc", "/tmp/x"]),
            [
                "in the writable mount of F/out",
                "in the writable mount of F/out, but nothing has this name",
                "covered: F/out/private is masked and cannot be opened",
                "in the read-only mount of F/out/.npmrc",
                "in the private, empty /tmp of the program"
            ]
        );
    }

    #[test]
    fn a_link_is_followed() {
        let folder = folder(&["data/a"]);
        std::os::unix::fs::symlink("data/a", folder.path().join("link")).unwrap();
        assert_eq!(
            seen(folder.path(), r#"{"import": [], "read": "./data"}"#, &["link"]),
            ["a symbolic link leads to F/data/a, which is in the read-only mount of F/data"]
        );
    }
}
