//! `secure-bun doctor`: try each layer here and say what works.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use secure_bun::doctor::{self, Check, Examination, State};
use secure_bun::error::Kind;
use secure_bun::host::Search;
use secure_bun::places::working_directory;

use crate::args::Doctor;
use crate::report;

/// Tries and tells.
pub(crate) fn doctor(doctor: &Doctor) -> ExitCode {
    let cwd = match working_directory() {
        Ok(cwd) => cwd,
        Err(error) => return report::refusal(&error),
    };
    let search = Search {
        flag: doctor.bun.clone(),
        variable: std::env::var_os("SECURE_BUN_BUN"),
        path: std::env::var_os("PATH"),
        untrusted: Vec::new(),
    };
    let examination = doctor::examine(&search, &cwd);
    let text = if doctor.json { json(&examination) } else { table(&examination) };
    // A reader that has gone still learns the exit code.
    let _ = std::io::stdout().write_all(text.as_bytes());
    if examination.can_run { ExitCode::SUCCESS } else { ExitCode::from(Kind::Sandbox.exit_code()) }
}

fn json(examination: &Examination) -> String {
    // Strings and a boolean: there is nothing that cannot be serialised.
    serde_json::to_string(examination).unwrap_or_default() + "\n"
}

/// One line per layer, the remedy below what needs one, and the verdict.
fn table(examination: &Examination) -> String {
    let mut text = String::new();
    for check in &examination.checks {
        let Check { name, state, detail, purpose, remedy } = check;
        let state = match state {
            State::Ok => "ok",
            State::Missing => "missing",
            State::Note => "note",
        };
        let detail = report::harmless(detail);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{state:<8} {name:<11} {purpose}: {detail}");
        if let Some(remedy) = remedy {
            let _ = writeln!(text, "{:<20} help: {}", "", report::harmless(remedy));
        }
    }
    let verdict = if examination.can_run { "can" } else { "cannot" };
    let _ = writeln!(text, "\nsecure-bun {verdict} run programs here");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examination(landlock: State, remedy: Option<&str>) -> Examination {
        let check = |name, state, detail: &str, remedy: Option<&str>| Check {
            name,
            state,
            detail: detail.to_owned(),
            purpose: "its purpose",
            remedy: remedy.map(str::to_owned),
        };
        Examination {
            can_run: landlock != State::Missing,
            checks: vec![
                check("kernel", State::Ok, "Linux 6.18", None),
                check("landlock", landlock, "a\x1b[2Jb", remedy),
            ],
        }
    }

    #[test]
    fn a_machine_where_all_is_well() {
        assert_eq!(
            table(&examination(State::Ok, None)),
            "ok       kernel      its purpose: Linux 6.18\n\
             ok       landlock    its purpose: a\\u{1b}[2Jb\n\
             \nsecure-bun can run programs here\n"
        );
    }

    #[test]
    fn what_is_missing_has_its_remedy_below() {
        assert_eq!(
            table(&examination(State::Missing, Some("turn it on"))),
            "ok       kernel      its purpose: Linux 6.18\n\
             missing  landlock    its purpose: a\\u{1b}[2Jb\n\
             \x20                    help: turn it on\n\
             \nsecure-bun cannot run programs here\n"
        );
    }

    #[test]
    fn the_same_as_json() {
        let line = json(&examination(State::Missing, Some("turn it on")));
        assert_eq!(
            line,
            concat!(
                r#"{"can_run":false,"checks":[{"name":"kernel","state":"ok","detail":"Linux 6.18","purpose":"its purpose"},"#,
                r#"{"name":"landlock","state":"missing","detail":"a\u001b[2Jb","purpose":"its purpose","remedy":"turn it on"}]}"#,
                "\n"
            )
        );
    }
}
