//! `secure-bun run`: run a program, or call the function that a file exports.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::ExitCode;

use secure_bun::host::Search;
use secure_bun::outcome::Exit;
use secure_bun::places::working_directory;
use secure_bun::{Ending, Entry, Error, Input, Job, Outcome, Output};

use crate::args::{self, Run};
use crate::policy_source::{self, Added, Code, InForce};
use crate::report;
use secure_bun::explain::{self, Verdict};

/// The longest input, in bytes.
const MAX_INPUT_BYTES: u64 = 16 << 20;

/// Runs what was asked for and tells how it went.
pub(crate) fn run(mut run: Run) -> ExitCode {
    if !run.script
        && let Err(stop) = args::take_call_flags(&mut run)
    {
        return report::stop(&stop);
    }
    let policy = match policy_in_force(&run, Code::Program(&run.program)) {
        Ok(policy) => policy,
        Err(code) => return code,
    };
    let job = match job(&run, policy) {
        Ok(job) => job,
        Err(error) => return report::refusal(&error),
    };
    match secure_bun::run(&job) {
        Ok(outcome) => tell(&run, job.args.is_some() || job.export.is_some(), outcome),
        Err(error) => report::refusal(&error),
    }
}

/// The policy of a run, with what the user should know about it told. `Err`: there is none, as was told as well.
pub(super) fn policy_in_force(run: &Run, code: Code<'_>) -> Result<policy::Policy, ExitCode> {
    let cwd = working_directory().map_err(|error| report::refusal(&error))?;
    let added = Added { grants: &run.grants, limits: &run.limits };
    let in_force = policy_source::load(run.policy.as_deref(), code, added, &cwd);
    let InForce { policy, warnings } = in_force.map_err(|fault| report::fault(&fault))?;
    for warning in warnings.iter().filter(|_| !run.quiet) {
        report::warning(warning);
    }
    Ok(policy)
}

fn job(run: &Run, policy: policy::Policy) -> Result<Job, Error> {
    let (input, input_is_taken) = match &run.input {
        None => (None, false),
        Some(input) => {
            let (text, taken) = read_input(input)?;
            (Some(text), taken)
        }
    };
    if run.script && (input.is_some() || run.export.is_some()) {
        return Err(usage("--script never calls a function: it does not go with --input or --export"));
    }
    Ok(Job {
        entry: Entry::File(run.program.clone()),
        arguments: run.arguments.clone(),
        policy,
        search: search(run),
        launcher: std::env::current_exe().ok(),
        variables: variables(run)?,
        secrets: run.secrets.clone(),
        args: input.map(|input| format!("[{input}]")),
        bytes: Vec::new(),
        returns_bytes: false,
        context: None,
        export: run.export.clone(),
        script: run.script,
        input: if input_is_taken { Input::Empty } else { Input::Own },
        output: if run.json { Output::Capture } else { Output::Relay },
        denials: run.suggest || run.report_fd.is_some(),
    })
}

/// Where to look for programs.
pub(super) fn search(run: &Run) -> Search {
    Search {
        flag: run.bun.clone(),
        variable: std::env::var_os("SECURE_BUN_BUN"),
        path: std::env::var_os("PATH"),
        untrusted: Vec::new(),
    }
}

/// What `--env` gives.
pub(super) fn variables(run: &Run) -> Result<Vec<(OsString, OsString)>, Error> {
    run.variables.iter().map(|variable| split_variable(variable)).collect()
}

fn usage(message: impl Into<String>) -> Error {
    Error::new(secure_bun::error::Kind::Usage, message)
}

fn split_variable(variable: &OsStr) -> Result<(OsString, OsString), Error> {
    let bytes = variable.as_bytes();
    let Some(at) = bytes.iter().position(|byte| *byte == b'=') else {
        return Err(usage(format!("--env {}: write NAME=VALUE", variable.display())));
    };
    let (name, value) = bytes.split_at(at);
    let value = value.get(1..).unwrap_or_default();
    Ok((OsString::from_vec(name.to_vec()), OsString::from_vec(value.to_vec())))
}

