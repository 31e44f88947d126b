//! Trying each layer of the sandbox here: what works, what it is for, and what can be done about what does not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use confine::{Access, Identity, Need, Root, probe};
use nix::sys::utsname::uname;
use policy::{Chain, Layer, Policy, Preset, Source};
use serde::Serialize;

use crate::errand::Runner;
use crate::error::{DOCTOR, Error, Kind, c_path};
use crate::host::{self, Host, Search};
use crate::layers::Layers;
use crate::outcome::Ending;
use crate::resolve::look::{Look, RealFiles};
use crate::resolve::runtime;
use crate::run::{Entry, Input, Job, Output, run};
use crate::supervise::CGROUP_REMEDY;
use crate::surroundings::Surroundings;

/// The version that secure-bun is made for and tested with.
pub const TESTED_BUN: &str = "1.4.5";

/// What was found about one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It works.
    Ok,
    /// It does not, and nothing runs without it.
    Missing,
    /// Programs run, but somebody should know.
    Note,
}

/// One layer, tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// What was found.
    pub state: State,
    /// What was measured, or what went wrong.
    pub detail: String,
    /// What it is for.
    pub purpose: &'static str,
    /// What can be done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Every layer, tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// Whether programs can be run here: nothing is missing.
    pub can_run: bool,
    /// The layers, in the order in which they build on one another.
    pub checks: Vec<Check>,
}

/// Why something is missing, and what can be done about it.
struct Lack {
    detail: String,
    remedy: Option<String>,
}

impl Lack {
    /// What a host of these surroundings lacks.
    fn of(error: &confine::Error, around: Surroundings) -> Self {
        let remedy = around.remedy(error).or_else(|| error.remedy());
        Self { remedy: remedy.map(str::to_owned), detail: error.to_string() }
    }
}

impl From<Error> for Lack {
    fn from(error: Error) -> Self {
        // Whoever reads this has asked the doctor already.
        let help = error.help.map(|help| help.trim_end_matches(DOCTOR).trim_end_matches("; ").to_owned());
        Self { detail: error.message, remedy: help.filter(|help| !help.is_empty()) }
    }
}

/// A layer that is there, with what was measured, or that is not.
fn tried(name: &'static str, purpose: &'static str, result: Result<String, Lack>) -> Check {
    match result {
        Ok(detail) => Check { name, state: State::Ok, detail, purpose, remedy: None },
        Err(Lack { detail, remedy }) => Check { name, state: State::Missing, detail, purpose, remedy },
    }
}

/// Something that programs can do without.
fn noted(name: &'static str, purpose: &'static str, detail: String, remedy: Option<&str>) -> Check {
    Check { name, state: State::Note, detail, purpose, remedy: remedy.map(str::to_owned) }
}

fn untried(why: &str) -> Lack {
    Lack { detail: format!("not tried, since {why}"), remedy: None }
}

/// Tries each layer by really using it, for programs in the folder `cwd`. The caller should have one thread.
pub fn examine(search: &Search, cwd: &Path) -> Examination {
    let identity = host::identity();
    let around = Surroundings::look();
    let lack = |error| Lack::of(&error, around);
    let landlock = probe::landlock(Need::Required).map(abi).map_err(lack);
    let namespaces = probe::namespaces(identity).map(|()| "user, mnt, ipc, uts".to_owned()).map_err(lack);
    let mounts = probe::mounts(identity).map(|()| "a root file system of its own".to_owned()).map_err(lack);
    let filter = probe::system_call_filter().map(|count| format!("a filter of {count} instructions")).map_err(lack);
    let limits = probe::resource_limits().map(|()| "resource limits can be set".to_owned()).map_err(lack);
    let mut checks = vec![
        kernel(),
        tried("user", "runs the programs, without any rights", Ok(user(identity))),
        tried("landlock", "guards once more what is granted", landlock),
        tried("namespaces", "separate users, mounts, shared memory and host name", namespaces),
        tried("mounts", "leave out what is not granted", mounts),
        tried("seccomp", "takes away most system calls", filter),
        tried("limits", "bound files, descriptors and tasks", limits),
    ];
    if all_there(&checks) {
        checks.extend(with_bun(search, cwd));
    } else {
        // Bun itself is looked at in a sandbox, so there is little to say about it.
        let found = host::find(search).map(|path| format!("{}, not tried", path.display()));
        checks.push(tried("bun", RUNS, found.map_err(Lack::from)));
        checks.push(tried("program", TOGETHER, Err(untried("a layer is missing"))));
        checks.extend(partial(search, &checks));
    }
    Examination { can_run: all_there(&checks), checks }
}

