//! What was enforced.

use crate::error::Layer;
use crate::landlock::LEAST_ABI;

/// The protections in force on a started program. The system call filter, `no_new_privs` and resource limits are in
/// force whenever a `Status` exists; what a plan does not require may be missing, and is then said here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The kernel's Landlock ABI version, where it has one.
    pub landlock_abi: Option<u32>,
    /// The namespaces that the program has of its own.
    pub namespaces: &'static [&'static str],
    /// Sources of binds whose file system cannot map owners: there, the program reads what any user may.
    pub unmapped: Vec<String>,
}

impl Status {
    /// The layers that are missing, or too old to be one.
    pub fn missing(&self) -> Vec<Layer> {
        let namespaces = self.namespaces.is_empty().then_some(Layer::Namespaces);
        let landlock = self.landlock_abi.is_none_or(|abi| abi < LEAST_ABI).then_some(Layer::Landlock);
        namespaces.into_iter().chain(landlock).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_that_is_too_old_is_missing() {
        let status = |landlock_abi, namespaces| Status { landlock_abi, namespaces, unmapped: Vec::new() };
        let own: &[&str] = &["user", "mnt"];
        for (status, missing) in [
            (status(Some(7), own), vec![]),
            (status(Some(3), own), vec![]),
            (status(Some(2), own), vec![Layer::Landlock]),
            (status(None, own), vec![Layer::Landlock]),
            (status(Some(3), &[]), vec![Layer::Namespaces]),
        ] {
            assert_eq!(status.missing(), missing, "{status:?}");
        }
    }
}
