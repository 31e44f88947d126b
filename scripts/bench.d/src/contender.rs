//! One of the programs that a bench compares.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

/// A command line and what it must print for its times to count.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) argv: Vec<OsString>,
    pub(crate) expect_stdout: &'static str,
}

impl Contender {
    /// The command, the same way for every contender: in `scratch`, and with nothing of the caller's environment.
    /// An absolute program, no hooks between fork and exec: the standard library then uses `posix_spawn`.
    pub(crate) fn command(&self, scratch: &Path) -> Command {
        let mut command = Command::new(&self.argv[0]);
        command.args(&self.argv[1..]).current_dir(scratch).stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", scratch.join("home"));
        command
    }

    /// Runs it once and looks at what it did: a contender that fails early would win every bench.
    pub(crate) fn check(&self, scratch: &Path) -> Result<(), String> {
        let output = self.command(scratch).output().map_err(|error| format!("{}: {error}", self.name))?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        if output.status.success() && stdout == self.expect_stdout {
            return Ok(());
        }
        Err(format!(
            "{} does not do its task: {}, stdout {stdout:?} instead of {:?}\n{}",
            self.name,
            output.status,
            self.expect_stdout,
            String::from_utf8_lossy(&output.stderr).trim_end()
        ))
    }
}

/// A command line out of strings and paths.
macro_rules! argv {
    ($($word:expr),+ $(,)?) => { vec![$(std::ffi::OsString::from($word)),+] };
}
pub(crate) use argv;

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Contender {
        Contender { name: "shell", argv: argv!["/bin/sh", "-c", script], expect_stdout: "hello\n" }
    }

    #[test]
    fn a_contender_that_prints_what_it_should_passes() {
        shell("echo hello").check(Path::new("/")).unwrap();
    }

    #[test]
    fn a_contender_that_fails_or_prints_something_else_is_refused() {
        assert!(shell("echo hello; exit 3").check(Path::new("/")).unwrap_err().contains("exit status: 3"));
        assert!(shell("echo help").check(Path::new("/")).unwrap_err().contains("\"help\\n\" instead of \"hello\\n\""));
    }

    #[test]
    fn the_environment_of_the_caller_does_not_reach_a_contender() {
        let command = shell("env").command(Path::new("/scratch"));
        let names: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["HOME", "PATH"]);
    }
}
