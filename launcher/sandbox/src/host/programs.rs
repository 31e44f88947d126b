//! What a program of the host consists of, beyond its own file: found by rules per kind of program, and without running
//! anything of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::known::{self, Parts, Use};
use super::libraries::Libraries;
use crate::error::{Error, Kind};

/// Where Perl has its modules, from the folder above that of the program.
const PERL: [&str; 7] = [
    "lib/x86_64-linux-gnu/perl",
    "lib/x86_64-linux-gnu/perl-base",
    "lib/aarch64-linux-gnu/perl",
    "lib/aarch64-linux-gnu/perl-base",
    "share/perl",
    "share/perl5",
    "lib/perl5",
];

/// A script's interpreter may be a script; further than this the kernel does not go either.
const MOST_INTERPRETERS: usize = 4;
/// The kernel reads no more of a script's first line.
const FIRST_LINE_BYTES: u64 = 256;
/// The most native libraries that are looked at in one folder of modules, and the deepest.
const MOST_MODULES: usize = 2000;
const DEEPEST: usize = 8;

/// What programs consist of.
#[derive(Debug, Default)]
pub(crate) struct Footprint {
    /// Files that are executed, by their canonical paths: the programs and the interpreters of those that are scripts.
    pub(crate) executables: Vec<PathBuf>,
    /// The names by which scripts ask for their interpreters, and where those are.
    pub(crate) names: BTreeMap<PathBuf, PathBuf>,
    /// What the programs among them open.
    pub(crate) parts: Parts,
    cache: Option<Cache>,
}

/// How a script is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// The interpreter, as the script names it; where that is env(1), what it would find.
    pub(crate) path: PathBuf,
    /// The one argument that may stand in the first line.
    pub(crate) argument: Option<String>,
    /// env(1), which is executed as well.
    pub(crate) env: Option<PathBuf>,
}

impl Footprint {
    /// Nothing yet; what is known about programs is in `cache`.
    pub(crate) fn new(cache: Option<Cache>) -> Self {
        Self { cache, ..Self::default() }
    }

    /// Adds the program at `path`, canonical, with all that it needs. `find` looks up an interpreter's name.
    pub(crate) fn add(&mut self, path: &Path, find: &dyn Fn(&str) -> Option<PathBuf>) -> Result<(), Error> {
        self.add_at_depth(path, find, 0)
    }

    fn add_at_depth(&mut self, path: &Path, find: &dyn Fn(&str) -> Option<PathBuf>, depth: usize) -> Result<(), Error> {
        if self.executables.iter().any(|known| known == path) {
            return Ok(());
        }
        self.executables.push(path.to_path_buf());
        let Some(interpreter) = interpreter(path, find)? else {
            return self.add_known(path, |looking| {
                looking.libraries.add_program(path)?;
                looking.add_folders(path)
            });
        };
        if depth == MOST_INTERPRETERS {
            let message = format!("{}: the interpreters of scripts are scripts, too deep", path.display());
            return Err(Error::new(Kind::NotRunnable, message));
        }
        for file in interpreter.env.iter().chain([&interpreter.path]) {
            let found = fs::canonicalize(file)
                .map_err(|error| Error::io(Kind::NotRunnable, "open the interpreter", file, &error))?;
            self.names.insert(file.clone(), found.clone());
            self.add_at_depth(&found, find, depth + 1)?;
        }
        Ok(())
    }

    /// The packages of a virtual environment, where `path` is the link to Python in one.
    pub(crate) fn add_environment(&mut self, path: &Path) -> Result<(), Error> {
        let Some(prefix) = path.parent().and_then(Path::parent) else { return Ok(()) };
        if !prefix.join("pyvenv.cfg").is_file() {
            return Ok(());
        }
        for entry in fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten() {
            let packages = entry.path().join("site-packages");
            if packages.is_dir() {
                self.add_known(&packages, |looking| looking.add_folder(&packages, Use::Load))?;
            }
        }
        Ok(())
    }

    fn add_known(&mut self, place: &Path, look: impl FnOnce(&mut Looking) -> Result<(), Error>) -> Result<(), Error> {
        self.parts.add(known::load_or_make(place, self.cache.as_ref(), || {
            let mut looking = Looking::default();
            look(&mut looking)?;
            Ok(looking.done())
        })?);
        Ok(())
    }
}

/// A close look at one program.
#[derive(Debug, Default)]
struct Looking {
    folders: BTreeMap<PathBuf, Use>,
    libraries: Libraries,
    /// Folders with native code in them.
    native: BTreeSet<PathBuf>,
}

impl Looking {
    /// What was found, and the folders whose change would change it.
    fn done(self) -> (Parts, BTreeSet<PathBuf>) {
        let libraries = self.libraries.into_list().into_iter().map(|library| (library.name.clone(), library));
        (Parts { folders: self.folders, libraries: libraries.collect() }, self.native)
    }

