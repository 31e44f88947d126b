//! What is wrong with a policy, where, and what to write instead.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Origin as SnippetOrigin, Renderer, Snippet};

use crate::source::{Origin, Position};

/// One problem of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    origin: Origin,
    message: String,
    help: Option<String>,
}

/// Whether a rendered diagnostic carries terminal colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Off,
    /// ANSI colours.
    On,
}

impl Diagnostic {
    /// An error at `origin`.
    pub fn error(origin: Origin, message: impl Into<String>) -> Self {
        Self { origin, message: message.into(), help: None }
    }

    /// The same, with advice on what to write instead.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The place that is wrong.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The name of the source that is wrong.
    pub fn source_name(&self) -> &str {
        self.origin.source_name()
    }

    /// Line and column, where the source has lines.
    pub fn position(&self) -> Option<Position> {
        self.origin.position()
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Several lines for people: the message, the place, the line with a caret under it, the advice.
    pub fn render(&self, colour: Colour) -> String {
        let renderer = match colour {
            Colour::Off => Renderer::plain(),
            Colour::On => Renderer::styled(),
        };
        let text = self.origin.source_text();
        let title = Level::ERROR.primary_title(self.message.as_str());
        let mut group = if self.position().is_some() && !text.is_empty() {
            let caret = AnnotationKind::Primary.span(self.origin.span());
            title.element(Snippet::source(text).path(self.source_name()).annotation(caret))
        } else {
            Group::with_title(title).element(SnippetOrigin::path(self.source_name()))
        };
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.origin, self.message)?;
        match &self.help {
            Some(help) => write!(out, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}

/// Why a single value is not acceptable, before it is known where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn at(self, origin: Origin) -> Diagnostic {
        Diagnostic { origin, message: self.message, help: self.help }
    }
}

/// The word of `known` that `word` was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const SHORTEST_BEGINNING: usize = 3;
    let word = word.to_ascii_lowercase();
    let distance = |candidate: &str| {
        let candidate = candidate.to_ascii_lowercase();
        if word.len() >= SHORTEST_BEGINNING && candidate.starts_with(&word) {
            return 1;
        }
        strsim::damerau_levenshtein(&word, &candidate)
    };
    known
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
