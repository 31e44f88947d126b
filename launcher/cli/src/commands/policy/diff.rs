//! `secure-bun policy diff`: what the second policy allows that the first does not, and the reverse.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use policy::{Change, Diff};
use serde::Serialize;

use super::{places_of, print, tell};
use crate::policy_source::{self, Fault, Limits};
use crate::report;

/// What it exits with when the second policy allows more.
const WIDENED: u8 = 3;

/// Compares them for a program that would lie in the working directory.
pub(super) fn diff(first: &OsStr, second: &OsStr, base: Option<&Path>, json: bool, cwd: &Path) -> ExitCode {
    let found = match compare(first, second, base, cwd) {
        Ok(found) => found,
        Err(fault) => return report::fault(&fault),
    };
    if json {
        print(&line(&found));
    } else {
        tell(&words(&found, first, second));
    }
    if found.widened.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(WIDENED) }
}

fn compare(first: &OsStr, second: &OsStr, base: Option<&Path>, cwd: &Path) -> Result<Diff, Fault> {
    let base = base.map(|base| cwd.join(base));
    let limits = Limits::based(base.as_deref());
    let (first, second) = (policy_source::read(first, limits, cwd)?, policy_source::read(second, limits, cwd)?);
    Ok(policy::diff(&first.policy(), &second.policy(), &places_of(None, cwd)))
}

fn words(found: &Diff, first: &OsStr, second: &OsStr) -> String {
    let (first, second) = (first.display(), second.display());
    let mut text = String::new();
    let mut list = |changes: &[Change], heading: &str| {
        if !changes.is_empty() {
            let _ = writeln!(text, "{heading}");
            for change in changes {
                let _ = writeln!(text, "  {change}");
            }
        }
    };
    list(&found.widened, &format!("widened: {second} allows what {first} does not"));
    list(&found.narrowed, &format!("narrowed: {first} allows what {second} does not"));
    if text.is_empty() {
        let _ = writeln!(text, "{first} and {second} allow the same");
    }
    text
}

/// What programs read. The order of its members is part of it.
#[derive(Serialize)]
struct Line<'a> {
    within: bool,
    widened: Vec<Item<'a>>,
    narrowed: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    /// `allow.read`, `limits.wall_ms`.
    key: &'a str,
    /// As its author wrote it; absent for what holds because nothing is said.
    value: Option<serde_json::Value>,
    place: Option<String>,
    reason: &'a str,
}

impl<'a> Item<'a> {
    fn of(change: &'a Change) -> Self {
        let place = change.place.as_ref();
        Self {
            key: &change.excess.key,
            value: place.map(|place| serde_json::from_str(&place.json()).unwrap_or_else(|_| place.json().into())),
            place: place.map(ToString::to_string),
            reason: &change.excess.reason,
        }
    }
}

fn line(found: &Diff) -> String {
    fn items(changes: &[Change]) -> Vec<Item<'_>> {
        changes.iter().map(Item::of).collect()
    }
    let line =
        Line { within: found.widened.is_empty(), widened: items(&found.widened), narrowed: items(&found.narrowed) };
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.push('\n');
    text
}
