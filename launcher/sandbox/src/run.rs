//! One program, from the request to its end.

use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use confine::seccomp::{self, Files};
use confine::{Plan, Processes, Program, Stdio};
use policy::{ExpandedPolicy, Policy};
use wire::byte_arrays::ByteArray;
use zeroize::Zeroizing;

use crate::error::{Error, Kind, Warning, c_path, text};
use crate::forks;
use crate::host::{self, Host, Search};
use crate::launch::Launch;
use crate::layers::Layers;
use crate::narrow;
use crate::outcome::Outcome;
use crate::pipes::{Pipes, Streams};
use crate::places;
use crate::resolve::seen::Seen;
use crate::resolve::{self, Shown, environment, native, network, programs, runtime};
use crate::scratch::Scratch;
use crate::secrets::{self, Secret, Secrets};
use crate::stage::CALL_MARKER;
use crate::stage::{self, CallRequest, Source, Stage};
use crate::supervise::Signals;

/// A program to run, and how.
#[derive(Debug)]
pub struct Job {
    /// Where it is.
    pub entry: Entry,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// What it may do.
    pub policy: Policy,
    /// Where to look for Bun.
    pub search: Search,
    /// Variables that the user gives it.
    pub variables: Vec<(OsString, OsString)>,
    /// Secrets that the launcher makes its requests with.
    pub secrets: Vec<Secret>,
    /// The arguments of its function as the text of a JSON array; with `Some`, it has to be a function file.
    pub args: Option<String>,
    /// Byte arrays among the arguments, which have `null` at their places. They need an [`Input::Call`].
    pub bytes: Vec<ByteArray>,
    /// Whether byte arrays of the result are wanted beside it. That needs the same.
    pub returns_bytes: bool,
    /// Who calls its function.
    pub context: Option<wire::rpc::Context>,
    /// The export to call; with `Some`, it has to be a function.
    pub export: Option<String>,
    /// Never call anything.
    pub script: bool,
    /// What it reads on standard input.
    pub input: Input,
    /// What becomes of its output.
    pub output: Output,
    /// Whether what the preload reports as refused is wanted.
    pub denials: bool,
    /// The launcher's own binary, which lets the program narrow what its children may do; without it, it cannot.
    pub launcher: Option<PathBuf>,
}

/// Where a program is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// At this path, as the user named it.
    File(PathBuf),
    /// TypeScript or JavaScript that lies in no file. It belongs to no project.
    Text(String),
}

/// What a program reads on standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// What the launcher would.
    Own,
    /// Nothing.
    Empty,
    /// Its call, which comes later: its function has no arguments and no context before.
    Call,
}

/// What becomes of a program's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// It goes where the launcher's goes.
    Relay,
    /// It is captured.
    Capture,
}

/// Runs `job` to its end. Signals to the launcher reach it.
pub fn run(job: &Job) -> Result<Outcome, Error> {
    prepare(job, || Signals::block().map(Some))?.through()
}

/// What a job comes to on this host.
struct Ground {
    cwd: PathBuf,
    /// The program, where it is a file of the host.
    file: Option<PathBuf>,
    policy: ExpandedPolicy,
    host: Host,
    /// Our folder on the host, where the program sees the host's files.
    scratch: Option<Scratch>,
}

impl Ground {
    fn of(job: &Job) -> Result<Self, Error> {
        let cwd = places::working_directory()?;
        let file = match &job.entry {
            Entry::File(path) => Some(places::program(path, &cwd)?),
            Entry::Text(_) => None,
        };
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let identity = host::identity();
        let layers = Layers::choose(&job.policy.kernel_in_force(), identity)?;
        let scratch = (layers.files == Files::Host).then(|| Scratch::make(identity)).transpose()?;
        let tmp = scratch.as_ref().map_or_else(|| places::TMP.into(), Scratch::tmp);
        let places = match &file {
            Some(program) => places::places(program, &cwd, home.as_deref(), &tmp),
            None => places::places_of_text(&cwd, home.as_deref(), &tmp),
        };
        let policy = job.policy.expand(&places);
        let search = Search { untrusted: writable(&policy), ..job.search.clone() };
        let host = Host::discover(&search, identity, layers)?;
        Ok(Self { cwd, file, policy, host, scratch })
    }

    /// The program, as it sees itself.
    fn program(&self) -> PathBuf {
        self.file.clone().unwrap_or_else(|| stage::path_of_text(self.scratch.as_ref()))
    }
}

fn source_of(job: &Job, program: &Path) -> Result<Source, Error> {
    match &job.entry {
        Entry::File(_) => Source::of(program),
        Entry::Text(text) => Ok(Source::of_text(program, text.clone().into_bytes())),
    }
}

