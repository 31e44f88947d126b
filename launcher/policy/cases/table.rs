// The policies of a table of cases: for the tests that run it and the program that writes what is generated from it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use policy::{Chain, ExpandedPolicy, Layer, Places, Policy, PreloadTable, Source};
use serde::Deserialize;

/// The cases that the preload runs too.
pub(crate) const SHARED_CASES: &str = include_str!("decisions.json");

/// Where the generated tables are checked in, from the root of the repository.
pub(crate) const PRELOAD_TABLES: &str = "launcher/policy/cases/tables.json";

#[derive(Deserialize)]
pub(crate) struct Table {
    places: PlaceTable,
    policies: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct PlaceTable {
    program: PathBuf,
    project: Vec<PathBuf>,
    tmp: PathBuf,
    home: PathBuf,
    cwd: PathBuf,
}

impl Table {
    pub(crate) fn read(text: &str) -> Self {
        serde_json::from_str(text).expect("the table is JSON of this shape")
    }

    /// Each policy of the table, by its name.
    pub(crate) fn expanded(&self) -> BTreeMap<&str, ExpandedPolicy> {
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
}

/// The preload's table of each shared policy, as the JSON that is checked in.
pub(crate) fn preload_tables() -> String {
    let shared = Table::read(SHARED_CASES);
    let policies = shared.expanded();
    let tables: BTreeMap<&str, PreloadTable> =
        policies.iter().map(|(name, policy)| (*name, policy::preload_table(policy))).collect();
    let mut text = serde_json::to_string_pretty(&tables).expect("the tables are plain data");
    text.push('\n');
    text
}
