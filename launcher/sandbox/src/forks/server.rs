//! A server: the sandboxed Bun that forks, its children, and how it proves that it may serve.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use confine::Stdio;
use forkserver::LIBRARY;
use forkserver::messages::{Answer, Refusal, VERSION};
use policy::ExpandedPolicy;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::child::{Child, Watched};
use super::control::{Control, Socket};
use crate::error::{Error, Kind, Warning};
use crate::launch::Rest;
use crate::outcome::{Ending, Outcome};
use crate::pipes::pipe;
use crate::redaction::Redaction;
use crate::run::{self, Entry, Job};
use crate::secrets::Secrets;
use crate::stage::{self, Source};
use crate::supervise::{Memory, below};

/// Children that answer a probe before a server serves.
const PROBES: usize = 2;
/// A loop that takes longer than this is not compiled.
const SLOW_LOOP_MS: f64 = 500.0;
/// What has to arrive in a child.
const EVENTS: [&str; 4] = ["timer", "immediate", "file", "digest"];
/// What is kept of what a server prints.
const MOST_SAID_BYTES: u64 = 4096;

/// A server that serves.
pub(crate) struct Server {
    init: confine::Child,
    control: Rc<Control>,
    policy: ExpandedPolicy,
    status: confine::Status,
    warnings: Vec<Warning>,
    /// The path of its function inside.
    path: String,
    /// Calls so far.
    calls: Cell<u64>,
    /// Its own memory, and what that was when it began to serve, in bytes.
    memory: RefCell<Option<Memory>>,
    memory_then: u64,
    since: Instant,
    /// Why its function was not loaded before the fork, where that was wanted.
    pub(crate) refused: Option<&'static str>,
}

/// What a child is asked to call.
#[derive(Serialize)]
struct Call<'a> {
    kind: &'static str,
    path: &'a str,
    export: &'a str,
    args: &'a RawValue,
    context: stage::Context,
    env: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    secrets: BTreeMap<&'a str, &'a str>,
    /// Of a text that the server did not know.
    mentions: Vec<&'static str>,
    #[serde(flatten)]
    besides: stage::Besides<'a>,
}

/// What it is asked to prove itself.
const PROBE: &str = r#"{"kind":"probe"}"#;

/// What a child says of itself.
#[derive(Deserialize)]
struct Probe {
    random: BTreeMap<String, String>,
    events: Vec<String>,
    loop_ms: f64,
}

impl Server {
    /// Starts a server of what `job` names, and proves it. Nothing is left of one that does not serve.
    pub(crate) async fn start(job: &Job, wanted: &stage::Server<'_>) -> Result<Self, Error> {
        let failed = |act: &'static str| move |error: io::Error| Error::system(act, &error);
        let library = library().map_err(failed("make the fork server's library"))?;
        let (control, theirs) = Socket::pair().map_err(failed("make a pair of sockets"))?;
        let nothing = std::fs::OpenOptions::new().write(true).open("/dev/null").map_err(failed("open /dev/null"))?;
        let (said, says) = pipe().map_err(failed("make a pipe"))?;
        let stdio = Stdio {
            input: library.as_raw_fd(),
            output: nothing.as_raw_fd(),
            error: says.as_raw_fd(),
            channel: Some(theirs.as_raw_fd()),
        };
        let (plan, policy, warnings, program) = run::prepare_server(job, wanted, stdio)?;
        let started = confine::start(&plan)?;
        drop((library, theirs, nothing, says));
        let mut server = Self {
            init: started.child,
            control: Control::new(control),
            policy,
            status: started.status,
            warnings,
            path: program,
            calls: Cell::new(0),
            memory: RefCell::default(),
            memory_then: 0,
            since: Instant::now(),
            refused: None,
        };
        match server.control.answer().await {
            Ok((Answer::Ready { version: VERSION, refused }, None)) => {
                server.refused = Refusal::of_number(refused).map(Refusal::text);
            }
            answer => return Err(server.does_not_serve(&describe(&answer), said)),
        }
        match server.prove().await {
            Ok(()) => {
                // Init has one child of its own, and takes in what lost its parent only later.
                let process = below(server.init.pid).ok().and_then(|below| below.into_iter().next());
                let mut memory = process.and_then(|process| Memory::of(process).ok());
                server.memory_then = memory.as_mut().map_or(0, Memory::look);
                server.memory = RefCell::new(memory);
                Ok(server)
            }
            Err(why) => Err(server.does_not_serve(&why, said)),
        }
    }

    fn does_not_serve(&self, why: &str, said: OwnedFd) -> Error {
        // Then all that it says has been said.
        self.init.kill();
        let mut text = Vec::new();
        // Whatever can be read of it.
        let _ = std::fs::File::from(said).take(MOST_SAID_BYTES).read_to_end(&mut text);
        let text = String::from_utf8_lossy(&text);
        let text = text.trim();
        let said = if text.is_empty() { String::new() } else { format!(": {text}") };
        Error::new(Kind::Sandbox, format!("the fork server does not serve ({why}){said}"))
    }

