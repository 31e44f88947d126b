//! What the program's text can ask for. A guard costs a start some microseconds, the guards of modules a third of a
//! millisecond, and looking at some powers of Bun makes them, which takes up to 6 ms for SQL. What no text mentions is
//! not guarded: a program that hides a name meets the kernel, and gains nothing but a refusal without an explanation.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use memchr::memmem;
use serde::Serialize;

use crate::error::{Error, Kind};
use crate::plain_file::{self, Links};

/// Files that are looked at for one start. A program of more can ask for everything.
const MAX_FILES: usize = 8;
/// What a file is looked at for; a longer one can ask for everything.
const MAX_BYTES: u64 = 256 * 1024;
/// What a specifier may leave out.
const EXTENSIONS: [&str; 5] = ["", ".ts", ".js", ".mjs", ".tsx"];

/// Properties of `Bun` that are made by looking at them.
const POWERS: [&str; 16] = [
    "Archive",
    "FileSystemRouter",
    "Glob",
    "Image",
    "RedisClient",
    "S3Client",
    "SQL",
    "WebView",
    "build",
    "dns",
    // Not guarded, since it cannot be replaced, but its failures are explained.
    "fetch",
    "postgres",
    "redis",
    "s3",
    "secrets",
    "sql",
];

/// Members of `process`.
const MEMBERS: [&str; 4] = ["chdir", "dlopen", "execve", "loadEnvFile"];

/// Modules that are rarely used, by the names under which a plugin is not asked about them.
const MODULES: [&str; 11] = [
    "bun:jsc",
    "child_process",
    "cluster",
    "dgram",
    "inspector",
    "inspector/promises",
    "module",
    "process",
    "undici",
    "wasi",
    "ws",
];

/// What is found in the text of a program, and of the files that it imports from its own folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// A default export is possible: every way to write one needs `default` or `exports`. A file that hides them
    /// behind escapes is run as a script.
    pub(crate) exports: bool,
    /// Powers that are guarded only where they are mentioned.
    pub(crate) mentions: Vec<&'static str>,
    /// Which groups of guards can be asked for.
    pub(crate) asks: Asks,
}

/// Groups of guards.
#[expect(clippy::struct_excessive_bools, reason = "the preload asks for each by its name")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Asks {
    /// Modules, by `import` or `process.getBuiltinModule`.
    pub(crate) modules: bool,
    /// Modules, by `require` as well.
    pub(crate) require: bool,
    /// `fs.promises`, too.
    pub(crate) promises: bool,
    /// Properties of `Bun`.
    pub(crate) bun: bool,
    /// The network of the web.
    pub(crate) web: bool,
    /// `WebSocket`, where it is more than refused.
    pub(crate) sockets: bool,
}

impl Asks {
    const EVERYTHING: Self = Self { modules: true, require: true, promises: true, bun: true, web: true, sockets: true };
}

impl Source {
    /// Looks at a program.
    pub(crate) fn of(program: &Path) -> Result<Self, Error> {
        let source = fs::read(program).map_err(|error| Error::io(Kind::NotRunnable, "read", program, &error))?;
        Ok(Self::of_text(program, source))
    }

    /// Looks at a program of this text, which is at this path or will be.
    pub(crate) fn of_text(program: &Path, source: Vec<u8>) -> Self {
        let exports = holds(&source, "default") || holds(&source, "exports");
        let mut found = Self { exports, mentions: Vec::new(), asks: Asks::default() };
        let mut seen = vec![program.to_owned()];
        let mut next = VecDeque::from([(program.to_owned(), source)]);
        while let Some((path, source)) = next.pop_front() {
            found.add(&path, &source);
            if found.asks == Asks::EVERYTHING {
                continue;
            }
            match imported(&path, &source, &mut seen) {
                Some(files) => next.extend(files),
                None => found.asks = Asks::EVERYTHING,
            }
        }
        found
    }

    /// A text that nobody has seen: it can ask for everything.
    pub(crate) const fn unknown() -> Self {
        Self { exports: false, mentions: Vec::new(), asks: Asks::EVERYTHING }
    }

    /// The same for a program that is not known yet.
    pub(crate) fn of_another(&self) -> Self {
        Self { asks: Asks::EVERYTHING, ..self.clone() }
    }

    /// Adds what one file mentions.
    fn add(&mut self, path: &Path, source: &[u8]) {
        mention(source, &mut self.mentions);
        let asks = &mut self.asks;
        let fetch = holds(source, "fetch");
        // Bun serves a default export that has a `fetch`.
        asks.bun |= holds(source, "Bun") || (fetch && self.exports);
        asks.sockets |= holds(source, "WebSocket");
        asks.web |= fetch || asks.sockets;
        asks.promises |= holds(source, "promises");
        asks.modules |=
            !self.mentions.is_empty() || ["import", "from", "getBuiltin"].iter().any(|word| holds(source, word));
        // `require`, `createRequire`, and the runtime that JSX imports without saying so.
        if holds(source, "equire") || path.extension().is_some_and(|extension| extension == "tsx" || extension == "jsx")
        {
            *asks = Asks::EVERYTHING;
        }
        // Modules reach the system through properties of `Bun`.
        asks.bun |= asks.modules;
        asks.web |= asks.modules;
    }
}

