//! The files of one test, and commands about them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::process::Command;
use crate::tools;

/// The flag that makes the launcher tell everything in one line.
pub const JSON: &str = "--json";

/// Not below /tmp, which is another, private, folder for the program.
const BASE: &str = "/var/tmp";

/// A temporary folder with `project`, where the files of the test are, and with an empty home.
#[derive(Debug)]
pub struct Folder {
    root: TempDir,
}

impl Folder {
    /// An empty one.
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("secure-bun-test-").tempdir_in(BASE).expect("a temporary folder");
        fs::create_dir_all(root.path().join("project")).expect("the project's folder");
        fs::create_dir_all(root.path().join("home")).expect("the home folder");
        Self { root }
    }

    /// With a project of one file.
    pub fn with(path: &str, contents: impl AsRef<[u8]>) -> Self {
        Self::new().file(path, contents)
    }

    /// With one more file of the project.
    #[must_use]
    pub fn file(self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
        fs::write(&path, contents).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self
    }

    /// With a manifest, which makes the folder a project: its files may import one another.
    #[must_use]
    pub fn package(self) -> Self {
        self.file("package.json", "{}")
    }

    /// With one more, empty, folder.
    #[must_use]
    pub fn folder(self, path: &str) -> Self {
        fs::create_dir_all(self.path(path)).expect("a folder");
        self
    }

    /// Which every user may enter.
    #[must_use]
    pub fn open_to_all(self) -> Self {
        fs::set_permissions(self.root.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        self
    }

    /// The absolute path of something in the project, free of symbolic links.
    pub fn path(&self, path: &str) -> PathBuf {
        let project = self.root.path().join("project").canonicalize().expect("the project's folder is there");
        if path.is_empty() { project } else { project.join(path) }
    }

    /// The same as text.
    pub fn text(&self, path: &str) -> String {
        self.path(path).into_os_string().into_string().expect("temporary folders have plain names")
    }

    /// What a file of the project holds now.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// `secure-bun WORDS…` in the project's folder.
    pub fn secure_bun<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let command = Command::new(tools::launcher(), &self.path(""));
        self.surrounded(command).words(words)
    }

    /// `bun WORDS…` in the project's folder, without any sandbox: the control of a test.
    pub fn bun<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        self.surrounded(Command::new(tools::bun(), &self.path(""))).words(words)
    }

    /// Another `program`, in the same surroundings.
    pub fn program(&self, program: &Path) -> Command {
        self.surrounded(Command::new(program, &self.path("")))
    }

    /// An environment that holds nothing of the machine's.
    fn surrounded(&self, command: Command) -> Command {
        command
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.root.path().join("home"))
            .env("TMPDIR", std::env::temp_dir())
            .env("XDG_CACHE_HOME", tools::shared_cache())
            .env("SECURE_BUN_BUN", tools::bun())
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}
