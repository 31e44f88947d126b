//! `secure-bun policy init`: a policy proposed from what a program's text names.

mod modules;
mod needs;
mod proposal;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use policy::Preset;
use secure_bun::places;

use super::{places_of, print, schema, tell, usage};
use crate::policy_source::{self, Fault};
use crate::report;

use modules::Modules;
use needs::Needs;

/// What it is written to, in the root of the project, where `run` finds it.
const FILE: &str = "secure-bun.jsonc";

/// Reads the program and what it imports inside its project, and proposes what it names; it runs nothing.
pub(super) fn init(program: &Path, extends: Option<&str>, write: bool, cwd: &Path) -> ExitCode {
    let program = match places::program(program, cwd) {
        Ok(program) => program,
        Err(error) => return usage(&error.message, error.help.as_deref()),
    };
    let named = match extends.map(|name| Preset::from_name(name).ok_or(name)).transpose() {
        Ok(named) => named,
        Err(name) => {
            let known: Vec<&str> = Preset::ALL.iter().map(|preset| preset.name()).collect();
            return usage(
                &format!("there is no preset {name:?}"),
                Some(&format!("the presets are {}", known.join(", "))),
            );
        }
    };
    let places = places_of(Some(&program), cwd);
    let folder = match &places.project[..] {
        [project] if project.is_dir() => project.clone(),
        _ => places.program.clone(),
    };
    let modules = match Modules::read(&program, &folder) {
        Ok(modules) => modules,
        Err(fault) => return report::fault(&fault),
    };
    let by_kind = if modules.exports_function { Preset::Function } else { Preset::Script };
    let needs = Needs::of(&modules, named.unwrap_or(by_kind), &folder, &places);
    let text = proposal::text(&modules, &needs);
    if !write {
        return print(&text);
    }
    match put(&folder, &text) {
        Ok(()) => tell(&format!(
            "wrote {}: read it, then `secure-bun policy trust` it, or name it with --policy\n",
            folder.join(FILE).display()
        )),
        Err(fault) => report::fault(&fault),
    }
}

/// Writes the policy, over nothing, and the schema beside it.
fn put(folder: &Path, text: &str) -> Result<(), Fault> {
    let refuse =
        |path: &Path, error: &dyn std::fmt::Display| Fault::new(format!("cannot write {}: {error}", path.display()));
    // Another one beside it would be in its way.
    for name in policy_source::POLICY_FILES {
        let path = folder.join(name);
        if path.symlink_metadata().is_ok() {
            let help = "compare it with what `secure-bun policy init` prints without --write";
            return Err(refuse(&folder.join(FILE), &format!("there is {name}")).with_help(help));
        }
    }
    schema::put(folder)?;
    let path = folder.join(FILE);
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| refuse(&path, &error))
}
