//! What lies ready inside for a Bun that forks for each call (docs/fork-engine.md).

use std::path::{Path, PathBuf};

use confine::{Access, Bind};
use serde::Serialize;

use super::{OWN_FOLDER, Stage};
use crate::error::{Error, Kind, c_path, text};
use crate::resolve::look::RealFiles;
use crate::resolve::runtime;

/// The guards, and what forks for each call, in one.
const FORKSERVER: &str = include_str!("../../../../preload/dist/forkserver.js");
const FORKSERVER_FILE: &str = "forkserver/forkserver.js";

/// What a server and its copies warm up with.
const WARM_UP: &str = "warm-up/warm-up.ts";
const WARM_UP_TEXT: &str = "export default (a: number, b: number): number => a + b;\n";

/// Where functions come to that are called by their text, each in a folder of its own.
const CALLS: &str = "/run/secure-bun/calls";

/// How often a server calls what it warms up with, and each of its copies before it says that it is ready.
const ROUNDS: u32 = 2;
const ROUNDS_OF_COPIES: u32 = 1;

/// Descriptors of a server: its library comes as standard input, its requests where others have their channel.
const LIBRARY: u8 = 0;
const CONTROL: u8 = 3;

/// The same without any guard.
#[cfg(debug_assertions)]
const INERT: &str = include_str!("../../../../preload/dist/forkserver-inert.js");

/// Puts its files on the stage.
pub(super) fn stage(stage: &mut Stage<'_>) -> Result<(), Error> {
    stage.file(FORKSERVER_FILE, without_guards().unwrap_or(FORKSERVER).into())?;
    stage.file(WARM_UP, WARM_UP_TEXT.into())
}

fn without_guards() -> Option<&'static str> {
    #[cfg(debug_assertions)]
    if super::without_guards().is_some() {
        return Some(INERT);
    }
    None
}

/// The script of a Bun that forks for each call.
pub(crate) fn path_of_server() -> PathBuf {
    Path::new(OWN_FOLDER).join(FORKSERVER_FILE)
}

/// Where a function is for the program that was put into `folder`'s `name`.
pub(crate) fn path_of_call(name: &str) -> String {
    format!("{CALLS}/{name}")
}

/// Shows a folder of the host where functions come to.
pub(crate) fn bind_calls(folder: &Path) -> Result<Bind, Error> {
    let found = RealFiles::at(folder).map_err(|error| Error::io(Kind::Sandbox, "open", folder, &error))?;
    runtime::bind(&found, c_path(Path::new(CALLS))?, Access::Read, false)
}

/// A Bun that forks for each call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server<'a> {
    /// The function is loaded before the fork, and called with each of these lists of arguments.
    pub(crate) module: Option<&'a Preloaded>,
    /// The host's folder where functions come to that are called by their text.
    pub(crate) calls: Option<&'a Path>,
}

/// What a function wants done before the fork.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preloaded {
    /// The name of its export.
    pub(crate) export: String,
    /// The arguments of each call that is made, as the text of a JSON array.
    pub(crate) calls: Vec<String>,
}

/// How such a Bun gets ready. `preload/src/table.ts` declares the same.
#[derive(Debug, Serialize)]
pub(super) struct ForkSettings<'a> {
    library: u8,
    control: u8,
    warm_up: String,
    rounds: u32,
    child_rounds: u32,
    module: Option<ForkModule<'a>>,
}

#[derive(Debug, Serialize)]
struct ForkModule<'a> {
    path: &'a str,
    export: &'a str,
    calls: &'a [String],
}

impl Server<'_> {
    /// What it is told.
    pub(super) fn settings<'a>(&'a self, program: &'a Path) -> Result<ForkSettings<'a>, Error> {
        let module = |wanted: &'a Preloaded| {
            text(program).map(|path| ForkModule { path, export: &wanted.export, calls: &wanted.calls })
        };
        Ok(ForkSettings {
            library: LIBRARY,
            control: CONTROL,
            warm_up: format!("{OWN_FOLDER}/{WARM_UP}"),
            rounds: ROUNDS,
            child_rounds: ROUNDS_OF_COPIES,
            module: self.module.map(module).transpose()?,
        })
    }
}
