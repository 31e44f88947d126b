//! The program's files: itself, and what it imports inside its project.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::thread;

use survey::{Survey, survey};

use crate::policy_source::Fault;

/// More files than that are not read.
const MOST_FILES: usize = 2000;
/// Longer ones are not read: nobody wrote them by hand, and the parser's stack has to hold the deepest nesting.
const MOST_BYTES: u64 = 1 << 20;
/// The parser recurses: on a file of a thousand thousand brackets, too. Only what is used is taken from memory.
const STACK_BYTES: usize = 1 << 30;
/// What an import may leave out, in the order in which Bun tries it.
const ENDINGS: [&str; 9] = [".tsx", ".jsx", ".ts", ".mts", ".cts", ".mjs", ".js", ".cjs", ".json"];
/// Modules of Bun's that may be imported without `node:`.
const BUILTINS: [&str; 37] = [
    "assert",
    "async_hooks",
    "buffer",
    "bun",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "events",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "querystring",
    "readline",
    "stream",
    "string_decoder",
    "timers",
    "tls",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "worker_threads",
    "zlib",
];

/// What was read of a program.
#[derive(Debug, Default)]
pub(super) struct Modules {
    /// Each file by its name in the project, with what its text asks for.
    pub(super) files: Vec<Module>,
    /// Whether the program's default export is a function.
    pub(super) exports_function: bool,
    /// Files that it loads, each with the first place that does so.
    pub(super) loaded: BTreeMap<PathBuf, Place>,
    /// Packages, which are not read.
    pub(super) packages: BTreeMap<String, Place>,
    /// What could not be read, and why.
    pub(super) unread: Vec<String>,
}

/// One file that was read.
#[derive(Debug)]
pub(super) struct Module {
    /// Its name in the project.
    pub(super) name: String,
    /// Its folder.
    pub(super) folder: PathBuf,
    /// What its text asks for.
    pub(super) survey: Survey,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The file's name in the project.
    pub(super) file: String,
    /// The line, counted from 1.
    pub(super) line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}", self.file, self.line)
    }
}

impl Modules {
    /// Reads `program`, a canonical path, and follows its imports as far as `project`.
    pub(super) fn read(program: &Path, project: &Path) -> Result<Self, Fault> {
        let mut modules = Self::default();
        let first = module(program, project).map_err(|problem| {
            let program = program.strip_prefix(project).unwrap_or(program);
            Fault::new(format!("cannot read the program {}: {problem}", program.display()))
        })?;
        modules.exports_function = first.survey.exports_function;
        let mut known = BTreeSet::from([program.to_path_buf()]);
        let mut next = VecDeque::from([first]);
        while let Some(module) = next.pop_front() {
            for file in modules.follow(&module) {
                if !is_read(&file, project) || !known.insert(file.clone()) {
                    continue;
                }
                if known.len() > MOST_FILES {
                    modules.unread.push(format!("there are more than {MOST_FILES} files"));
                    modules.files.push(module);
                    modules.files.extend(next);
                    return Ok(modules);
                }
                match self::module(&file, project) {
                    Ok(module) => next.push_back(module),
                    Err(problem) => modules.unread.push(format!("{}: {problem}", name(&file, project))),
                }
            }
            modules.files.push(module);
        }
        Ok(modules)
    }

    /// The files that a module loads; packages are noted.
    fn follow(&mut self, module: &Module) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for import in &module.survey.imports {
            let place = Place { file: module.name.clone(), line: import.line };
            let specifier = import.specifier.split('?').next().unwrap_or_default();
            let specifier = specifier.strip_prefix("file://").unwrap_or(specifier);
            let is_path = specifier.starts_with('/') || specifier.starts_with("./") || specifier.starts_with("../");
            if !is_path && specifier != "." && specifier != ".." {
                if !is_builtin(specifier) {
                    self.packages.entry(package(specifier).to_owned()).or_insert(place);
                }
                continue;
            }
            match resolve(&module.folder.join(specifier)) {
                Some(file) => {
                    self.loaded.entry(file.clone()).or_insert(place);
                    found.push(file);
                }
                None => self.unread.push(format!("{place}: there is no file {specifier:?}")),
            }
        }
        found
    }
}

/// Whether a file is part of the project and can hold a program.
fn is_read(file: &Path, project: &Path) -> bool {
    let Ok(rest) = file.strip_prefix(project) else { return false };
    let is_installed = rest.components().any(|part| part.as_os_str() == "node_modules");
    !is_installed && survey::is_program(&file.to_string_lossy())
}

fn name(file: &Path, project: &Path) -> String {
    file.strip_prefix(project).unwrap_or(file).display().to_string()
}

fn module(file: &Path, project: &Path) -> Result<Module, String> {
    let mut text = String::new();
    let opened = File::open(file).map_err(|error| error.to_string())?;
    opened.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() > usize::try_from(MOST_BYTES).unwrap_or(usize::MAX) {
        return Err(format!("it is longer than {} KiB", MOST_BYTES >> 10));
    }
    let name = name(file, project);
    let surveyed = thread::scope(|scope| {
        let work = || survey(&file.to_string_lossy(), &text);
        let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| error.to_string())?;
        thread.join().map_err(|_| "the parser failed".to_owned())?.map_err(|error| error.to_string())
    })?;
    Ok(Module { name, folder: file.parent().unwrap_or(Path::new("/")).to_path_buf(), survey: surveyed })
}

/// The file that an import means, free of symbolic links.
fn resolve(path: &Path) -> Option<PathBuf> {
    let file = |path: PathBuf| path.is_file().then(|| path.canonicalize().ok()).flatten();
    let with = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let index = |ending: &str| path.join(format!("index{ending}"));
    // TypeScript files are imported under the name that they would be compiled to.
    let source = || {
        let source = match path.extension()?.to_str()? {
            "js" => ["ts", "tsx"].as_slice(),
            "mjs" => &["mts"],
            "cjs" => &["cts"],
            "jsx" => &["tsx"],
            _ => &[],
        };
        source.iter().find_map(|ending| file(path.with_extension(ending)))
    };
    file(path.to_path_buf())
        .or_else(|| ENDINGS.iter().find_map(|ending| file(with(ending))))
        .or_else(source)
        .or_else(|| ENDINGS.iter().find_map(|ending| file(index(ending))))
}

/// Part of Bun.
fn is_builtin(specifier: &str) -> bool {
    let module = specifier.split('/').next().unwrap_or_default();
    specifier.starts_with("node:") || specifier.starts_with("bun:") || BUILTINS.contains(&module)
}

/// The package of a specifier such as `@scope/name/file`.
fn package(specifier: &str) -> &str {
    let parts = if specifier.starts_with('@') { 2 } else { 1 };
    match specifier.match_indices('/').nth(parts - 1) {
        Some((end, _)) => &specifier[..end],
        None => specifier,
    }
}
