//! The programs under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use nix::unistd::geteuid;

/// Whether the tests run as root: the launcher drops root's identity then, and shows root's files as the program's.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// The Bun that runs programs, with the sandbox and without it.
pub fn bun() -> &'static Path {
    static BUN: LazyLock<PathBuf> = LazyLock::new(|| provided("SECURE_BUN_BUN", "scripts/bun", &[]));
    &BUN
}

/// The launcher, as users have it: a release build.
pub fn launcher() -> &'static Path {
    static LAUNCHER: LazyLock<PathBuf> = LazyLock::new(|| provided("SECURE_BUN_BIN", "scripts/build", &[]));
    &LAUNCHER
}

/// A debug build of the launcher, which can leave out the guards.
pub fn debug_launcher() -> &'static Path {
    static LAUNCHER: LazyLock<PathBuf> =
        LazyLock::new(|| provided("SECURE_BUN_DEBUG_BIN", "scripts/build", &["--debug"]));
    &LAUNCHER
}

/// A project with popular packages, and a program for each.
pub fn packages() -> &'static Path {
    static PACKAGES: LazyLock<PathBuf> = LazyLock::new(|| provided("SECURE_BUN_PACKAGES", "scripts/packages", &[]));
    &PACKAGES
}

/// A project with clients of databases and web servers; the servers are on the machine then, too.
pub fn services() -> &'static Path {
    static SERVICES: LazyLock<PathBuf> = LazyLock::new(|| provided("SECURE_BUN_SERVICES", "scripts/services", &[]));
    &SERVICES
}

/// The launcher's cache for all tests of a user: looking closely at Bun takes a while, once.
pub(crate) fn shared_cache() -> &'static Path {
    static CACHE: LazyLock<PathBuf> = LazyLock::new(|| {
        let cache = std::env::temp_dir().join(format!("secure-bun-tests-{}", geteuid()));
        std::fs::create_dir_all(&cache).unwrap_or_else(|error| panic!("{}: {error}", cache.display()));
        cache
    });
    &CACHE
}

/// The program that `variable` names, or else the one whose path `script` prints.
fn provided(variable: &str, script: &str, words: &[&str]) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        let path = PathBuf::from(path);
        return path.canonicalize().unwrap_or_else(|error| panic!("{variable}={}: {error}", path.display()));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(script);
    let output =
        Command::new(&script).args(words).output().unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}\nName the program with {variable}.", script.display());
    let path = PathBuf::from(String::from_utf8(output.stdout).expect("a path is text").trim_end());
    path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
