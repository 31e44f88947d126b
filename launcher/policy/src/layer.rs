//! What one source said, before it is merged with others.

use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Fault, nearest};
use crate::grants::{Entry, Statement};
use crate::path::{SymbolicPath, normalize};
use crate::permission::{Permission, Side};
use crate::policy::Policy;
use crate::preset::Preset;
use crate::source::{Origin, Source, SourceKind, SourceText};

/// What one policy file, preset or set of flags says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    pub(crate) name: String,
    pub(crate) path: Option<PathBuf>,
    pub(crate) extends: Option<Extends>,
    pub(crate) said: Policy,
}

impl Layer {
    /// Reads the text of a policy file: JSON, with comments and trailing commas if it likes.
    pub fn parse(source: &Source, text: &[u8]) -> Result<Self, Vec<Diagnostic>> {
        crate::document::read(source, text)
    }

    /// Reads the policy that stands under `key` of a JSON file; `None` where there is none.
    pub fn parse_member(source: &Source, text: &[u8], key: &str) -> Result<Option<Self>, Vec<Diagnostic>> {
        crate::document::read_member(source, text, key)
    }

    /// The layer of a preset.
    pub fn preset(preset: Preset) -> Self {
        preset.layer()
    }

    /// A layer that denies writing `files`, which are absolute, whatever their names. `name` is what people are told.
    pub fn guarding(name: &str, files: impl IntoIterator<Item = PathBuf>) -> Self {
        let denial = |file: PathBuf| {
            let text = crate::request::json(&file.to_string_lossy());
            let origin = SourceText::new(name, SourceKind::Builtin, text, None).whole();
            let statement = Statement { permission: Permission::Write, side: Side::Deny, origin };
            Entry { value: SymbolicPath::Literal(normalize(&file)), statement }
        };
        let mut said = Policy::default();
        said.grants.write.deny = files.into_iter().map(denial).collect();
        Self { name: name.to_owned(), path: None, extends: None, said }
    }

    /// The name of its source.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file it was read from; presets and flags have none.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What it builds on.
    pub fn extends(&self) -> Option<&Extends> {
        self.extends.as_ref()
    }

    /// What it says by itself, without what it builds on and without defaults.
    pub fn said(&self) -> &Policy {
        &self.said
    }
}

/// What a layer builds on, and where it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extends {
    /// The preset or file.
    pub base: Base,
    /// Where `extends` stands.
    pub origin: Origin,
}

/// Something to build on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// A preset.
    Preset(Preset),
    /// Another policy file.
    File(PathBuf),
}

impl Extends {
    /// A word is a preset; anything with a slash, or that ends like a policy file, is a file.
    pub(crate) fn parse(target: &str, folder: &Path, origin: Origin) -> Result<Self, Fault> {
        if let Some(preset) = Preset::from_name(target) {
            return Ok(Self { base: Base::Preset(preset), origin });
        }
        let extension = Path::new(target).extension();
        if target.contains('/') || extension.is_some_and(|extension| extension == "json" || extension == "jsonc") {
            return Ok(Self { base: Base::File(normalize(&folder.join(target))), origin });
        }
        let names = Preset::ALL.iter().map(|preset| preset.name());
        let fault = Fault::new(format!("{target:?} is neither a preset nor a policy file"));
        let help = if let Some(meant) = nearest(target, names.clone()) {
            format!("did you mean {meant:?}?")
        } else {
            let names: Vec<&str> = names.collect();
            format!("the presets are {}; a file is written ./base.json", names.join(", "))
        };
        Err(fault.with_help(help))
    }
}
