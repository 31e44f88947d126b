//! What the user typed, and nothing more: no file is opened here.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command as Clap};
use policy::{Permission, Side};

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// `secure-bun run`.
    Run(Box<Run>),
    /// `secure-bun spawn`: the same without what belongs to functions.
    Spawn(Box<Run>),
    /// `secure-bun policy …`.
    Policy(Policy),
    /// `secure-bun doctor`.
    Doctor(Doctor),
}

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

/// `secure-bun policy …`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Is it valid?
    Check {
        /// File or preset.
        policy: OsString,
    },
    /// What does it come to?
    Show {
        /// File or preset.
        policy: OsString,
        /// With the place of each statement.
        origins: bool,
    },
    /// The JSON Schema of policies.
    Schema,
    /// Would this be allowed, and by which rule?
    Why {
        /// File or preset.
        policy: OsString,
        /// The program it is asked for, which places like `${PROJECT}` depend on.
        program: Option<PathBuf>,
        /// The permission.
        permission: String,
        /// What it is about.
        resource: Option<String>,
    },
}

/// `secure-bun doctor`.
#[derive(Debug)]
pub(crate) struct Doctor {
    /// `--bun`.
    pub(crate) bun: Option<PathBuf>,
    /// `--json`.
    pub(crate) json: bool,
}

/// There is nothing to do: help was asked for, or the request makes no sense.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Text for standard output; all is well.
    Help(String),
    /// What is wrong, and what would be right.
    Usage {
        /// What is wrong.
        message: String,
        /// What would be right.
        help: Option<String>,
    },
}

impl Stop {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), help: None }
    }
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

/// Commands of the design that are still to come.
const LATER: [&str; 16] = [
    "serve", "test", "install", "add", "remove", "update", "ci", "x", "build", "repl", "check", "sign", "verify",
    "bundle", "shim", "learn",
];

/// Reads the command line.
pub(crate) fn parse(words: impl Iterator<Item = OsString>) -> Result<Command, Stop> {
    let words: Vec<OsString> = words.collect();
    let command = words.get(1).and_then(|word| word.to_str());
    let matches = grammar(command).try_get_matches_from(words).map_err(|error| stop(&error))?;
    match matches.subcommand() {
        Some(("run", matches)) => run(matches).map(|run| Command::Run(Box::new(run))),
        Some(("spawn", matches)) => sandboxed(matches).map(|run| Command::Spawn(Box::new(run))),
        Some(("policy", matches)) => policy(matches).map(Command::Policy),
        Some(("doctor", matches)) => {
            Ok(Command::Doctor(Doctor { bun: path(matches, "bun"), json: matches.get_flag("json") }))
        }
        Some((name, _)) if LATER.contains(&name) => Err(not_yet(&format!("secure-bun {name}"))),
        _ => Err(Stop::Help(grammar(None).render_help().to_string())),
    }
}

fn not_yet(what: &str) -> Stop {
    Stop::usage(format!("{what} is not available yet"))
}

/// The grammar, with the details of `command` alone: building all of it would cost every start a tenth of a
/// millisecond.
fn grammar(command: Option<&str>) -> Clap {
    let detailed = |name: &'static str, about: &'static str, details: fn(Clap) -> Clap| {
        let bare = Clap::new(name).about(about);
        if command.is_none_or(|command| command == name) { details(bare) } else { bare }
    };
    let mut grammar = Clap::new("secure-bun")
        .about("Real Bun, running code nobody trusts")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand(detailed("run", "Run a program, or call the function that a file exports", run_grammar))
        .subcommand(detailed("spawn", "Run any other program in a sandbox", spawn_grammar))
        .subcommand(detailed("policy", "Check and explain policies", policy_grammar))
        .subcommand(detailed("doctor", "Try each layer of the sandbox and say what works here", doctor_grammar));
    for name in LATER {
        let rest = Arg::new("rest").num_args(0..).allow_hyphen_values(true).trailing_var_arg(true);
        grammar = grammar.subcommand(Clap::new(name).hide(true).disable_help_flag(true).arg(rest));
    }
    grammar
}

fn doctor_grammar(command: Clap) -> Clap {
    command.arg(flag("bun", "PATH", "The Bun to use")).arg(switch("json", "Say it as one line of JSON"))
}

fn flag(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help).value_parser(clap::value_parser!(OsString))
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn run_grammar(command: Clap) -> Clap {
    let command = command
        .override_usage("secure-bun run [FLAGS] FILE [ARGS…]")
        .arg(flag("input", "JSON|@FILE|-", "Call the function with this; - reads standard input"))
        .arg(flag("export", "NAME", "Call this export instead of the default one"))
        .arg(switch("script", "Never call a function"))
        .arg(switch("suggest", "At the end, print the policy lines under which it would have passed"));
    sandbox_grammar(command, "FILE")
}

