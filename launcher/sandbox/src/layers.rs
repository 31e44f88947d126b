//! Which layers a program gets: what its policy requires against what the host has.

use confine::seccomp::Files;
use confine::{Identity, LEAST_ABI, Layer, Need, probe};
use policy::{KernelSettings, Protection};

use crate::error::Error;

/// The layers that a program gets. The system call filter, `no_new_privs` and resource limits are not among them: they
/// are always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layers {
    /// Which files it sees: those of a root of its own, in namespaces of its own, or the host's.
    pub files: Files,
    /// Whether it may run without Landlock, or with one that is too old.
    pub landlock: Need,
}

impl Layers {
    /// All of them.
    pub const ALL: Self = Self { files: Files::Own, landlock: Need::Required };
}

/// What a policy asks for, of what it may do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Required {
    namespaces: Need,
    landlock: Need,
}

/// What a host has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Available {
    namespaces: bool,
    /// 0 for none.
    landlock_abi: u32,
}

impl Layers {
    /// The layers for a program of `identity` here. Nothing is tried where the policy requires all of them: then
    /// starting the program shows what is missing.
    pub fn choose(kernel: &KernelSettings, identity: Identity) -> Result<Self, Error> {
        let need = |required| if required { Need::Required } else { Need::IfAvailable };
        let required = Required {
            namespaces: need(kernel.requires_namespaces()),
            landlock: need(kernel.requires(Protection::Landlock)),
        };
        if required.namespaces == Need::Required {
            return Ok(Self { files: Files::Own, landlock: required.landlock });
        }
        let namespaces = probe::namespaces(identity).and_then(|()| probe::mounts(identity));
        let landlock = probe::landlock(Need::IfAvailable);
        let available =
            Available { namespaces: namespaces.is_ok(), landlock_abi: landlock.as_ref().map_or(0, |version| *version) };
        let layers = chosen(required, available).map_err(|missing| match missing {
            // What is not there says best why.
            Layer::Landlock => probe::landlock(Need::Required).map_or_else(Error::from, |_| unguarded()),
            _ => namespaces.map_or_else(Error::from, |()| unguarded()),
        })?;
        if layers.files == Files::Host {
            probe::other_user(identity)?;
        }
        Ok(layers)
    }
}

fn unguarded() -> Error {
    Error::new(crate::error::Kind::Sandbox, "neither mounts nor Landlock can guard files here")
}

/// *Required × available*. An error is the layer whose lack keeps everything from running.
const fn chosen(required: Required, available: Available) -> Result<Layers, Layer> {
    let Available { namespaces, landlock_abi } = available;
    let landlock_guards = landlock_abi >= LEAST_ABI;
    match (required.namespaces, namespaces) {
        (_, true) if landlock_guards || matches!(required.landlock, Need::IfAvailable) => {
            Ok(Layers { files: Files::Own, landlock: required.landlock })
        }
        (Need::Required, false) => Err(Layer::Namespaces),
        // Landlock is then all that guards files, whatever the policy says.
        (Need::IfAvailable, false) if landlock_guards => Ok(Layers { files: Files::Host, landlock: Need::Required }),
        _ => Err(Layer::Landlock),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Need::{IfAvailable, Required as Must};

    #[test]
    fn required_by_available() {
        let own = |landlock| Ok(Layers { files: Files::Own, landlock });
        let host = Ok(Layers { files: Files::Host, landlock: Must });
        let (no_namespaces, no_landlock) = (Err(Layer::Namespaces), Err(Layer::Landlock));
        // Columns: namespaces and Landlock; namespaces and an old one; namespaces alone; Landlock alone; an old one
        // alone; neither.
        let hosts = [(true, 7), (true, 2), (true, 0), (false, 3), (false, 2), (false, 0)];
        for (namespaces, landlock, expected) in [
            (Must, Must, [own(Must), no_landlock, no_landlock, no_namespaces, no_namespaces, no_namespaces]),
            (
                Must,
                IfAvailable,
                [own(IfAvailable), own(IfAvailable), own(IfAvailable), no_namespaces, no_namespaces, no_namespaces],
            ),
            (IfAvailable, Must, [own(Must), no_landlock, no_landlock, host, no_landlock, no_landlock]),
            (
                IfAvailable,
                IfAvailable,
                [own(IfAvailable), own(IfAvailable), own(IfAvailable), host, no_landlock, no_landlock],
            ),
        ] {
            for ((has_namespaces, landlock_abi), expected) in hosts.into_iter().zip(expected) {
                let available = Available { namespaces: has_namespaces, landlock_abi };
                let required = Required { namespaces, landlock };
                assert_eq!(chosen(required, available), expected, "{required:?} {available:?}");
            }
        }
    }
}
