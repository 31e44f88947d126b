//! What was enforced.

use crate::plan::Processes;

/// The protections in force on a started program. A layer that the host lacks is an error, so what is not listed here
/// as a number or name is in force whenever a `Status` exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The kernel's Landlock ABI version.
    pub landlock_abi: u32,
    /// The namespaces that the program has of its own.
    pub namespaces: &'static [&'static str],
    /// Sources of binds whose file system cannot map owners: there, the program reads what any user may.
    pub unmapped: Vec<String>,
}

impl Status {
    pub(crate) const fn full(landlock_abi: u32, processes: Processes, unmapped: Vec<String>) -> Self {
        let namespaces: &[&str] = match processes {
            Processes::One => &["user", "mnt", "ipc", "uts"],
            Processes::Tree { .. } => &["user", "pid", "mnt", "net", "ipc", "uts"],
        };
        Self { landlock_abi, namespaces, unmapped }
    }
}