/// Whether programs run under policies that do not require what is missing.
fn partial(search: &Search, checks: &[Check]) -> Option<Check> {
    let missing = |name| checks.iter().any(|check| check.name == name && check.state == State::Missing);
    let require = match (missing("namespaces") || missing("mounts"), missing("landlock")) {
        _ if missing("seccomp") || missing("limits") => return None,
        (true, false) => r#"{"kernel": {"require": ["landlock"]}}"#,
        (false, true) => r#"{"kernel": {"require": ["user", "mnt", "ipc", "uts"]}}"#,
        _ => return None,
    };
    call(search, require).is_ok().then(|| {
        let detail = "a function was called without what is missing".to_owned();
        let remedy = format!("{require} in a policy, after docs/deployment.md, which says what is lost");
        noted("partial", "policies that do not require every layer", detail, Some(&remedy))
    })
}

fn all_there(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.state != State::Missing)
}

/// What takes a Bun and all of the layers.
fn with_bun(search: &Search, cwd: &Path) -> Vec<Check> {
    let host = match Host::discover(search, host::identity(), Layers::ALL) {
        Ok(host) => host,
        Err(error) => {
            let program = Err(untried("there is no Bun that starts"));
            return vec![tried("bun", RUNS, Err(error.into())), tried("program", TOGETHER, program)];
        }
    };
    let mut checks = vec![bun(&host), cache(&host)];
    checks.push(tried("folder", "programs in the working directory can load their modules", folder(&host, cwd)));
    match call(search, "{}") {
        Ok(called) => {
            checks.push(memory(called.memory_control));
            let start = called.start.as_secs_f64() * 1e3;
            let detail = format!("a function was called, in a sandbox that took {start:.1} ms to make");
            checks.push(tried("program", TOGETHER, Ok(detail)));
        }
        Err(lack) => checks.push(tried("program", TOGETHER, Err(lack))),
    }
    checks
}

const RUNS: &str = "runs the programs";
const TOGETHER: &str = "all of it works together";

fn kernel() -> Check {
    const PURPOSE: &str = "is the boundary";
    let (release, machine) = uname().map_or_else(
        |error| (error.to_string(), std::env::consts::ARCH.to_owned()),
        |name| (name.release().display().to_string(), name.machine().display().to_string()),
    );
    let detail = format!("Linux {release} on {machine}");
    if machine == "x86_64" {
        tried("kernel", PURPOSE, Ok(detail))
    } else {
        noted("kernel", PURPOSE, format!("{detail}, where secure-bun has not been tested"), None)
    }
}

fn user(identity: Identity) -> String {
    match identity {
        Identity::Own { uid, .. } => format!("your own, {uid}"),
        Identity::Dropped { uid, .. } => format!("{uid}, since you are root"),
    }
}

fn abi(version: u32) -> String {
    let more = match version {
        0..=3 => "files",
        4 | 5 => "files and TCP",
        _ => "files, TCP, signals and abstract sockets",
    };
    format!("ABI {version}: {more}")
}

fn bun(host: &Host) -> Check {
    let record = &host.bun;
    let hash = record.sha256.get(..16).unwrap_or_default();
    let libraries = record.libraries.len();
    let detail =
        format!("{} at {}, SHA-256 {hash}…, with {libraries} libraries", record.version, record.path.display());
    if record.version == TESTED_BUN {
        tried("bun", RUNS, Ok(detail))
    } else {
        let remedy = format!("secure-bun is made for Bun {TESTED_BUN}; use that one if you can");
        noted("bun", RUNS, detail, Some(&remedy))
    }
}

fn cache(host: &Host) -> Check {
    const PURPOSE: &str = "keeps what is known about Bun, and the compiled preload";
    match &host.cache {
        Some(cache) => tried("cache", PURPOSE, Ok(cache.path("").display().to_string())),
        None => noted(
            "cache",
            PURPOSE,
            "no private folder, so that every start takes some 100 ms longer".to_owned(),
            Some("set HOME or XDG_CACHE_HOME to a folder that you own; nobody else may write to its secure-bun folder"),
        ),
    }
}

/// Shows the working directory to a confined Bun, as it is shown to a program in it.
fn folder(host: &Host, cwd: &Path) -> Result<String, Lack> {
    const SHOWN: &str = "/run/secure-bun/folder";
    const SCRIPT: &str = "console.log(require('node:fs').readdirSync(process.argv[2]).length)";
    let found = RealFiles.look(cwd).map_err(|error| Error::io(Kind::Sandbox, "look at", cwd, &error))?;
    let dropped = match host.identity {
        Identity::Own { .. } => false,
        Identity::Dropped { uid, gid } => {
            probe::id_mapped_mount(&c_path(&found.path)?, uid, gid)
                .map_err(|error| Lack::of(&error, Surroundings::default()))?;
            true
        }
    };
    let mut root = Root::default();
    root.binds.push(runtime::bind(&found, c_path(Path::new(SHOWN))?, Access::Read, dropped)?);
    let script = "/run/secure-bun/look.js";
    root.files.push(confine::File { target: c_path(Path::new(script))?, contents: SCRIPT.into() });
    let runner =
        Runner { bun: &host.bun.path, libraries: &host.bun.libraries, identity: host.identity, layers: host.layers };
    let arguments: Vec<&str> = runtime::flags(false, false).chain([script, SHOWN]).collect();
    let said = runner.run(root, &arguments)?;
    match said.trim().parse::<usize>() {
        Ok(_) if dropped => Ok(format!("{} can be shown, id-mapped", found.path.display())),
        Ok(_) => Ok(format!("{} can be shown", found.path.display())),
        Err(_) => {
            let said: String = said.trim().chars().take(300).collect();
            Err(Lack {
                detail: format!("{} cannot be listed from inside: {said:?}", found.path.display()),
                remedy: None,
            })
        }
    }
}

