//! Starting a program in the host's view of files, where there are no namespaces: Landlock alone says what it may open,
//! and the filter refuses what Landlock does not see (attributes of files, watching them).

use std::convert::Infallible;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::child::{At, Outcome, Setup};
use crate::error::{Error, Step};
use crate::plan::{Access, Grant, Identity, Kind};
use crate::start::display;
use crate::sys::{self, Child, CloneFlags, Errno, Fd, Memory, Stack};

/// Starts the program of `setup`, which Landlock lets use `grants`.
pub(crate) fn start(setup: &Setup<'_>, grants: &[Grant], stack: &mut Stack) -> Result<Child, Error> {
    for (index, grant) in grants.iter().enumerate() {
        // Here and not in the child, who is another user than root where root starts it.
        allow(setup, grant, index).map_err(|error| Error { path: Some(display(&grant.path)), ..error })?;
    }
    let child = sys::clone_in(CloneFlags(0), Memory::Borrowed, stack, run, setup).at(Step::Clone)?;
    if let Some(mut failure) = setup.failure.take() {
        // It has left already; what it says is in `failure`.
        let _ = child.reap();
        failure.path = match failure.step {
            Step::EnterDirectory => Some(display(&setup.plan.program.cwd)),
            Step::OpenProgram | Step::Exec => Some(display(&setup.plan.program.path)),
            _ => None,
        };
        return Err(failure);
    }
    Ok(child.with_own_entries(&OWN.map(|(path, _)| path)))
}

fn allow(setup: &Setup<'_>, grant: &Grant, index: usize) -> Outcome<()> {
    let opened = open(grant, index)?;
    setup.allow(Fd(opened.as_raw_fd()), grant.access, grant.kind, Step::LandlockRule(index))
}

/// The object of a grant, which must still be the one that the plan was made for.
pub(crate) fn open(grant: &Grant, index: usize) -> Outcome<OwnedFd> {
    let opened = sys::own(sys::open_path(Fd::CWD, &grant.path).at(Step::OpenSource(index))?);
    if sys::file_id(Fd(opened.as_raw_fd())).at(Step::OpenSource(index))? != grant.object {
        return Err(Errno::ESTALE).at(Step::OpenSource(index));
    }
    Ok(opened)
}

fn run(setup: &Setup<'_>) -> ! {
    let Err(failure) = steps(setup);
    setup.leave(failure)
}

fn steps(setup: &Setup<'_>) -> Outcome<Infallible> {
    sys::set_umask(0o022);
    // While root may still pass every folder on the way to it.
    setup.take_along()?;
    if let Identity::Dropped { uid, gid } = setup.plan.identity {
        sys::clear_groups().at(Step::DropUser)?;
        sys::set_ids(uid, gid).at(Step::DropUser)?;
    }
    // Whatever an ordinary user was given, and whatever the security bits let root keep.
    sys::drop_capabilities().at(Step::DropUser)?;
    setup.allow_own_entries()?;
    setup.tie()?;
    setup.become_program()
}

/// What a program may read of itself below /proc/self. Not its network, which is the host's, nor its tasks, each of
/// which has that too.
const OWN: [(&CStr, Kind); 10] = [
    (c"/proc/self/cgroup", Kind::File),
    (c"/proc/self/cmdline", Kind::File),
    (c"/proc/self/comm", Kind::File),
    (c"/proc/self/fd", Kind::Directory),
    (c"/proc/self/limits", Kind::File),
    (c"/proc/self/maps", Kind::File),
    (c"/proc/self/smaps", Kind::File),
    (c"/proc/self/stat", Kind::File),
    (c"/proc/self/statm", Kind::File),
    (c"/proc/self/status", Kind::File),
];

impl Setup<'_> {
    /// An entry is made by the kernel as it is looked up, and forgotten when nobody uses it: the parent holds on to these,
    /// to which the rules belong.
    fn allow_own_entries(&self) -> Outcome<()> {
        for (path, kind) in OWN {
            match sys::open_path(Fd::CWD, path) {
                Ok(entry) => self.allow(entry, Access::Read, kind, Step::MountProc)?,
                // Some depend on how the kernel was built.
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno).at(Step::MountProc),
            }
        }
        Ok(())
    }
}
