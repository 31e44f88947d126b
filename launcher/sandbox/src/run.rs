//! One program, from the request to its end.

use std::ffi::{CString, OsString};
use std::io::IsTerminal;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use confine::seccomp::{self, Files};
use confine::{Layer, Plan, Processes, Program, Stdio, View};
use policy::{ExpandedPolicy, Policy};

use crate::error::{Error, Kind, Warning, c_path, text};
use crate::host::{self, Host, Search};
use crate::layers::Layers;
use crate::narrow;
use crate::outcome::{Exit, Outcome, Usage};
use crate::places;
use crate::resolve::seen::Seen;
use crate::resolve::{self, Shown, environment, native, programs, runtime};
use crate::scratch::Scratch;
use crate::stage::CALL_MARKER;
use crate::stage::{self, CallRequest, Source, Stage};
use crate::supervise::{ControlGroup, Pipe, Running, Sample, Signals, Sink, supervise};

/// A program to run, and how.
#[derive(Debug)]
pub struct Job {
    /// Its path, as the user named it.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// What it may do.
    pub policy: Policy,
    /// Where to look for Bun.
    pub search: Search,
    /// Variables that the user gives it.
    pub variables: Vec<(OsString, OsString)>,
    /// The argument of its function as JSON text; with `Some`, it has to be a function file.
    pub input: Option<String>,
    /// The export to call; with `Some`, it has to be a function.
    pub export: Option<String>,
    /// Never call anything.
    pub script: bool,
    /// Standard input has been read already.
    pub input_is_taken: bool,
    /// What becomes of its output.
    pub output: Output,
    /// Whether what the preload reports as refused is wanted.
    pub denials: bool,
    /// The launcher's own binary, which lets the program narrow what its children may do; without it, it cannot.
    pub launcher: Option<PathBuf>,
}

/// What becomes of a program's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// It goes where the launcher's goes.
    Relay,
    /// It is captured.
    Capture,
}

/// Runs `job` to its end.
pub fn run(job: &Job) -> Result<Outcome, Error> {
    let cwd = std::env::current_dir()
        .map_err(|error| Error::new(Kind::Usage, format!("there is no working directory: {error}")))?;
    let program = places::program(&job.program, &cwd)?;
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let identity = host::identity();
    let layers = Layers::choose(&job.policy.kernel_in_force(), identity)?;
    let scratch = (layers.files == Files::Host).then(|| Scratch::make(identity)).transpose()?;
    let tmp = scratch.as_ref().map_or_else(|| places::TMP.into(), Scratch::tmp);
    let places = places::places(&program, &cwd, home.as_deref(), &tmp);
    let policy = job.policy.expand(&places);
    let search = Search { untrusted: writable(&policy), ..job.search.clone() };
    let host = Host::discover(&search, identity, layers)?;

    let signals = Signals::block().map_err(|error| system("block signals", &error))?;
    let begun = Instant::now();
    let source = Source::of(&program)?;
    let call = call_request(job, &source);
    let announced = is_announced(job, call.as_ref());
    let pipes = Pipes::open(&Streams {
        output: job.output,
        counted: policy.limits.output_kb.is_some(),
        mark: call.as_ref().and_then(|call| call.marker),
        channel: true,
        input_is_taken: job.input_is_taken,
    })?;
    let target = Target { program: &program, cwd: &cwd, source: &source, scratch: scratch.as_ref() };
    let (plan, shown) = plan(job, &host, &policy, target, call.as_ref(), &pipes)?;
    let reported = job.denials || job.output == Output::Capture;
    let scratch_tmp = scratch.as_ref().map(Scratch::tmp);
    Launch { plan, policy, pipes, signals, begun, warnings: shown.warnings, scratch_tmp, announced, reported }.through()
}

/// A plan, and what its run needs besides.
pub(crate) struct Launch {
    pub(crate) plan: Plan,
    pub(crate) policy: ExpandedPolicy,
    pub(crate) pipes: Pipes,
    pub(crate) signals: Signals,
    pub(crate) begun: Instant,
    pub(crate) warnings: Vec<Warning>,
    /// Its temporary folder, where that lies on a file system of the host.
    pub(crate) scratch_tmp: Option<PathBuf>,
    /// Whether a preload speaks before the program does.
    pub(crate) announced: bool,
    /// Whether what it uses is told at the end.
    pub(crate) reported: bool,
}

