//! Where a bench runs, and whether the sandbox is whole there.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::args::Args;
use crate::contender::{Contender, argv};

/// The layers that the launcher reports for a program and its arguments; an error unless the sandbox is whole, for a
/// lesser one is cheaper.
pub(crate) fn full_sandbox(asked: &Args, scratch: &Path, words: &[&str]) -> Result<String, String> {
    let mut argv = argv![&asked.launcher, "run", "--json", "--bun", &asked.bun, "--policy", "script"];
    argv.extend(words.iter().map(Into::into));
    let probe = Contender { name: "secure-bun --json", argv, expect_stdout: "" };
    let output = probe.command(scratch).output().map_err(|error| error.to_string())?;
    let envelope: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("secure-bun --json printed no envelope: {error}"))?;
    let sandbox = &envelope["sandbox"];
    match sandbox["status"].as_str() {
        Some("full") => Ok(sandbox["layers"].to_string()),
        _ => Err(format!("the sandbox is not whole, so its times mean nothing: {sandbox}")),
    }
}

/// What the figures depend on, in one line.
pub(crate) fn host(asked: &Args) -> String {
    let says = |program: &Path, flag: &str| {
        let output = Command::new(program).arg(flag).output().map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output).trim().to_owned()
    };
    format!(
        "Bun {}, Linux {}, {} processors, uid {}",
        says(&asked.bun, "--version"),
        says(Path::new("uname"), "-r"),
        std::thread::available_parallelism().map_or(0, usize::from),
        says(Path::new("id"), "-u"),
    )
}
