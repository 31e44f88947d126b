//! `secure-bun policy schema`: the schema that editors complete and explain policies by.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use super::{print, tell};
use crate::policy_source::Fault;
use crate::report;

/// Beside a policy, where its `$schema` finds it without a network.
pub(super) const FILE: &str = "policy.schema.json";

/// More than the schema of any version has, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// Prints it, or writes it to the working directory.
pub(super) fn schema(write: bool, cwd: &Path) -> ExitCode {
    if !write {
        return print(policy::POLICY_SCHEMA);
    }
    match put(cwd) {
        Ok(()) => tell(&format!("wrote {FILE}: a policy beside it names it by \"$schema\": \"./{FILE}\"\n")),
        Err(fault) => report::fault(&fault),
    }
}

/// Writes the schema of this version to `folder`, over that of another version, but over nothing else.
pub(super) fn put(folder: &Path) -> Result<(), Fault> {
    let path = folder.join(FILE);
    let refuse = |error: &dyn std::fmt::Display| Fault::new(format!("cannot write {}: {error}", path.display()));
    match std::fs::symlink_metadata(&path) {
        Ok(found) if !found.is_file() || !is_ours(&path) => {
            return Err(refuse(&"there is something else").with_help("move it away"));
        }
        _ => {}
    }
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(|error| refuse(&error))?;
    file.write_all(policy::POLICY_SCHEMA.as_bytes()).map_err(|error| refuse(&error))?;
    file.persist(&path).map_err(|error| refuse(&error.error))?;
    Ok(())
}

fn is_ours(path: &Path) -> bool {
    let title = || {
        let file = std::fs::File::open(path).ok()?;
        serde_json::from_reader::<_, serde_json::Value>(file.take(MOST_BYTES)).ok()?.get("title").cloned()
    };
    title().is_some_and(|title| title == "secure-bun policy")
}