    /// What programs of known kinds open while they run.
    fn add_folders(&mut self, program: &Path) -> Result<(), Error> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(prefix) = program.parent().and_then(Path::parent) else { return Ok(()) };
        if name.starts_with("python") {
            self.add_python(&name, prefix)?;
        }
        if name == "git" {
            for folder in ["libexec/git-core", "lib/git-core"] {
                self.add_folder(&prefix.join(folder), Use::Execute)?;
            }
            self.add_folder(&prefix.join("share/git-core"), Use::Read)?;
        }
        if name.starts_with("perl") {
            for folder in PERL {
                self.add_folder(&prefix.join(folder), Use::Load)?;
            }
        }
        Ok(())
    }

    /// The standard library and the installed packages.
    fn add_python(&mut self, name: &str, prefix: &Path) -> Result<(), Error> {
        self.add_folder(&prefix.join("lib").join(name), Use::Load)?;
        self.add_folder(&prefix.join("lib/python3"), Use::Load)?;
        if prefix == Path::new("/usr") {
            self.add_folder(&Path::new("/usr/local/lib").join(name), Use::Load)?;
        }
        Ok(())
    }

    /// Adds a folder, where it is there, and what the native code in it needs.
    fn add_folder(&mut self, folder: &Path, access: Use) -> Result<(), Error> {
        let Ok(folder) = fs::canonicalize(folder) else { return Ok(()) };
        if !folder.is_dir() || self.folders.insert(folder.clone(), access).is_some() || access == Use::Read {
            return Ok(());
        }
        let mut open = vec![(folder, 0)];
        // Git has one file under a hundred names.
        let mut looked = BTreeSet::new();
        while let Some((folder, depth)) = open.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let (path, kind) = (entry.path(), entry.file_type());
                if kind.as_ref().is_ok_and(fs::FileType::is_dir) {
                    if depth < DEEPEST {
                        open.push((path, depth + 1));
                    }
                } else if kind.is_ok_and(|kind| kind.is_file())
                    && is_native(&path, access)
                    && looked.insert(entry.ino())
                {
                    if looked.len() > MOST_MODULES {
                        return Ok(());
                    }
                    self.native.insert(folder.clone());
                    self.libraries.add_library(&path)?;
                }
            }
        }
        Ok(())
    }
}

fn is_native(path: &Path, access: Use) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let is_library = path.extension() == Some(OsStr::new("so")) || name.windows(4).any(|part| part == b".so.");
    is_library || access == Use::Execute && is_executable(path)
}

/// Whether a file is one that may be executed.
pub(crate) fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// What runs the script at `path`; `None` for a program. As execve(2) reads it: one path, and all the rest as one
/// argument.
pub(crate) fn interpreter(path: &Path, find: &dyn Fn(&str) -> Option<PathBuf>) -> Result<Option<Interpreter>, Error> {
    let mut line = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(FIRST_LINE_BYTES).read_to_end(&mut line))
        .map_err(|error| Error::io(Kind::NotRunnable, "read", path, &error))?;
    let Some(rest) = line.strip_prefix(b"#!") else { return Ok(None) };
    let text = String::from_utf8_lossy(rest.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
    let text = text.trim();
    let (program, argument) = match text.split_once([' ', '\t']) {
        Some((program, argument)) => (program, Some(argument.trim().to_owned())),
        None => (text, None),
    };
    if !program.starts_with('/') {
        let message = format!("{}: its first line does not name an interpreter by an absolute path", path.display());
        return Err(Error::new(Kind::NotRunnable, message));
    }
    let program = PathBuf::from(program);
    if program.file_name() != Some(OsStr::new("env")) {
        return Ok(Some(Interpreter { path: program, argument, env: None }));
    }
    let name = argument.as_deref().unwrap_or_default();
    let simple = !name.is_empty() && !name.contains(char::is_whitespace) && !name.starts_with('-');
    let found = if simple { find(name) } else { None };
    let Some(found) = found else {
        let message = format!("{}: the interpreter of `#!{text}` is not found", path.display());
        return Err(
            Error::new(Kind::NotRunnable, message).with_help("it is looked for in /usr/local/bin, /usr/bin and /bin")
        );
    };
    Ok(Some(Interpreter { path: found, argument: None, env: Some(program) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(line: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), line).unwrap();
        file
    }

    fn of(line: &str) -> Option<Interpreter> {
        interpreter(script(line).path(), &|name| Some(Path::new("/usr/bin").join(name))).unwrap()
    }

    #[test]
    fn the_interpreter_of_a_script() {
        let named = |path: &str, argument: Option<&str>| {
            Some(Interpreter { path: path.into(), argument: argument.map(str::to_owned), env: None })
        };
        assert_eq!(of("#!/bin/sh\necho"), named("/bin/sh", None));
        assert_eq!(of("#! /bin/sh -e -u \n"), named("/bin/sh", Some("-e -u")));
        assert_eq!(of("echo"), None);
        let python = Interpreter { path: "/usr/bin/python3".into(), argument: None, env: Some("/usr/bin/env".into()) };
        assert_eq!(of("#!/usr/bin/env python3\n"), Some(python));
    }

    #[test]
    fn an_interpreter_that_cannot_be_told_is_an_error() {
        for line in ["#!sh\n", "#!\n", "#!/usr/bin/env -S python3 -u\n", "#!/usr/bin/env\n"] {
            let error = interpreter(script(line).path(), &|_| Some("/x".into())).unwrap_err();
            assert_eq!(error.kind, Kind::NotRunnable, "{line:?}");
        }
    }

    #[test]
    fn a_script_brings_its_interpreter_and_the_interpreters_libraries() {
        let script = script("#!/bin/sh\n");
        let path = fs::canonicalize(script.path()).unwrap();
        let mut footprint = Footprint::default();
        footprint.add(&path, &|_| None).unwrap();
        assert_eq!(footprint.executables, [path, fs::canonicalize("/bin/sh").unwrap()]);
        assert!(footprint.parts.libraries.values().any(|library| library.is_loader));
    }
}
