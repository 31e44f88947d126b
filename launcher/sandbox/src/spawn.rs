//! Any program as the root of a sandbox, from the request to its end. There is no preload: the kernel alone answers.

use std::ffi::{CString, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use confine::seccomp::{self, Files};
use confine::{Identity, Plan, Processes, Program, Root, View};
use policy::{ExpandedPolicy, Policy, Request, SANDBOX_PROGRAMS, decide};

use crate::error::{Error, Kind, Warning, c_path};
use crate::host::{self, Host, Search, interpreter};
use crate::launch::Launch;
use crate::layers::Layers;
use crate::narrow;
use crate::outcome::Outcome;
use crate::pipes::{Pipes, Streams};
use crate::places;
use crate::resolve::programs::{self, Programs};
use crate::resolve::{self, Shown, environment, network, runtime};
use crate::run::{Input, Output, flags, writable};
use crate::secrets::{self, Secret, Secrets};
use crate::stage::{self, Source, Stage};
use crate::supervise::Signals;

/// A script's interpreter may be a script; further than this the kernel does not go either.
const MOST_INTERPRETERS: usize = 4;

/// A program to run, and how.
#[derive(Debug)]
pub struct Spawn {
    /// Its name, which is looked up on `search.path`, or its path.
    pub command: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// What it may do.
    pub policy: Policy,
    /// Where to look for it, and for Bun where that is granted.
    pub search: Search,
    /// Variables that the user gives it.
    pub variables: Vec<(OsString, OsString)>,
    /// Secrets that the launcher makes its requests with.
    pub secrets: Vec<Secret>,
    /// What becomes of its output.
    pub output: Output,
    /// Whether what it uses is told at the end.
    pub reported: bool,
    /// The launcher's own binary, which lets the program narrow what its children may do; without it, it cannot.
    pub launcher: Option<PathBuf>,
}

/// Runs `job` to its end.
pub fn spawn(job: &Spawn) -> Result<Outcome, Error> {
    let cwd = places::working_directory()?;
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let identity = host::identity();
    let layers = Layers::choose(&job.policy.kernel, identity)?;
    if layers.files == Files::Host {
        return Err(Error::new(Kind::Sandbox, "other programs than Bun need namespaces, which are missing here")
            .with_help("`secure-bun doctor` says why"));
    }
    let policy = job.policy.expand(&places::places_of_folder(&cwd, home.as_deref()));
    let secrets = Secrets::read(&job.secrets, &policy)?;
    let command = find(&job.command, &cwd, job.search.path.as_ref())?;

    let signals = Some(Signals::block().map_err(|error| Error::system("block signals", &error))?);
    let begun = Instant::now();
    let pipes = Pipes::open(&Streams {
        output: job.output,
        counted: policy.limits.output_kb.is_some(),
        mark: None,
        channel: false,
        input: Input::Own,
    })?;
    let (plan, warnings) = plan(job, &policy, (identity, layers), Target { command: &command, cwd: &cwd }, &pipes)?;
    let reported = job.reported || job.output == Output::Capture;
    Launch { plan, policy, secrets, pipes, signals, begun, warnings, scratch: None, announced: false, reported }
        .through()
}

/// Where the command is. The user has typed it, so it is theirs to say; what can be changed from inside is refused later.
pub(crate) fn find(command: &OsString, cwd: &Path, path: Option<&OsString>) -> Result<PathBuf, Error> {
    if command.as_bytes().contains(&b'/') {
        let found = cwd.join(command);
        return match fs::metadata(&found) {
            Ok(_) if host::is_executable(&found) => Ok(found),
            Ok(_) => Err(Error::new(Kind::NotRunnable, format!("{} is not an executable file", command.display()))),
            Err(error) => Err(Error::io(Kind::NotFound, "find the program", &found, &error)),
        };
    }
    which::which_in(command, path, cwd).map_err(|_| {
        Error::new(Kind::NotFound, format!("there is no program {} on PATH", command.display()))
            .with_help("name it with its path")
    })
}

/// The command and where it is run from.
struct Target<'a> {
    command: &'a Path,
    cwd: &'a Path,
}

