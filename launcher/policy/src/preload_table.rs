//! What the preload needs to decide by itself: a policy's rules as plain data.

use std::path::PathBuf;

use serde::Serialize;

use crate::decide::decide;
use crate::grants::{Entry, Rules};
use crate::places::ExpandedPolicy;
use crate::program::{LibraryRule, ProgramRule};
use crate::request::Request;
use crate::within::most_workers;

/// The table that the launcher hands to the preload. Its TypeScript type is generated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "each field is the permission of its name")]
pub struct PreloadTable {
    pub read: PathTable,
    pub write: PathTable,
    /// Its grants are the import roots.
    pub import: PathTable,
    pub env: PatternTable,
    pub sys: PatternTable,
    pub net: PatternTable,
    pub listen: PatternTable,
    pub fetch: PatternTable,
    pub run: PatternTable,
    pub host: PatternTable,
    pub secrets: PatternTable,
    pub ffi: LibraryTable,
    pub workers: WorkerTable,
    pub eval: SwitchTable,
    pub wasm: SwitchTable,
}

/// Rules about paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct PathTable {
    pub allow: Vec<PathRow>,
    pub deny: Vec<PathRow>,
}

/// A file, or a folder with everything below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct PathRow {
    pub path: String,
    pub rule: String,
}

/// Rules about names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct PatternTable {
    pub allow: Vec<PatternRow>,
    pub deny: Vec<PatternRow>,
}

/// A name in which `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct PatternRow {
    pub pattern: String,
    pub rule: String,
}

/// Rules about native libraries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct LibraryTable {
    pub allow: Vec<LibraryRow>,
    pub deny: Vec<LibraryRow>,
}

/// A library or a folder of them; without a path, every library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct LibraryRow {
    pub path: Option<String>,
    pub rule: String,
}

/// How many workers may run, and the rule that says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct WorkerTable {
    pub most: u32,
    pub rule: String,
}

/// Whether something is allowed, and the rule that says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct SwitchTable {
    pub allowed: bool,
    pub rule: String,
}

/// The table of `policy`.
pub fn preload_table(policy: &ExpandedPolicy) -> PreloadTable {
    let grants = &policy.grants;
    let switch = |request: Request| {
        let decision = decide(policy, &request);
        SwitchTable { allowed: decision.allowed, rule: decision.rule.to_string() }
    };
    let most = most_workers(policy);
    PreloadTable {
        read: paths(&grants.read),
        write: paths(&grants.write),
        import: paths(&grants.import),
        env: patterns(&grants.env, ToString::to_string),
        sys: patterns(&grants.sys, ToString::to_string),
        net: patterns(&grants.net, ToString::to_string),
        listen: patterns(&grants.listen, ToString::to_string),
        fetch: patterns(&grants.fetch, |rule| rule.url.to_string()),
        run: patterns(&grants.run, |rule| match rule {
            ProgramRule::Any => "*".to_owned(),
            ProgramRule::Name(name) => name.clone(),
            ProgramRule::Path(path) => text(path),
        }),
        host: patterns(&grants.host, ToString::to_string),
        secrets: patterns(&grants.secrets, ToString::to_string),
        ffi: {
            let row = |entry: &Entry<LibraryRule<PathBuf>>| LibraryRow {
                path: match &entry.value {
                    LibraryRule::Any => None,
                    LibraryRule::Path(path) => Some(text(path)),
                },
                rule: entry.statement.to_string(),
            };
            LibraryTable {
                allow: grants.ffi.allow.iter().map(row).collect(),
                deny: grants.ffi.deny.iter().map(row).collect(),
            }
        },
        workers: WorkerTable { most, rule: switch(Request::Workers(most.max(1))).rule },
        eval: switch(Request::Eval),
        wasm: switch(Request::Wasm),
    }
}

fn text(path: &std::path::Path) -> String {
    path.to_string_lossy().into_owned()
}

fn paths(rules: &Rules<PathBuf>) -> PathTable {
    let rows = |entries: &[Entry<PathBuf>]| {
        entries.iter().map(|entry| PathRow { path: text(&entry.value), rule: entry.statement.to_string() }).collect()
    };
    PathTable { allow: rows(&rules.allow), deny: rows(&rules.deny) }
}

fn patterns<T>(rules: &Rules<T>, show: impl Fn(&T) -> String) -> PatternTable {
    let rows = |entries: &[Entry<T>]| {
        entries
            .iter()
            .map(|entry| PatternRow { pattern: show(&entry.value), rule: entry.statement.to_string() })
            .collect()
    };
    PatternTable { allow: rows(&rules.allow), deny: rows(&rules.deny) }
}
