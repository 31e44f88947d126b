//! Values of `run` (other programs) and `ffi` (native libraries), where a path is only one of the forms.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::diagnostic::Fault;
use crate::path::SymbolicPath;
use crate::pattern::Pattern;

/// Where the sandbox's own Bun is, inside.
pub const SANDBOX_PROGRAMS: &str = "/run/secure-bun/bin";

/// Where a program given by name alone is found.
pub const PROGRAM_FOLDERS: &[&str] = &[SANDBOX_PROGRAMS, "/usr/local/bin", "/usr/bin", "/bin"];

/// A program that may be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramRule<P> {
    /// Any program.
    Any,
    /// The program of this name in one of the [`PROGRAM_FOLDERS`].
    Name(String),
    /// The program at this path, or any program in this folder.
    Path(P),
}

impl ProgramRule<SymbolicPath> {
    pub(crate) fn parse(text: &str, base: &Path) -> Result<Self, Fault> {
        if text.contains('/') || text.starts_with("${") || text == "." || text == ".." || text.starts_with('~') {
            return SymbolicPath::parse(text, base).map(Self::Path);
        }
        if text.is_empty() {
            return Err(Fault::new("the program's name is empty"));
        }
        if text.contains(|c: char| c == '*' || c.is_control()) {
            let help = "name the program, or its path; `true` stands for any program";
            return Err(Fault::new(format!("{text:?} is not the name of a program")).with_help(help));
        }
        if text.contains(char::is_whitespace) {
            let help = "name the program alone: arguments are not part of the rule";
            return Err(Fault::new(format!("{text:?} is not the name of a program")).with_help(help));
        }
        Ok(Self::Name(text.to_owned()))
    }
}

impl ProgramRule<PathBuf> {
    /// Whether starting `program` is granted by this rule. A path also grants the bare name that is found there.
    pub(crate) fn grants(&self, program: &Path) -> bool {
        match self {
            Self::Any => true,
            Self::Name(name) => match program.parent() {
                None => false,
                Some(folder) => {
                    program.file_name().is_some_and(|file| file == name.as_str())
                        && (folder == Path::new("") || PROGRAM_FOLDERS.iter().any(|known| folder == Path::new(known)))
                }
            },
            Self::Path(path) => program.starts_with(path) || could_be_found_below(path, program),
        }
    }

    /// Whether this rule denies starting `program`. A name is denied in whatever folder it is found; a path also
    /// denies the bare name that could be found there.
    pub(crate) fn denies(&self, program: &Path) -> bool {
        match self {
            Self::Any => true,
            Self::Name(name) => program.file_name().is_some_and(|file| file == name.as_str()),
            Self::Path(path) => program.starts_with(path) || could_be_found_below(path, program),
        }
    }
}

/// Whether a bare name stands for a program at or below `path`.
fn could_be_found_below(path: &Path, program: &Path) -> bool {
    let is_bare = program.components().count() == 1 && !program.has_root();
    is_bare && PROGRAM_FOLDERS.iter().any(|folder| Path::new(folder).join(program).starts_with(path))
}

/// Whether some bare name could be found below both paths.
fn share_a_name(one: &Path, other: &Path) -> bool {
    let names = |path: &'_ Path| {
        let folders = || PROGRAM_FOLDERS.iter().map(Path::new);
        let all = folders().any(|folder| folder.starts_with(path));
        let own = path.parent().filter(|parent| folders().any(|folder| folder == *parent)).and(path.file_name());
        (all, own.map(std::ffi::OsStr::to_owned))
    };
    match (names(one), names(other)) {
        ((true, _), (true, _)) => true,
        ((true, _), (_, name)) | ((_, name), (true, _)) => name.is_some(),
        ((_, name), (_, other)) => name.is_some() && name == other,
    }
}

/// A path as a rule has it.
pub trait RulePath: Pattern + PartialEq {
    /// The path, where that is known already.
    fn literal(&self) -> Option<&Path>;
}

impl RulePath for PathBuf {
    fn literal(&self) -> Option<&Path> {
        Some(self)
    }
}

impl RulePath for SymbolicPath {
    fn literal(&self) -> Option<&Path> {
        match self {
            Self::Literal(path) => Some(path),
            Self::Below(..) => None,
        }
    }
}

impl<P: RulePath> Pattern for ProgramRule<P> {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Path(folder), Self::Path(path)) => folder.covers(path),
            (one, other) => one == other,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) => one == other,
            (Self::Path(one), Self::Path(other)) => {
                let name_is_shared = |one| other.literal().is_some_and(|other| share_a_name(one, other));
                one.meets(other) || one.literal().is_some_and(name_is_shared)
            }
            _ => true,
        }
    }
}

impl<P: fmt::Display> fmt::Display for ProgramRule<P> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => out.write_str("true"),
            Self::Name(name) => out.write_str(name),
            Self::Path(path) => path.fmt(out),
        }
    }
}

/// Native code that may be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LibraryRule<P> {
    /// Whatever library the program can see.
    Any,
    /// The library at this path, or those in this folder.
    Path(P),
}

impl LibraryRule<PathBuf> {
    /// Whether the rule speaks of `library`; without one, of native code at all.
    pub(crate) fn speaks_of(&self, library: Option<&Path>) -> bool {
        match (self, library) {
            (Self::Any, _) => true,
            (Self::Path(path), Some(library)) => library.starts_with(path),
            (Self::Path(_), None) => false,
        }
    }
}

impl<P: Pattern> Pattern for LibraryRule<P> {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Path(folder), Self::Path(path)) => folder.covers(path),
            (Self::Path(_), Self::Any) => false,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Path(one), Self::Path(other)) => one.meets(other),
            _ => true,
        }
    }
}
