//! Errands: what the launcher itself has Bun do. Bun runs confined then, too.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::Path;

use confine::{Identity, Plan, ProcessLimits, Processes, Program, Root, Stdio, seccomp};

use crate::error::{Error, Kind};
use crate::host::Library;
use crate::resolve::runtime;

/// The most that an errand may say.
const MAX_OUTPUT_BYTES: u64 = 64 * 1024;
/// CPU time for an errand, in seconds; the largest takes a tenth of one.
const CPU_S: u64 = 10;

/// A Bun binary and whom it runs as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runner<'a> {
    /// Bun's path on the host.
    pub(crate) bun: &'a Path,
    /// Its loader and libraries.
    pub(crate) libraries: &'a [Library],
    /// Whom it runs as.
    pub(crate) identity: Identity,
}

impl Runner<'_> {
    /// Runs Bun with `arguments` and what `root` shows, and returns what it prints on either stream.
    pub(crate) fn run(&self, mut root: Root, arguments: &[&str]) -> Result<String, Error> {
        let (reader, writer) =
            std::io::pipe().map_err(|error| Error::new(Kind::Sandbox, format!("cannot make a pipe: {error}")))?;
        let null = Path::new("/dev/null");
        let null = std::fs::File::open(null).map_err(|error| Error::io(Kind::Sandbox, "open", null, &error))?;
        runtime::show(&mut root, self.bun, self.libraries)?;
        let write = root.binds.iter().any(|bind| bind.access == confine::Access::Write);
        let argv = ["bun"].iter().chain(arguments).map(|word| runtime::c_string(*word));
        let plan = Plan {
            identity: self.identity,
            root,
            limits: ProcessLimits { cpu_s: Some(CPU_S), open_files: 256, ..ProcessLimits::default() },
            filter: seccomp::Options { write, ..seccomp::Options::default() },
            program: Program {
                path: runtime::BUN.to_owned(),
                argv: argv.collect::<Result<_, _>>()?,
                env: runtime::variables(&runtime::Engine::default())
                    .map(runtime::c_string)
                    .collect::<Result<_, _>>()?,
                cwd: c"/".to_owned(),
            },
            processes: Processes::One,
            stdio: Stdio {
                input: null.as_raw_fd(),
                output: writer.as_raw_fd(),
                error: writer.as_raw_fd(),
                channel: None,
            },
        };
        let started = confine::start(&plan)?;
        drop(writer);
        let mut said = Vec::new();
        let read = reader.take(MAX_OUTPUT_BYTES).read_to_end(&mut said);
        started.child.kill();
        crate::supervise::wait(&started.child);
        read.map_err(|error| Error::new(Kind::Sandbox, format!("cannot read what Bun says: {error}")))?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}
