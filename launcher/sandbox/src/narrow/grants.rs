//! What a child may open, as rules of Landlock: looked up inside the sandbox, where only what the program has is seen.

use std::ffi::{CStr, OsStr};
use std::fs::OpenOptions;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use confine::{Access, Bind, Grant, Identity, Kind, Root};
use nix::sys::statvfs::{FsFlags, statvfs};
use policy::{ExpandedPolicy, Request, decide};

use crate::error::{self, Error};
use crate::resolve::host_view::grant;
use crate::resolve::look::{Look, RealFiles};
use crate::resolve::programs::Programs;
use crate::resolve::{Shown, lay_out, runtime};

/// What every program of a sandbox reads: the preload, and its own processes.
const READ_BY_ALL: [&str; 2] = ["/run/secure-bun", "/proc"];

/// What `policy` grants in the sandbox that we are in, with what `programs` consist of, and whether any of it is written
/// to.
pub(super) fn of(policy: &ExpandedPolicy, programs: Programs) -> Result<(Vec<Grant>, bool), Error> {
    let mut root = Root::default();
    runtime::show_surroundings(&mut root)?;
    // Files have the owners that they are shown with already.
    let identity = Identity::Own { uid: confine::INSIDE_ID, gid: confine::INSIDE_ID };
    let Shown { root, writable, .. } = lay_out(root, policy, identity, programs)?;
    // What a rule takes out of a folder only a mount can keep; those of the sandbox do what the program's own rules say.
    if let Some(open) = root.masks.iter().map(|mask| path(&mask.target)).find(|denied| can_be_read(denied)) {
        return Err(inexpressible(open));
    }
    let mut grants = Vec::new();
    for bind in &root.binds {
        let inside = path(&bind.target);
        if !lies_in_writable(bind, &root.binds) {
            grants.push(found(&bind.source, bind.access)?);
        } else if !decide(policy, &Request::Write(inside.into())).allowed && !is_read_only(inside) {
            return Err(inexpressible(inside));
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
    Ok((grants, writable))
}

/// Whether a grant around it holds for it, whatever is said of itself.
fn lies_in_writable(bind: &Bind, binds: &[Bind]) -> bool {
    let own = path(&bind.target);
    let around = |other: &Bind| other.access == Access::Write && own != path(&other.target);
    bind.access != Access::Write && binds.iter().any(|other| around(other) && own.starts_with(path(&other.target)))
}

fn can_be_read(path: &Path) -> bool {
    // A pipe would wait for somebody to write.
    OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path).is_ok()
}

/// Whether no mode makes it writable, since its mount is not.
fn is_read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|found| found.flags().contains(FsFlags::ST_RDONLY))
}

fn inexpressible(path: &Path) -> Error {
    let message = format!(
        "{} is denied to the child, but lies in a folder that is granted: without mounts, no part of it can be left out",
        path.display()
    );
    Error::new(error::Kind::Usage, message)
        .with_help("grant what lies beside it one by one, or deny it to the program as well")
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
