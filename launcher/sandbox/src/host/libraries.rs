//! Which files a program needs to start: its dynamic loader and its libraries, found as ld.so(8) finds them, without
//! running anything.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::elf::{self, Elf};
use super::loader_cache;
use crate::error::{Error, Kind};

/// A file that a program needs to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// The path by which it is asked for.
    pub name: PathBuf,
    /// Where it is, free of symbolic links.
    pub path: PathBuf,
    /// Whether it is the loader, which the kernel executes; the others are mapped by it.
    pub is_loader: bool,
}

/// A library that one program uses without naming it: the C library opens it when a thread is cancelled.
const UNNAMED: &str = "libgcc_s.so.1";

/// Where loaders look when nothing else names a folder.
const FOLDERS: [&str; 8] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];

/// The most libraries of one sandbox.
const MOST_LIBRARIES: usize = 400;

/// The loaders and libraries of several programs, each once.
#[derive(Debug, Default)]
pub(crate) struct Libraries {
    known: Option<BTreeMap<String, PathBuf>>,
    found: BTreeMap<PathBuf, Library>,
}

impl Libraries {
    /// Adds the loader and the libraries of a program; a static one has none.
    pub(crate) fn add_program(&mut self, program: &Path) -> Result<(), Error> {
        let elf = elf::read(program).map_err(|what| {
            Error::new(Kind::Sandbox, format!("{} is not a Linux program: {what}", program.display()))
        })?;
        let Some(loader) = elf.interpreter.clone() else { return Ok(()) };
        let path = fs::canonicalize(&loader)
            .map_err(|error| Error::io(Kind::Sandbox, "open the dynamic loader", &loader, &error))?;
        self.found.insert(loader.clone(), Library { name: loader, path, is_loader: true });
        let missing = self.close_over(program, elf)?;
        if let Some(name) = missing {
            let message = format!("the libraries of {} are incomplete: there is no {name}", program.display());
            return Err(Error::new(Kind::Sandbox, message));
        }
        if let Some(path) = self.look_up(UNNAMED, &[]) {
            self.add(path)?;
        }
        Ok(())
    }

    /// Adds the libraries of a library that some program may load. What is missing then fails there.
    pub(crate) fn add_library(&mut self, library: &Path) -> Result<(), Error> {
        // What merely has the name of a library is data.
        if let Ok(elf) = elf::read(library) {
            self.close_over(library, elf)?;
        }
        Ok(())
    }

    /// Adds the library of this name, where there is one, and what it needs.
    pub(crate) fn add_by_name(&mut self, name: &str) -> Result<(), Error> {
        let Some(found) = self.look_up(name, &[]) else { return Ok(()) };
        match self.add(found)? {
            Some(path) => self.add_library(&path),
            None => Ok(()),
        }
    }

    /// All of them, in the order of their names.
    pub(crate) fn into_list(self) -> Vec<Library> {
        self.found.into_values().collect()
    }

    /// Adds all that `elf`, the file at `path`, needs, and what that needs; the first name that is not found.
    fn close_over(&mut self, path: &Path, elf: Elf) -> Result<Option<String>, Error> {
        let mut missing = None;
        let mut open = vec![(path.to_path_buf(), elf)];
        let mut inherited: Vec<PathBuf> = Vec::new();
        while let Some((path, elf)) = open.pop() {
            let own = |folders: &[String]| folders.iter().map(|folder| expand(folder, &path)).collect::<Vec<_>>();
            if elf.runpath.is_empty() {
                inherited.extend(own(&elf.rpath));
            }
            let folders: Vec<PathBuf> = own(&elf.runpath).into_iter().chain(inherited.iter().cloned()).collect();
            for name in elf.needed {
                let found = if name.contains('/') { Some(PathBuf::from(&name)) } else { self.look_up(&name, &folders) };
                let Some(found) = found else {
                    missing.get_or_insert(name);
                    continue;
                };
                if !self.found.contains_key(&found)
                    && let Some(path) = self.add(found)?
                    && let Ok(elf) = elf::read(&path)
                {
                    open.push((path, elf));
                }
            }
        }
        Ok(missing)
    }

