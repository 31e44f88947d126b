//! `secure-bun run`, `secure-bun spawn` and `secure-bun serve`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command as Clap};
use policy::{Permission, Side};

use secure_bun::secrets::{Secret, Source};
use secure_bun::service::Engine;

use super::{Stop, flag, os, path, switch, text, utf8};

/// `secure-bun run [FLAGS] FILE [ARGS…]`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// The program.
    pub(crate) program: PathBuf,
    /// Everything after it.
    pub(crate) arguments: Vec<OsString>,
    /// `--policy`.
    pub(crate) policy: Option<OsString>,
    /// Grants and denials, in order: side, permission, values, and the flag as typed.
    pub(crate) grants: Vec<GrantFlag>,
    /// `--limit`.
    pub(crate) limits: Vec<String>,
    /// `--json`.
    pub(crate) json: bool,
    /// `--input`.
    pub(crate) input: Option<OsString>,
    /// `--export`.
    pub(crate) export: Option<String>,
    /// `--script`.
    pub(crate) script: bool,
    /// `--env NAME=VALUE`.
    pub(crate) variables: Vec<OsString>,
    /// `--secret NAME[=SOURCE]`.
    pub(crate) secrets: Vec<Secret>,
    /// `--suggest`.
    pub(crate) suggest: bool,
    /// `--report-fd`.
    pub(crate) report_fd: Option<u32>,
    /// `--bun`.
    pub(crate) bun: Option<PathBuf>,
    /// `--quiet`.
    pub(crate) quiet: bool,
    /// `--verbose`.
    pub(crate) verbose: bool,
}

/// `--allow-read=./data` and its like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrantFlag {
    /// Allow or deny.
    pub(crate) side: Side,
    /// Of what.
    pub(crate) permission: Permission,
    /// The values; none means everything.
    pub(crate) values: Option<String>,
    /// As typed.
    pub(crate) typed: String,
}

/// Permissions with a flag, the letter of `--allow-…`, and its name.
const GRANTABLE: [(Permission, Option<char>, &str); 15] = [
    (Permission::Read, Some('R'), "read"),
    (Permission::Write, Some('W'), "write"),
    (Permission::Net, Some('N'), "net"),
    (Permission::Env, Some('E'), "env"),
    (Permission::Import, None, "import"),
    (Permission::Listen, None, "listen"),
    (Permission::Fetch, None, "fetch"),
    (Permission::Run, None, "run"),
    (Permission::Sys, None, "sys"),
    (Permission::Workers, None, "workers"),
    (Permission::Ffi, None, "ffi"),
    (Permission::Eval, None, "eval"),
    (Permission::Wasm, None, "wasm"),
    (Permission::Host, None, "host"),
    (Permission::Secrets, None, "secrets"),
];

pub(super) fn grammar(command: Clap) -> Clap {
    let command = command
        .override_usage("secure-bun run [FLAGS] FILE [ARGS…]")
        .arg(flag("input", "JSON|@FILE|-", "Call the function with this; - reads standard input"))
        .arg(flag("export", "NAME", "Call this export instead of the default one"))
        .arg(switch("script", "Never call a function"))
        .arg(switch("suggest", "At the end, print the policy lines under which it would have passed"));
    sandbox_grammar(command, "FILE")
}

pub(super) fn spawn_grammar(command: Clap) -> Clap {
    sandbox_grammar(command.override_usage("secure-bun spawn [FLAGS] -- COMMAND [ARGS…]"), "COMMAND")
}

/// What every command takes that runs a program, and the program.
fn sandbox_grammar(command: Clap, program: &'static str) -> Clap {
    let command = policy_grammar(command)
        .arg(switch("json", "Print one line of JSON that tells how the run went, with all output in it"))
        .arg(flag("env", "NAME=VALUE", "Set a variable for the program").action(ArgAction::Append))
        .arg(
            flag("secret", "NAME[=SOURCE]", "A secret for the headers of fetch rules: env:VARIABLE or file:PATH")
                .action(ArgAction::Append),
        )
        .arg(flag("report-fd", "N", "Write the JSON line to this descriptor as well"))
        .arg(switch("verbose", "Say what is done"));
    let program = Arg::new("program")
        .value_name(program)
        .required(true)
        .num_args(1..)
        .allow_hyphen_values(false)
        .trailing_var_arg(true)
        .value_parser(clap::value_parser!(OsString));
    command.arg(program)
}

