//! A policy file with everything it extends.

use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::layer::{Base, Extends, Layer};

/// How many files and presets a policy can build on, one on another.
pub const MAX_EXTENDS_DEPTH: usize = 8;

/// A layer and what it extends, as far as it was read: presets come by themselves, files are read by the caller.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The last one is what all others build on.
    layers: Vec<Layer>,
}

impl Chain {
    /// Starts with the layer that was asked for.
    pub fn new(layer: Layer) -> Result<Self, Diagnostic> {
        let mut chain = Self { layers: Vec::with_capacity(2) };
        chain.push(layer)?;
        Ok(chain)
    }

    /// The file that has to be read next; `None` when the chain is complete.
    pub fn next_file(&self) -> Option<&Path> {
        match self.layers.last()?.extends.as_ref().map(|extends| &extends.base) {
            Some(Base::File(path)) => Some(path),
            _ => None,
        }
    }

    /// A problem with that file, at the `extends` that asks for it.
    pub fn problem(&self, message: impl Into<String>) -> Option<Diagnostic> {
        let extends = self.layers.last()?.extends.as_ref()?;
        Some(Diagnostic::error(extends.origin.clone(), message))
    }

    /// Adds the layer of the file asked for, with the presets it extends.
    pub fn push(&mut self, layer: Layer) -> Result<(), Diagnostic> {
        let mut next = Some(layer);
        while let Some(layer) = next {
            if let Some(extends) = &layer.extends {
                self.check(&layer, extends)?;
            }
            next = match layer.extends.as_ref().map(|extends| &extends.base) {
                Some(Base::Preset(preset)) => Some(preset.layer()),
                _ => None,
            };
            self.layers.push(layer);
        }
        Ok(())
    }

    fn check(&self, layer: &Layer, extends: &Extends) -> Result<(), Diagnostic> {
        let refuse = |message: String| Err(Diagnostic::error(extends.origin.clone(), message));
        if self.layers.len() >= MAX_EXTENDS_DEPTH {
            return refuse(format!("extends goes deeper than {MAX_EXTENDS_DEPTH} files"));
        }
        if let Base::File(path) = &extends.base {
            let mut files = self.layers.iter().chain([layer]);
            if let Some(earlier) = files.find(|earlier| earlier.path.as_deref() == Some(path)) {
                return refuse(format!("extends goes round in a circle: it leads back to {}", earlier.name));
            }
        }
        Ok(())
    }

    /// The layers, each after what it builds on.
    pub fn into_layers(self) -> Vec<Layer> {
        let mut layers = self.layers;
        layers.reverse();
        layers
    }
}
