//! The init of a tree of processes: process 1 of its pid namespace. It makes the sandbox, starts the program in it, and
//! then does nothing but wait: it reaps what has lost its parent, passes on what the launcher signals, and ends when the
//! program does, or, where that forks copies of itself, when the launcher ends it. The kernel ends all others with it.
//!
//! It is a copy of the launcher, and what the launcher knows is in its memory, but for secrets ([`OwnMemory`] and the
//! variables, which it overwrites). So nobody may look into it (it is not dumpable, and /proc does not show it), it holds
//! no descriptor, and its filter leaves it five system calls.
//!
//! [`OwnMemory`]: crate::OwnMemory

use std::cell::Cell;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::child::{self, At, Outcome, Parent, PrivateSetup};
use crate::error::{Error, Step};
use crate::plan::{Plan, Processes};
use crate::seccomp::Filter;
use crate::start::{self, NAMESPACES};
use crate::sys::{self, Change, Child, CloneFlags, Errno, Fd, Memory, MountFlags, Shared, Stack};

/// A network namespace, too: /proc shows each process the network that it is in, and this one is empty.
const TREE_NAMESPACES: CloneFlags = CloneFlags(NAMESPACES.0 | libc::CLONE_NEWPID | libc::CLONE_NEWNET);

/// What init has from the launcher.
struct Init<'a, 's> {
    private: PrivateSetup<'a, 's>,
    /// Whether the program's own file stays executable.
    again: bool,
    /// Whether it ends with the program.
    ends: bool,
    /// For the program, which is made on it: init itself runs on another.
    stack: Cell<Option<Stack>>,
    /// Says that the program runs, by a byte, or that it never will, by its end.
    ready: Fd,
    /// Where whoever fails says what went wrong.
    failure: Shared<(Step, Errno)>,
    /// Where init leaves how the program ended.
    ended: Shared<i32>,
    /// The filter of init itself.
    filter: Filter,
}

/// Starts init, and it the program. On failure nothing has run and nothing is left behind.
pub(crate) fn start(mut private: PrivateSetup<'_, '_>, stack: &mut Stack) -> Result<Child, Error> {
    let at = |step: Step| move |errno| Error { step, errno, path: None };
    let Plan { identity, processes, .. } = *private.setup.plan;
    let own = sys::open_pidfd(sys::pid()).map(sys::own).map_err(at(Step::TieToParent))?;
    private.setup.parent = Parent::Descriptor(Fd(own.as_raw_fd()));
    let pipe = std::io::pipe().map_err(|error| Errno(error.raw_os_error().unwrap_or(libc::EMFILE)));
    let (told, ready) = pipe.map_err(at(Step::Clone))?;
    let ready = OwnedFd::from(ready);
    let init = Init {
        private,
        again: processes == Processes::Tree { again: true },
        ends: processes != Processes::Copies,
        stack: Cell::new(Some(Stack::new().map_err(at(Step::Clone))?)),
        ready: Fd(ready.as_raw_fd()),
        failure: Shared::new().map_err(at(Step::Clone))?,
        ended: Shared::new().map_err(at(Step::Clone))?,
        filter: Filter::for_init(),
    };
    let mut child = start::clone(identity, TREE_NAMESPACES, Memory::Copied, stack, run, &init)?;
    drop(ready);
    let runs = std::io::Read::read(&mut { told }, &mut [0]).is_ok_and(|bytes| bytes == 1);
    if !runs {
        child.kill();
        // Its end is all that is wanted; what it says is in `failure`.
        let _ = child.reap();
        let (step, errno) = init.failure.get().unwrap_or((Step::Fork, Errno(libc::EIO)));
        return Err(Error { step, errno, path: None });
    }
    child.program = Some(init.ended);
    Ok(child)
}

fn run(init: &Init<'_, '_>) -> ! {
    match establish(init) {
        Ok(program) => serve(init, program),
        Err(failure) => fail(init, &failure),
    }
}

fn fail(init: &Init<'_, '_>, failure: &Error) -> ! {
    // The one that failed first knows why; what the other sees is a consequence.
    if init.failure.get().is_none() {
        init.failure.set((failure.step, failure.errno));
    }
    sys::exit_now(125)
}

/// The sandbox, the program in it, and then the restrictions of init itself.
fn establish(init: &Init<'_, '_>) -> Outcome<u32> {
    child::enclose(&init.private)?;
    // Not earlier: the files below /proc/self of a process that nobody may look into belong to root, its id maps too.
    sys::set_dumpable(false).at(Step::Fork)?;
    // A signal that is ignored never comes, blocked or not: SIGCHLD least of all may be.
    sys::default_signals().at(Step::ResetSignals)?;

    let mut stack = init.stack.take().ok_or(Error { step: Step::Fork, errno: Errno(libc::ENOMEM), path: None })?;
    let program = sys::clone_in(CloneFlags(0), Memory::Copied, &mut stack, run_program, init).at(Step::Fork)?.pid;
    hold(program)?;
    if !init.again {
        seal(init.private.setup.plan)?;
    }
    sys::let_go(program).at(Step::Hold)?;
    sys::write_all(init.ready, b"1").at(Step::Fork)?;

    // Some may hold a secret.
    sys::forget_environment();
    // The program alone decides when its pipes end.
    sys::close_from(Fd(0)).at(Step::CloseDescriptors)?;
    sys::load_filter(init.filter.program()).at(Step::LoadFilter)?;
    Ok(program)
}

/// The program's life before it is one. It stops at its exec, before the first instruction of the program.
fn run_program(init: &Init<'_, '_>) -> ! {
    let setup = &init.private.setup;
    let taken = sys::trace_me().at(Step::Hold).and_then(|()| setup.take_along());
    let Err(failure) = taken.and_then(|()| setup.become_program());
    fail(init, &failure)
}

/// Waits until the program has been loaded and is held there.
fn hold(program: u32) -> Outcome<()> {
    loop {
        match sys::next_change(Some(program)) {
            Some((_, Change::Held(libc::SIGTRAP))) => return Ok(()),
            // A signal for the whole group, such as a key at the terminal: the program gets it.
            Some((_, Change::Held(signal))) => sys::go_on(program, signal).at(Step::Hold)?,
            _ => return Err(Error { step: Step::Exec, errno: Errno(libc::ECHILD), path: None }),
        }
    }
}

/// Takes the right to be executed from the program's own file. What is mapped already stays so.
fn seal(plan: &Plan) -> Outcome<()> {
    let flags = MountFlags { read_only: true, no_exec: true, devices: false };
    sys::restrict_mount(Fd::CWD, &plan.program.path, flags, None).at(Step::Seal)
}

fn serve(init: &Init<'_, '_>, program: u32) -> ! {
    loop {
        let Some(signal) = sys::next_signal() else { continue };
        if signal.number == libc::SIGCHLD {
            while let Some((pid, change)) = sys::next_change(None) {
                if let (true, Change::Ended(status)) = (pid == program, change) {
                    init.ended.set(status);
                    if init.ends {
                        sys::exit_now(0);
                    }
                }
            }
        } else if signal.from_outside {
            sys::send_signal(program, signal.number);
        }
    }
}
