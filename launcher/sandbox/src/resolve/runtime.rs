//! How Bun is started, whatever the policy: where it is inside, with which flags and variables.

use std::ffi::{CStr, CString};
use std::path::Path;

use confine::{Access, Bind, File, Kind, Link, Root};

use super::look::{Object, RealFiles};
use crate::error::{self, Error, c_path};
use crate::host::Library;

/// Bun's path inside.
pub const BUN: &CStr = c"/run/secure-bun/bin/bun";

/// Harmless device nodes.
pub(super) const DEVICES: [&str; 3] = ["/dev/null", "/dev/zero", "/dev/urandom"];

/// Switches of the JavaScript engine that a policy decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine {
    /// Machine code is made at run time.
    pub jit: bool,
    /// WebAssembly exists.
    pub wasm: bool,
    /// The stack of a thread in bytes, where it is limited.
    pub stack_bytes: Option<u64>,
    /// It is forked: compiler and collector work on the thread of JavaScript, since a copy has no other.
    pub forks: bool,
}

impl Default for Engine {
    fn default() -> Self {
        Self { jit: true, wasm: true, stack_bytes: None, forks: false }
    }
}

/// Bun's flags before the program. Each shuts off something that a hostile project could bring along: packages fetched
/// at run time, .env, bunfig.toml, path mappings of tsconfig.json, macros, native addons, C compilation.
pub fn flags(eval: bool, native: bool) -> impl Iterator<Item = &'static str> {
    let always = [
        "--no-install",
        "--no-env-file",
        "--config=/dev/null",
        "--tsconfig-override=/dev/null",
        "--no-macros",
        "--no-ffi-cc",
    ];
    let addons = (!native).then_some("--no-addons");
    always.into_iter().chain(addons).chain((!eval).then_some("--disallow-code-generation-from-strings=strict"))
}

/// What keeps Bun from starting threads of its own (docs/fork-engine.md).
const ONE_THREAD: [&str; 4] =
    ["BUN_JSC_useConcurrentJIT=0", "BUN_JSC_useConcurrentGC=0", "BUN_JSC_numberOfGCMarkers=1", "MIMALLOC_SCAVENGER=0"];

/// Variables that Bun itself gets; the preload hides them from the program.
pub fn variables(engine: &Engine) -> impl Iterator<Item = String> + use<> {
    let always = [
        // A ShadowRealm is a fresh Bun without our preload, and JavaScript cannot take it away everywhere.
        "BUN_JSC_useShadowRealm=0",
        // No cache of transpiled code that one run could leave for the next.
        "BUN_RUNTIME_TRANSPILER_CACHE_PATH=0",
        // A preload makes Bun start two transpiler threads, 0.5 to 0.9 ms; transpiling here and now costs nothing.
        "BUN_FEATURE_FLAG_DISABLE_ASYNC_TRANSPILER=1",
    ];
    let stack = engine.stack_bytes.map(|bytes| format!("BUN_JSC_maxPerThreadStackUsage={bytes}"));
    always
        .into_iter()
        .chain((!engine.jit).then_some("BUN_JSC_useJIT=0"))
        .chain((!engine.wasm).then_some("BUN_JSC_useWasm=0"))
        .chain(ONE_THREAD.into_iter().take(if engine.forks { ONE_THREAD.len() } else { 0 }))
        .map(str::to_owned)
        .chain(stack)
}

/// The names of what [`variables`] sets.
pub fn variable_names(engine: &Engine) -> impl Iterator<Item = String> + use<> {
    variables(engine).filter_map(|variable| variable.split_once('=').map(|(name, _)| name.to_owned()))
}

/// Shows what Bun needs to start: itself, its loader and libraries, and what every program finds.
pub fn show(root: &mut Root, bun: &Path, libraries: &[Library]) -> Result<(), Error> {
    let found = RealFiles::at(bun).map_err(|error| Error::io(error::Kind::Sandbox, "open Bun", bun, &error))?;
    root.binds.push(bind(&found, BUN.to_owned(), Access::Execute, false)?);
    for library in libraries {
        root.binds.push(bind_library(library, "open Bun's library")?);
    }
    show_surroundings(root)
}

/// A bind of a library at the path by which it is asked for. `act` is for the error.
pub(crate) fn bind_library(library: &Library, act: &'static str) -> Result<Bind, Error> {
    let found =
        RealFiles::at(&library.path).map_err(|error| Error::io(error::Kind::Sandbox, act, &library.path, &error))?;
    let access = if library.is_loader { Access::Execute } else { Access::Load };
    bind(&found, c_path(&library.name)?, access, false)
}

/// Shows what every program finds: device nodes and the time zone.
pub fn show_surroundings(root: &mut Root) -> Result<(), Error> {
    for device in DEVICES {
        let path = Path::new(device);
        let found = RealFiles::at(path).map_err(|error| Error::io(error::Kind::Sandbox, "open", path, &error))?;
        root.binds.push(bind(&found, c_path(path)?, Access::Device, false)?);
    }
    // Since Linux 5.18 both are the same device (random(4)).
    root.links.push(Link { path: c"/dev/random".to_owned(), target: c"urandom".to_owned() });
    if let Ok(zone) = std::fs::read("/etc/localtime") {
        root.files.push(File { target: c"/etc/localtime".to_owned(), contents: zone });
    }
    Ok(())
}

/// A bind of a found object.
pub(crate) fn bind(found: &Object, target: CString, access: Access, map_owner: bool) -> Result<Bind, Error> {
    Ok(Bind {
        source: c_path(&found.path)?,
        object: found.id,
        target,
        kind: found.kind,
        access,
        // Files that everybody may read need no map of owners, which costs a process (80 µs).
        map_owner: map_owner && !(found.kind == Kind::File && access != Access::Write && found.readable_by_all),
    })
}

/// Text for the kernel.
pub fn c_string(text: impl Into<Vec<u8>>) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::new(error::Kind::Usage, "an argument contains a NUL character"))
}