fn spawn_grammar(command: Clap) -> Clap {
    sandbox_grammar(command.override_usage("secure-bun spawn [FLAGS] -- COMMAND [ARGS…]"), "COMMAND")
}

/// What every command takes that runs a program, and the program.
fn sandbox_grammar(command: Clap, program: &'static str) -> Clap {
    let mut command = command
        .arg(flag("policy", "FILE|PRESET", "What the program may do [default: the preset `script`]").alias("sandbox"))
        .arg(flag("limit", "NAME=VALUE,…", "Limits, such as wall=5s,memory=128mb").action(ArgAction::Append))
        .arg(switch("json", "Print one line of JSON that tells how the run went, with all output in it"))
        .arg(flag("env", "NAME=VALUE", "Set a variable for the program").action(ArgAction::Append))
        .arg(flag("secret", "NAME[=SOURCE]", "").hide(true).action(ArgAction::Append))
        .arg(flag("report-fd", "N", "Write the JSON line to this descriptor as well"))
        .arg(flag("bun", "PATH", "The Bun to use"))
        .arg(switch("quiet", "No warnings"))
        .arg(switch("verbose", "Say what is done"));
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
    let program = Arg::new("program")
        .value_name(program)
        .required(true)
        .num_args(1..)
        .allow_hyphen_values(false)
        .trailing_var_arg(true)
        .value_parser(clap::value_parser!(OsString));
    command.arg(program)
}

fn policy_grammar(command: Clap) -> Clap {
    let policy =
        || Arg::new("policy").value_name("FILE|PRESET").required(true).value_parser(clap::value_parser!(OsString));
    let mut command = command
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand(Clap::new("check").about("Is a policy valid?").arg(policy()))
        .subcommand(
            Clap::new("show")
                .about("What a policy comes to, with everything that it extends")
                .arg(policy())
                .arg(switch("origins", "With the place of each statement")),
        )
        .subcommand(Clap::new("schema").about("The JSON Schema of policies"))
        .subcommand(
            Clap::new("why")
                .about("Would this be allowed, and by which rule?")
                .arg(flag("policy", "FILE|PRESET", "The policy").required(true))
                .arg(flag("program", "FILE", "The program that would do it"))
                .arg(Arg::new("permission").value_name("PERMISSION").required(true))
                .arg(Arg::new("resource").value_name("RESOURCE")),
        );
    for name in ["init", "diff", "trust"] {
        let rest = Arg::new("rest").num_args(0..).allow_hyphen_values(true).trailing_var_arg(true);
        command = command.subcommand(Clap::new(name).hide(true).disable_help_flag(true).arg(rest));
    }
    command
}

fn os(matches: &ArgMatches, name: &str) -> Option<OsString> {
    matches.get_one::<OsString>(name).cloned()
}

fn path(matches: &ArgMatches, name: &str) -> Option<PathBuf> {
    os(matches, name).map(PathBuf::from)
}

fn text(matches: &ArgMatches, name: &str) -> Result<Option<String>, Stop> {
    os(matches, name).map(|value| utf8(name, &value)).transpose()
}

fn utf8(name: &str, value: &OsStr) -> Result<String, Stop> {
    value.to_str().map(str::to_owned).ok_or_else(|| Stop::usage(format!("--{name}: the value is not UTF-8")))
}

fn run(matches: &ArgMatches) -> Result<Run, Stop> {
    Ok(Run {
        input: os(matches, "input"),
        export: text(matches, "export")?,
        script: matches.get_flag("script"),
        suggest: matches.get_flag("suggest"),
        ..sandboxed(matches)?
    })
}