/// Everything that comes before the start of `job`. `signals` are blocked once the program is known.
pub(crate) fn prepare(job: &Job, signals: impl FnOnce() -> io::Result<Option<Signals>>) -> Result<Launch, Error> {
    let ground = Ground::of(job)?;
    let secrets = Secrets::read(&job.secrets, &ground.policy)?;
    let program = ground.program();
    let Ground { cwd, policy, host, scratch, .. } = ground;

    let signals = signals().map_err(|error| Error::system("block signals", &error))?;
    let begun = Instant::now();
    let source = source_of(job, &program)?;
    let call = call_request(job, &source);
    let announced = is_announced(job, call.as_ref());
    let pipes = Pipes::open(&Streams {
        output: job.output,
        counted: policy.limits.output_kb.is_some(),
        mark: call.as_ref().and_then(|call| call.marker),
        channel: true,
        input: job.input,
    })?;
    let granted = secrets.granted(&policy);
    let target = Target { program: &program, cwd: &cwd, source: &source, scratch: scratch.as_ref(), secrets: &granted };
    let streams = Ends { stdio: pipes.stdio(), has_terminal: pipes.has_terminal() };
    let (plan, shown) = plan(job, &host, &policy, target, Role::Program(call.as_ref()), &streams)?;
    let reported = job.denials || job.output == Output::Capture;
    Ok(Launch { plan, policy, secrets, pipes, signals, begun, warnings: shown.warnings, scratch, announced, reported })
}

/// Folders of the host that the program may write to.
pub(crate) fn writable(policy: &ExpandedPolicy) -> Vec<PathBuf> {
    policy
        .grants
        .write
        .allow
        .iter()
        .map(|rule| rule.value.clone())
        .filter(|path| path != Path::new(places::TMP))
        .collect()
}

/// Whether and how the program may be called. What cannot export anything is a script, and costs a script's start.
fn call_request(job: &Job, source: &Source) -> Option<CallRequest> {
    let waits = job.input == Input::Call;
    let required = job.args.is_some() || job.export.is_some();
    if job.script || !(required || source.exports) {
        return None;
    }
    let captured = job.output == Output::Capture;
    Some(CallRequest {
        export: job.export.clone().unwrap_or_else(|| "default".to_owned()),
        required,
        waits,
        args: job.args.clone().filter(|_| !waits),
        // A terminal shows both streams, so there is nothing to divide.
        marker: (!captured && !std::io::stdout().is_terminal()).then_some(CALL_MARKER),
        logs: captured,
    })
}

/// Whether the preload speaks before the program does, so that what comes through the channel is its own. Of a script
/// that nobody wants a report of, only an exception that ends it is heard of, and it pays nothing for that before.
fn is_announced(job: &Job, call: Option<&CallRequest>) -> bool {
    call.is_some() || job.output == Output::Capture || job.denials
}

/// The plan of a Bun that forks for each call of what `job` names, its policy, and what the user should know.
pub(crate) fn prepare_server(
    job: &Job,
    server: &stage::Server<'_>,
    stdio: Stdio,
) -> Result<(Plan, ExpandedPolicy, Vec<Warning>, String), Error> {
    let ground = Ground::of(job)?;
    let program = ground.program();
    let Ground { cwd, policy, host, scratch, .. } = ground;
    if let Some(obstacle) = forks::obstacle(&policy, host.layers) {
        return Err(Error::new(Kind::Usage, obstacle));
    }
    let source = if server.calls.is_some() { Source::unknown() } else { source_of(job, &program)? };
    let none = BTreeMap::new();
    let target = Target { program: &program, cwd: &cwd, source: &source, scratch: scratch.as_ref(), secrets: &none };
    let streams = Ends { stdio, has_terminal: false };
    let (plan, shown) = plan(job, &host, &policy, target, Role::Server(server), &streams)?;
    Ok((plan, policy, shown.warnings, text(&program)?.to_owned()))
}

/// Why Bun is started.
#[derive(Clone, Copy)]
enum Role<'a> {
    /// To run the program, which may be called.
    Program(Option<&'a CallRequest>),
    /// To fork for each call of it.
    Server(&'a stage::Server<'a>),
}

/// The descriptors that it gets.
struct Ends {
    stdio: Stdio,
    /// One is a terminal that it may configure.
    has_terminal: bool,
}

/// The program and where it is run from.
#[derive(Clone, Copy)]
struct Target<'a> {
    program: &'a Path,
    cwd: &'a Path,
    source: &'a Source,
    /// Our folder on the host, where the program sees the host's files.
    scratch: Option<&'a Scratch>,
    /// What the program may read.
    secrets: &'a BTreeMap<String, Zeroizing<String>>,
}

