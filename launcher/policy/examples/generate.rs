//! Writes the files that are generated from this crate: the TypeScript module of the preload, the JSON Schema of
//! policy files, and the preload's tables of the shared cases.

#![expect(clippy::disallowed_methods, reason = "the crate is pure; what writes its generated files cannot be")]

#[path = "../cases/table.rs"]
mod table;

use std::path::Path;

use table::{PRELOAD_TABLES, preload_tables};

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = [
        (policy::TYPESCRIPT_MODULE, policy::typescript_module()),
        (policy::SCHEMA_FILE, policy::json_schema()),
        (PRELOAD_TABLES, preload_tables()),
    ];
    for (name, text) in files {
        let path = root.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text)?;
        println!("wrote {name}");
    }
    Ok(())
}