/// The files that a file imports and that were not seen yet; `None` where it may import something else than Bun's own
/// modules and a few files of its folder.
fn imported(path: &Path, source: &[u8], seen: &mut Vec<PathBuf>) -> Option<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for specifier in specifiers(source)? {
        if specifier.starts_with("node:") || specifier.starts_with("bun:") || specifier == "bun" {
            continue;
        }
        let rest = specifier.strip_prefix("./")?;
        if rest.split('/').any(|part| part == "..") {
            return None;
        }
        let base = path.parent()?.join(rest);
        let (path, source) = EXTENSIONS.iter().find_map(|extension| {
            let mut path = base.clone().into_os_string();
            path.push(extension);
            Some((PathBuf::from(&path), read_plain(Path::new(&path)).ok()?))
        })?;
        if !seen.contains(&path) {
            if seen.len() == MAX_FILES {
                return None;
            }
            seen.push(path.clone());
            files.push((path, source));
        }
    }
    Some(files)
}

/// What stands in quotes after `import`, `import(` and `from`; `None` where something else may be loaded.
fn specifiers(source: &[u8]) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    for word in ["import", "from"] {
        for at in memmem::find_iter(source, word) {
            let before = at.checked_sub(1).and_then(|at| source.get(at));
            let mut rest = source[at + word.len()..].trim_ascii_start();
            // `Array.from(…)`, `important`: not the keyword.
            if is_part(before) || before == Some(&b'.') || is_part(source.get(at + word.len())) {
                continue;
            }
            let called = rest.first() == Some(&b'(');
            if called && word == "import" {
                rest = rest[1..].trim_ascii_start();
            }
            match rest.first() {
                Some(quote @ (b'"' | b'\'')) => {
                    let end = memchr::memchr(*quote, &rest[1..])?;
                    found.push(std::str::from_utf8(&rest[1..=end]).ok()?);
                }
                // A name that is computed, or behind a comment.
                _ if called && word == "import" => return None,
                Some(b'/' | b'`') => return None,
                _ => {}
            }
        }
    }
    Some(found)
}

/// Reads a file that the program names, unless it is too long.
fn read_plain(path: &Path) -> io::Result<Vec<u8>> {
    let mut source = Vec::new();
    plain_file::open(path, Links::Refuse)?.take(MAX_BYTES + 1).read_to_end(&mut source)?;
    if source.len() as u64 > MAX_BYTES { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(source) }
}

/// Adds the powers that a text mentions.
fn mention(source: &[u8], found: &mut Vec<&'static str>) {
    let quoted = |name: &str| holds(source, &format!("\"{name}\"")) || holds(source, &format!("'{name}'"));
    let mut add = |name| {
        if !found.contains(&name) {
            found.push(name);
        }
    };
    // The shell is used as a tagged template.
    if holds(source, "$`") {
        add("$");
    }
    if holds(source, "Bun") || quoted("bun") {
        // Imported, or taken apart: `const { sql } = Bun`.
        let bare = quoted("bun") || holds(source, "= Bun");
        let named = |name: &str| holds(source, &format!("Bun.{name}")) || (bare && holds_word(source, name));
        POWERS.into_iter().filter(|name| named(name)).for_each(&mut add);
    }
    if holds(source, "process") {
        MEMBERS.into_iter().filter(|name| holds_word(source, name)).for_each(&mut add);
    }
    if holds(source, "import") || holds(source, "equire") || holds(source, "getBuiltin") {
        MODULES.into_iter().filter(|name| quoted(name)).for_each(&mut add);
    }
}

fn holds(source: &[u8], part: &str) -> bool {
    memmem::find(source, part.as_bytes()).is_some()
}

fn holds_word(source: &[u8], word: &str) -> bool {
    memmem::find_iter(source, word)
        .any(|at| !is_part(at.checked_sub(1).and_then(|at| source.get(at))) && !is_part(source.get(at + word.len())))
}

