//! Where the program is, and what belongs to it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use policy::Places;

use crate::error::{Error, Kind};
use crate::plain_file::{self, Links};

/// What the program finds as its home folder.
pub const HOME: &str = "/home/sandbox";
/// What the program finds as its temporary folder.
pub const TMP: &str = "/tmp";

/// What is read of a package.json.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// Where the user is.
pub fn working_directory() -> Result<PathBuf, Error> {
    std::env::current_dir().map_err(|_| {
        Error::new(Kind::Usage, "there is no working directory").with_help("change to a folder that exists")
    })
}

/// Makes the program's path absolute and checks that it is a file. Symbolic links are followed: Bun does, too.
pub fn program(path: &Path, cwd: &Path) -> Result<PathBuf, Error> {
    let absolute = cwd.join(path);
    let found = fs::canonicalize(&absolute).map_err(|error| {
        let kind = if error.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::NotRunnable };
        Error::io(kind, "find the program", path, &error)
    })?;
    let metadata = fs::metadata(&found).map_err(|error| Error::io(Kind::NotRunnable, "look at", path, &error))?;
    if metadata.is_dir() {
        let message = format!("{} is a directory, not a program", path.display());
        return Err(Error::new(Kind::NotRunnable, message).with_help("name a file, such as index.ts in it"));
    }
    if !metadata.is_file() {
        return Err(Error::new(Kind::NotRunnable, format!("{} is not a regular file", path.display())));
    }
    Ok(found)
}

/// The places that the policy's variables stand for when `program`, a canonical path, is run from `cwd` with `tmp` for
/// its temporary files.
pub fn places(program: &Path, cwd: &Path, home: Option<&Path>, tmp: &Path) -> Places {
    let folder = program.parent().unwrap_or(Path::new("/"));
    let home = home.map_or_else(|| PathBuf::from("/"), Path::to_path_buf);
    let root = project_root(folder).filter(|root| !is_shared(root, &home));
    Places {
        program: folder.to_path_buf(),
        project: vec![root.unwrap_or_else(|| program.to_path_buf())],
        tmp: tmp.into(),
        home,
        cwd: cwd.to_path_buf(),
    }
}

/// The places of a program that lies in no file.
pub(crate) fn places_of_text(cwd: &Path, home: Option<&Path>, tmp: &Path) -> Places {
    let home = home.map_or_else(|| PathBuf::from("/"), Path::to_path_buf);
    Places { program: cwd.to_path_buf(), project: Vec::new(), tmp: tmp.into(), home, cwd: cwd.to_path_buf() }
}

/// The places of a program that is not part of a project, such as an interpreter: the project is that of `cwd`, or `cwd`
/// itself unless that holds far more than a project.
pub fn places_of_folder(cwd: &Path, home: Option<&Path>) -> Places {
    let home = home.map_or_else(|| PathBuf::from("/"), Path::to_path_buf);
    let root = project_root(cwd).unwrap_or_else(|| cwd.to_path_buf());
    let project = Some(root).filter(|root| !is_shared(root, &home)).into_iter().collect();
    Places { program: cwd.to_path_buf(), project, tmp: TMP.into(), home, cwd: cwd.to_path_buf() }
}

/// The folders in which policies of `program`, a canonical path, may lie: its own and those above it up to the outermost
/// with a package.json, the nearest first. Nothing below node_modules is among them. The outermost, since a program may
/// put a package.json into a folder that it writes to.
pub fn policy_folders(program: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let folder = program.parent().unwrap_or(Path::new("/"));
    let is_below_modules = |ancestor: &Path| ancestor.components().any(|part| part.as_os_str() == "node_modules");
    let is_project = |ancestor: &&Path| {
        let is_own = home.is_none_or(|home| !is_shared(ancestor, home));
        is_own && !is_below_modules(ancestor) && ancestor.join("package.json").is_file()
    };
    let last = folder.ancestors().filter(is_project).last().unwrap_or(folder);
    let above = folder.ancestors().take_while(|ancestor| ancestor.starts_with(last));
    above.filter(|ancestor| !is_below_modules(ancestor)).map(Path::to_path_buf).collect()
}

