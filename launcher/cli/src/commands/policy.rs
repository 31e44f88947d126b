//! `secure-bun policy check | show | schema | why`.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use policy::{Origins, Permission, Request};
use secure_bun::{Interpreter, places};

use crate::args::Policy;
use crate::{policy_source, report};

/// Checks or explains a policy.
pub(crate) fn policy(command: &Policy) -> ExitCode {
    let cwd = std::env::current_dir().unwrap_or_else(|_| "/".into());
    match command {
        Policy::Check { policy } => check(policy, &cwd),
        Policy::Show { policy, origins } => {
            let origins = if *origins { Origins::Shown } else { Origins::Hidden };
            match policy_source::load_named(policy, &cwd) {
                Ok(policy) => print(&policy.to_json(origins)),
                Err(fault) => report::fault(&fault),
            }
        }
        Policy::Schema => print(policy::POLICY_SCHEMA),
        Policy::Why { policy, program, permission, resource } => {
            why(policy, program.as_deref(), permission, resource.as_deref(), &cwd)
        }
    }
}

fn print(text: &str) -> ExitCode {
    // A reader that has gone does not want the rest.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn check(policy: &OsStr, cwd: &Path) -> ExitCode {
    let loaded = match policy_source::load_named(policy, cwd).and_then(policy_source::enforceable) {
        Ok(loaded) => loaded,
        Err(fault) => return report::fault(&fault),
    };
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    let expanded =
        loaded.expand(&places::places(&cwd.join("program.ts"), cwd, home.as_deref(), Path::new(places::TMP)));
    match secure_bun::interpreters(&expanded) {
        Ok(interpreters) => {
            for Interpreter { rule, script, program } in interpreters {
                let (script, program) = (script.display(), program.display());
                report::note(&report::harmless(&format!("{rule} grants {program} as well, which runs {script}")));
            }
            print(&format!("{} is valid\n", policy.display()))
        }
        Err(error) => {
            report::error(&report::harmless(&error.message), error.help.as_deref());
            ExitCode::from(error.kind.exit_code())
        }
    }
}

/// Answers with the decision; exits with 0 when it is allowed and with 1 when it is not.
fn why(policy: &OsStr, program: Option<&Path>, permission: &str, resource: Option<&str>, cwd: &Path) -> ExitCode {
    let policy = match policy_source::load_named(policy, cwd) {
        Ok(policy) => policy,
        Err(fault) => return report::fault(&fault),
    };
    let usage = |message: &str, help: Option<&str>| {
        report::error(message, help);
        ExitCode::from(report::USAGE)
    };
    let Some(permission) = Permission::from_name(permission) else {
        let names: Vec<&str> = Permission::ALL.iter().map(|permission| permission.name()).collect();
        let help = format!("the permissions are {}", names.join(", "));
        return usage(&format!("there is no permission {permission:?}"), Some(&help));
    };
    let Some(request) = Request::from_parts(permission, resource) else {
        return usage(&format!("{permission} needs a resource of its kind, such as a path or host:port"), None);
    };
    let program = match program.map(|program| places::program(program, cwd)).transpose() {
        Ok(program) => program.unwrap_or_else(|| cwd.join("program.ts")),
        Err(error) => return usage(&error.message, error.help.as_deref()),
    };
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    let expanded = policy.expand(&places::places(&program, cwd, home.as_deref(), Path::new(places::TMP)));
    let decision = policy::decide(&expanded, &request);
    if decision.allowed {
        return print(&format!("allowed by {}\n", decision.rule));
    }
    print(&format!("{}\n", policy::explain(&request, &decision)));
    ExitCode::FAILURE
}
