//! The text of a proposed policy.

use std::fmt::Write as _;

use super::super::schema;
use super::modules::{Modules, Place};
use super::needs::{Need, Needs};
use crate::report;

/// More places than that are only counted.
const MOST_PLACES: usize = 4;

/// A policy as JSON with comments that say what asked for each line.
pub(super) fn text(modules: &Modules, needs: &Needs) -> String {
    let preset = needs.preset.name();
    let mut text = String::new();
    let program = modules.files.first().map_or("", |module| module.name.as_str());
    let more = match modules.files.len().saturating_sub(1) {
        0 => String::new(),
        1 => " and of one file that it imports".to_owned(),
        more => format!(" and of {more} files that it imports"),
    };
    comment(&mut text, "", &format!("Proposed by `secure-bun policy init`: what the text of {program}{more} names."));
    comment(&mut text, "", "Read it before you use it. What a program hides, or computes, is not seen in its text.");
    if !modules.packages.is_empty() {
        let packages = modules.packages.iter().map(|(package, place)| format!("{package} ({place})"));
        comment(&mut text, "", &format!("Packages were not read: {}.", packages.collect::<Vec<_>>().join(", ")));
    }
    for problem in &modules.unread {
        comment(&mut text, "", &format!("Not read: {problem}."));
    }
    let _ = writeln!(text, "{{\n  \"$schema\": \"./{}\",\n  \"version\": 1,", schema::FILE);
    comment(&mut text, "  ", &format!("What preset {preset} allows is not repeated."));
    let _ = writeln!(text, "  \"extends\": \"{preset}\",");
    if needs.permissions.is_empty() {
        text.push_str("}\n");
        return text;
    }
    text.push_str("  \"allow\": {\n");
    for need in &needs.permissions {
        permission(&mut text, need);
    }
    text.push_str("  }\n}\n");
    text
}

fn permission(text: &mut String, need: &Need) {
    let name = need.permission.name();
    if !need.computed.is_empty() {
        let line = format!("{name}: computed at {}; name here what it needs.", shown(&need.computed));
        comment(text, "    ", &line);
    }
    if need.values.is_empty() {
        return;
    }
    let indent = if need.is_available {
        "    "
    } else {
        comment(text, "    ", &format!("{name} is not available yet, so these lines wait:"));
        "    // "
    };
    if let [only] = &need.values[..]
        && !only.value.is_string()
    {
        let _ = writeln!(text, "{indent}\"{name}\": {}, // {}", literal(&only.value), plain(&shown(&only.places)));
        return;
    }
    let _ = writeln!(text, "{indent}\"{name}\": [");
    for named in &need.values {
        let places = shown(&named.places);
        let why = match named.note {
            Some(note) if places.is_empty() => note.to_owned(),
            Some(note) => format!("{places} ({note})"),
            None => places,
        };
        let _ = writeln!(text, "{indent}  {}, // {}", literal(&named.value), plain(&why));
    }
    let _ = writeln!(text, "{indent}],");
}

fn shown(places: &[Place]) -> String {
    let named: Vec<String> = places.iter().take(MOST_PLACES).map(ToString::to_string).collect();
    let named = named.join(", ");
    match places.len().saturating_sub(MOST_PLACES) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn comment(text: &mut String, indent: &str, line: &str) {
    let _ = writeln!(text, "{indent}// {}", plain(line));
}

/// A value, with nothing in it that a terminal would obey.
fn literal(value: &serde_json::Value) -> String {
    let is_plain = |c: char| report::harmless(c.encode_utf8(&mut [0; 4])).starts_with(c);
    let escaped = |c: char| if is_plain(c) { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) };
    value.to_string().chars().map(escaped).collect()
}

/// Names of files and packages are of the program's making: a comment ends at the end of its line.
fn plain(text: &str) -> String {
    report::harmless(text).replace(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'), " ")
}
