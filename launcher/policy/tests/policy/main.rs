//! Tests of the crate from outside, as the launcher uses it.

#[path = "../../cases/table.rs"]
mod table;

mod children;
mod decisions;
mod diagnostics;
mod differences;
mod flags;
mod generated;
mod hover;
mod merging;
mod presets;
mod shown;
mod within;

use policy::{Chain, ExpandedPolicy, Layer, Places, Policy, Source};

/// The file `/project/p.json`.
fn file() -> Source {
    Source::file("p.json", "/project/p.json")
}

fn layer(text: &str) -> Layer {
    Layer::parse(&file(), text.as_bytes()).unwrap_or_else(|problems| panic!("{text} is not valid: {problems:?}"))
}

/// The policy of a text that extends presets at most.
fn policy(text: &str) -> Policy {
    Policy::merge(&Chain::new(layer(text)).expect("it extends presets at most").into_layers())
}

fn places() -> Places {
    Places {
        program: "/project/src".into(),
        project: vec!["/project".into()],
        tmp: "/tmp".into(),
        home: "/home/me".into(),
        cwd: "/project".into(),
    }
}

fn expanded(text: &str) -> ExpandedPolicy {
    policy(text).expand(&places())
}
