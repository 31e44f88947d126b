//! README and docs keep their word: every command in them is run, in order, and prints what stands there.
//!
//! A block fenced as `console` holds commands after `$ `, each followed by what it prints on both streams and, unless it
//! succeeds, by `[exit code N]`. `[..]` stands for anything within a line, a line of `...` for any lines. A block with
//! a file name after its language is a file that the reader is asked to write. Each page starts from a copy of
//! `examples` and `policies`.

mod page;
mod promises;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use page::{Block, Page, Shell};
use secure_bun_tests::Folder;

/// The checkout.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The real one builds the launcher first, which is not this test's business and takes rights that it may not have.
const SCRIPTS_RUN: &str = "#!/bin/sh\nexec secure-bun run \"$@\"\n";

#[test]
fn readme() {
    hold(&Page::read("README.md"));
}

#[test]
fn deployment() {
    hold(&Page::read("docs/deployment.md"));
}

#[test]
fn exit_codes_and_envelope() {
    hold(&Page::read("docs/exit-codes-and-envelope.md"));
}

#[test]
fn requests_by_url() {
    hold(&Page::read("docs/fetch.md"));
}

#[test]
fn how_it_works() {
    hold(&Page::read("docs/how-it-works.md"));
}

#[test]
fn limits() {
    hold(&Page::read("docs/limits.md"));
}

#[test]
fn network() {
    hold(&Page::read("docs/network.md"));
}

#[test]
fn fetch() {
    hold(&Page::read("docs/fetch.md"));
}

#[test]
fn policy_tools() {
    hold(&Page::read("docs/policy-tools.md"));
}

#[test]
fn programs() {
    hold(&Page::read("docs/programs.md"));
}

#[test]
fn every_error_code_has_its_page() {
    let mut pages = names("docs/errors");
    pages.sort();
    assert_eq!(pages, policy::ERROR_CODES.map(|code| format!("{code}.md")));
    for page in Page::errors() {
        hold(&page);
    }
}

#[test]
fn no_page_is_forgotten() {
    let mut pages = names("docs");
    pages.sort();
    // Those that a test above holds, and those without commands.
    assert_eq!(
        pages,
        [
            "apis.md",
            "deployment.md",
            "errors",
            "exit-codes-and-envelope.md",
            "fetch.md",
            "fork-engine.md",
            "how-it-works.md",
            "limits.md",
            "network.md",
            "packages.md",
            "performance.md",
            "policy-tools.md",
            "programs.md",
            "protocol.md"
        ]
    );
}

/// What lies in a folder of the checkout.
fn names(folder: &str) -> Vec<String> {
    fs::read_dir(Path::new(ROOT).join(folder))
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").file_name().into_string().expect("names are text"))
        .collect()
}

#[test]
fn no_command_stands_in_a_block_that_is_not_run() {
    for page in Page::all() {
        for language in page.languages() {
            assert!(
                !["sh", "bash", "shell", "shell-session", "zsh"].contains(&language),
                "{}: a block of {language:?}: fence it as console",
                page.name
            );
        }
    }
}

#[test]
fn links_lead_somewhere() {
    for page in Page::all() {
        let folder = Path::new(ROOT).join(&page.name);
        let folder = folder.parent().expect("a page is in a folder");
        for link in page.links() {
            let target = link.split('#').next().unwrap_or_default();
            assert!(folder.join(target).exists(), "{}: {link} leads nowhere", page.name);
        }
    }
}

#[test]
#[should_panic(expected = "--- Expected")]
fn another_output_is_noticed() {
    hold(&Page::new("a page", "```console\n$ echo three words here\n4 words\n```\n"));
}

#[test]
#[should_panic(expected = "--- Expected")]
fn another_exit_code_is_noticed() {
    hold(&Page::new("a page", "```console\n$ exit 3\n```\n"));
}

/// Does what the page says, and compares.
#[track_caller]
fn hold(page: &Page) {
    let folder = Folder::new();
    for name in ["examples", "policies"] {
        copy(&Path::new(ROOT).join(name), &folder.path(name));
    }
    let tools = folder.path("../tools");
    fs::create_dir(&tools).expect("a folder for the commands");
    symlink(secure_bun_tests::launcher(), tools.join("secure-bun")).expect("a link to the launcher");
    let folder = folder.file("scripts/run", SCRIPTS_RUN);
    let script = folder.path("scripts/run");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).expect("it can be made executable");

    let shell = Shell { folder: &folder, path: format!("{}:/usr/bin:/bin", tools.display()) };
    let mut commands = 0;
    for block in &page.blocks {
        match block {
            Block::File { name, text } => fs::write(folder.path(name), text).expect("a file that the page asks for"),
            Block::Console { line, text } => commands += shell.hold(&page.name, *line, text),
        }
    }
    assert!(commands > 0, "{} has no command", page.name);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("the folder can be listed");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}