fn memory(control: Option<&'static str>) -> Check {
    const PURPOSE: &str = "is limited";
    match control {
        Some(group) if group.starts_with("cgroup") => tried(
            "memory",
            PURPOSE,
            Ok(format!("by {group}, from 50 ms after the start on; by looking at it all the time")),
        ),
        _ => noted(
            "memory",
            PURPOSE,
            "by looking at it all the time, so that a program may get some MB further".to_owned(),
            Some(&format!("for an exact limit, {CGROUP_REMEDY}")),
        ),
    }
}

/// What a call through everything showed.
struct Called {
    start: Duration,
    memory_control: Option<&'static str>,
}

/// Calls a function under the narrowest preset and what `policy` says besides, as `secure-bun run` does.
fn call(search: &Search, policy: &str) -> Result<Called, Lack> {
    let lack = |what: String| Lack { detail: what, remedy: None };
    let (_folder, program) =
        function_file().map_err(|error| lack(format!("cannot write a program to try: {error}")))?;
    let layers = Chain::new(Layer::preset(Preset::Function)).map(Chain::into_layers);
    let preset = layers.map_err(|_| lack("the preset `function` cannot be read".to_owned()))?;
    let besides = Layer::parse(&Source::file("doctor", "/doctor"), policy.as_bytes());
    let besides = besides.map_err(|_| lack("the doctor's own policy cannot be read".to_owned()))?;
    let job = Job {
        entry: Entry::File(program),
        arguments: Vec::new(),
        policy: Policy::merge(preset.iter().chain([&besides])),
        search: search.clone(),
        variables: Vec::new(),
        secrets: Vec::new(),
        args: Some("[[6,7]]".to_owned()),
        bytes: Vec::new(),
        returns_bytes: false,
        context: None,
        export: None,
        script: false,
        input: Input::Empty,
        output: Output::Capture,
        launcher: None,
        denials: false,
    };
    let outcome = run(&job)?;
    match &outcome.ending {
        Ending::Returned(value) if value.get() == "42" => {
            Ok(Called { start: outcome.usage.start, memory_control: outcome.memory_control })
        }
        ending => Err(lack(format!("a function that multiplies did not: {ending:?}"))),
    }
}

/// A function in a folder of its own, which goes away with the first part.
fn function_file() -> std::io::Result<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::Builder::new().prefix("secure-bun-doctor-").tempdir()?;
    let file = folder.path().join("multiply.js");
    // A program that has ended within 50 ms never comes to a control group (supervise::limits).
    fs::write(&file, "export default ([a, b]) => new Promise((done) => setTimeout(() => done(a * b), 150));\n")?;
    // Readable by all, since another user runs it where root asks.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    Ok((folder, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_keeps_its_remedy() {
        let error = confine::Error { step: confine::Step::Clone, errno: confine::Errno(28), path: None };
        let check = tried("namespaces", "x", Err(Lack::of(&error, Surroundings::default())));
        assert_eq!(check.state, State::Missing);
        assert!(check.remedy.unwrap().contains("user.max_user_namespaces"));
    }

    #[test]
    fn an_older_landlock_says_what_it_leaves_open() {
        assert_eq!(abi(3), "ABI 3: files");
        assert_eq!(abi(4), "ABI 4: files and TCP");
        assert_eq!(abi(7), "ABI 7: files, TCP, signals and abstract sockets");
    }

    #[test]
    fn without_bun_the_layers_are_tried_all_the_same() {
        let search = Search { flag: Some("/nonexistent/bun".into()), ..Search::default() };
        let examination = examine(&search, Path::new("/"));
        let state = |name| examination.checks.iter().find(|check| check.name == name).map(|check| check.state);
        assert!(!examination.can_run);
        assert_eq!(state("bun"), Some(State::Missing));
        assert_eq!(state("program"), Some(State::Missing));
        assert_eq!(state("landlock"), Some(State::Ok));
        assert_eq!(state("folder"), None);
    }
}
