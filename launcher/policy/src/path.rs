//! Paths, handled as text alone: nothing here looks at a file system.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use crate::diagnostic::{Fault, nearest};
use crate::pattern::Pattern;

/// A folder that is only known when the program is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// `${PROGRAM}`: the program's folder.
    Program,
    /// `${PROJECT}`: the workspace or package of the program, or the program's file alone.
    Project,
    /// `${TMP}`: the private temporary folder.
    Tmp,
    /// `${HOME}`: the user's home folder.
    Home,
}

impl Variable {
    const ALL: [Self; 4] = [Self::Program, Self::Project, Self::Tmp, Self::Home];

    /// The name between the braces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Program => "PROGRAM",
            Self::Project => "PROJECT",
            Self::Tmp => "TMP",
            Self::Home => "HOME",
        }
    }

    fn parse(name: &str) -> Result<Self, Fault> {
        Self::ALL.into_iter().find(|variable| variable.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            let help = match nearest(name, names) {
                Some(meant) => format!("did you mean ${{{meant}}}?"),
                None => "the variables are ${PROGRAM}, ${PROJECT}, ${TMP} and ${HOME}".to_owned(),
            };
            Fault::new(format!("unknown variable ${{{name}}}")).with_help(help)
        })
    }
}

/// A path of a policy before the places of a run are known: a file, or a folder with everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SymbolicPath {
    /// A path that needs nothing else (relative only where its source's folder was given so).
    Literal(PathBuf),
    /// A path at or below a folder known later.
    Below(Variable, PathBuf),
}

impl SymbolicPath {
    /// Reads a path written in a source whose folder is `base`.
    pub(crate) fn parse(text: &str, base: &Path) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault::new("the path is empty").with_help("write \".\" for the folder of this file"));
        }
        if text.contains('\0') {
            return Err(Fault::new("a path cannot contain a NUL character"));
        }
        if text.contains('*') {
            let help = "name the file or the folder: a folder covers everything below it";
            return Err(Fault::new("a path cannot contain \"*\"").with_help(help));
        }
        if text == "~" || text.starts_with("~/") {
            return Err(Fault::new("\"~\" is not expanded").with_help(format!("write \"${{HOME}}{}\"", &text[1..])));
        }
        if let Some(rest) = text.strip_prefix("${") {
            let Some((name, rest)) = rest.split_once('}') else {
                return Err(Fault::new("the variable is not closed").with_help("write ${NAME}"));
            };
            let variable = Variable::parse(name)?;
            if !rest.is_empty() && !rest.starts_with('/') {
                return Err(Fault::new("a variable stands for a whole folder")
                    .with_help(format!("write \"${{{name}}}/{rest}\"")));
            }
            reject_later_variable(rest)?;
            return Ok(Self::Below(variable, normalize(Path::new(rest.trim_start_matches('/')))));
        }
        reject_later_variable(text)?;
        Ok(Self::Literal(normalize(&base.join(text))))
    }
}

fn reject_later_variable(text: &str) -> Result<(), Fault> {
    if text.contains("${") {
        return Err(Fault::new("a variable can only stand at the start of a path"));
    }
    Ok(())
}

impl Pattern for SymbolicPath {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(folder), Self::Literal(path)) => path.starts_with(folder),
            (Self::Literal(folder), Self::Below(..)) => folder == Path::new("/"),
            (Self::Below(one, folder), Self::Below(other, path)) => one == other && path.starts_with(folder),
            (Self::Below(..), Self::Literal(_)) => false,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(one), Self::Literal(other)) => one.starts_with(other) || other.starts_with(one),
            // Where the variables will point is not known yet.
            _ => true,
        }
    }
}

impl fmt::Display for SymbolicPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(path) => write!(out, "{}", path.display()),
            Self::Below(variable, rest) if rest.as_os_str().is_empty() => write!(out, "${{{}}}", variable.name()),
            Self::Below(variable, rest) => write!(out, "${{{}}}/{}", variable.name(), rest.display()),
        }
    }
}

impl Pattern for PathBuf {
    fn covers(&self, other: &Self) -> bool {
        other.starts_with(self)
    }

    fn meets(&self, other: &Self) -> bool {
        self.starts_with(other) || other.starts_with(self)
    }
}

/// `path` without `.`, `..` and doubled slashes, as far as text alone can tell.
pub fn normalize(path: &Path) -> PathBuf {
    let mut normal = PathBuf::with_capacity(path.as_os_str().len());
    for component in path.components() {
        match component {
            Component::CurDir | Component::Prefix(_) => {}
            Component::ParentDir => match normal.components().next_back() {
                Some(Component::Normal(_)) => {
                    normal.pop();
                }
                Some(Component::RootDir) => {}
                _ => normal.push(".."),
            },
            Component::RootDir | Component::Normal(_) => normal.push(component),
        }
    }
    normal
}
