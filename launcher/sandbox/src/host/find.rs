//! Finding Bun: where the user says, else on PATH, but never where a project could have put its own.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Search;
use crate::error::{Error, Kind};

const HELP: &str = "install Bun 1.4.5, or name its binary with --bun PATH or SECURE_BUN_BUN";

/// The canonical path of the Bun to use.
pub fn find(search: &Search) -> Result<PathBuf, Error> {
    if let Some(path) = &search.flag {
        return named(path, "--bun");
    }
    if let Some(value) = search.variable.as_ref().filter(|value| !value.is_empty()) {
        return named(Path::new(value), "SECURE_BUN_BUN");
    }
    let found = which::which_in_all("bun", search.path.as_deref(), "/")
        .into_iter()
        .flatten()
        .filter_map(|candidate| Some((fs::canonicalize(&candidate).ok()?, candidate)))
        .find(|(path, candidate)| !is_ourselves(path) && !is_suspect(candidate, search) && !is_suspect(path, search));
    found.map(|(path, _)| path).ok_or_else(|| Error::new(Kind::NotFound, "there is no bun on PATH").with_help(HELP))
}

fn named(path: &Path, by: &str) -> Result<PathBuf, Error> {
    let refuse =
        |what: String| Err(Error::new(Kind::NotFound, format!("{by}: {} {what}", path.display())).with_help(HELP));
    let canonical = match fs::canonicalize(path) {
        Ok(canonical) => canonical,
        Err(error) => return refuse(format!("cannot be opened: {error}")),
    };
    match fs::metadata(&canonical) {
        Ok(metadata) if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 => {
            refuse("is not an executable file".to_owned())
        }
        Ok(_) if is_ourselves(&canonical) => refuse("is secure-bun itself".to_owned()),
        Ok(_) => Ok(canonical),
        Err(error) => refuse(format!("cannot be opened: {error}")),
    }
}

/// A `bun` that is a link to secure-bun, as `secure-bun shim` makes.
fn is_ourselves(path: &Path) -> bool {
    let id = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    let own = id(Path::new("/proc/self/exe"));
    own.is_some() && id(path) == own
}

fn is_suspect(path: &Path, search: &Search) -> bool {
    let installed_by_a_project = path.components().any(|part| part.as_os_str() == OsStr::new(".bin"));
    installed_by_a_project || search.untrusted.iter().any(|folder| path.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn executable(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_bun_that_a_project_installed_is_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        let (project, system) = (root.join("p/node_modules/.bin"), root.join("usr/bin"));
        executable(&project.join("bun"));
        executable(&system.join("bun"));
        let path = std::env::join_paths([&project, &system]).unwrap();
        let search = Search { path: Some(path), ..Search::default() };
        assert_eq!(find(&search).unwrap(), system.join("bun"));
        let search = Search { untrusted: vec![root.join("usr")], ..search };
        assert_eq!(find(&search).unwrap_err().kind, Kind::NotFound);
    }

    #[test]
    fn the_flag_wins_over_the_variable_and_both_over_path() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        for name in ["a/bun", "b/bun", "c/bun"] {
            executable(&root.join(name));
        }
        let mut search = Search {
            flag: Some(root.join("a/bun")),
            variable: Some(root.join("b/bun").into()),
            path: Some(root.join("c").into()),
            untrusted: Vec::new(),
        };
        assert_eq!(find(&search).unwrap(), root.join("a/bun"));
        search.flag = None;
        assert_eq!(find(&search).unwrap(), root.join("b/bun"));
        search.variable = None;
        assert_eq!(find(&search).unwrap(), root.join("c/bun"));
    }

    #[test]
    fn a_named_bun_that_cannot_be_run_is_an_error_not_a_reason_to_look_elsewhere() {
        let root = tempfile::tempdir().unwrap();
        executable(&root.path().join("c/bun"));
        let search = Search {
            flag: Some(root.path().join("missing")),
            path: Some(root.path().join("c").into()),
            ..Search::default()
        };
        assert!(find(&search).unwrap_err().message.starts_with("--bun: "));
    }
}