impl Launch {
    /// Starts the program and looks after it to its end.
    pub(crate) fn through(self) -> Result<Outcome, Error> {
        let Self { plan, policy, pipes, signals, begun, mut warnings, scratch_tmp, announced, reported } = self;
        let group = ControlGroup::required(&policy)?;
        let started = confine::start(&plan)?;
        let group = group.map(|group| group.with(&started.child)).transpose()?;
        let start = begun.elapsed();
        warnings.extend(weakened(&started.status));
        warnings.extend(started.status.unmapped.iter().map(|path| {
            Warning(format!(
                "{path} lies on a file system that cannot map owners: what only root may read there is refused"
            ))
        }));
        let has_tmp = matches!(&plan.view, View::Private(root) if !root.tmpfs.is_empty());
        drop(plan);
        let counted = pipes.stdout.is_some() && pipes.stderr.is_some();

        let running = Running {
            child: started.child,
            started: Instant::now(),
            limits: policy.limits,
            group,
            writable: writable(&policy),
            scratch_tmp,
            stdout: pipes.stdout.map(|(reader, _, sink)| Pipe { reader, sink }),
            stderr: pipes.stderr.map(|(reader, _, sink)| Pipe { reader, sink }),
            channel: pipes.channel.map(|(reader, _)| reader),
            announced,
            signals,
            sample: reported.then(|| Sample::new(has_tmp)),
        };
        let report = supervise(running).map_err(|error| system("look after the program", &error))?;
        let output_bytes = counted.then(|| report.streams.bytes());
        let (stdout, stderr, truncated) = report.streams.captured();
        let channel = report.channel;
        Ok(Outcome {
            policy,
            is_mute: announced && channel.token().is_none(),
            ending: report.ending,
            exit: match (report.ended.code, report.ended.signal) {
                (Some(code), _) => Exit::Code(code),
                (None, signal) => Exit::Signal(signal.unwrap_or(0)),
            },
            program: channel.program,
            called: channel.called,
            truncated: truncated || channel.truncated,
            logs: channel.logs,
            denials: channel.denials,
            uncaught: channel.uncaught,
            stdout,
            stderr,
            usage: Usage {
                wall: report.wall,
                cpu: report.ended.cpu,
                peak_memory_bytes: report.peak_memory_bytes,
                start,
                peaks: report.peaks,
                output_bytes,
            },
            memory_control: report.memory_control,
            status: started.status,
            warnings,
        })
    }
}

/// One line about the layers that a run had to do without, as its policy allows.
fn weakened(status: &confine::Status) -> Option<Warning> {
    let name = |layer| match (layer, status.landlock_abi) {
        (Layer::Landlock, None) => "Landlock",
        (Layer::Landlock, Some(_)) => "a Landlock that is new enough",
        _ => "namespaces (the program sees names and attributes of the host's files, not their contents)",
    };
    let missing: Vec<&str> = status.missing().into_iter().map(name).collect();
    (!missing.is_empty()).then(|| {
        Warning(format!("the sandbox is partial, as kernel.require allows: without {}", missing.join(" and ")))
    })
}

