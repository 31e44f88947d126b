//! Where a statement comes from: a policy file, a preset, a flag, or a built-in default.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::Diagnostic;

/// The largest policy file that is read. A caller need not read further than one byte beyond it.
pub const MAX_POLICY_BYTES: usize = 256 * 1024;

/// A policy file as the caller knows it: the name shown to people, and the path it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    name: String,
    path: PathBuf,
}

impl Source {
    /// A file shown as `name`; relative paths in it are relative to the folder of `path`.
    pub fn file(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), path: path.into() }
    }

    /// The name shown to people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The path the file was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Checks that `bytes` can be a policy text at all.
    pub(crate) fn text(&self, bytes: &[u8]) -> Result<Arc<SourceText>, Diagnostic> {
        let refuse = |text: String, start: usize, message: &str, help: &str| {
            let end = text[start..].chars().next().map_or(start, |c| start + c.len_utf8());
            let source = SourceText::new(&self.name, SourceKind::Text, text, None);
            Diagnostic::error(source.origin(start, end), message).with_help(help)
        };
        if bytes.len() > MAX_POLICY_BYTES {
            let message = format!("the policy is too large: the limit is {} KiB", MAX_POLICY_BYTES / 1024);
            return Err(refuse(String::new(), 0, &message, "split it, or grant folders instead of single files"));
        }
        if bytes.starts_with(b"\xef\xbb\xbf") {
            let help = "save it as UTF-8 without a byte order mark";
            return Err(refuse(String::new(), 0, "the policy starts with a byte order mark", help));
        }
        let text = match str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let start = error.valid_up_to();
                let text = String::from_utf8_lossy(bytes).into_owned();
                return Err(refuse(text, start, "the policy is not UTF-8", "save it as UTF-8"));
            }
        };
        if text.trim().is_empty() {
            return Err(refuse(String::new(), 0, "the policy is empty", "the smallest policy is {}"));
        }
        Ok(SourceText::new(&self.name, SourceKind::Text, text, Some(self.folder())))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceKind {
    /// A JSON text: positions in it are lines and columns, slices of it are JSON.
    Text,
    /// The value of a command line flag: the name is the flag as typed, slices of it are plain text.
    Flag,
    /// Something that holds when nobody says otherwise; slices of it are JSON.
    Builtin,
}

/// The text of a source, shared by all the origins that point into it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SourceText {
    pub(crate) name: String,
    pub(crate) kind: SourceKind,
    pub(crate) text: String,
    /// Where relative paths in it start.
    pub(crate) folder: Option<PathBuf>,
}

impl SourceText {
    pub(crate) fn new(name: &str, kind: SourceKind, text: impl Into<String>, folder: Option<&Path>) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), kind, text: text.into(), folder: folder.map(Path::to_path_buf) })
    }

    pub(crate) fn origin(self: &Arc<Self>, start: usize, end: usize) -> Origin {
        Origin { source: Arc::clone(self), start, end }
    }

    pub(crate) fn whole(self: &Arc<Self>) -> Origin {
        self.origin(0, self.text.len())
    }
}

/// A line and a column, both counted from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// The place that a statement was made: a span of a policy file, or a flag.
///
/// Shown as `p.json:3:14`, or as the flag.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    source: Arc<SourceText>,
    start: usize,
    end: usize,
}

impl Origin {
    /// The name of the file, `preset NAME`, the flag as typed, or `default`.
    pub fn source_name(&self) -> &str {
        &self.source.name
    }

    /// The whole text of the source; empty where there is none to show.
    pub(crate) fn source_text(&self) -> &str {
        &self.source.text
    }

    /// The folder that relative paths of the source start from: a file's own, or the working directory of a flag.
    pub fn folder(&self) -> Option<&Path> {
        self.source.folder.as_deref()
    }

    /// The span in the source, in bytes.
    pub fn span(&self) -> std::ops::Range<usize> {
        self.start..self.end
    }

    /// Line and column, for a source that has lines.
    pub fn position(&self) -> Option<Position> {
        if self.source.kind != SourceKind::Text {
            return None;
        }
        let before = &self.source.text[..self.start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
        Some(Position { line, column: 1 + before[line_start..].chars().count() })
    }

    /// The statement as JSON, as its author wrote it, on one line.
    pub fn json(&self) -> String {
        let slice = &self.source.text[self.start..self.end];
        match self.source.kind {
            SourceKind::Text | SourceKind::Builtin => on_one_line(slice),
            SourceKind::Flag => crate::request::json(slice),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position() {
            Some(Position { line, column }) => write!(out, "{}:{line}:{column}", self.source.name),
            None => out.write_str(&self.source.name),
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

/// JSON with nothing in it that a terminal would obey: what is told of a statement looks like what it says.
fn on_one_line(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    let (mut in_text, mut is_escaped) = (false, false);
    for c in json.chars() {
        match c {
            c if c.is_control() && in_text => line.extend(format!("\\u{:04x}", u32::from(c)).chars()),
            c if c.is_control() => line.push(' '),
            c => line.push(c),
        }
        in_text ^= c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::on_one_line;

    #[test]
    fn a_statement_has_one_line_and_no_control_characters() {
        assert_eq!(on_one_line("\"a\u{1b}[2J\\\"b\nc\""), r#""a\u001b[2J\"b\u000ac""#);
        assert_eq!(on_one_line("{\n\t\"a\": 1\n}"), "{  \"a\": 1 }");
    }
}