/// What says what programs may do, and which Bun runs them.
fn policy_grammar(command: Clap) -> Clap {
    let mut command = command
        .arg(flag("policy", "FILE|PRESET", "What the program may do [default: the preset `script`]").alias("sandbox"))
        .arg(flag("limit", "NAME=VALUE,…", "Limits, such as wall=5s,memory=128mb").action(ArgAction::Append))
        .arg(flag("bun", "PATH", "The Bun to use"))
        .arg(switch("quiet", "No warnings"));
    for (_, letter, name) in GRANTABLE {
        for (side, help) in [("allow", "Allow"), ("deny", "Deny")] {
            let id = format!("{side}-{name}");
            let mut arg = Arg::new(id.clone())
                .long(id)
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("")
                .value_name("VALUES")
                .action(ArgAction::Append)
                .help(format!("{help} {name}: everything, or these, separated by commas"));
            if side == "allow"
                && let Some(letter) = letter
            {
                arg = arg.short(letter);
            }
            command = command.arg(arg);
        }
    }
    command
}

pub(super) fn read(matches: &ArgMatches) -> Result<Run, Stop> {
    Ok(Run {
        input: os(matches, "input"),
        export: text(matches, "export")?,
        script: matches.get_flag("script"),
        suggest: matches.get_flag("suggest"),
        ..read_spawn(matches)?
    })
}

pub(super) fn serve_grammar(command: Clap) -> Clap {
    policy_grammar(command.override_usage("secure-bun serve [FLAGS]"))
        .arg(flag("concurrency", "N", "Calls that run at a time [default: four for each processor]"))
        .arg(flag("engine", "ENGINE", "How calls are run: fork, pool, spawn, or auto [default: auto]"))
        .arg(flag("queue", "N", "Calls that may wait [default: 256]"))
}

/// `secure-bun serve [FLAGS]`.
#[derive(Debug)]
pub(crate) struct Serve {
    /// What it has in common with `run`: the policy, and Bun.
    pub(crate) run: Run,
    /// `--concurrency`.
    pub(crate) concurrency: Option<usize>,
    /// `--queue`.
    pub(crate) queue: Option<usize>,
    /// `--engine`.
    pub(crate) engine: Engine,
}

pub(super) fn read_serve(matches: &ArgMatches) -> Result<Serve, Stop> {
    let number = |name: &str, most: usize| {
        let typed = text(matches, name)?;
        let parse = |typed: String| typed.parse().ok().filter(|number| *number <= most);
        let wrong = || Stop::usage(format!("--{name}: a number up to {most}"));
        typed.map(|typed| parse(typed).ok_or_else(wrong)).transpose()
    };
    let concurrency = number("concurrency", MOST_CALLS)?;
    if concurrency == Some(0) {
        return Err(Stop::usage("--concurrency: at least one call has to run"));
    }
    let engine = match text(matches, "engine")?.as_deref() {
        None | Some("auto") => Engine::default(),
        Some("fork") => Engine::Fork,
        Some("pool") => Engine::Pool,
        Some("spawn") => Engine::Spawn,
        Some(other) => return Err(Stop::usage(format!("--engine {other}: there are auto, fork, pool and spawn"))),
    };
    Ok(Serve { run: read_policy(matches)?, concurrency, queue: number("queue", MOST_CALLS)?, engine })
}

/// Calls at a time, or in the queue, for which there would ever be descriptors.
const MOST_CALLS: usize = 10_000;

fn read_policy(matches: &ArgMatches) -> Result<Run, Stop> {
    let limits = matches.get_many::<OsString>("limit").into_iter().flatten();
    Ok(Run {
        policy: os(matches, "policy"),
        grants: grants(matches),
        limits: limits.map(|limit| utf8("limit", limit)).collect::<Result<_, _>>()?,
        bun: path(matches, "bun"),
        quiet: matches.get_flag("quiet"),
        ..Run::default()
    })
}

