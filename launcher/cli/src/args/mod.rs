//! What the user typed, and nothing more: no file is opened here.

mod policy;
mod run;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command as Clap};

pub(crate) use policy::{Policy, Trust};
pub(crate) use run::{GrantFlag, Run, Serve, take_call_flags};

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// `secure-bun run`.
    Run(Box<Run>),
    /// `secure-bun spawn`: the same without what belongs to functions.
    Spawn(Box<Run>),
    /// `secure-bun serve`.
    Serve(Box<Serve>),
    /// `secure-bun policy …`.
    Policy(Policy),
    /// `secure-bun doctor`.
    Doctor(Doctor),
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

/// Commands of the design that are still to come.
const LATER: [&str; 15] = [
    "test", "install", "add", "remove", "update", "ci", "x", "build", "repl", "check", "sign", "verify", "bundle",
    "shim", "learn",
];

/// Reads the command line.
pub(crate) fn parse(words: impl Iterator<Item = OsString>) -> Result<Command, Stop> {
    let words: Vec<OsString> = words.collect();
    let command = words.get(1).and_then(|word| word.to_str());
    let matches = grammar(command).try_get_matches_from(words).map_err(|error| stop(&error))?;
    match matches.subcommand() {
        Some(("run", matches)) => run::read(matches).map(|run| Command::Run(Box::new(run))),
        Some(("spawn", matches)) => run::read_spawn(matches).map(|run| Command::Spawn(Box::new(run))),
        Some(("serve", matches)) => run::read_serve(matches).map(|serve| Command::Serve(Box::new(serve))),
        Some(("policy", matches)) => policy::read(matches).map(Command::Policy),
        Some(("doctor", matches)) => {
            Ok(Command::Doctor(Doctor { bun: path(matches, "bun"), json: matches.get_flag("json") }))
        }
        Some((name, _)) if LATER.contains(&name) => Err(not_yet(&format!("secure-bun {name}"))),
        _ => Err(Stop::Help(grammar(None).render_help().to_string())),
    }
}

pub(super) fn not_yet(what: &str) -> Stop {
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
        .subcommand(detailed("run", "Run a program, or call the function that a file exports", run::grammar))
        .subcommand(detailed("spawn", "Run any other program in a sandbox", run::spawn_grammar))
        .subcommand(detailed(
            "serve",
            "Carry out calls, each in a fresh Bun, asked for on standard input",
            run::serve_grammar,
        ))
        .subcommand(detailed("policy", "Check and explain policies", policy::grammar))
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

pub(super) fn flag(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help).value_parser(clap::value_parser!(OsString))
}

pub(super) fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

pub(super) fn os(matches: &ArgMatches, name: &str) -> Option<OsString> {
    matches.get_one::<OsString>(name).cloned()
}

pub(super) fn path(matches: &ArgMatches, name: &str) -> Option<PathBuf> {
    os(matches, name).map(PathBuf::from)
}

pub(super) fn text(matches: &ArgMatches, name: &str) -> Result<Option<String>, Stop> {
    os(matches, name).map(|value| utf8(name, &value)).transpose()
}

pub(super) fn utf8(name: &str, value: &OsStr) -> Result<String, Stop> {
    value.to_str().map(str::to_owned).ok_or_else(|| Stop::usage(format!("--{name}: the value is not UTF-8")))
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
        assert_eq!(message("spawn --export main -- x"), "unknown flag --export; did you mean --report-fd?");
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
        assert_eq!(message("test"), "secure-bun test is not available yet");
        assert_eq!(message("test --watch x"), "secure-bun test is not available yet");
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