/// The user that the launcher runs as.
pub fn user() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// The nearest workspace root, else the nearest folder with a package.json.
fn project_root(folder: &Path) -> Option<PathBuf> {
    let mut nearest = None;
    for ancestor in folder.ancestors() {
        // What lies below node_modules belongs to the project that installed it.
        if ancestor.components().any(|part| part.as_os_str() == "node_modules") {
            continue;
        }
        let Some(manifest) = manifest(&ancestor.join("package.json")) else { continue };
        if declares_workspaces(&manifest) {
            return Some(ancestor.to_path_buf());
        }
        nearest.get_or_insert_with(|| ancestor.to_path_buf());
    }
    nearest
}

/// A package.json. It comes with the code: a pipe, a device behind a symbolic link, or a file without end is none.
fn manifest(path: &Path) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    plain_file::open(path, Links::Follow).ok()?.take(MAX_MANIFEST_BYTES).read_to_end(&mut text).ok()?;
    Some(text)
}

fn declares_workspaces(manifest: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Manifest {
        workspaces: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_slice::<Manifest>(manifest).is_ok_and(|manifest| manifest.workspaces.is_some())
}

/// Folders that hold far more than a project, whatever package.json lies in them: `/`, the home folder, temporary
/// folders, and everything above these.
fn is_shared(root: &Path, home: &Path) -> bool {
    let temporary = std::env::temp_dir();
    let shared = [Path::new("/tmp"), Path::new("/var/tmp"), Path::new("/dev/shm"), &temporary, home];
    shared.iter().any(|place| place.starts_with(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_nearest_package_is_the_project() {
        let root = tree(&[("p/package.json", "{}"), ("p/src/deep/a.ts", "")]);
        assert_eq!(project_root(&root.path().join("p/src/deep")), Some(root.path().join("p")));
    }

    #[test]
    fn a_workspace_root_wins_over_the_package_in_it() {
        let root = tree(&[
            ("w/package.json", r#"{"workspaces":["packages/*"]}"#),
            ("w/packages/a/package.json", "{}"),
            ("w/packages/a/a.ts", ""),
        ]);
        assert_eq!(project_root(&root.path().join("w/packages/a")), Some(root.path().join("w")));
    }

    #[test]
    fn a_package_below_node_modules_is_not_a_project() {
        let root = tree(&[("p/package.json", "{}"), ("p/node_modules/x/package.json", "{}")]);
        assert_eq!(project_root(&root.path().join("p/node_modules/x")), Some(root.path().join("p")));
    }

    #[test]
    fn a_policy_may_lie_from_the_program_up_to_its_project_but_not_below_node_modules() {
        let root = tree(&[("p/package.json", "{}"), ("p/src/a.ts", ""), ("p/node_modules/x/b.js", ""), ("c.ts", "")]);
        let folders = |file: &str| policy_folders(&root.path().join(file), None);
        assert_eq!(folders("p/src/a.ts"), [root.path().join("p/src"), root.path().join("p")]);
        assert_eq!(folders("p/node_modules/x/b.js"), [root.path().join("p")]);
        assert_eq!(folders("c.ts"), [root.path()]);
        fs::write(root.path().join("p/src/package.json"), "{}").unwrap();
        assert_eq!(folders("p/src/a.ts"), [root.path().join("p/src"), root.path().join("p")]);
    }

    #[test]
    fn a_home_folder_with_a_package_json_is_not_a_project() {
        let home = tree(&[("package.json", "{}"), ("a.ts", "")]);
        let program = home.path().join("a.ts");
        assert_eq!(places(&program, home.path(), Some(home.path()), Path::new(TMP)).project, [program]);
    }

    #[test]
    fn a_folder_is_its_own_project_unless_it_is_shared() {
        let root = tree(&[("data/a.csv", ""), ("p/package.json", "{}"), ("p/src/a.py", "")]);
        let project = |folder: &str, home: &str| {
            let home = root.path().join(home);
            places_of_folder(&root.path().join(folder), Some(&home)).project
        };
        assert_eq!(project("data", "home"), [root.path().join("data")]);
        assert_eq!(project("p/src", "home"), [root.path().join("p")]);
        assert!(project("data", "data").is_empty() && project("data", "data/me").is_empty());
    }

    #[test]
    fn a_directory_is_not_a_program() {
        let root = tempfile::tempdir().unwrap();
        let error = program(root.path(), Path::new("/")).unwrap_err();
        assert_eq!(error.kind, Kind::NotRunnable);
        assert!(error.message.ends_with("is a directory, not a program"), "{error}");
    }
}