    fn add(&mut self, name: PathBuf) -> Result<Option<PathBuf>, Error> {
        let Ok(path) = fs::canonicalize(&name) else { return Ok(None) };
        if self.found.len() >= MOST_LIBRARIES {
            let message = format!("the granted programs need more than {MOST_LIBRARIES} libraries");
            return Err(Error::new(Kind::Sandbox, message).with_help("grant fewer programs"));
        }
        let library = Library { name: name.clone(), path: path.clone(), is_loader: false };
        self.found.entry(name).or_insert(library);
        Ok(Some(path))
    }

    /// The path by which the loader finds `name`: the folders that files name, the loader's cache, the usual folders.
    fn look_up(&mut self, name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
        let in_folder = |folder: &Path| Some(folder.join(name)).filter(|path| path.is_file());
        if let Some(found) = folders.iter().find_map(|folder| in_folder(folder)) {
            return Some(found);
        }
        let known = self.known.get_or_insert_with(loader_cache::read);
        let cached = known.get(name).filter(|path| path.is_file()).cloned();
        cached.or_else(|| FOLDERS.iter().find_map(|folder| in_folder(Path::new(folder))))
    }
}

/// A folder that a file names, with `$ORIGIN`, its own.
fn expand(folder: &str, file: &Path) -> PathBuf {
    let origin = fs::canonicalize(file).ok().and_then(|file| file.parent().map(Path::to_path_buf)).unwrap_or_default();
    let origin = origin.to_string_lossy();
    PathBuf::from(folder.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin))
}

/// The loader and the libraries of one program.
pub(super) fn libraries(program: &Path) -> Result<Vec<Library>, Error> {
    let mut libraries = Libraries::default();
    libraries.add_program(program)?;
    Ok(libraries.into_list())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_not_a_program() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "#!/bin/sh\n").unwrap();
        assert!(libraries(file.path()).unwrap_err().message.contains("is not a Linux program"));
    }

    #[test]
    fn a_dynamic_program_has_one_loader_and_its_libraries() {
        let found = libraries(&fs::canonicalize("/bin/sh").unwrap()).unwrap();
        assert_eq!(found.iter().filter(|library| library.is_loader).count(), 1, "{found:?}");
        assert!(found.len() >= 2, "{found:?}");
        assert!(found.iter().all(|library| library.name.is_absolute() && library.path.exists()), "{found:?}");
    }

    /// The loader's own list is the judge, of programs that are on every machine.
    #[test]
    fn the_loader_finds_the_same() {
        for program in ["/bin/sh", "/usr/bin/env", "/bin/ls"] {
            let program = fs::canonicalize(program).unwrap();
            let found = libraries(&program).unwrap();
            let Some(loader) = found.iter().find(|library| library.is_loader) else { continue };
            let said = std::process::Command::new(&loader.path).arg("--list").arg(&program).output().unwrap();
            for line in String::from_utf8(said.stdout).unwrap().lines() {
                let Some((_, right)) = line.split_once("=> ") else { continue };
                let path = fs::canonicalize(right.split_once(" (").unwrap().0).unwrap();
                assert!(found.iter().any(|library| library.path == path), "{program:?} needs {path:?}: {found:#?}");
            }
        }
    }

    #[test]
    fn folders_of_a_file_are_relative_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = fs::canonicalize(folder.path()).unwrap();
        let file = folder.join("program");
        fs::write(&file, "").unwrap();
        assert_eq!(expand("$ORIGIN/../lib", &file), folder.join("../lib"));
        assert_eq!(expand("${ORIGIN}", &file), folder);
        assert_eq!(expand("/opt/lib", &file), Path::new("/opt/lib"));
    }
}
