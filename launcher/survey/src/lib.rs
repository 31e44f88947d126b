//! What a program asks for: its text is read, never run.
//!
//! [`survey`] parses one JavaScript or TypeScript file and lists what its calls and imports name, as the permissions
//! of a policy. It takes names as they are written: a path that is put together at run time is reported as
//! [`Resource::Computed`], never guessed. The crate is pure: following imports to files is the caller's work.
//!
//! ```
//! use survey::{Resource, survey};
//!
//! let text = "import { readFile } from 'node:fs/promises';\nawait readFile('./data/a.txt');\n";
//! let survey = survey("main.ts", text).unwrap();
//! assert_eq!(survey.asks[0].permission, policy::Permission::Read);
//! assert_eq!(survey.asks[0].resource, Resource::Named("./data/a.txt".to_owned()));
//! assert_eq!(survey.asks[0].line, 2);
//! ```
#![forbid(unsafe_code)]

mod address;
mod asking;
mod calls;
mod names;
mod values;

use std::fmt;
use std::path::Path;

use oxc_allocator::Allocator;
use oxc_ast_visit::Visit as _;
use oxc_parser::Parser;
use oxc_span::SourceType;
use policy::Permission;

use calls::Asking;
use names::Names;

/// What one file asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// What its calls need, in the order of the text.
    pub asks: Vec<Ask>,
    /// What it imports or requires by a name that stands in the text.
    pub imports: Vec<Import>,
    /// Whether its default export is a function, which secure-bun calls.
    pub exports_function: bool,
}

/// One place that needs a permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The permission.
    pub permission: Permission,
    /// What it is needed for.
    pub resource: Resource,
    /// The line, counted from 1.
    pub line: usize,
}

/// What a permission is needed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// This, as a policy would name it; a relative path is relative to the working directory of the run.
    Named(String),
    /// A path relative to the folder of the file itself.
    Beside(String),
    /// There is nothing to name, as for `eval`.
    Whole,
    /// It is only known when the program runs.
    Computed,
}

/// A module that is imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// As written: `./lib.ts`, `express`, `node:fs`.
    pub specifier: String,
    /// The line, counted from 1.
    pub line: usize,
}

/// Why a file cannot be read as a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unparsable {
    /// The line, counted from 1.
    pub line: usize,
    /// What the parser says.
    pub message: String,
}

impl fmt::Display for Unparsable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for Unparsable {}

/// Whether a file of this name can hold a program.
pub fn is_program(name: &str) -> bool {
    language(name).is_some()
}

/// Bun decides by the file's name, and takes JSX in every JavaScript file.
fn language(name: &str) -> Option<SourceType> {
    match Path::new(name).extension()?.to_str()? {
        "ts" | "mts" | "cts" => Some(SourceType::ts()),
        "tsx" => Some(SourceType::tsx()),
        "js" | "jsx" | "mjs" | "cjs" => Some(SourceType::unambiguous().with_jsx(true)),
        _ => None,
    }
}

/// Lists what the file `name` with this text asks for.
pub fn survey(name: &str, text: &str) -> Result<Survey, Unparsable> {
    let allocator = Allocator::default();
    let language = language(name).unwrap_or_else(SourceType::ts);
    let parsed = Parser::new(&allocator, text, language).parse();
    let lines = Lines::of(text);
    // The parser leaves out everything when it gives up, and can go on after lesser errors.
    if parsed.panicked || (!parsed.errors.is_empty() && parsed.program.is_empty()) {
        let error = parsed.errors.first();
        let start = error.and_then(|error| Some(error.labels.as_ref()?.first()?.offset())).unwrap_or_default();
        let message = error.map_or_else(|| "this is not a program".to_owned(), |error| error.message.to_string());
        return Err(Unparsable { line: lines.line(start), message });
    }
    let mut names = Names::default();
    names.visit_program(&parsed.program);
    let mut asking = Asking::new(&names, &lines);
    asking.visit_program(&parsed.program);
    let mut survey = asking.found;
    // Calls are met from the outside in; people read from the top down.
    survey.asks.sort_by_key(|ask| ask.line);
    survey.imports.sort_by_key(|import| import.line);
    Ok(survey)
}

/// Where each line starts, in bytes.
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    pub(crate) fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}