pub(super) fn read_spawn(matches: &ArgMatches) -> Result<Run, Stop> {
    let mut words = matches.get_many::<OsString>("program").into_iter().flatten().cloned();
    let report_fd = text(matches, "report-fd")?;
    let report_fd = report_fd
        .map(|number| number.parse::<u32>().map_err(|_| Stop::usage("--report-fd: not the number of a descriptor")))
        .transpose()?;
    Ok(Run {
        program: words.next().unwrap_or_default().into(),
        arguments: words.collect(),
        json: matches.get_flag("json"),
        variables: matches.get_many::<OsString>("env").into_iter().flatten().cloned().collect(),
        secrets: matches.get_many::<OsString>("secret").into_iter().flatten().map(secret).collect::<Result<_, _>>()?,
        report_fd,
        verbose: matches.get_flag("verbose"),
        ..read_policy(matches)?
    })
}

/// `NAME`, `NAME=env:VARIABLE` or `NAME=file:PATH`. Values are never typed: other users see the arguments of processes.
fn secret(typed: &OsString) -> Result<Secret, Stop> {
    let bytes = typed.as_bytes();
    let at = bytes.iter().position(|byte| *byte == b'=');
    let (name, source) = at.map_or((bytes, None), |at| (&bytes[..at], Some(&bytes[at + 1..])));
    let is_name = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let Some(name) = std::str::from_utf8(name).ok().filter(|_| is_name) else {
        return Err(Stop::usage("--secret: a name has letters, digits and underscores"));
    };
    let from = match source.map(|source| (source.get(..4), source.get(..5), source)) {
        None => Source::Variable(name.into()),
        Some((Some(b"env:"), _, source)) => Source::Variable(OsStr::from_bytes(&source[4..]).to_owned()),
        Some((_, Some(b"file:"), source)) => Source::File(OsStr::from_bytes(&source[5..]).into()),
        // Perhaps it is the value, so it is not repeated.
        Some(_) => return Err(Stop::usage(format!("--secret {name}: write {name}=env:VARIABLE or {name}=file:PATH"))),
    };
    Ok(Secret { name: name.to_owned(), from })
}

fn grants(matches: &ArgMatches) -> Vec<GrantFlag> {
    let mut flags = Vec::new();
    for (permission, _, name) in GRANTABLE {
        for (side, word) in [(Side::Allow, "allow"), (Side::Deny, "deny")] {
            let id = format!("{word}-{name}");
            for value in matches.get_many::<String>(&id).into_iter().flatten() {
                let values = (!value.is_empty()).then(|| value.clone());
                let typed = if value.is_empty() { format!("--{id}") } else { format!("--{id}={value}") };
                flags.push(GrantFlag { side, permission, values, typed });
            }
        }
    }
    flags
}

/// Call flags that stand after the program. A function takes no arguments, so there they can only be ours; a script's
/// own come after `--`, or all of them with `--script`.
pub(crate) fn take_call_flags(run: &mut Run) -> Result<(), Stop> {
    let mut rest = std::mem::take(&mut run.arguments).into_iter();
    while let Some(word) = rest.next() {
        let mut value = |name: &str, given: Option<&str>| match given {
            Some(given) => Ok(OsString::from(given)),
            None => rest.next().ok_or_else(|| Stop::usage(format!("--{name} needs a value"))),
        };
        let spelled = word.to_str().unwrap_or_default();
        let (name, given) = spelled.split_once('=').map_or((spelled, None), |(name, given)| (name, Some(given)));
        match name {
            "--" => {
                run.arguments.extend(rest);
                return Ok(());
            }
            "--input" => run.input = Some(value("input", given)?),
            "--export" => run.export = Some(utf8("export", &value("export", given)?)?),
            "--json" => run.json = true,
            _ => run.arguments.push(word),
        }
    }
    Ok(())
}