fn plan(
    job: &Spawn,
    policy: &ExpandedPolicy,
    (identity, layers): (Identity, Layers),
    Target { command, cwd }: Target<'_>,
    pipes: &Pipes,
) -> Result<(Plan, Vec<Warning>), Error> {
    let started = Started::of(command, &job.command, &job.arguments)?;
    let mut programs = Programs::granted(policy, host::cache())?;
    let again = programs.holds(&started.path);
    let processes = match programs.processes(policy) {
        Processes::Tree { .. } => Processes::Tree { again },
        other => other,
    };
    let path = programs.path();
    programs.add_command(command, policy)?;

    let engine = resolve::engine(policy);
    let folders = environment::Folders { path: &path, home: Path::new(places::HOME), tmp: Path::new(places::TMP) };
    let outside = secrets::other_variables(&job.secrets);
    let mut env = environment::environment(policy, outside, &job.variables, folders)?;
    let mut root = Root::default();
    let bun = decide(policy, &Request::Run(Path::new(SANDBOX_PROGRAMS).join("bun"))).allowed;
    let bun = if bun {
        let host = Host::discover(&Search { untrusted: writable(policy), ..job.search.clone() }, identity, layers)?;
        runtime::show(&mut root, &host.bun.path, &host.bun.libraries)?;
        Some(host)
    } else {
        runtime::show_surroundings(&mut root)?;
        None
    };
    let mut shown = resolve::lay_out(root, policy, identity, programs)?;
    if let (Some(launcher), true) = (&job.launcher, programs::grants_any(policy)) {
        narrow::show(&mut shown.root, policy, launcher)?;
    }
    let cwd = if shown.has_directory(cwd) { cwd } else { Path::new("/") };
    if let Some(host) = bun {
        let source = Source::unknown();
        let told = stage::Told::of_another(cwd, &source);
        let stage = Stage::Own(&mut shown.root);
        let flags = flags(&stage.preloads()?, policy);
        stage::stage(stage, &host, policy, &engine, &told)?;
        env.extend(runtime::variables(&engine).map(String::into_bytes));
        env.push(format!("BUN_OPTIONS={}", flags.join(" ")).into_bytes());
    }
    let Shown { root, warnings, writable, .. } = shown;
    let sockets = network::sockets(policy, layers.files);
    let plan = Plan {
        identity,
        view: View::Private(root),
        landlock: layers.landlock,
        limits: resolve::process_limits(policy, processes, layers.files),
        filter: seccomp::Options {
            write: writable,
            tty: pipes.has_terminal(),
            deny_new_executable_memory: !engine.jit,
            files: layers.files,
            sockets: sockets.is_asked(),
            run: programs::grants_any(policy),
            copies: false,
            narrower: None,
        },
        program: Program {
            path: c_path(&started.path)?,
            argv: started.argv,
            env: env.into_iter().map(runtime::c_string).collect::<Result<_, _>>()?,
            cwd: c_path(cwd)?,
        },
        processes,
        network: sockets,
        stdio: pipes.stdio(),
    };
    Ok((plan, warnings))
}

/// What is executed for a command: a script's interpreter stands in for it, as the kernel would have it.
pub(crate) struct Started {
    /// Free of symbolic links.
    pub(crate) path: PathBuf,
    pub(crate) argv: Vec<CString>,
}

impl Started {
    pub(crate) fn of(command: &Path, typed: &OsString, arguments: &[OsString]) -> Result<Self, Error> {
        let canonical = |path: &Path| {
            fs::canonicalize(path).map_err(|error| Error::io(Kind::NotRunnable, "open the program", path, &error))
        };
        let mut path = canonical(command)?;
        // A script is named by its path, whatever was typed.
        let (mut argv, mut name) = (vec![typed.clone()], command.to_path_buf());
        for _ in 0..MOST_INTERPRETERS {
            let Some(found) = interpreter(&path, &programs::find)? else { break };
            let mut words = vec![found.path.clone().into_os_string()];
            words.extend(found.argument.map(OsString::from));
            words.push(name.into_os_string());
            argv.splice(0..1, words);
            path = canonical(&found.path)?;
            name = found.path;
        }
        argv.extend(arguments.iter().cloned());
        let argv = argv.iter().map(|word| runtime::c_string(word.as_bytes())).collect::<Result<_, _>>()?;
        Ok(Self { path, argv })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn words(started: &Started) -> Vec<&str> {
        started.argv.iter().map(|word| word.to_str().unwrap()).collect()
    }

    #[test]
    fn a_program_keeps_the_name_that_was_typed() {
        let started = Started::of(Path::new("/bin/sh"), &"sh".into(), &["-c".into(), "exit".into()]).unwrap();
        assert_eq!(started.path, fs::canonicalize("/bin/sh").unwrap());
        assert_eq!(words(&started), ["sh", "-c", "exit"]);
    }

    #[test]
    fn a_script_is_run_by_its_interpreter() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("tool");
        fs::write(&script, "#!/bin/sh -e\n").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let started = Started::of(&script, &"./tool".into(), &["a".into()]).unwrap();
        assert_eq!(started.path, fs::canonicalize("/bin/sh").unwrap());
        assert_eq!(words(&started), ["/bin/sh", "-e", script.to_str().unwrap(), "a"]);
    }

    #[test]
    fn a_command_that_is_not_there() {
        let empty = tempfile::tempdir().unwrap();
        let path = OsString::from(empty.path());
        assert_eq!(find(&"tool".into(), Path::new("/"), Some(&path)).unwrap_err().kind, Kind::NotFound);
        assert_eq!(find(&"./tool".into(), empty.path(), None).unwrap_err().kind, Kind::NotFound);
        fs::write(empty.path().join("tool"), "").unwrap();
        assert_eq!(find(&"./tool".into(), empty.path(), None).unwrap_err().kind, Kind::NotRunnable);
    }
}