pub(crate) fn system(what: &str, error: &std::io::Error) -> Error {
    Error::new(Kind::Sandbox, format!("cannot {what}: {error}"))
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
    let required = job.input.is_some() || job.export.is_some();
    if job.script || !(required || source.exports) {
        return None;
    }
    let captured = job.output == Output::Capture;
    Some(CallRequest {
        export: job.export.clone().unwrap_or_else(|| "default".to_owned()),
        required,
        input: job.input.clone(),
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

/// The pipes between the launcher and the program: reading end, writing end, and where it goes.
pub(crate) struct Pipes {
    input: Option<std::fs::File>,
    stdout: Option<(OwnedFd, OwnedFd, Sink)>,
    stderr: Option<(OwnedFd, OwnedFd, Sink)>,
    channel: Option<(OwnedFd, OwnedFd)>,
}

/// Which streams of a program go through the launcher.
pub(crate) struct Streams {
    pub(crate) output: Output,
    /// What it prints is counted.
    pub(crate) counted: bool,
    /// What stands on standard output where a call begins.
    pub(crate) mark: Option<&'static str>,
    /// There is a preload, which may report.
    pub(crate) channel: bool,
    /// Standard input has been read already.
    pub(crate) input_is_taken: bool,
}

impl Pipes {
    pub(crate) fn open(streams: &Streams) -> Result<Self, Error> {
        let pipe = || {
            std::io::pipe()
                .map(|(reader, writer)| (OwnedFd::from(reader), OwnedFd::from(writer)))
                .map_err(|error| system("make a pipe", &error))
        };
        let captured = streams.output == Output::Capture;
        let Streams { counted, mark, .. } = *streams;
        let mut pipes = Self { input: None, stdout: None, stderr: None, channel: None };
        if captured || counted || mark.is_some() {
            let sink = if captured { Sink::Capture } else { Sink::Output { mark } };
            let (reader, writer) = pipe()?;
            pipes.stdout = Some((reader, writer, sink));
        }
        if captured || counted {
            let sink = if captured { Sink::Capture } else { Sink::Error };
            let (reader, writer) = pipe()?;
            pipes.stderr = Some((reader, writer, sink));
        }
        if streams.channel {
            pipes.channel = Some(pipe()?);
        }
        if streams.input_is_taken {
            let null = Path::new("/dev/null");
            pipes.input =
                Some(std::fs::File::open(null).map_err(|error| Error::io(Kind::Sandbox, "open", null, &error))?);
        }
        pipes.refuse_directories()?;
        Ok(pipes)
    }

    /// A directory that the program is given as a stream is a way past its root: the names below it are the host's.
    fn refuse_directories(&self) -> Result<(), Error> {
        let (input, output, error) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        for (stream, given, fd) in [
            ("input", self.input.is_none(), input.as_fd()),
            ("output", self.stdout.is_none(), output.as_fd()),
            ("error", self.stderr.is_none(), error.as_fd()),
        ] {
            let kind = nix::sys::stat::fstat(fd).map_or(0, |stat| stat.st_mode & nix::libc::S_IFMT);
            if given && kind == nix::libc::S_IFDIR {
                return Err(Error::new(Kind::Usage, format!("standard {stream} is a directory"))
                    .with_help("a program cannot have one of those: redirect it from a file, or from /dev/null"));
            }
        }
        Ok(())
    }

    pub(crate) fn stdio(&self) -> Stdio {
        let end =
            |pipe: &Option<(OwnedFd, OwnedFd, Sink)>, own: RawFd| pipe.as_ref().map_or(own, |pipe| pipe.1.as_raw_fd());
        Stdio {
            input: self.input.as_ref().map_or(0, AsRawFd::as_raw_fd),
            output: end(&self.stdout, 1),
            error: end(&self.stderr, 2),
            channel: self.channel.as_ref().map(|(_, writer)| writer.as_raw_fd()),
        }
    }

    /// Whether the program has a terminal that it may configure.
    pub(crate) fn has_terminal(&self) -> bool {
        (self.input.is_none() && std::io::stdin().is_terminal())
            || (self.stdout.is_none() && std::io::stdout().is_terminal())
            || (self.stderr.is_none() && std::io::stderr().as_fd().is_terminal())
    }
}

/// The program and where it is run from.
#[derive(Clone, Copy)]
struct Target<'a> {
    program: &'a Path,
    cwd: &'a Path,
    source: &'a Source,
    /// Our folder on the host, where the program sees the host's files.
    scratch: Option<&'a Scratch>,
}

fn plan(
    job: &Job,
    host: &Host,
    policy: &ExpandedPolicy,
    target: Target<'_>,
    call: Option<&CallRequest>,
    pipes: &Pipes,
) -> Result<(Plan, Shown), Error> {
    let Target { program, cwd, source, scratch } = target;
    let engine = resolve::engine(policy);
    let folder = program.parent().unwrap_or(Path::new("/"));
    let mut seen = match scratch {
        None => Seen::own(host, policy)?,
        Some(scratch) => Seen::of_host(host, policy, folder, scratch)?,
    };
    let again = matches!(seen.processes, Processes::Tree { again: true });
    if let (Some(launcher), true, None) = (&job.launcher, programs::grants_any(policy), scratch) {
        narrow::show(&mut seen.shown.root, policy, launcher)?;
    }
    let cwd = if seen.shown.has_directory(cwd) { cwd } else { folder };
    let channel = if is_announced(job, call) { stage::Channel::Announced } else { stage::Channel::OnDemand };
    let told = stage::Told { cwd, channel, call, source, again };
    let stage = scratch.map_or(Stage::Own(&mut seen.shown.root), Stage::Host);
    let flags = flags(&stage.preloads()?, policy);
    stage::stage(stage, host, policy, &engine, &told)?;
    let folders = environment::Folders { path: &seen.path, home: &seen.home, tmp: &seen.tmp };
    let outside = std::env::vars_os();
    let mut env = environment::environment(policy, outside, &job.variables, folders)?;
    env.extend(runtime::variables(&engine).map(String::into_bytes));
    let arguments = if again {
        // Any Bun that the program starts gets the same flags, unless it takes them away: the kernel's rules stay.
        env.push(format!("BUN_OPTIONS={}", flags.join(" ")).into_bytes());
        command(&[], program, &job.arguments)?
    } else {
        command(&flags, program, &job.arguments)?
    };
    let plan = Plan {
        identity: host.identity,
        view: seen.take_view(),
        landlock: host.layers.landlock,
        limits: resolve::process_limits(policy, seen.processes, host.layers.files),
        filter: seccomp::Options {
            write: seen.shown.writable,
            tty: pipes.has_terminal(),
            deny_new_executable_memory: !engine.jit,
            files: host.layers.files,
            run: programs::grants_any(policy),
            narrower: None,
        },
        program: Program {
            path: seen.bun,
            argv: arguments,
            env: env.into_iter().map(runtime::c_string).collect::<Result<_, _>>()?,
            cwd: c_path(cwd)?,
        },
        processes: seen.processes,
        stdio: pipes.stdio(),
    };
    Ok((plan, seen.shown))
}

/// What makes Bun ours: its flags, and the preloads.
pub(crate) fn flags(preloads: &[String], policy: &ExpandedPolicy) -> Vec<String> {
    let preloads = preloads.iter().map(|preload| format!("--preload={preload}"));
    let flags = runtime::flags(resolve::eval(policy), native::grants_any(policy));
    flags.map(str::to_owned).chain(preloads).collect()
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