/// Whether a byte can belong to a name.
fn is_part(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_$".contains(byte))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::{Asks, MAX_BYTES, MAX_FILES, Source};

    const MODULES: Asks = Asks { modules: true, require: false, promises: false, bun: true, web: true, sockets: false };

    /// What is found in the first of some files.
    fn found(files: &[(&str, &str)]) -> Source {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, source) in files {
            fs::write(folder.path().join(name), source).expect("a file");
        }
        Source::of(&folder.path().join(files[0].0)).expect("it can be read")
    }

    fn mentions(source: &str) -> Vec<&'static str> {
        found(&[("a.ts", source)]).mentions
    }

    fn asks(source: &str) -> Asks {
        found(&[("a.ts", source)]).asks
    }

    #[test]
    fn a_program_that_computes() {
        let source = found(&[("a.ts", "export default () => console.log('sql, s3, ws');")]);
        assert_eq!(source, Source { exports: true, mentions: Vec::new(), asks: Asks::default() });
    }

    #[test]
    fn members_of_bun() {
        assert_eq!(mentions("await Bun.sql`select 1`; new Bun.Glob('*');"), ["Glob", "sql"]);
        assert_eq!(mentions("await Bun.$`ls`"), ["$"]);
        assert_eq!(asks("Bun.write('x', 'y')"), Asks { bun: true, ..Asks::default() });
    }

    #[test]
    fn imports_from_bun() {
        assert_eq!(mentions("import { s3, SQL } from \"bun\";"), ["SQL", "s3"]);
        assert_eq!(mentions("const { RedisClient } = Bun; rebuild();"), ["RedisClient"]);
    }

    #[test]
    fn modules() {
        assert_eq!(mentions("const { request } = require('undici'); process.chdir('/');"), ["chdir", "undici"]);
    }

    #[test]
    fn the_web() {
        assert_eq!(asks("await fetch('http://localhost')"), Asks { web: true, ..Asks::default() });
        assert_eq!(asks("export default { fetch() {} }"), Asks { bun: true, web: true, ..Asks::default() });
        assert_eq!(asks("new WebSocket('ws://localhost')"), Asks { web: true, sockets: true, ..Asks::default() });
    }

    #[test]
    fn importing_modules_of_bun_needs_no_guard_of_require() {
        for source in ["import fs from 'node:fs'", "import{x}from\"bun:sqlite\"", "await import(\n'node:os')"] {
            assert_eq!(asks(source), MODULES, "{source}");
        }
        assert_eq!(asks("export { readFile } from 'node:fs/promises'"), Asks { promises: true, ..MODULES });
        assert_eq!(asks("process.getBuiltinModule('fs')"), MODULES);
        assert_eq!(asks("Array.from([1]); const important = 1;"), MODULES);
    }

    #[test]
    fn what_may_load_anything_can_ask_for_everything() {
        let sources = [
            "require('fs')",
            "import { createRequire } from 'node:module'",
            "import.meta.require('fs')",
            "import _ from 'lodash'",
            "import fs from 'fs'",
            "await import(name)",
            "await import(`./${name}`)",
            "import x from /* where */ './x.ts'",
            "import x from './missing.ts'",
            "import x from '../x.ts'",
            "import x from './y/../../x.ts'",
            "import x from '/etc/x.ts'",
        ];
        for source in sources {
            assert_eq!(asks(source), Asks::EVERYTHING, "{source}");
        }
        assert_eq!(found(&[("a.tsx", "export default () => <p/>")]).asks, Asks::EVERYTHING);
    }

    #[test]
    fn imported_files_are_looked_at_as_well() {
        let files = [
            ("a.ts", "import { b } from './b'; export default b;"),
            ("b.ts", "export * from './c.js'; import './a.ts'; export const b = Bun.s3;"),
            ("c.js", "import os from 'node:os'; export default process.chdir;"),
        ];
        let source = found(&files);
        assert_eq!(source.mentions, ["s3", "chdir"]);
        assert_eq!(source.asks, MODULES);
        let package = found(&[("a.ts", "import './b.ts'"), ("b.ts", "import 'lodash'")]);
        assert_eq!(package.asks, Asks::EVERYTHING);
    }

    #[test]
    fn there_is_an_end_to_it() {
        let names: Vec<String> = (0..=MAX_FILES).map(|number| format!("{number}.ts")).collect();
        let sources: Vec<String> = (1..=MAX_FILES + 1).map(|number| format!("import './{number}.ts'")).collect();
        let chain: Vec<(&str, &str)> =
            names.iter().map(String::as_str).zip(sources.iter().map(String::as_str)).collect();
        assert_eq!(found(&chain).asks, Asks::EVERYTHING);
        let long = " ".repeat(usize::try_from(MAX_BYTES).expect("it fits") + 1);
        assert_eq!(found(&[("a.ts", "import './b.ts'"), ("b.ts", &long)]).asks, Asks::EVERYTHING);
    }

    #[test]
    fn only_plain_files_are_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("a.ts");
        fs::write(&program, "import './b.ts'").expect("a file");
        symlink("/dev/zero", folder.path().join("b.ts")).expect("a link");
        assert_eq!(Source::of(&program).expect("it can be read").asks, Asks::EVERYTHING);
        fs::remove_file(folder.path().join("b.ts")).expect("it is gone");
        let pipe = folder.path().join("b.ts");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        assert_eq!(Source::of(&program).expect("it does not wait").asks, Asks::EVERYTHING);
    }
}
