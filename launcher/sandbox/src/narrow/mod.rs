//! A narrower sandbox for one child. A copy of the launcher's binary lies in every sandbox that may start programs. Under
//! the name [`PROGRAM`] it runs there, between a program and the child that it starts: it reads the policy that was
//! stated for the child, refuses what goes beyond that of the program, and stacks what is left on itself before it
//! becomes the child.
//!
//! Nothing of this guards the sandbox. Whoever goes around it has what the program has already, and what it stacks is
//! kept by the kernel, which lets a domain or a filter be added and none be taken away.

mod grants;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use confine::seccomp::{Fewer, Files, Options};
use confine::{Access, Errno, File, Narrower, Processes, Program, Root, Step};
use policy::{
    Chain, Decision, Diagnostic, Excess, ExpandedPolicy, Grants, Layer, MAX_POLICY_BYTES, PROGRAM_FOLDERS, Places,
    Policy, Request, Source, decide,
};

use crate::error::{Error, Kind, c_path};
use crate::host::libraries::Libraries;
use crate::network;
use crate::places;
use crate::plain_file::{self, Links};
use crate::resolve;
use crate::resolve::environment::{self, Folders};
use crate::resolve::look::{Look, RealFiles};
use crate::resolve::programs::{self, Programs};
use crate::resolve::runtime::{self, BUN};
use crate::run::flags;
use crate::spawn::{Started, find};
use crate::stage;

/// Where the binary lies inside, and by which name it knows what it is for.
pub const PROGRAM: &str = "/run/secure-bun/narrow";
/// The policy of the sandbox, for it to compare with.
const OWN_POLICY: &str = "/run/secure-bun/policy.json";
/// What a child's policy is called in messages.
const SOURCE: &str = "sandbox";

/// The policy of a child, for what it starts in turn; and what its preload is told, if it can be Bun.
pub(crate) const CHILD_POLICY: &str = "SECURE_BUN_CHILD_POLICY";
pub(crate) const CHILD_TABLE: &str = "SECURE_BUN_CHILD_TABLE";
/// The kernel takes no longer variables (`MAX_ARG_STRLEN`).
const MOST_BYTES: usize = 128 * 1024 - 1024;

/// The channel between a program and the child that it sends messages to.
const MESSAGING: [&str; 2] = ["NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE"];

/// A program to start, and its policy.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The policy, as JSON.
    pub policy: String,
    /// Its name, which is looked up on `PATH`, or its path.
    pub program: OsString,
    /// What it is told that its name is; `program` where nothing is said.
    pub name: Option<OsString>,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// Why a child is not started.
