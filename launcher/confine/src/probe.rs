//! Trying one layer at a time, in a child that does nothing else: where a sandbox cannot be established, this tells
//! which layers are there all the same. [`crate::start`] stays the judge of whether they work together.

use std::cell::Cell;
use std::ffi::CStr;
use std::os::fd::AsRawFd;

use crate::child::{At, IdMaps, Outcome, map_user};
use crate::error::{Error, Step};
use crate::landlock::Rules;
use crate::plan::{Identity, Need};
use crate::seccomp::{self, Filter};
use crate::start;
use crate::sys::{self, CloneFlags, Extent, Fd, Memory, MountFlags, Resource, Stack};

/// Enforces an empty Landlock ruleset on a child. The kernel's ABI version; 0 where it has none and `need` allows that.
pub fn landlock(need: Need) -> Result<u32, Error> {
    let Some(rules) = Rules::new(need)? else { return Ok(0) };
    in_child(None, || {
        sys::no_new_privileges().at(Step::NoNewPrivileges)?;
        sys::landlock_restrict_self(rules.fd()).at(Step::LandlockRestrict)
    })?;
    Ok(rules.version())
}

/// Makes the namespaces of a sandbox and their one user.
pub fn namespaces(identity: Identity) -> Result<(), Error> {
    let maps = IdMaps::new(identity);
    in_child(Some(identity), || {
        map_user(&maps)?;
        sys::set_hostname(c"sandbox").at(Step::SetHostname)
    })
}

/// Mounts a root file system in such namespaces and moves into it.
pub fn mounts(identity: Identity) -> Result<(), Error> {
    const SEALED: MountFlags = MountFlags { read_only: true, no_exec: true, devices: false };
    if let Identity::Dropped { uid, gid } = identity {
        // What root shows to a program it opens itself, and it maps its owners.
        start::map_root_to(uid, gid, &mut Stack::new().at(Step::Clone)?)?;
        sys::own(sys::clone_tree(Fd::CWD, c"/", Extent::Alone).at(Step::OpenSource(0))?);
    }
    let maps = IdMaps::new(identity);
    in_child(Some(identity), || {
        map_user(&maps)?;
        let proc_self = sys::clone_tree(Fd::CWD, c"/proc/self/", Extent::Alone).at(Step::MountProc)?;
        sys::restrict_mount(proc_self, c"", SEALED, None).at(Step::MountProc)?;
        let root =
            sys::tmpfs(c"65536", c"16", c"0755", MountFlags { read_only: false, ..SEALED }).at(Step::MakeRoot)?;
        sys::attach(root, Fd::CWD, c"/proc").at(Step::MakeRoot)?;
        sys::make_directory(root, c"proc").at(Step::MountProc)?;
        sys::attach(proc_self, root, c"proc").at(Step::MountProc)?;
        sys::enter_directory(root).at(Step::PivotRoot)?;
        sys::pivot_into().at(Step::PivotRoot)?;
        sys::restrict_mount(Fd::CWD, c"/", SEALED, None).at(Step::PivotRoot)
    })
}

/// Becomes the user who takes the programs that root starts, without namespaces.
pub fn other_user(identity: Identity) -> Result<(), Error> {
    let Identity::Dropped { uid, gid } = identity else { return Ok(()) };
    in_child(None, || {
        sys::clear_groups().at(Step::DropUser)?;
        sys::set_ids(uid, gid).at(Step::DropUser)
    })
}

/// Shows the owner of what is in `folder` as another user, as root does for the programs that it starts.
pub fn id_mapped_mount(folder: &CStr, uid: u32, gid: u32) -> Result<(), Error> {
    let mut stack = Stack::new().at(Step::Clone)?;
    let namespace = start::map_root_to(uid, gid, &mut stack)?;
    let mount = sys::own(sys::clone_tree(Fd::CWD, folder, Extent::Alone).at(Step::OpenSource(0))?);
    let flags = MountFlags { read_only: true, no_exec: true, devices: false };
    sys::restrict_mount(Fd(mount.as_raw_fd()), c"", flags, Some(Fd(namespace.as_raw_fd()))).at(Step::IdMap)
}

/// Loads the system call filter. How many instructions it has.
pub fn system_call_filter() -> Result<usize, Error> {
    let key = sys::random().at(Step::LoadFilter)?;
    let filter = Filter::new(&seccomp::Options::default(), key);
    in_child(None, || {
        sys::no_new_privileges().at(Step::NoNewPrivileges)?;
        sys::load_filter(filter.program()).at(Step::LoadFilter)
    })?;
    Ok(filter.program().len())
}

/// Sets the resource limits that every sandbox has.
pub fn resource_limits() -> Result<(), Error> {
    let most = u64::from(seccomp::EXEC_FD.unsigned_abs());
    sys::raise_open_files(most + 1).at(Step::RaiseOpenFiles)?;
    in_child(None, || {
        for resource in [Resource::Core, Resource::LockedMemory, Resource::OpenFiles] {
            sys::set_limit(resource, most).at(Step::SetLimits)?;
        }
        Ok(())
    })
}

/// What a child does, and where it says what went wrong.
struct Trial<F> {
    act: F,
    failure: Cell<Option<Error>>,
}

/// Does `act` in a child with the namespaces of a sandbox, where an identity is given, or else with ours. The child
/// shares our memory while we are suspended: `act` must not allocate, lock or panic.
fn in_child<F: Fn() -> Outcome<()>>(identity: Option<Identity>, act: F) -> Result<(), Error> {
    fn body<F: Fn() -> Outcome<()>>(trial: &Trial<F>) -> ! {
        trial.failure.set((trial.act)().err());
        sys::exit_now(0)
    }
    let trial = Trial { act, failure: Cell::new(None) };
    let mut stack = Stack::new().at(Step::Clone)?;
    let child = match identity {
        Some(identity) => start::clone(identity, start::NAMESPACES, Memory::Borrowed, &mut stack, body, &trial)?,
        None => sys::clone_in(CloneFlags(0), Memory::Borrowed, &mut stack, body, &trial).at(Step::Clone)?,
    };
    // It has left already; what it says is in `failure`.
    let _ = child.reap();
    trial.failure.take().map_or(Ok(()), Err)
}
