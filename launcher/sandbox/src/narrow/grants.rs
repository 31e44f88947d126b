//! What a child may open, as rules of Landlock: looked up inside the sandbox, where only what the program has is seen.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use confine::{Access, Bind, Grant, Identity, Kind, Root};
use policy::{ExpandedPolicy, Request, decide};

use super::PROGRAM;
use crate::error::{self, Error};
use crate::resolve::host_view::grant;
use crate::resolve::look::{Look, RealFiles};
use crate::resolve::programs::{self, Programs};
use crate::resolve::{Shown, lay_out, runtime};

/// What every program of a sandbox reads: the preload, and its own processes.
const READ_BY_ALL: [&str; 2] = ["/run/secure-bun", "/proc"];

/// What `policy` grants of the sandbox of `tree`, with what `programs` consist of, and whether it may write to any of it.
pub(super) fn of(
    policy: &ExpandedPolicy,
    tree: &ExpandedPolicy,
    programs: Programs,
) -> Result<(Vec<Grant>, bool), Error> {
    let mut root = Root::default();
    runtime::show_surroundings(&mut root)?;
    // Files have the owners that they are shown with already.
    let identity = Identity::Own { uid: confine::INSIDE_ID, gid: confine::INSIDE_ID };
    let Shown { root, writable, .. } = lay_out(root, policy, identity, programs)?;
    let holds = |path: &Path, refused: fn(std::path::PathBuf) -> Request| !decide(tree, &refused(path.into())).allowed;
    let mut grants = Vec::new();
    for mask in &root.masks {
        let covered = path(&mask.target);
        if !holds(covered, Request::Read) {
            return Err(inexpressible(covered, "may not be read"));
        }
    }
    for bind in &root.binds {
        let closed = path(&bind.target);
        if !lies_in_writable(bind, &root.binds) {
            grants.push(found(&bind.source, bind.access)?);
        } else if decide(policy, &Request::Write(closed.into())).allowed || holds(closed, Request::Write) {
            // The folder around it says the same, or a mount of the sandbox holds.
        } else {
            return Err(inexpressible(closed, "may not be written to"));
        }
    }
    let made = root.files.iter().map(|file| (&file.target, Access::Read));
    let private = root.tmpfs.iter().map(|tmpfs| (&tmpfs.target, Access::Write));
    let listed = root.directories.iter().map(|directory| (directory, Access::List));
    for (target, access) in made.chain(private).chain(listed) {
        // Not every sandbox has each of them.
        if path(target).exists() {
            grants.push(found(target, access)?);
        }
    }
    for place in READ_BY_ALL {
        grants.push(grant(&look(Path::new(place))?, Access::Read)?);
    }
    if programs::grants_any(policy) {
        grants.push(grant(&look(Path::new(PROGRAM))?, Access::Execute)?);
    }
    Ok((grants, writable))
}

/// Landlock cannot take back in a folder what it grants around it.
fn lies_in_writable(bind: &Bind, binds: &[Bind]) -> bool {
    let own = path(&bind.target);
    let around = |other: &Bind| other.access == Access::Write && own != path(&other.target);
    bind.access != Access::Write && binds.iter().any(|other| around(other) && own.starts_with(path(&other.target)))
}

fn inexpressible(path: &Path, why: &str) -> Error {
    let message =
        format!("{} {why}, but lies in a folder that the child may write to, and its program too", path.display());
    Error::new(error::Kind::Usage, message)
        .with_help("let it write to another folder, or deny it to the program as well")
}

fn found(target: &CStr, access: Access) -> Result<Grant, Error> {
    let object = look(path(target))?;
    let access = match (access, object.kind) {
        (Access::List, Kind::File) => Access::Read,
        (access, _) => access,
    };
    grant(&object, access)
}

fn look(path: &Path) -> Result<crate::resolve::look::Object, Error> {
    RealFiles.look(path).map_err(|error| Error::io(error::Kind::Sandbox, "open", path, &error))
}

pub(super) fn path(path: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(path.to_bytes()))
}