#[derive(Debug)]
pub enum Refusal {
    /// Its policy is not a valid one.
    Invalid(Vec<Diagnostic>),
    /// Its policy allows what that of the program does not.
    Wider(Vec<Excess>),
    /// The program may not be started by the one that wants to.
    Denied {
        /// What was asked for.
        request: Request,
        /// What its policy says.
        decision: Box<Decision>,
    },
    /// It cannot be run.
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Puts the binary and the policy into a sandbox that may start programs. `binary` is the launcher's.
pub(crate) fn show(root: &mut Root, policy: &ExpandedPolicy, binary: &Path) -> Result<(), Error> {
    let failed = |error: io::Error| Error::io(Kind::Sandbox, "open the launcher's own", binary, &error);
    let found = RealFiles.look(binary).map_err(failed)?;
    let mut libraries = Libraries::default();
    libraries.add_program(&found.path)?;
    for library in libraries.into_list() {
        let bind = runtime::bind_library(&library, "open")?;
        if !root.binds.iter().any(|shown| shown.target == bind.target) {
            root.binds.push(bind);
        }
    }
    root.binds.push(runtime::bind(&found, c_path(Path::new(PROGRAM))?, Access::Execute, false)?);
    root.files.push(File { target: c_path(Path::new(OWN_POLICY))?, contents: policy.to_json().into_bytes() });
    Ok(())
}

/// Finds out what is left to the child, inside the sandbox. Nothing has been given up yet.
pub fn prepare(wanted: &Wanted) -> Result<Narrower, Refusal> {
    let cwd = std::env::current_dir()
        .map_err(|error| Error::new(Kind::Usage, format!("there is no working directory: {error}")))?;
    let tree = of_tree()?;
    let own = match std::env::var(CHILD_POLICY) {
        Ok(text) => own(CHILD_POLICY, text.as_bytes())?,
        Err(_) => tree.clone(),
    };
    let stated = stated(&wanted.policy, &cwd)?;
    let places = places_of_child(&own, &cwd);
    let policy = policy::child(&stated, &places, &own).map_err(Refusal::Wider)?;
    // A child has its own policy from its environment, which may say what it likes.
    policy::child(&stated, &places, &tree).map_err(Refusal::Wider)?;
    if let Some(problem) = policy::network_in_part(&stated, &tree) {
        return Err(Refusal::Invalid(vec![problem]));
    }

    let command = find(&wanted.program, &cwd, Some(&variable_or("PATH", &PROGRAM_FOLDERS.join(":"))))?;
    // A grant by path lets a program be asked for by its name, wherever that is found.
    let by_name = decide(&own, &Request::Run(PathBuf::from(&wanted.program)));
    let request = Request::Run(command.clone());
    let decision = decide(&own, &request);
    if !by_name.allowed && !decision.allowed {
        return Err(Refusal::Denied { request, decision: Box::new(decision) });
    }
    // Said now, and not when it is too late to say it.
    confine::can_narrow().map_err(Error::from)?;
    Ok(plan(wanted, &policy, &tree, Place { command: &command, cwd: &cwd })?)
}

/// The policy of the whole sandbox.
fn of_tree() -> Result<ExpandedPolicy, Error> {
    let text = bounded(Path::new(OWN_POLICY)).map_err(|error| {
        Error::io(Kind::Usage, "read", Path::new(OWN_POLICY), &error)
            .with_help("this program narrows a sandbox from within, for `Bun.spawn(…, { sandbox })`")
    })?;
    own(OWN_POLICY, &text)
}

/// A policy that the launcher has written.
fn own(name: &str, text: &[u8]) -> Result<ExpandedPolicy, Error> {
    let layer = Layer::parse(&Source::file(name, OWN_POLICY), text).map_err(|problems| {
        let problem = problems.first().map(ToString::to_string).unwrap_or_default();
        Error::new(Kind::Sandbox, format!("the program's own policy cannot be read: {problem}"))
    })?;
    let root = PathBuf::from("/");
    // Every path in it is absolute.
    let places =
        Places { program: root.clone(), project: Vec::new(), tmp: places::TMP.into(), home: root.clone(), cwd: root };
    Ok(Policy::merge([&layer]).expand(&places))
}

/// What was stated for the child, with what it extends.
fn stated(text: &str, cwd: &Path) -> Result<Policy, Refusal> {
    let one = |problem| Refusal::Invalid(vec![problem]);
    let layer = Layer::parse(&Source::file(SOURCE, cwd.join(SOURCE)), text.as_bytes()).map_err(Refusal::Invalid)?;
    let mut chain = Chain::new(layer).map_err(one)?;
    while let Some(path) = chain.next_file().map(Path::to_path_buf) {
        let text = bounded(&path).map_err(|error| {
            let message = format!("cannot read {}: {error}", path.display());
            Refusal::Invalid(chain.problem(message).into_iter().collect())
        })?;
        let layer = Layer::parse(&Source::file(path.display().to_string(), &path), &text).map_err(Refusal::Invalid)?;
        chain.push(layer).map_err(one)?;
    }
    let policy = Policy::merge(&chain.into_layers());
    let mut problems = policy::unavailable(&policy);
    let grants = &policy.grants;
    let mut asked = grants.host.allow.iter().chain(&grants.secrets.allow).map(|entry| &entry.statement);
    if let (true, Some(statement)) = (problems.is_empty(), asked.next()) {
        let message = format!("{} is not available yet for a child", statement.key());
        problems.push(Diagnostic::error(statement.origin.clone(), message).with_help("leave it out"));
    }
    if problems.is_empty() { Ok(policy) } else { Err(Refusal::Invalid(problems)) }
}

fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    // One byte more than a policy may have: then it is refused as too large.
    plain_file::open(path, Links::Follow)?.take(MAX_POLICY_BYTES as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

/// Where a child is: in its working directory. Its project is what the program that starts it has modules from.
fn places_of_child(own: &ExpandedPolicy, cwd: &Path) -> Places {
    Places {
        program: cwd.to_path_buf(),
        project: own.grants.import.allow.iter().map(|root| root.value.clone()).collect(),
        tmp: places::TMP.into(),
        home: places::HOME.into(),
        cwd: cwd.to_path_buf(),
    }
}

/// The program of a child, and where it runs.
struct Place<'a> {
    command: &'a Path,
    cwd: &'a Path,
}

fn plan(
    wanted: &Wanted,
    policy: &ExpandedPolicy,
    tree: &ExpandedPolicy,
    Place { command, cwd }: Place<'_>,
) -> Result<Narrower, Error> {
    let name = wanted.name.as_ref().unwrap_or(&wanted.program);
    let started = Started::of(command, name, &wanted.arguments)?;
    let bun = grants::path(BUN);
    let mut programs = Programs::granted(policy, None)?;
    programs.add_command(command, policy)?;
    if decide(policy, &Request::Run(bun.into())).allowed {
        programs.add(bun, None, policy)?;
    }
    let starts_others = programs::grants_any(policy);
    if starts_others {
        programs.add(Path::new(PROGRAM), None, policy)?;
    }
    let starts_bun = programs.holds(bun);
    // To the kernel, importing is reading: only Bun gets for that what nobody has named.
    let policy = &if starts_bun { policy.clone() } else { policy.clone().without_unnamed_imports() };
    let (grants, writable) = grants::of(policy, programs)?;
    let engine = resolve::engine(policy);
    let mut env = environment(policy)?;
    if starts_bun {
        env.extend(runtime::variables(&engine).map(String::into_bytes));
        env.push(format!("BUN_OPTIONS={}", flags(&stage::own_preloads(), policy).join(" ")).into_bytes());
        env.push(variable(CHILD_TABLE, &stage::table_of_child(policy, &engine, cwd)?)?);
    }
    if starts_others {
        env.push(variable(CHILD_POLICY, &policy.to_json())?);
    }
    Ok(Narrower {
        grants,
        limits: resolve::process_limits(policy, Processes::One, Files::Own),
        filter: Options {
            write: writable,
            // Whether there is one to configure is the program's own filter to say.
            tty: true,
            deny_new_executable_memory: !engine.jit,
            run: starts_others,
            // All that the launcher decides about for the whole tree, or nothing.
            sockets: network::is_granted(policy),
            files: Files::Own,
            copies: false,
            narrower: Some(fewer(policy, tree)),
        },
        program: Program {
            path: c_path(&started.path)?,
            argv: started.argv,
            env: env.into_iter().map(runtime::c_string).collect::<Result<_, _>>()?,
            cwd: c_path(cwd)?,
        },
    })
}

/// Which files in sight the child may not open.
fn fewer(policy: &ExpandedPolicy, tree: &ExpandedPolicy) -> Fewer {
    let values = |entries: &[policy::Entry<PathBuf>]| entries.iter().map(|entry| entry.value.clone()).collect();
    let written = |policy: &ExpandedPolicy| -> [BTreeSet<PathBuf>; 3] {
        let Grants { read, write, .. } = &policy.grants;
        [values(&write.allow), values(&write.deny), values(&read.deny)]
    };
    if written(policy) == written(tree) { Fewer::Read } else { Fewer::Written }
}

/// The variables of the program that the child's policy lets it have. Those that say where things are it has as the
/// program left them to it.
fn environment(policy: &ExpandedPolicy) -> Result<Vec<Vec<u8>>, Error> {
    let path = variable_or("PATH", &PROGRAM_FOLDERS.join(":")).to_string_lossy().into_owned();
    let home = PathBuf::from(variable_or("HOME", places::HOME));
    let tmp = PathBuf::from(variable_or("TMPDIR", places::TMP));
    let messaging: Vec<_> =
        MESSAGING.iter().filter_map(|name| Some(((*name).into(), std::env::var_os(name)?))).collect();
    environment::environment(policy, std::env::vars_os(), &messaging, Folders { path: &path, home: &home, tmp: &tmp })
}

fn variable_or(name: &str, usual: &str) -> OsString {
    std::env::var_os(name).unwrap_or_else(|| usual.into())
}

fn variable(name: &str, value: &str) -> Result<Vec<u8>, Error> {
    if value.len() > MOST_BYTES {
        return Err(Error::new(Kind::Usage, format!("the child's policy is too large: more than {MOST_BYTES} bytes"))
            .with_help("grant folders instead of single files"));
    }
    Ok(format!("{name}={value}").into_bytes())
}

/// Becomes the child. Returns only to say why it could not.
pub fn become_child(narrower: &Narrower) -> Error {
    let Err(error) = confine::narrow(narrower);
    let program = || narrower.program.path.to_string_lossy();
    match (error.step, error.errno) {
        (Step::Exec, errno) => Error::new(Kind::NotRunnable, format!("cannot run {}: {errno}", program())),
        (Step::LandlockRestrict, Errno::E2BIG) => Error::new(
            Kind::Sandbox,
            "the sandbox cannot be made any narrower: the kernel keeps 16 sandboxes in one another",
        ),
        _ => error.into(),
    }
}
