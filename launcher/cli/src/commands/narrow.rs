//! The launcher inside a sandbox: `/run/secure-bun/narrow [--check] [--name NAME] POLICY PROGRAM [ARGS…]` runs a program
//! in a narrower one. The preload calls it for `Bun.spawn(…, { sandbox })`; a shell may as well.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use policy::{Excess, explain};
use secure_bun::narrow::{PROGRAM, Refusal, Wanted, become_child, prepare};
use serde::Serialize;

use crate::report;

/// What to do about a policy that is too wide.
const NARROWER: &str = "narrow the child's policy, or grant its program more";

/// Whether the launcher was started for this.
pub(crate) fn is_asked_for() -> bool {
    std::env::args_os().next().is_some_and(|name| name == PROGRAM)
}

/// Becomes the program, or only says whether that could be.
pub(crate) fn narrow() -> ExitCode {
    let Some((wanted, is_check)) = read(std::env::args_os().skip(1).collect()) else {
        report::error("what to run is missing", Some("narrow [--check] [--name NAME] POLICY PROGRAM [ARGUMENTS…]"));
        return ExitCode::from(report::USAGE);
    };
    let prepared = prepare(&wanted);
    if is_check {
        return answer(&prepared.map_or_else(|refusal| Answer::of(&refusal), |_| Answer::default()));
    }
    match prepared {
        Ok(narrower) => failed(&become_child(&narrower)),
        Err(Refusal::Failed(error)) => failed(&error),
        Err(Refusal::Invalid(problems)) => {
            report::diagnostics(&problems);
            ExitCode::from(report::USAGE)
        }
        Err(refusal) => {
            let Answer { message, .. } = Answer::of(&refusal);
            let help = matches!(refusal, Refusal::Wider(_)).then_some(NARROWER);
            report::error(message.as_deref().unwrap_or_default(), help);
            ExitCode::from(report::USAGE)
        }
    }
}

fn failed(error: &secure_bun::Error) -> ExitCode {
    report::error(&error.message, error.help.as_deref());
    ExitCode::from(error.kind.exit_code())
}

fn read(mut words: VecDeque<OsString>) -> Option<(Wanted, bool)> {
    let (mut is_check, mut name) = (false, None);
    loop {
        let word = words.pop_front()?;
        if word == "--check" {
            is_check = true;
        } else if word == "--name" {
            name = Some(words.pop_front()?);
        } else {
            let policy = word.into_string().ok()?;
            let program = words.pop_front()?;
            return Some((Wanted { policy, program, name, arguments: words.into() }, is_check));
        }
    }
}

/// What a check says: nothing, or what is in the way. `preload/src/narrow.ts` declares the same.
#[derive(Debug, Default, Serialize)]
struct Answer {
    /// What kind of error it is; none: the program can be run.
    error: Option<&'static str>,
    message: Option<String>,
    permission: Option<String>,
    resource: Option<String>,
    rule: Option<String>,
    fix: Option<String>,
}

impl Answer {
    fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Invalid(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                Self { error: Some("invalid"), message: Some(problems.join("; ")), ..Self::default() }
            }
            Refusal::Wider(excesses) => Self::of_wider(excesses),
            Refusal::Denied { request, decision } => Self {
                error: Some("denied"),
                message: Some(explain(request, decision)),
                permission: Some(request.permission().name().to_owned()),
                resource: request.resource(),
                rule: Some(decision.rule.to_string()),
                fix: decision.fix.clone(),
            },
            Refusal::Failed(error) => {
                let message = match &error.help {
                    Some(help) => format!("{}: {help}", error.message),
                    None => error.message.clone(),
                };
                let kind = if error.kind == secure_bun::error::Kind::NotFound { "missing" } else { "failed" };
                Self { error: Some(kind), message: Some(message), ..Self::default() }
            }
        }
    }

    fn of_wider(excesses: &[Excess]) -> Self {
        let all: Vec<String> = excesses.iter().map(ToString::to_string).collect();
        let statement = excesses.iter().find_map(|excess| excess.statement.as_ref());
        Self {
            error: Some("wider"),
            message: Some(format!("the policy of the child is wider than that of its program: {}", all.join("; "))),
            permission: statement.map(|statement| statement.permission.name().to_owned()),
            resource: statement.map(|statement| plain(&statement.origin.json())),
            rule: statement.map(ToString::to_string).or_else(|| excesses.first().map(|excess| excess.key.clone())),
            fix: Some(NARROWER.to_owned()),
        }
    }
}

/// A value of a policy as a resource: a text without its quotes.
fn plain(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
}

fn answer(answer: &Answer) -> ExitCode {
    let line = serde_json::to_string(answer).unwrap_or_default();
    // Nobody listens: then nobody is answered.
    let _ = writeln!(std::io::stdout(), "{line}");
    ExitCode::SUCCESS
}
