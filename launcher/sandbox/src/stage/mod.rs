//! What lies ready inside for the preload: the table of the policy, written anew for each run, and the static guards,
//! compiled to bytecode once per Bun where there is a private place to keep that.

mod compile;
mod server;
mod source;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use confine::{Access, File, Root};
use policy::{ExpandedPolicy, Freeze, PreloadTable};
use serde::Serialize;
use wire::byte_arrays::Bytes;
use zeroize::Zeroizing;

use self::server::ForkSettings;
use self::source::Asks;
use crate::error::{Error, Kind, c_path, text};
use crate::host::Host;
use crate::narrow::CHILD_TABLE;
use crate::resolve::runtime::{self, Engine};
use crate::run::Job;
use crate::scratch::Scratch;

/// The guards, built from `preload/src` (scripts/generate).
pub(crate) const GUARDS: &str = include_str!("../../../../preload/dist/preload.js");

/// The protocol of calls without any guard.
#[cfg(debug_assertions)]
const INERT: &str = include_str!("../../../../preload/dist/inert.js");

/// Where the staged files are in a root file system of the program's own.
const OWN_FOLDER: &str = "/run/secure-bun";
const POLICY: &str = "policy.js";
const GUARDS_FOLDER: &str = "guards";
const GUARDS_FILE: &str = "guards/preload.js";

/// A program that lies in no file of the host, in a folder of its own: it finds nothing beside it.
const TEXT: &str = "function/function.ts";

/// Where that is for the program.
pub(crate) fn path_of_text(scratch: Option<&Scratch>) -> PathBuf {
    scratch.map_or_else(|| OWN_FOLDER.into(), Scratch::staged).join(TEXT)
}

/// Where the files are staged.
#[derive(Debug)]
pub(crate) enum Stage<'a> {
    /// In a root file system of the program's own.
    Own(&'a mut Root),
    /// In a folder of the host.
    Host(&'a Scratch),
}

impl Stage<'_> {
    /// The modules that Bun loads before the program, in order.
    pub(crate) fn preloads(&self) -> Result<[String; 2], Error> {
        Ok([text(&self.path(POLICY))?.to_owned(), text(&self.path(GUARDS_FILE))?.to_owned()])
    }

    /// A program that lies in no file of the host.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Error> {
        self.file(TEXT, text.into())
    }

    /// Where a staged file is for the program.
    fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::Own(_) => Path::new(OWN_FOLDER).join(name),
            Self::Host(scratch) => scratch.staged().join(name),
        }
    }

    fn file(&mut self, name: &str, contents: Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Own(root) => {
                root.files.push(File { target: c_path(&Path::new(OWN_FOLDER).join(name))?, contents });
            }
            Self::Host(scratch) => {
                scratch.stage(name, &contents)?;
            }
        }
        Ok(())
    }
}

/// The line on standard output after which everything belongs to the call. A program that prints it itself only sends
/// more of its own output to standard error.
pub(crate) const CALL_MARKER: &str = "\0secure-bun:call";

pub(crate) use server::{Preloaded, Server, bind_calls, path_of_call, path_of_server};
pub(crate) use source::Source;

/// How the program's function is to be called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CallRequest {
    /// Name of the export.
    pub(crate) export: String,
    /// Whether it is an error that the export is missing or is not a function.
    pub(crate) required: bool,
    /// Whether the rest of it, a [`Call`], comes through standard input, and when it does the program begins.
    pub(crate) waits: bool,
    /// The arguments as the text of a JSON array.
    pub(crate) args: Option<String>,
    /// What the preload prints on standard output where the call begins.
    pub(crate) marker: Option<&'static str>,
    /// Whether console output of the call is to be sent as frames.
    pub(crate) logs: bool,
}

/// What a program that was started ahead of its call is told when that comes.
#[derive(Serialize)]
pub(crate) struct Call<'a> {
    pub(crate) args: &'a str,
    pub(crate) context: Context,
    /// Variables besides those that it was started with.
    pub(crate) env: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(flatten)]
    pub(crate) besides: Besides<'a>,
}

/// What a call has that JSON has nothing for.
#[derive(Serialize)]
pub(crate) struct Besides<'a> {
    /// The places of byte arrays, which come after the call, and their lengths.
    bytes: Vec<(&'a [String], usize)>,
    /// Whether those of its result are wanted beside that.
    returns_bytes: bool,
}

impl<'a> Besides<'a> {
    pub(crate) fn of(job: &'a Job) -> Self {
        let bytes = job.bytes.iter().map(|array| (array.at.as_slice(), array.bytes.len())).collect();
        Self { bytes, returns_bytes: job.returns_bytes }
    }
}

