//! The page on packages is what the list says.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::{When, programs};

const HEAD: &str = "# Packages\n\n\
    {count} popular packages, each with a program that does its main thing (`tests/fixtures/packages`). A test runs every \
    program under bare Bun, then inside under the preset that fits, with `eval` and without it. Where it says *no*, the \
    test asserts that refusal.\n\n\
    | package | what its program does | preset | with `eval` | without |\n|---|---|---|---|---|\n";

/// The page as it should be.
fn page() -> String {
    let programs = programs();
    let packages: BTreeSet<&str> = programs.iter().map(|program| program.package.as_str()).collect();
    let mut page = HEAD.replace("{count}", &packages.len().to_string());
    let mut exceptions = String::from("\n## Exceptions\n\n");
    for program in &programs {
        let when = program.except.as_ref().map(|except| except.when);
        let with = if when == Some(When::Always) { "no" } else { "yes" };
        let without = if when.is_some() { "no" } else { "yes" };
        let (package, version) = (&program.package, &program.version);
        // Writing to a String cannot fail.
        let _ =
            writeln!(page, "| {package} {version} | {} | `{}` | {with} | {without} |", program.does, program.preset);
        if let Some(except) = &program.except {
            let when = if except.when == When::Always { "under no preset" } else { "not without `eval`" };
            let _ = writeln!(exceptions, "- {package} ({}), {when}: {}.", program.does, except.because);
        }
    }
    page + &exceptions
}

#[test]
fn the_page_is_what_the_list_says() {
    let assert = snapbox::Assert::new().action_env(snapbox::assert::DEFAULT_ACTION_ENV);
    assert.eq(page(), snapbox::Data::read_from(std::path::Path::new(PAGE), Some(snapbox::data::DataFormat::Text)));
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/packages.md");