fn sandboxed(matches: &ArgMatches) -> Result<Run, Stop> {
    if matches.get_many::<OsString>("secret").is_some() {
        return Err(not_yet("--secret"));
    }
    let mut words = matches.get_many::<OsString>("program").into_iter().flatten().cloned();
    let report_fd = text(matches, "report-fd")?;
    let report_fd = report_fd
        .map(|number| number.parse::<u32>().map_err(|_| Stop::usage("--report-fd: not the number of a descriptor")))
        .transpose()?;
    let limits = matches.get_many::<OsString>("limit").into_iter().flatten();
    Ok(Run {
        program: words.next().unwrap_or_default().into(),
        arguments: words.collect(),
        policy: os(matches, "policy"),
        grants: grants(matches),
        limits: limits.map(|limit| utf8("limit", limit)).collect::<Result<_, _>>()?,
        json: matches.get_flag("json"),
        variables: matches.get_many::<OsString>("env").into_iter().flatten().cloned().collect(),
        report_fd,
        bun: path(matches, "bun"),
        quiet: matches.get_flag("quiet"),
        verbose: matches.get_flag("verbose"),
        ..Run::default()
    })
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

fn policy(matches: &ArgMatches) -> Result<Policy, Stop> {
    let Some((name, matches)) = matches.subcommand() else {
        return Err(Stop::usage("policy: which command? check, show, schema or why"));
    };
    let policy = || os(matches, "policy").unwrap_or_default();
    Ok(match name {
        "check" => Policy::Check { policy: policy() },
        "show" => Policy::Show { policy: policy(), origins: matches.get_flag("origins") },
        "schema" => Policy::Schema,
        "why" => Policy::Why {
            policy: policy(),
            program: path(matches, "program"),
            permission: matches.get_one::<String>("permission").cloned().unwrap_or_default(),
            resource: matches.get_one::<String>("resource").cloned(),
        },
        name => return Err(not_yet(&format!("secure-bun policy {name}"))),
    })
}

/// clap's errors in our words: one line that says what is wrong, one that says what would be right.
fn stop(error: &clap::Error) -> Stop {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Stop::Help(error.to_string());
    }
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let named = context(ContextKind::InvalidArg).unwrap_or_default();
    let message = match error.kind() {
        ErrorKind::UnknownArgument => format!("unknown flag {named}"),
        ErrorKind::InvalidSubcommand => {
            format!("unknown command {:?}", context(ContextKind::InvalidSubcommand).unwrap_or_default())
        }
        ErrorKind::MissingRequiredArgument => format!("missing: {named}"),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "which command? `secure-bun --help` lists them".to_owned()
        }
        ErrorKind::ArgumentConflict => format!("{named} is given twice"),
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8".to_owned(),
        _ => match (named.as_str(), context(ContextKind::InvalidValue)) {
            ("", _) => error.kind().to_string(),
            (named, Some(value)) if value.is_empty() => format!("{named} needs a value"),
            (named, Some(value)) => format!("{named}: {value:?} does not fit"),
            (named, None) => format!("{named} is not right"),
        },
    };
    let suggested = context(ContextKind::SuggestedArg).or_else(|| context(ContextKind::SuggestedSubcommand));
    Stop::Usage { message, help: suggested.map(|name| format!("did you mean {name}?")) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, Stop> {
        parse(std::iter::once("secure-bun").chain(line.split_whitespace()).map(OsString::from))
    }

    fn run_of(line: &str) -> Run {
        match parsed(line) {
            Ok(Command::Run(run)) => *run,
            other => panic!("{other:?}"),
        }
    }

    fn message(line: &str) -> String {
        match parsed(line) {
            Err(Stop::Usage { message, help }) => help.map_or(message.clone(), |help| format!("{message}; {help}")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_grammar_is_sound() {
        grammar(None).debug_assert();
    }

    #[test]
    fn what_stands_after_the_program_is_the_programs() {
        let run = run_of("run --json a.ts --policy x -R");
        assert!(run.json);
        assert_eq!(run.arguments, ["--policy", "x", "-R"]);
        assert_eq!(run.policy, None);
    }

    #[test]
    fn a_command_may_stand_after_two_dashes_or_not() {
        for line in ["spawn --json -- python3 -c x", "spawn --json python3 -c x"] {
            let Ok(Command::Spawn(run)) = parsed(line) else { panic!("{line}") };
            assert_eq!((run.json, run.program.as_os_str()), (true, OsStr::new("python3")));
            assert_eq!(run.arguments, ["-c", "x"]);
        }
        assert_eq!(message("spawn --export main -- x"), "unknown flag --export");
    }

    #[test]
    fn grants_by_letter_by_name_and_with_values() {
        let run = run_of("run -R --allow-write=./out,./log --deny-read=/etc a.ts");
        let typed: Vec<&str> = run.grants.iter().map(|grant| grant.typed.as_str()).collect();
        assert_eq!(typed, ["--allow-read", "--deny-read=/etc", "--allow-write=./out,./log"]);
        assert_eq!(run.grants[0].values, None);
    }

    #[test]
    fn an_unknown_flag_names_the_nearest() {
        assert_eq!(message("run --polcy x a.ts"), "unknown flag --polcy; did you mean --policy?");
        assert_eq!(message("runn a.ts"), "unknown command \"runn\"; did you mean run?");
    }

    #[test]
    fn what_is_still_to_come_says_so() {
        assert_eq!(message("serve"), "secure-bun serve is not available yet");
        assert_eq!(message("test --watch x"), "secure-bun test is not available yet");
        assert_eq!(message("policy diff a b"), "secure-bun policy diff is not available yet");
        assert_eq!(message("run --secret A=env:B a.ts"), "--secret is not available yet");
    }

    #[test]
    fn call_flags_may_follow_a_function_file() {
        let mut run = run_of("run a.ts --input {\"a\":1} x --export=main -- --input y");
        take_call_flags(&mut run).unwrap();
        assert_eq!(run.input.as_deref(), Some(OsStr::new("{\"a\":1}")));
        assert_eq!(run.export.as_deref(), Some("main"));
        assert_eq!(run.arguments, ["x", "--input", "y"]);
    }
}
