//! `secure-bun spawn`: run any other program in a sandbox.

use std::process::ExitCode;

use secure_bun::{Error, Output, Spawn};

use super::run::{policy_in_force, search, tell, variables};
use crate::args::Run;
use crate::policy_source::Code;
use crate::report;

/// Runs what was asked for and tells how it went.
pub(crate) fn spawn(run: &Run) -> ExitCode {
    let policy = match policy_in_force(run, Code::Folder) {
        Ok(policy) => policy,
        Err(code) => return code,
    };
    match job(run, policy).and_then(|job| secure_bun::spawn(&job)) {
        Ok(outcome) => tell(run, false, outcome),
        Err(error) => report::refusal(&error),
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
        secrets: run.secrets.clone(),
        output: if run.json { Output::Capture } else { Output::Relay },
        reported: run.report_fd.is_some(),
    })
}
