//! What a program may use of the host's own files, where it has no root file system of its own: grants become rules of
//! Landlock, which can only open. What is denied inside a grant is left out by opening what lies beside it, one by one.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use confine::{Access, Bind, Grant, Identity, Kind, Root};
use policy::{ExpandedPolicy, Request, Transport, decide};

use super::look::{Look, Object, RealFiles};
use super::runtime::DEVICES;
use super::{Shown, filesystem};
use crate::error::{self, Error, Warning, c_path};
use crate::host::Library;

const HELP: &str = "write to another folder, such as one made for it, or run where there are namespaces (`secure-bun \
                    doctor`)";

/// What Bun needs to start: itself, its loader and libraries, device nodes and the time zone.
pub(crate) fn of_bun(bun: &Path, libraries: &[Library]) -> Result<Vec<Grant>, Error> {
    let found =
        |path: &Path| RealFiles.look(path).map_err(|error| Error::io(error::Kind::Sandbox, "open Bun's", path, &error));
    let mut grants = vec![grant(&found(bun)?, Access::Execute)?];
    for library in libraries {
        grants.push(grant(&found(&library.path)?, Access::Execute)?);
    }
    for device in DEVICES.into_iter().chain(["/dev/random"]) {
        grants.push(grant(&found(Path::new(device))?, Access::Device)?);
    }
    if let Ok(zone) = RealFiles.look(Path::new("/etc/localtime")) {
        grants.push(grant(&zone, Access::Read)?);
    }
    Ok(grants)
}

/// What `policy` grants of the host's files, for a program in `folder`, which Bun lists to find it.
pub(crate) fn grants(policy: &ExpandedPolicy, files: &impl Look, folder: &Path) -> Result<(Vec<Grant>, Shown), Error> {
    if let Some(statement) = needs_namespaces(policy) {
        let message = format!("{statement} needs namespaces, which this host does not give");
        return Err(Error::new(error::Kind::Sandbox, message).with_help(error::DOCTOR));
    }
    let mut shown = filesystem::granted(policy, files)?;
    let Root { binds, masks, directories, .. } = std::mem::take(&mut shown.root);
    if let Some(mask) = masks.first() {
        return Err(inexpressible(path(&mask.target), "may not be read"));
    }
    let mut grants = Vec::new();
    for bind in &binds {
        if let Some(grant) = of_bind(bind, &binds, policy)? {
            grants.push(grant);
        }
    }
    for directory in directories.iter().map(|directory| path(directory)).chain([folder]) {
        let found =
            files.look(directory).map_err(|error| Error::io(error::Kind::Sandbox, "list", directory, &error))?;
        grants.push(grant(&found, Access::List)?);
    }
    Ok((grants, shown))
}

/// The grant of other programs: without namespaces, they are not held to what the policy says. And that of datagrams,
/// which would be the host's, with a peer of the program's choice.
fn needs_namespaces(policy: &ExpandedPolicy) -> Option<String> {
    let programs = policy.grants.run.allow.iter().map(|rule| &rule.statement);
    let net = policy.grants.net.allow.iter();
    let datagrams = net.filter(|rule| rule.value.carries(Transport::Udp)).map(|rule| &rule.statement);
    programs.chain(datagrams).next().map(ToString::to_string)
}

/// A bind as a grant; nothing where a grant around it says the same.
fn of_bind(bind: &Bind, binds: &[Bind], policy: &ExpandedPolicy) -> Result<Option<Grant>, Error> {
    let own = path(&bind.target);
    let writable = |other: &&Bind| other.access == Access::Write && own != path(&other.target);
    if bind.access != Access::Write && binds.iter().filter(writable).any(|other| own.starts_with(path(&other.target))) {
        if decide(policy, &Request::Write(own.to_path_buf())).allowed {
            return Ok(None);
        }
        return Err(inexpressible(own, "may not be written to"));
    }
    let Bind { source, object, kind, access, .. } = bind;
    Ok(Some(Grant { path: source.clone(), object: *object, kind: *kind, access: *access }))
}

fn inexpressible(path: &Path, why: &str) -> Error {
    let message = format!(
        "{} {why}, but lies in a folder that may be written to: Landlock alone cannot keep both",
        path.display()
    );
    Error::new(error::Kind::Sandbox, message).with_help(HELP)
}

/// What the user who takes programs that root starts cannot reach, by the modes of files.
pub(crate) fn out_of_reach(grants: &[Grant], identity: Identity) -> Vec<Warning> {
    let Identity::Dropped { uid, .. } = identity else { return Vec::new() };
    let wanted = grants.iter().filter(|grant| matches!(grant.access, Access::Read | Access::Write));
    let closed = wanted.filter_map(|grant| {
        let path = path(&grant.path);
        let mask = match (grant.access, grant.kind) {
            (Access::Write, Kind::Directory) => 0o7,
            (Access::Write, Kind::File) => 0o6,
            (_, Kind::Directory) => 0o5,
            (_, Kind::File) => 0o4,
        };
        let is_open = |path: &Path, mask: u32| {
            fs::metadata(path).is_ok_and(|found| {
                let mode = if found.uid() == uid { found.mode() >> 6 } else { found.mode() };
                mode & mask == mask
            })
        };
        let reached = is_open(path, mask) && path.ancestors().skip(1).all(|above| is_open(above, 0o1));
        (!reached).then(|| {
            Warning(format!("{} is closed to user {uid}, who runs programs that root starts here", path.display()))
        })
    });
    closed.collect()
}

/// A grant of a found object.
pub(crate) fn grant(found: &Object, access: Access) -> Result<Grant, Error> {
    Ok(Grant { path: c_path(&found.path)?, object: found.id, kind: found.kind, access })
}

fn path(path: &std::ffi::CStr) -> &Path {
    Path::new(OsStr::from_bytes(path.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::{Layer, Places, Policy, Source};

    #[test]
    fn other_programs_are_refused() {
        let layer = Layer::parse(&Source::file("p.json", "/p/p.json"), br#"{"run": ["git"]}"#).unwrap();
        let policy = Policy::merge([&layer]).expand(&Places {
            program: "/p".into(),
            project: vec!["/p".into()],
            tmp: "/tmp".into(),
            home: "/home/me".into(),
            cwd: "/p".into(),
        });
        let error = grants(&policy, &RealFiles, Path::new("/")).unwrap_err();
        let expected = r#"allow.run "git" (p.json:1:10) needs namespaces, which this host does not give"#;
        assert_eq!(error.message, expected);
    }
}
