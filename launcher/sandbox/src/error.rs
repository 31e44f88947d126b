//! Why a program was not run.

use std::fmt;
use std::io;
use std::path::Path;

/// Nothing has run, and nothing is left behind.
#[derive(Debug)]
pub struct Error {
    /// What it means for whoever asked.
    pub kind: Kind,
    /// What happened, to what.
    pub message: String,
    /// What can be done about it.
    pub help: Option<String>,
}

/// What an error means for whoever asked; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request or its policy makes no sense.
    Usage,
    /// The sandbox cannot be established here.
    Sandbox,
    /// The program is there, but cannot be run.
    NotRunnable,
    /// There is no such program.
    NotFound,
}

impl Kind {
    /// The launcher's exit code.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Sandbox => 125,
            Self::NotRunnable => 126,
            Self::NotFound => 127,
        }
    }
}

impl Error {
    /// An error of a kind, without advice.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// An I/O error about a path.
    pub fn io(kind: Kind, what: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(kind, format!("cannot {what} {}: {error}", path.display()))
    }

    /// The system refuses what every run needs.
    pub(crate) fn system(what: &str, error: &io::Error) -> Self {
        Self::new(Kind::Sandbox, format!("cannot {what}: {error}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Where to learn more about a sandbox that cannot be established.
pub(crate) const DOCTOR: &str = "`secure-bun doctor` tries each layer";

impl From<confine::Error> for Error {
    fn from(error: confine::Error) -> Self {
        let help = error.remedy().map_or_else(|| DOCTOR.to_owned(), |remedy| format!("{remedy}; {DOCTOR}"));
        Self::new(Kind::Sandbox, format!("the sandbox cannot be established: {error}")).with_help(help)
    }
}

/// Something that does not stop a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub String);

/// A path that has to be text for Bun or for JSON.
pub(crate) fn text(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| {
        Error::new(Kind::Usage, format!("{} is not UTF-8", path.display()))
            .with_help("rename it: Bun takes no other paths")
    })
}

/// A path without NUL, for the kernel.
pub(crate) fn c_path(path: &Path) -> Result<std::ffi::CString, Error> {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::new(Kind::Usage, format!("the path {} contains a NUL character", path.display())))
}
