//! A first, close look at a Bun: its version, and whether the switches that the sandbox relies on do what they should.
//! Bun ignores flags that it does not know, so each is tried. It runs confined, like any program.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use confine::{Identity, Plan, ProcessLimits, Program, Root, Stdio, seccomp};

use crate::error::{Error, Kind};
use crate::resolve::runtime;

const SCRIPT: &str = include_str!("probe.js");
const SCRIPT_PATH: &str = "/run/secure-bun/probe.js";
/// What the script says when everything is as it should be, before the version.
const GOOD: &str = "secure-bun probe ok ";

/// The version of the Bun at `path`, if its switches work.
pub(super) fn version(path: &Path, libraries: &[PathBuf], identity: Identity) -> Result<String, Error> {
    let (mut reader, writer) =
        std::io::pipe().map_err(|error| Error::new(Kind::Sandbox, format!("cannot make a pipe: {error}")))?;
    let null = std::fs::File::open("/dev/null")
        .map_err(|error| Error::io(Kind::Sandbox, "open", Path::new("/dev/null"), &error))?;
    let mut root = Root::default();
    runtime::show(&mut root, path, libraries)?;
    root.files.push(confine::File { target: c"/run/secure-bun/probe.js".to_owned(), contents: SCRIPT.into() });
    let argv = ["bun"].into_iter().chain(runtime::flags(false)).chain([SCRIPT_PATH]);
    let plan = Plan {
        identity,
        root,
        limits: ProcessLimits { cpu_s: Some(10), open_files: 256, ..ProcessLimits::default() },
        filter: seccomp::Options::default(),
        program: Program {
            path: runtime::BUN.to_owned(),
            argv: argv.map(runtime::c_string).collect::<Result<_, _>>()?,
            env: runtime::variables(&runtime::Engine::default()).map(runtime::c_string).collect::<Result<_, _>>()?,
            cwd: c"/".to_owned(),
        },
        stdio: Stdio { input: null.as_raw_fd(), output: writer.as_raw_fd(), error: writer.as_raw_fd(), channel: None },
        cgroups: Vec::new(),
    };
    let started = confine::start(&plan)?;
    drop(writer);
    let mut said = String::new();
    // Whatever it prints, a look at this much tells.
    let read = reader.by_ref().take(64 * 1024).read_to_string(&mut said);
    drop(reader);
    crate::supervise::wait(&started.child);
    let answer = read.ok().and_then(|_| said.trim().strip_prefix(GOOD));
    let version = answer.filter(|version| version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte)));
    version.map(str::to_owned).ok_or_else(|| {
        let said: String = said.trim().chars().take(300).collect();
        Error::new(Kind::Sandbox, format!("{} is not a Bun that can be sandboxed: {said:?}", path.display()))
            .with_help("secure-bun is made for Bun 1.4.5")
    })
}
