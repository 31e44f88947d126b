//! `secure-bun policy trust`: approvals of policies that came with programs.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use super::{places_of, tell};
use crate::args::Trust;
use crate::policy_source::{self, Approval, Approvals, DEFAULT, Fault, Limits};
use crate::report;

/// Approves, takes back, or lists.
pub(super) fn trust(command: &Trust, cwd: &Path) -> ExitCode {
    let told = match command {
        Trust::Approve(file) => approve(file, cwd),
        Trust::Remove(file) => remove(file, cwd),
        Trust::List => list(),
    };
    match told {
        Ok(text) => tell(&text),
        Err(fault) => report::fault(&fault),
    }
}

/// Says what the file grants beyond the preset, and approves it as it is now, with all that it extends.
fn approve(file: &Path, cwd: &Path) -> Result<String, Fault> {
    let shown = file.display();
    let path = cwd.join(file);
    let path = path.canonicalize().map_err(|error| Fault::new(format!("cannot read the policy {shown}: {error}")))?;
    if !policy_source::is_discoverable(&path) {
        return Err(Fault::new(format!("{shown} is never used by itself, so there is nothing to approve")).with_help(
            "secure-bun.json, secure-bun.jsonc and package.json are, outside node_modules; name others with --policy",
        ));
    }
    if !path.is_file() {
        return Err(Fault::new(format!("{shown} is not a regular file")));
    }
    let Some(read) = policy_source::read_whole(&path, cwd, &Limits::default())? else {
        return Err(Fault::new(format!("{shown} has no policy")).with_help("it stands under the key \"secureBun\""));
    };
    let policy = policy_source::enforceable(read.policy())?;
    let files = read.approved();
    for file in &files {
        policy_source::check_path(&file.path)?;
    }
    let preset = format!("preset {}", DEFAULT.name());
    let bounded = policy.bounded_by(preset.as_str(), policy::Policy::merge([&policy::Layer::preset(DEFAULT)]));
    let beyond = policy::ignored(&bounded, &places_of(Some(&path), cwd));
    let mut text = String::new();
    if beyond.is_empty() {
        let _ = writeln!(text, "{shown} grants nothing beyond {preset}");
    } else {
        let _ = writeln!(text, "{shown} grants beyond {preset}:");
        for change in &beyond {
            let _ = writeln!(text, "  {change}");
        }
    }
    let _ = writeln!(text, "approved, until it or what it extends changes");
    Approvals::change(|approvals| {
        approvals.approved.retain(|approval| approval.policy != path);
        approvals.approved.push(Approval { policy: path.clone(), files });
    })?;
    Ok(text)
}

/// Also for a file that has gone.
fn remove(file: &Path, cwd: &Path) -> Result<String, Fault> {
    let path = cwd.join(file);
    let path = path.canonicalize().unwrap_or_else(|_| policy::normalize(&path));
    let was_there = Approvals::change(|approvals| {
        let before = approvals.approved.len();
        approvals.approved.retain(|approval| approval.policy != path);
        approvals.approved.len() < before
    })?;
    if was_there {
        Ok(format!("{} is no longer approved\n", file.display()))
    } else {
        Err(Fault::new(format!("{} is not approved", file.display())).with_help("`secure-bun policy trust --list`"))
    }
}

fn list() -> Result<String, Fault> {
    let approvals = Approvals::open()?;
    let mut text = String::new();
    for approval in &approvals.approved {
        let state = if approvals.hold(&approval.policy) { "approved" } else { "no longer what was approved" };
        let _ = writeln!(text, "{}: {state}", approval.policy.display());
    }
    if text.is_empty() {
        text.push_str("nothing is approved\n");
    }
    Ok(text)
}