/// What a program that waits for its call reads: four bytes of length, the lowest first, as many bytes of JSON, and the
/// byte arrays of the call.
pub(crate) fn message(text: &str, job: &Job) -> Result<Vec<Bytes>, Error> {
    let arrays = job.bytes.iter().map(|array| array.bytes.clone());
    Ok(std::iter::once(framed(text)?).chain(arrays).collect())
}

/// The same without byte arrays.
pub(crate) fn framed(text: &str) -> Result<Bytes, Error> {
    let length = u32::try_from(text.len()).map_err(|_| Error::new(Kind::Usage, "the call is too long"))?;
    Ok([&length.to_le_bytes(), text.as_bytes()].concat().into())
}

/// What the program sees as the global `executionContext`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Context {
    #[serde(rename = "functionID")]
    pub(crate) function_id: Option<String>,
    #[serde(rename = "userID")]
    pub(crate) user_id: Option<String>,
    #[serde(rename = "executionID")]
    pub(crate) execution_id: Option<String>,
    pub(crate) traceparent: Option<wire::trace::TraceParent>,
    /// Milliseconds since 1970.
    pub(crate) start_time: u64,
    /// When the limit on wall time ends the call, in the same.
    pub(crate) deadline: Option<u64>,
}

impl Call<'_> {
    pub(crate) fn to_json(&self) -> Result<String, Error> {
        json(self)
    }
}

impl Context {
    /// Of a call that begins now.
    pub(crate) fn of(said: &wire::rpc::Context, wall_ms: Option<u64>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start_time = u64::try_from(now.as_millis()).unwrap_or(0);
        let wire::rpc::Context { function_id, user_id, execution_id, traceparent } = said.clone();
        let deadline = wall_ms.map(|wall| start_time.saturating_add(wall));
        Self { function_id, user_id, execution_id, traceparent, start_time, deadline }
    }
}

/// What the preload is told: what every start needs, and the rest as JSON text, which is read on demand.
/// `preload/src/table.ts` declares the same.
#[derive(Serialize)]
struct Table<'a> {
    v: u8,
    channel: Option<u8>,
    hello: bool,
    call: Option<&'a CallRequest>,
    context: Option<&'a Context>,
    fork: Option<ForkSettings<'a>>,
    mentions: &'a [&'static str],
    asks: Asks,
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
    fetch: bool,
    run: bool,
    workers: bool,
}

/// What a guard needs once it is asked something.
#[derive(Serialize)]
struct Details<'a> {
    cwd: &'a str,
    policy: &'a PreloadTable,
    report: bool,
    own_loopback: bool,
    /// What the program may read.
    secrets: BTreeMap<&'a str, &'a str>,
    #[serde(rename = "preload")]
    preloads: &'a [String; 2],
}

/// What the preload is told about this run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    /// The program's working directory.
    pub(crate) cwd: &'a Path,
    /// Whether and when the preload speaks to the launcher.
    pub(crate) channel: Channel,
    /// How the function is to be called, if at all.
    pub(crate) call: Option<&'a CallRequest>,
    /// Who calls it.
    pub(crate) context: Option<&'a Context>,
    /// What the program may read.
    pub(crate) secrets: Option<&'a BTreeMap<String, Zeroizing<String>>>,
    /// What the program's text can ask for.
    pub(crate) source: &'a Source,
    /// Whether the program may start Bun, which is then given the same preloads.
    pub(crate) again: bool,
    /// Whether this Bun forks for each call, and of which function.
    pub(crate) server: Option<(&'a Server<'a>, &'a Path)>,
}

impl<'a> Told<'a> {
    /// What a Bun is told that another program starts: nobody calls it, and nobody listens.
    pub(crate) const fn of_another(cwd: &'a Path, source: &'a Source) -> Self {
        Self {
            cwd,
            channel: Channel::Closed,
            call: None,
            context: None,
            secrets: None,
            source,
            again: true,
            server: None,
        }
    }
}

/// The preload's way to speak to the launcher.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Channel {
    /// It opens the channel before the program runs, and reports what is refused.
    Announced,
    /// It opens the channel when there is something to say.
    OnDemand,
    /// It has none.
    Closed,
}

