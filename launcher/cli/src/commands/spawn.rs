//! `secure-bun spawn`: run any other program in a sandbox.

use std::process::ExitCode;

use secure_bun::{Error, Output, Spawn};

use super::run::{refuse, search, tell, variables};
use crate::args::Run;
use crate::policy_source::{self, Added, Code, InForce};
use crate::report;

/// Runs what was asked for and tells how it went.
pub(crate) fn spawn(run: &Run) -> ExitCode {
    let Ok(cwd) = std::env::current_dir() else {
        report::error("there is no working directory", Some("change to a folder that exists"));
        return ExitCode::from(report::USAGE);
    };
    let added = Added { grants: &run.grants, limits: &run.limits };
    let InForce { policy, warnings } = match policy_source::load(run.policy.as_deref(), Code::Folder, added, &cwd) {
        Ok(in_force) => in_force,
        Err(fault) => return report::fault(&fault),
    };
    for warning in warnings.iter().filter(|_| !run.quiet) {
        report::warning(warning);
    }
    match job(run, policy).and_then(|job| secure_bun::spawn(&job)) {
        Ok(outcome) => tell(run, false, outcome),
        Err(error) => refuse(&error),
    }
}

fn job(run: &Run, policy: policy::Policy) -> Result<Spawn, Error> {
    Ok(Spawn {
        command: run.program.clone().into_os_string(),
        arguments: run.arguments.clone(),
        policy,
        search: search(run),
        launcher: std::env::current_exe().ok(),
        variables: variables(run)?,
        output: if run.json { Output::Capture } else { Output::Relay },
        reported: run.report_fd.is_some(),
    })
}
