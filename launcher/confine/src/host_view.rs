//! Starting a program in the host's view of files, where there are no namespaces: Landlock alone says what it may open,
//! and the filter refuses what Landlock does not see (attributes of files, watching them).

use std::convert::Infallible;
use std::os::fd::AsRawFd;

use crate::child::{At, Outcome, Setup};
use crate::error::{Error, Step};
use crate::plan::{Access, Grant, Identity, Kind};
use crate::start::display;
use crate::sys::{self, Child, CloneFlags, Errno, Fd, Stack};

/// Starts the program of `setup`, which Landlock lets use `grants`.
pub(crate) fn start(setup: &Setup<'_>, grants: &[Grant], stack: &mut Stack) -> Result<Child, Error> {
    for (index, grant) in grants.iter().enumerate() {
        // Here and not in the child, who is another user than root where root starts it.
        allow(setup, grant, index).map_err(|error| Error { path: Some(display(&grant.path)), ..error })?;
    }
    let child = sys::vfork_in(CloneFlags(0), stack, run, setup).at(Step::Clone)?;
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
    Ok(child.with_proc_entry())
}

fn allow(setup: &Setup<'_>, grant: &Grant, index: usize) -> Outcome<()> {
    let opened = sys::own(sys::open_path(Fd::CWD, &grant.path).at(Step::OpenSource(index))?);
    let object = Fd(opened.as_raw_fd());
    if sys::file_id(object).at(Step::OpenSource(index))? != grant.object {
        return Err(Errno::ESTALE).at(Step::OpenSource(index));
    }
    setup.allow(object, grant.access, grant.kind, Step::LandlockRule(index))
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
    // Its own entry and no other's. An entry is made by the kernel as it is looked up, and forgotten when nobody uses
    // it; the parent holds on to this one, to which the rule belongs.
    let own = sys::open_path(Fd::CWD, c"/proc/self").at(Step::MountProc)?;
    setup.allow(own, Access::Read, Kind::Directory, Step::LandlockRule(0))?;
    setup.become_program()
}