/// Puts the preload's files on the stage.
pub(crate) fn stage(
    mut stage: Stage<'_>,
    host: &Host,
    policy: &ExpandedPolicy,
    engine: &Engine,
    told: &Told<'_>,
) -> Result<(), Error> {
    let rows = policy::preload_table(policy);
    let staged = Staged { preloads: stage.preloads()?, own_loopback: matches!(stage, Stage::Own(_)) };
    let own = table(&rows, policy, engine, told, &staged)?;
    let table = if told.again {
        // The program's process is the second of its tree, after init; a later one has no channel and no call, and runs
        // another text.
        let source = told.source.of_another();
        let told = Told::of_another(told.cwd, &source);
        let other = table(&rows, policy, engine, &told, &staged)?;
        // One under a policy of its own is told by whoever narrowed its sandbox.
        let child = format!("process.env.{CHILD_TABLE}");
        format!("process.pid===2?{own}:{child}?JSON.parse({child}):{other}")
    } else {
        own
    };
    // The pragma tells Bun that there is nothing to transpile.
    let contents = format!("// @bun\nglobalThis[Symbol.for(\"secure-bun.table\")]={table};\n").into_bytes();
    stage.file(POLICY, contents)?;
    if told.server.is_some() {
        server::stage(&mut stage)?;
    }
    if let Some(inert) = without_guards() {
        return stage.file(GUARDS_FILE, inert.into());
    }
    match (compile::compiled(host), &mut stage) {
        (Some(folder), Stage::Own(root)) => {
            let target = c_path(&Path::new(OWN_FOLDER).join(GUARDS_FOLDER))?;
            root.binds.push(runtime::bind(&folder, target, Access::Read, false)?);
        }
        // The program may be a user who cannot come to the cache.
        (Some(folder), Stage::Host(scratch)) => compile::copy(&folder.path, |name, contents| {
            scratch.stage(&format!("{GUARDS_FOLDER}/{name}"), contents).map(drop)
        })?,
        (None, stage) => stage.file(GUARDS_FILE, GUARDS.into())?,
    }
    Ok(())
}

/// The modules that Bun loads before the program in a root file system of the program's own.
pub(crate) fn own_preloads() -> [String; 2] {
    [POLICY, GUARDS_FILE].map(|name| format!("{OWN_FOLDER}/{name}"))
}

/// The table for a Bun in a narrower sandbox than that of the program that starts it.
pub(crate) fn table_of_child(policy: &ExpandedPolicy, engine: &Engine, cwd: &Path) -> Result<String, Error> {
    let source = Source::unknown();
    let told = Told::of_another(cwd, &source);
    let staged = Staged { preloads: own_preloads(), own_loopback: true };
    table(&policy::preload_table(policy), policy, engine, &told, &staged)
}

/// Where the program runs, as far as the preload has to know.
struct Staged {
    /// The modules that Bun loads before the program.
    preloads: [String; 2],
    /// Whether loopback addresses, if there are sockets, are the sandbox's own.
    own_loopback: bool,
}

/// The table for one process, as JSON.
fn table(
    rows: &PreloadTable,
    policy: &ExpandedPolicy,
    engine: &Engine,
    told: &Told<'_>,
    Staged { preloads, own_loopback }: &Staged,
) -> Result<String, Error> {
    let Told { cwd, channel, call, context, secrets, source, again, server } = *told;
    let announced = matches!(channel, Channel::Announced);
    json(&Table {
        v: 1,
        channel: (!matches!(channel, Channel::Closed)).then_some(3),
        hello: announced,
        call,
        context,
        fork: server.map(|(server, program)| server.settings(program)).transpose()?,
        mentions: &source.mentions,
        asks: source.asks,
        freeze: match policy.js.freeze() {
            Freeze::None => false,
            Freeze::ObjectPrototype => true,
        },
        grants: Grants {
            net: !rows.net.allow.is_empty(),
            listen: !rows.listen.allow.is_empty(),
            fetch: !rows.fetch.allow.is_empty(),
            run: !rows.run.allow.is_empty(),
            workers: rows.workers.most > 0,
        },
        // Another Bun needs them, and has its environment from this one.
        env_hide: if again { Vec::new() } else { runtime::variable_names(engine).collect() },
        details: json(&Details {
            cwd: text(cwd)?,
            policy: rows,
            report: announced,
            own_loopback: *own_loopback,
            secrets: secrets.into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            preloads,
        })?,
    })
}

/// For the tests that ask the kernel alone. A release build has no such switch.
fn without_guards() -> Option<&'static str> {
    #[cfg(debug_assertions)]
    if std::env::var_os("SECURE_BUN_TEST_NO_GUARDS").is_some() {
        return Some(INERT);
    }
    None
}

fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(Kind::Sandbox, format!("cannot write the preload's table: {error}")))
}
