//! `secure-bun policy why`: would this be allowed, by which rule, and what does the kernel make of it?

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use confine::Access;
use policy::{ExpandedPolicy, Permission, Request};
use secure_bun::resolve::look::RealFiles;
use secure_bun::resolve::{self, Found};
use secure_bun::{host, places};

use super::{places_of, tell, usage};
use crate::policy_source::{self, Added, Code, Fault, InForce, Limits};
use crate::report;

/// Answers with the decision and, for a path, with what the plan of a run shows there; exits with 0 when it is allowed
/// and with 1 when it is not.
pub(super) fn why(
    named: Option<&OsStr>,
    program: Option<&Path>,
    permission: &str,
    resource: Option<&str>,
    cwd: &Path,
) -> ExitCode {
    let Some(permission) = Permission::from_name(permission) else {
        let known: Vec<&str> = Permission::ALL.iter().map(|permission| permission.name()).collect();
        let help = format!("the permissions are {}", known.join(", "));
        return usage(&format!("there is no permission {permission:?}"), Some(&help));
    };
    let Some(request) = Request::from_parts(permission, resource) else {
        return usage(&format!("{permission} needs a resource of its kind, such as a path or host:port"), None);
    };
    let program = match program.map(|program| places::program(program, cwd)).transpose() {
        Ok(program) => program,
        Err(error) => return usage(&error.message, error.help.as_deref()),
    };
    let policy = match policy(named, program.as_deref(), cwd) {
        Ok(policy) => policy,
        Err(fault) => return report::fault(&fault),
    };
    let expanded = policy.expand(&places_of(program.as_deref(), cwd));
    let decision = policy::decide_as_asked(&expanded, &request);
    let mut text = if decision.allowed {
        format!("allowed by {}\n", decision.rule)
    } else {
        format!("{}\n", policy::explain(&request, &decision))
    };
    if let Request::Read(path) | Request::Write(path) | Request::Import(path) = &request {
        let path = policy::normalize(&cwd.join(path));
        text += &in_the_sandbox(&expanded, permission, &path, decision.allowed);
    }
    tell(&text);
    if decision.allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The policy that is named, else the one that `run` would use for the program.
fn policy(named: Option<&OsStr>, program: Option<&Path>, cwd: &Path) -> Result<policy::Policy, Fault> {
    if let Some(named) = named {
        return Ok(policy_source::read(named, Limits::default(), cwd)?.policy());
    }
    let program = program.map_or_else(|| cwd.join("program.ts"), Path::to_path_buf);
    let InForce { policy, warnings } = policy_source::load(None, Code::Program(&program), Added::default(), cwd)?;
    for warning in warnings {
        report::warning(&warning);
    }
    Ok(policy)
}

/// What the plan of a run shows at a path.
fn in_the_sandbox(policy: &ExpandedPolicy, permission: Permission, path: &Path, allowed: bool) -> String {
    let root = match resolve::visible(policy, host::identity()) {
        Ok(root) => root,
        Err(error) => return format!("but nothing runs under this policy: {error}\n"),
    };
    let sight = resolve::sight(&root, &RealFiles, path);
    let mut text = format!("in the sandbox it is {sight}\n");
    if sight.through_link {
        text = format!("in the sandbox {sight}\n");
    }
    let reaches = match &sight.seen {
        Found::Mount { access, .. } => permission != Permission::Write || *access == Access::Write,
        Found::Private(_) => true,
        // What secure-bun makes tells nothing of the machine.
        Found::Made | Found::Nothing | Found::Mask(_) => false,
    };
    if !allowed && reaches {
        let _ = writeln!(text, "{}", alone(permission));
    }
    text
}

/// What is refused by JavaScript alone, since the kernel shows it for another reason.
fn alone(permission: Permission) -> &'static str {
    match permission {
        Permission::Write => "so only the guards in JavaScript refuse it: native code could write there",
        _ => "so only the guards in JavaScript refuse it: modules are loaded from there, and native code could read it",
    }
}
