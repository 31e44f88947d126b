// The shared table of cases, read: for the tests that run it and the program that writes what is generated from it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use policy::{Chain, ExpandedPolicy, Layer, Places, Policy, PreloadTable, Source};
use serde::Deserialize;

/// Where the generated tables are checked in, from the root of the repository.
pub const PRELOAD_TABLES: &str = "launcher/policy/cases/tables.json";

#[derive(Deserialize)]
pub struct Table {
    places: PlaceTable,
    policies: BTreeMap<String, Vec<String>>,
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
struct PlaceTable {
    program: PathBuf,
    project: Vec<PathBuf>,
    tmp: PathBuf,
    home: PathBuf,
    cwd: PathBuf,
}

#[derive(Deserialize)]
pub struct Case {
    pub policy: String,
    pub permission: String,
    pub resource: Option<String>,
    pub allowed: bool,
    pub rule: String,
    pub fix: Option<String>,
    pub message: Option<String>,
}

impl Table {
    /// The cases that the preload runs too.
    pub fn shared() -> Self {
        Self::read(include_str!("decisions.json"))
    }

    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).expect("the table is JSON of this shape")
    }

    /// Each policy of the table, by its name.
    pub fn expanded(&self) -> BTreeMap<&str, ExpandedPolicy> {
        let PlaceTable { program, project, tmp, home, cwd } = &self.places;
        let places = Places {
            program: program.clone(),
            project: project.clone(),
            tmp: tmp.clone(),
            home: home.clone(),
            cwd: cwd.clone(),
        };
        let expand = |name: &str, lines: &[String]| {
            let source = Source::file("p.json", "/project/p.json");
            let layer = Layer::parse(&source, lines.join("\n").as_bytes())
                .unwrap_or_else(|problems| panic!("the policy {name:?} is not valid: {problems:?}"));
            Policy::merge(&Chain::new(layer).expect("it extends presets alone").into_layers()).expand(&places)
        };
        self.policies.iter().map(|(name, lines)| (name.as_str(), expand(name, lines))).collect()
    }

    /// The preload's table of each policy, as the JSON that is checked in.
    pub fn preload_tables(&self) -> String {
        let policies = self.expanded();
        let tables: BTreeMap<&str, PreloadTable> =
            policies.iter().map(|(name, policy)| (*name, policy::preload_table(policy))).collect();
        let mut text = serde_json::to_string_pretty(&tables).expect("the tables are plain data");
        text.push('\n');
        text
    }
}
