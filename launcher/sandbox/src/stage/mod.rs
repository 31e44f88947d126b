//! What lies ready inside for the preload: the table of the policy, written anew for each run, and the static guards,
//! compiled to bytecode once per Bun where there is a private place to keep that.

mod compile;

use std::path::Path;

use confine::{Access, File, Root};
use policy::{ExpandedPolicy, Freeze, PreloadTable};
use serde::Serialize;

use crate::error::{Error, Kind, c_path, text};
use crate::host::Host;
use crate::resolve::runtime::{self, Engine};

/// The guards, built from `preload/src` (scripts/generate).
pub(crate) const GUARDS: &str = include_str!("../../../../preload/dist/preload.js");

const POLICY_PATH: &str = "/run/secure-bun/policy.js";
const GUARDS_FOLDER: &str = "/run/secure-bun/guards";
const GUARDS_PATH: &str = "/run/secure-bun/guards/preload.js";

/// The modules that Bun loads before the program, in order.
pub(crate) const PRELOADS: [&str; 2] = [POLICY_PATH, GUARDS_PATH];

/// The line on standard output after which everything belongs to the call. A program that prints it itself only sends
/// more of its own output to standard error.
pub(crate) const CALL_MARKER: &str = "\0secure-bun:call";

/// How the program's function is to be called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CallRequest {
    /// Name of the export.
    pub(crate) export: String,
    /// Whether it is an error that the export is missing or is not a function.
    pub(crate) required: bool,
    /// The only argument as JSON text.
    pub(crate) input: Option<String>,
    /// What the preload prints on standard output where the call begins.
    pub(crate) marker: Option<&'static str>,
    /// Whether console output of the call is to be sent as frames.
    pub(crate) logs: bool,
}

/// What the preload is told: what every start needs, and the rest as JSON text, which is read on demand.
/// `preload/src/table.ts` declares the same.
#[derive(Serialize)]
struct Table<'a> {
    v: u8,
    channel: Option<u8>,
    hello: bool,
    call: Option<&'a CallRequest>,
    context: Option<()>,
    shell: bool,
    freeze: bool,
    grants: Grants,
    env_hide: Vec<String>,
    details: String,
}

/// Whether the policy grants anything of these kinds.
#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "one for each kind, as the preload reads them")]
struct Grants {
    net: bool,
    listen: bool,
    run: bool,
    workers: bool,
}

/// What a guard needs once it is asked something.
#[derive(Serialize)]
struct Details<'a> {
    cwd: &'a str,
    policy: &'a PreloadTable,
    report: bool,
    preload: [&'static str; 2],
}

/// What the preload says through the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reports {
    /// Nothing: there is no channel.
    Nothing,
    /// An exception that ends the program.
    Failures,
    /// Also what is refused. It opens the channel before the program runs.
    Everything,
}

/// What the preload is told about this run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    /// The program's working directory.
    pub(crate) cwd: &'a Path,
    /// What the preload reports.
    pub(crate) reports: Reports,
    /// How the function is to be called, if at all.
    pub(crate) call: Option<&'a CallRequest>,
    /// Whether the program uses Bun's shell.
    pub(crate) shell: bool,
    /// Whether the program may start Bun, which is then given the same preloads.
    pub(crate) again: bool,
}

/// Puts the preload's files into `root`.
pub(crate) fn stage(
    root: &mut Root,
    host: &Host,
    policy: &ExpandedPolicy,
    engine: &Engine,
    told: &Told<'_>,
) -> Result<(), Error> {
    let rows = policy::preload_table(policy);
    let own = table(&rows, policy, engine, told)?;
    let table = if told.again {
        // The program's process is the second of its tree, after init; a later one has no channel and no call.
        let other = table(&rows, policy, engine, &Told { reports: Reports::Nothing, call: None, ..*told })?;
        format!("process.pid===2?{own}:{other}")
    } else {
        own
    };
    // The pragma tells Bun that there is nothing to transpile.
    let contents = format!("// @bun\nglobalThis[Symbol.for(\"secure-bun.table\")]={table};\n").into_bytes();
    root.files.push(File { target: c_path(Path::new(POLICY_PATH))?, contents });
    match compile::compiled(host) {
        Some(folder) => {
            root.binds.push(runtime::bind(&folder, c_path(Path::new(GUARDS_FOLDER))?, Access::Read, false)?);
        }
        None => root.files.push(File { target: c_path(Path::new(GUARDS_PATH))?, contents: GUARDS.into() }),
    }
    Ok(())
}

/// The table for one process, as JSON.
fn table(rows: &PreloadTable, policy: &ExpandedPolicy, engine: &Engine, told: &Told<'_>) -> Result<String, Error> {
    let Told { cwd, reports, call, shell, again } = *told;
    let announced = reports == Reports::Everything;
    json(&Table {
        v: 1,
        channel: (reports != Reports::Nothing).then_some(3),
        hello: announced,
        call,
        context: None,
        shell,
        freeze: match policy.js.freeze() {
            Freeze::None => false,
            Freeze::ObjectPrototype => true,
        },
        grants: Grants {
            net: !rows.net.allow.is_empty(),
            listen: !rows.listen.allow.is_empty(),
            run: !rows.run.allow.is_empty(),
            workers: rows.workers.most > 0,
        },
        // Another Bun needs them, and has its environment from this one.
        env_hide: if again { Vec::new() } else { runtime::variable_names(engine).collect() },
        details: json(&Details { cwd: text(cwd)?, policy: rows, report: announced, preload: PRELOADS })?,
    })
}

fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(Kind::Sandbox, format!("cannot write the preload's table: {error}")))
}