fn plan(
    job: &Job,
    host: &Host,
    policy: &ExpandedPolicy,
    target: Target<'_>,
    role: Role<'_>,
    ends: &Ends,
) -> Result<(Plan, Shown), Error> {
    let Target { program, cwd, source, scratch, secrets: granted } = target;
    let (call, server) = match role {
        Role::Program(call) => (call, None),
        Role::Server(server) => (None, Some(server)),
    };
    let engine = resolve::runtime::Engine { forks: server.is_some(), ..resolve::engine(policy) };
    let folder = program.parent().unwrap_or(Path::new("/"));
    if let (Entry::Text(text), Some(scratch)) = (&job.entry, scratch) {
        // Among the host's files it has to be there before it can be seen.
        Stage::Host(scratch).text(text)?;
    }
    let mut seen = match scratch {
        None => Seen::own(host, policy)?,
        Some(scratch) => Seen::of_host(host, policy, folder, scratch)?,
    };
    let again = matches!(seen.processes, Processes::Tree { again: true });
    if let (Some(launcher), true, None) = (&job.launcher, programs::grants_any(policy), scratch) {
        narrow::show(&mut seen.shown.root, policy, launcher)?;
    }
    let cwd = if seen.shown.has_directory(cwd) { cwd } else { folder };
    if let Some(calls) = server.and_then(|server| server.calls) {
        seen.shown.root.binds.push(stage::bind_calls(calls)?);
    }
    let channel = if is_announced(job, call) { stage::Channel::Announced } else { stage::Channel::OnDemand };
    let context = job
        .context
        .as_ref()
        .filter(|_| job.input != Input::Call)
        .map(|context| stage::Context::of(context, policy.limits.wall_ms));
    let told = stage::Told {
        cwd,
        channel,
        call,
        context: context.as_ref(),
        secrets: Some(granted),
        source,
        again,
        server: server.map(|server| (server, program)),
    };
    let mut stage = scratch.map_or(Stage::Own(&mut seen.shown.root), Stage::Host);
    if let (Entry::Text(text), Stage::Own(_)) = (&job.entry, &stage) {
        stage.text(text)?;
    }
    let preloads = stage.preloads()?;
    // The server's own script has the guards in it.
    let flags = flags(if server.is_some() { &preloads[..1] } else { &preloads }, policy);
    stage::stage(stage, host, policy, &engine, &told)?;
    let folders = environment::Folders { path: &seen.path, home: &seen.home, tmp: &seen.tmp };
    let outside = secrets::other_variables(&job.secrets);
    let mut env = environment::environment(policy, outside, &job.variables, folders)?;
    env.extend(runtime::variables(&engine).map(String::into_bytes));
    let sockets = network::sockets(policy, host.layers.files);
    env.extend(network::variables(sockets));
    let arguments = if again {
        // Any Bun that the program starts gets the same flags, unless it takes them away: the kernel's rules stay.
        env.push(format!("BUN_OPTIONS={}", flags.join(" ")).into_bytes());
        command(&[], program, &job.arguments)?
    } else if server.is_some() {
        command(&flags, &stage::path_of_server(), &[])?
    } else {
        command(&flags, program, &job.arguments)?
    };
    let processes = if server.is_some() { Processes::Copies } else { seen.processes };
    let plan = Plan {
        identity: host.identity,
        view: seen.take_view(),
        landlock: host.layers.landlock,
        limits: match server {
            None => resolve::process_limits(policy, processes, host.layers.files),
            Some(_) => forks::limits_of_all(policy),
        },
        filter: seccomp::Options {
            write: seen.shown.writable,
            tty: ends.has_terminal,
            deny_new_executable_memory: !engine.jit,
            files: host.layers.files,
            sockets: sockets.is_asked(),
            run: programs::grants_any(policy),
            copies: server.is_some(),
            narrower: None,
        },
        program: Program {
            path: seen.bun,
            argv: arguments,
            env: env.into_iter().map(runtime::c_string).collect::<Result<_, _>>()?,
            cwd: c_path(cwd)?,
        },
        processes,
        network: sockets,
        stdio: ends.stdio,
    };
    Ok((plan, seen.shown))
}

/// `Bun.fetch` cannot be replaced. Where the launcher makes requests, Bun reads those words as the name of what the preload
/// has put beside it.
const BROKERED_FETCH: &str = "--define=Bun.fetch=Bun.fetch.brokered";

/// What makes Bun ours: its flags, and the preloads.
pub(crate) fn flags(preloads: &[String], policy: &ExpandedPolicy) -> Vec<String> {
    let preloads = preloads.iter().map(|preload| format!("--preload={preload}"));
    let flags = runtime::flags(resolve::eval(policy), native::grants_any(policy));
    let fetch = (!policy.grants.fetch.allow.is_empty()).then(|| BROKERED_FETCH.to_owned());
    flags.map(str::to_owned).chain(fetch).chain(preloads).collect()
}

/// Bun's command line. The program's path is absolute: `bun run fn.ts` would run the package.json script `fn.ts`.
fn command(flags: &[String], program: &Path, arguments: &[OsString]) -> Result<Vec<CString>, Error> {
    let mut command = vec![c"bun".to_owned()];
    for flag in flags {
        command.push(runtime::c_string(flag.as_str())?);
    }
    text(program)?;
    command.push(c_path(program)?);
    for argument in arguments {
        command.push(runtime::c_string(argument.as_bytes())?);
    }
    Ok(command)
}
