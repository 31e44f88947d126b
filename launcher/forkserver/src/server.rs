//! The server: prepared once, it forks for each request, and the child comes out of [`Server::serve`].

use core::ffi::c_int;

use crate::confine::{self, Step};
use crate::epoll::Loops;
use crate::mappings;
use crate::messages::{Answer, JOIN, Limits, MOST_REQUEST_BYTES, READY, Request, VERSION};
use crate::procfs;
use crate::random::Generators;
use crate::sys::{self, Errno, Fd, Received, Result};

const STANDARD_OUTPUT: Fd = Fd(1);
const STANDARD_ERROR: Fd = Fd(2);
/// Of a rehearsal, which nobody sends anything.
const NO_GATE: Fd = Fd(-1);

unsafe extern "C" {
    /// fork(2) of the C library that Bun runs with. Not the system call: the library runs what was registered for it
    /// (the cryptography of Bun may), and notes the number of the thread that the child has.
    fn fork() -> c_int;
}

/// What has to be known to mend a child.
pub(crate) struct Server {
    pub(crate) loops: Loops,
    pub(crate) random: Generators,
}

impl Server {
    pub(crate) const fn new() -> Self {
        Self { loops: Loops::new(), random: Generators::new() }
    }

    /// Refuses where this process has capabilities: with `CAP_PERFMON`, for one, a process reads others' environment
    /// whatever Landlock says. Lets children have the memory they need, and notes what they must have anew. Says how
    /// many mappings and queues of events those were.
    pub(crate) fn prepare(&mut self) -> Result<(usize, usize)> {
        if capabilities()? != 0 {
            return Err(Errno::EPERM);
        }
        let mappings = mappings::inherit_all()?;
        self.loops.note()?;
        Ok((mappings, self.loops.count()))
    }

    /// Answers requests until the launcher closes `control`, which ends the process. In a child it returns, with the
    /// child's gate.
    pub(crate) fn serve(&mut self, control: Fd, refused: u32) -> Result<Fd> {
        sys::send_message(control, &Answer::Ready { version: VERSION, refused }.encode(), None)?;
        loop {
            let mut bytes = [0; MOST_REQUEST_BYTES];
            let Received { length, descriptors } = sys::receive_message(control, &mut bytes)?;
            if length == 0 {
                sys::exit(0);
            }
            let request = bytes.get(..length).and_then(Request::decode).ok_or(Errno::EINVAL)?;
            match (request, descriptors) {
                (Request::Fork(limits), [Some(gate), None, None, None]) => {
                    if let Some(gate) = self.fork(control, gate, &limits)? {
                        return Ok(gate);
                    }
                }
                (Request::Reap(pid), [None, None, None, None]) => answer_with_end_of(control, pid)?,
                _ => return Err(Errno::EINVAL),
            }
        }
    }

    fn fork(&mut self, control: Fd, gate: Fd, limits: &Limits) -> Result<Option<Fd>> {
        // SAFETY: the process has one thread, as the harness has checked: no lock is held by another one, so the child
        // may go on to run whatever code it likes.
        let pid = unsafe { fork() };
        match u32::try_from(pid) {
            Ok(0) => {
                sys::close(control);
                let confined = self.become_child(limits).and_then(|()| filter(gate));
                match confined {
                    Ok(()) => Ok(Some(gate)),
                    Err(step) => sys::exit(step as i32),
                }
            }
            Ok(pid) => {
                sys::close(gate);
                let answer = sys::pidfd(pid);
                let result = match answer {
                    Ok(pidfd) => sys::send_message(control, &Answer::Forked(pid).encode(), Some(pidfd)),
                    Err(Errno(number)) => sys::send_message(control, &Answer::Failed(number).encode(), None),
                };
                if let Ok(pidfd) = answer {
                    sys::close(pidfd);
                }
                result.map(|()| None)
            }
            Err(_) => {
                sys::close(gate);
                // The C library tells the reason by a variable whose place differs. There is one: no more processes.
                sys::send_message(control, &Answer::Failed(Errno::EAGAIN.0).encode(), None).map(|()| None)
            }
        }
    }

    /// Forks for a rehearsal: what the child does, and how it ends, says whether this process may do the same. `None` in
    /// the child, which ends at the first random number that it draws from the kernel; else how it ended.
    pub(crate) fn rehearse(&mut self) -> Result<Option<i32>> {
        // SAFETY: as above.
        let pid = unsafe { fork() };
        match u32::try_from(pid) {
            Ok(0) => {
                let confined = self
                    .become_child(&Limits::default())
                    .and_then(|()| confine::end_at_random_numbers().map_err(|_| Step::Filter))
                    .and_then(|()| filter(NO_GATE));
                match confined {
                    Ok(()) => Ok(None),
                    Err(step) => sys::exit(step as i32),
                }
            }
            Ok(pid) => sys::wait(pid).map(Some),
            Err(_) => Err(Errno::EAGAIN),
        }
    }

    /// Mends what the fork broke, then confines, but for the filter.
    fn become_child(&mut self, limits: &Limits) -> core::result::Result<(), Step> {
        self.loops.renew().map_err(|_| Step::Events)?;
        self.random.reseed().map_err(|_| Step::Random)?;
        confine::limit(limits).map_err(|_| Step::Limits)?;
        confine::separate().map_err(|_| Step::Domain)
    }
}

/// The last step of a child: it refuses what those before need.
fn filter(gate: Fd) -> core::result::Result<(), Step> {
    confine::filter(gate).map_err(|_| Step::Filter)
}

/// The capabilities in force, as bits.
fn capabilities() -> Result<u64> {
    let mut effective = None;
    procfs::lines(c"/proc/self/status", |line| {
        if let Some((bits, _)) = procfs::field(line, b"CapEff").and_then(procfs::hexadecimal) {
            effective = Some(bits);
        }
        Ok(())
    })?;
    effective.ok_or(Errno::ENOENT)
}

fn answer_with_end_of(control: Fd, pid: u32) -> Result<()> {
    let answer = match sys::reap(pid) {
        Ok(Some(reaped)) => Answer::Reaped(reaped),
        Ok(None) => Answer::Failed(Errno::EAGAIN.0),
        Err(Errno(number)) => Answer::Failed(number),
    };
    sys::send_message(control, &answer.encode(), None)
}

/// In a child: tells the launcher that it is ready, waits for the call's channel, and closes the gate.
pub(crate) fn join(gate: Fd) -> Result<Fd> {
    sys::send(gate, READY)?;
    let mut bytes = [0; JOIN.len()];
    let Received { length, descriptors } = sys::receive_message(gate, &mut bytes)?;
    sys::close(gate);
    if length == 0 {
        sys::exit(0);
    }
    let [Some(channel), output, error, None] = descriptors else { return Err(Errno::EINVAL) };
    if bytes != JOIN {
        return Err(Errno::EINVAL);
    }
    for (given, place) in [(output, STANDARD_OUTPUT), (error, STANDARD_ERROR)] {
        if let Some(given) = given {
            sys::duplicate_to(given, place)?;
            sys::close(given);
        }
    }
    Ok(channel)
}
