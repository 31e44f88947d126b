//! A first, close look at a Bun: its version, and whether the switches that the sandbox relies on do what they should.
//! Bun ignores flags that it does not know, so each is tried.

use confine::{File, Root};

use crate::errand::Runner;
use crate::error::{Error, Kind};
use crate::resolve::runtime;

const SCRIPT: &str = include_str!("probe.js");
const SCRIPT_PATH: &str = "/run/secure-bun/probe.js";
/// What the script says when everything is as it should be, before the version.
const GOOD: &str = "secure-bun probe ok ";

/// The version of a Bun whose switches work.
pub(super) fn version(runner: Runner<'_>) -> Result<String, Error> {
    let mut root = Root::default();
    root.files.push(File { target: c"/run/secure-bun/probe.js".to_owned(), contents: SCRIPT.into() });
    let arguments: Vec<&str> = runtime::flags(false, false).chain([SCRIPT_PATH]).collect();
    let said = runner.run(root, &arguments)?;
    let version = said.trim().strip_prefix(GOOD).filter(|version| version.bytes().all(is_version_byte));
    version.map(str::to_owned).ok_or_else(|| {
        let said: String = said.trim().chars().take(300).collect();
        Error::new(Kind::Sandbox, format!("{} is not a Bun that can be sandboxed: {said:?}", runner.bun.display()))
            .with_help("secure-bun is made for Bun 1.4.5")
    })
}

const fn is_version_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+')
}