/// The input as JSON text, and whether standard input was read for it.
fn read_input(input: &OsStr) -> Result<(String, bool), Error> {
    let bytes = input.as_bytes();
    let read = |mut from: Box<dyn Read>, name: &str| {
        let mut text = Vec::new();
        from.by_ref()
            .take(MAX_INPUT_BYTES + 1)
            .read_to_end(&mut text)
            .map_err(|error| usage(format!("--input: cannot read {name}: {error}")))?;
        Ok::<_, Error>(text)
    };
    let (text, taken) = match bytes {
        b"-" => (read(Box::new(std::io::stdin()), "standard input")?, true),
        [b'@', path @ ..] => {
            let path = Path::new(OsStr::from_bytes(path));
            let file = std::fs::File::open(path)
                .map_err(|error| usage(format!("--input: cannot open {}: {error}", path.display())))?;
            (read(Box::new(file), &path.display().to_string())?, false)
        }
        _ => (bytes.to_vec(), false),
    };
    if u64::try_from(text.len()).is_ok_and(|length| length > MAX_INPUT_BYTES) {
        return Err(usage(format!("--input: longer than {} MB", MAX_INPUT_BYTES >> 20)));
    }
    let text = String::from_utf8(text).map_err(|_| usage("--input: not UTF-8"))?;
    serde_json::from_str::<serde::de::IgnoredAny>(&text).map_err(|error| {
        usage(format!("--input: not JSON: {error}")).with_help("strings need their quotes: '\"text\"'")
    })?;
    Ok((text, taken))
}

/// Tells how it went, to people or to programs, and ends as the program did. `called`: a function was to be called.
pub(super) fn tell(run: &Run, called: bool, outcome: Outcome) -> ExitCode {
    let verdict = explain::verdict(&outcome, called);
    if !run.quiet {
        for warning in &outcome.warnings {
            report::warning(&warning.0);
        }
    }
    if run.verbose {
        let usage = outcome.usage;
        report::note(&format!("started in {:?}, ran {:?}, CPU {:?}", usage.start, usage.wall, usage.cpu));
    }
    if !run.json {
        tell_people(&outcome, &verdict);
    }
    let denials = explain::denials(&outcome);
    if run.json || run.report_fd.is_some() {
        let line = explain::envelope(outcome, &verdict).to_line();
        if let Err(error) = tell_programs(run, &line) {
            report::error(&format!("cannot write the report: {error}"), None);
            return ExitCode::from(report::USAGE);
        }
    }
    if run.suggest {
        suggest(&denials);
    }
    end(&verdict)
}

fn tell_people(outcome: &Outcome, verdict: &Verdict) {
    match &outcome.ending {
        Ending::Returned(value) => {
            let mut stdout = std::io::stdout().lock();
            // A reader that has gone does not want the result.
            let _ = writeln!(stdout, "{}", value.get());
        }
        // Bun has printed the error of a script that failed, or that could not be loaded.
        Ending::Ended if verdict.code != 125 && !outcome.called => help(explain::afterword(outcome)),
        Ending::Threw(_) if outcome.program.is_none() && matches!(outcome.exit, Exit::Code(_)) => {
            help(explain::afterword(outcome));
        }
        Ending::Threw(thrown) => {
            let stack = thrown.stack.as_deref().filter(|stack| stack.contains(&thrown.message));
            let text = stack.map_or_else(|| format!("{}: {}", thrown.name, thrown.message), str::to_owned);
            report::error(text.trim_end(), None);
            help(explain::afterword(outcome));
            help(verdict.failure.as_ref().and_then(|failure| failure.docs.clone()));
        }
        _ => {
            if let Some(failure) = &verdict.failure {
                report::error(&failure.message, failure.docs.as_deref());
            }
        }
    }
}

fn help(text: Option<String>) {
    if let Some(text) = text {
        report::help(&text);
    }
}

fn tell_programs(run: &Run, line: &str) -> std::io::Result<()> {
    if run.json {
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{line}")?;
        stdout.flush()?;
    }
    if let Some(number) = run.report_fd {
        // Opened by name, which takes no descriptor away from anybody.
        let mut file = std::fs::OpenOptions::new().append(true).open(format!("/proc/self/fd/{number}"))?;
        writeln!(file, "{line}")?;
    }
    Ok(())
}

fn suggest(denials: &[wire::envelope::Denial]) {
    let lines = explain::suggestions(denials);
    if lines.is_empty() {
        report::note("nothing was refused");
    } else {
        report::note("under a policy with these lines nothing of this would have been refused:");
        for line in lines {
            eprintln!("  {}", report::harmless(&line));
        }
    }
}

/// Ends with the program's code, or by the signal that ended it.
fn end(verdict: &Verdict) -> ExitCode {
    if let Some(signal) = verdict.signal {
        secure_bun::outcome::end_by_signal(signal);
    }
    ExitCode::from(u8::try_from(verdict.code & 0xff).unwrap_or(1))
}
