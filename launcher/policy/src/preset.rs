//! The policies that come with the program.

use std::sync::Arc;

use crate::document;
use crate::layer::Layer;
use crate::source::{Source, SourceKind, SourceText};

/// A policy that comes with the program, a readable file in `policies/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// Computes, and reaches nothing but its own modules.
    Function,
    /// A function that may also request URLs through the launcher.
    Fetch,
    /// A command line program that reads its project.
    Script,
    /// `bun install` and its kin.
    BunInstall,
    /// `bun test`.
    BunTest,
    /// `bunx`.
    BunX,
    /// `bun build`.
    BunBuild,
    /// A program under development, with its project writable.
    Dev,
    /// A program that is trusted with the project, the network and other programs.
    Trusted,
}

impl Preset {
    /// All presets, the narrowest first.
    pub const ALL: [Self; 9] = [
        Self::Function,
        Self::Fetch,
        Self::Script,
        Self::BunInstall,
        Self::BunTest,
        Self::BunX,
        Self::BunBuild,
        Self::Dev,
        Self::Trusted,
    ];

    /// Its name in `extends` and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Fetch => "fetch",
            Self::Script => "script",
            Self::BunInstall => "bun-install",
            Self::BunTest => "bun-test",
            Self::BunX => "bun-x",
            Self::BunBuild => "bun-build",
            Self::Dev => "dev",
            Self::Trusted => "trusted",
        }
    }

    /// The preset called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// The text of its file.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Function => include_str!("../../../policies/function.json"),
            Self::Fetch => include_str!("../../../policies/fetch.json"),
            Self::Script => include_str!("../../../policies/script.json"),
            Self::BunInstall => include_str!("../../../policies/bun-install.json"),
            Self::BunTest => include_str!("../../../policies/bun-test.json"),
            Self::BunX => include_str!("../../../policies/bun-x.json"),
            Self::BunBuild => include_str!("../../../policies/bun-build.json"),
            Self::Dev => include_str!("../../../policies/dev.json"),
            Self::Trusted => include_str!("../../../policies/trusted.json"),
        }
    }

    pub(crate) fn layer(self) -> Layer {
        let name = format!("preset {}", self.name());
        let source = Source::file(name.as_str(), "");
        let text: Arc<SourceText> = SourceText::new(&name, SourceKind::Text, self.text(), None);
        match document::read_text(&text, &source) {
            Ok(layer) => Layer { path: None, ..layer },
            // The presets are part of this program, and its tests read each of them.
            Err(problems) => unreachable!("{name}: {problems:?}"),
        }
    }
}

/// The JSON Schema of a policy file, for editors.
pub const POLICY_SCHEMA: &str = include_str!("../../../policies/policy.schema.json");
