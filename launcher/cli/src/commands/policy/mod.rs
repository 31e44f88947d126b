//! `secure-bun policy init | check | show | schema | why | diff | trust`.

mod diff;
mod init;
mod schema;
mod trust;
mod why;

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use policy::{Origins, Places};
use secure_bun::{Interpreter, places};

use crate::args::Policy;
use crate::policy_source::{self, Limits};
use crate::report;

/// Makes, checks, explains, compares or approves a policy.
pub(crate) fn policy(command: &Policy) -> ExitCode {
    let cwd = std::env::current_dir().unwrap_or_else(|_| "/".into());
    match command {
        Policy::Init { program, extends, write } => init::init(program, extends.as_deref(), *write, &cwd),
        Policy::Check { policy } => check(policy, &cwd),
        Policy::Show { policy, origins } => {
            let origins = if *origins { Origins::Shown } else { Origins::Hidden };
            match policy_source::read(policy, Limits::default(), &cwd) {
                Ok(read) => print(&read.policy().to_json(origins)),
                Err(fault) => report::fault(&fault),
            }
        }
        Policy::Schema { write } => schema::schema(*write, &cwd),
        Policy::Why { policy, program, permission, resource } => {
            why::why(policy.as_deref(), program.as_deref(), permission, resource.as_deref(), &cwd)
        }
        Policy::Diff { first, second, base, json } => diff::diff(first, second, base.as_deref(), *json, &cwd),
        Policy::Trust(trust) => trust::trust(trust, &cwd),
    }
}

fn print(text: &str) -> ExitCode {
    // A reader that has gone does not want the rest.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// Text with names and values from policies in it, which may be of somebody's making.
fn tell(text: &str) -> ExitCode {
    print(&report::harmless(text))
}

fn usage(message: &str, help: Option<&str>) -> ExitCode {
    report::error(message, help);
    ExitCode::from(report::USAGE)
}

/// The places of a program, or of one that would lie in the working directory.
fn places_of(program: Option<&Path>, cwd: &Path) -> Places {
    let program = program.map_or_else(|| cwd.join("program.ts"), Path::to_path_buf);
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    places::places(&program, cwd, home.as_deref(), Path::new(places::TMP))
}

fn check(policy: &OsStr, cwd: &Path) -> ExitCode {
    let read = policy_source::read(policy, Limits::default(), cwd);
    let expanded = match read.and_then(|read| policy_source::enforceable(read.policy())) {
        Ok(policy) => policy.expand(&places_of(None, cwd)),
        Err(fault) => return report::fault(&fault),
    };
    match secure_bun::interpreters(&expanded) {
        Ok(interpreters) => {
            for Interpreter { rule, script, program } in interpreters {
                let (script, program) = (script.display(), program.display());
                report::note(&format!("{rule} grants {program} as well, which runs {script}"));
            }
            tell(&format!("{} is valid\n", policy.display()))
        }
        Err(error) => {
            report::error(&error.message, error.help.as_deref());
            ExitCode::from(error.kind.exit_code())
        }
    }
}