    /// Whether children are what they have to be: none draws what another one draws, events arrive, and code is
    /// compiled.
    async fn prove(&self) -> Result<(), String> {
        let mut drawn = HashSet::new();
        for _ in 0..PROBES {
            let probe = self.probe().await?;
            for (source, value) in probe.random {
                if !drawn.insert(value) {
                    return Err(format!("two children drew the same from {source}"));
                }
            }
            if probe.events != EVENTS {
                return Err(format!("of the events {EVENTS:?} these arrived: {:?}", probe.events));
            }
            if probe.loop_ms > SLOW_LOOP_MS {
                return Err(format!("a short loop took {} ms", probe.loop_ms));
            }
        }
        Ok(())
    }

    async fn probe(&self) -> Result<Probe, String> {
        let failed = |error: io::Error| format!("a child cannot be asked: {error}");
        let child = self.fork().await.map_err(failed)?;
        let watched = Watched { policy: &self.policy, started: Instant::now(), returns_bytes: false };
        let probe = stage::framed(PROBE).map_err(|error| error.message)?;
        let report = child.call(vec![probe], watched, std::future::pending()).await.map_err(failed)?;
        match report.ending {
            Ending::Returned(probe) => serde_json::from_str(probe.get()).map_err(|error| error.to_string()),
            Ending::Threw(error) => Err(format!("a child failed: {}: {}", error.name, error.message)),
            other => Err(format!("a child ended: {other:?}")),
        }
    }

    /// A child that is ready.
    pub(crate) async fn fork(&self) -> io::Result<Child> {
        Child::fork(&self.control, &self.policy).await
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.get()
    }

    /// The process that all of it is below, as we see it.
    pub(crate) const fn pid(&self) -> u32 {
        self.init.pid
    }

    /// By how much its own memory has grown since it began to serve, in bytes.
    pub(crate) fn growth(&self) -> u64 {
        self.memory.borrow_mut().as_mut().map_or(0, Memory::look).saturating_sub(self.memory_then)
    }

    /// How long it has been there.
    pub(crate) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// Calls a child as `job` would be called, and looks after it to its end; it is ended when `stop` is there. `path` is
    /// where the function is inside, if that is a text and not the server's own.
    pub(crate) async fn call(
        &self,
        child: Child,
        job: &Job,
        path: Option<&str>,
        stop: impl Future<Output = ()>,
    ) -> Result<Outcome, Error> {
        let started = Instant::now();
        self.calls.set(self.calls.get() + 1);
        let secrets = Secrets::read(&job.secrets, &self.policy)?;
        let granted = secrets.granted(&self.policy);
        let no_context = wire::rpc::Context::default();
        let args = RawValue::from_string(job.args.clone().unwrap_or_else(|| "[]".to_owned()));
        let request = Call {
            kind: "call",
            path: path.unwrap_or(&self.path),
            export: job.export.as_deref().unwrap_or("default"),
            args: &args.map_err(|error| Error::new(Kind::Usage, error.to_string()))?,
            context: stage::Context::of(job.context.as_ref().unwrap_or(&no_context), self.policy.limits.wall_ms),
            env: job.variables.iter().map(|(name, value)| (name.to_string_lossy(), value.to_string_lossy())).collect(),
            mentions: path.map(|_| mentions(job)).unwrap_or_default(),
            secrets: granted.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            besides: stage::Besides::of(job),
        };
        let request = serde_json::to_string(&request)
            .map_err(|error| Error::new(Kind::Sandbox, format!("cannot write a call: {error}")))?;
        let watched = Watched { policy: &self.policy, started, returns_bytes: job.returns_bytes };
        let report = child.call(stage::message(&request, job)?, watched, stop).await;
        let report = report.map_err(|error| Error::system("look after the program", &error))?;
        let rest = Rest {
            policy: self.policy.clone(),
            status: self.status.clone(),
            warnings: self.warnings.clone(),
            start: started.elapsed().saturating_sub(report.wall),
            announced: true,
            counted: true,
            redaction: Redaction::of(secrets.values()),
            _scratch: None,
        };
        Ok(rest.outcome(report))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.init.kill();
        // Its end is all that is wanted.
        let _ = self.init.reap();
    }
}

/// What the text of a function mentions that is guarded only then.
fn mentions(job: &Job) -> Vec<&'static str> {
    match &job.entry {
        Entry::Text(text) => Source::of_text(&stage::path_of_text(None), text.clone().into_bytes()).mentions,
        Entry::File(_) => Vec::new(),
    }
}

fn describe(answer: &io::Result<(Answer, Option<OwnedFd>)>) -> String {
    match answer {
        Ok((answer, _)) => format!("{answer:?}"),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => "it has ended".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// The library as a file in memory that nobody can change.
fn library() -> io::Result<OwnedFd> {
    let file = memfd_create("secure-bun", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    io::Write::write_all(&mut std::fs::File::from(file.try_clone()?), LIBRARY)?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file)
}
