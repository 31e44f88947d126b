//! Errands: what the launcher itself has Bun do. Bun runs confined then, too.

use std::ffi::CString;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::Path;

use confine::seccomp::{self, Files};
use confine::{Grant, Identity, Plan, ProcessLimits, Processes, Program, Root, Sockets, Stdio, View};

use crate::error::{Error, Kind, c_path};
use crate::host::Library;
use crate::layers::Layers;
use crate::resolve::look::{Look, RealFiles};
use crate::resolve::{host_view, runtime};
use crate::scratch::Scratch;

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
    /// Which layers it gets.
    pub(crate) layers: Layers,
}

impl Runner<'_> {
    /// Runs Bun with `arguments` and what `root` shows, and returns what it prints on either stream.
    pub(crate) fn run(&self, mut root: Root, arguments: &[&str]) -> Result<String, Error> {
        let (reader, writer) =
            std::io::pipe().map_err(|error| Error::new(Kind::Sandbox, format!("cannot make a pipe: {error}")))?;
        let null = Path::new("/dev/null");
        let null = std::fs::File::open(null).map_err(|error| Error::io(Kind::Sandbox, "open", null, &error))?;
        let write = root.binds.iter().any(|bind| bind.access == confine::Access::Write);
        let mut arguments: Vec<CString> =
            ["bun"].iter().chain(arguments).map(|word| runtime::c_string(*word)).collect::<Result<_, _>>()?;
        // Kept until Bun has ended.
        let (view, bun, _scratch) = match self.layers.files {
            Files::Own => {
                runtime::show(&mut root, self.bun, self.libraries)?;
                (View::Private(root), runtime::BUN.to_owned(), None)
            }
            Files::Host => {
                let scratch = Scratch::make(self.identity)?;
                let grants = self.staged(&root, &scratch, &mut arguments)?;
                (View::Host(grants), c_path(self.bun)?, Some(scratch))
            }
        };
        let plan = Plan {
            identity: self.identity,
            view,
            landlock: self.layers.landlock,
            limits: ProcessLimits { cpu_s: Some(CPU_S), open_files: 256, ..ProcessLimits::default() },
            filter: seccomp::Options { write, files: self.layers.files, ..seccomp::Options::default() },
            program: Program {
                path: bun,
                argv: arguments,
                env: runtime::variables(&runtime::Engine::default())
                    .map(runtime::c_string)
                    .collect::<Result<_, _>>()?,
                cwd: c"/".to_owned(),
            },
            processes: Processes::One,
            network: Sockets::None,
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

    /// Stages the files of `root`, which is all that an errand may have there in the host's view, and names them in
    /// `arguments` as they are called then.
    fn staged(&self, root: &Root, scratch: &Scratch, arguments: &mut [CString]) -> Result<Vec<Grant>, Error> {
        let mut grants = host_view::of_bun(self.bun, self.libraries)?;
        for (number, file) in root.files.iter().enumerate() {
            let path = scratch.stage(&format!("{number}.js"), &file.contents)?;
            for argument in arguments.iter_mut().filter(|argument| **argument == file.target) {
                *argument = c_path(&path)?;
            }
        }
        let folder = scratch.staged();
        let found = RealFiles.look(&folder).map_err(|error| Error::io(Kind::Sandbox, "open", &folder, &error))?;
        grants.push(host_view::grant(&found, confine::Access::Read)?);
        Ok(grants)
    }
}
