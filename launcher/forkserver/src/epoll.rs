//! The event loop's descriptors. After a fork parent and child would share one queue of events and one counter: each
//! would be woken by, and take, what was meant for the other. A child makes them anew, at the same numbers.

use crate::descriptors::{Kind, kind};
use crate::procfs::{self, NumberedPath, decimal, field, hexadecimal};
use crate::sys::{self, Errno, Fd, Result};

const MOST_QUEUES: usize = 8;
const MOST_REGISTRATIONS: usize = 32;
/// The flags of an eventfd that are in force: O_NONBLOCK, and `EFD_SEMAPHORE` is none of them.
const O_NONBLOCK: usize = 0o4000;

/// What the event loop waits for, as it was before the fork.
pub(crate) struct Loops {
    queues: [Fd; MOST_QUEUES],
    queue_count: usize,
    registrations: [Registration; MOST_REGISTRATIONS],
    registration_count: usize,
}

/// A descriptor that a queue watches.
#[derive(Clone, Copy)]
struct Registration {
    queue: Fd,
    target: Fd,
    events: u32,
    data: u64,
    flags: usize,
}

impl Loops {
    pub(crate) const fn new() -> Self {
        let registration = Registration { queue: Fd(-1), target: Fd(-1), events: 0, data: 0, flags: 0 };
        Self {
            queues: [Fd(-1); MOST_QUEUES],
            queue_count: 0,
            registrations: [registration; MOST_REGISTRATIONS],
            registration_count: 0,
        }
    }

    pub(crate) const fn count(&self) -> usize {
        self.queue_count
    }

    /// Notes all queues of this process and what they watch. That may be event counters alone: whatever else is watched
    /// is a connection, a pipe or a timer, which children would share with this process.
    pub(crate) fn note(&mut self) -> Result<()> {
        (self.queue_count, self.registration_count) = (0, 0);
        procfs::numbers(c"/proc/self/fd", |number| {
            let queue = Fd(i32::try_from(number).map_err(|_| Errno::EINVAL)?);
            match kind(queue) {
                Ok(Kind::Epoll) => {}
                // What was closed meanwhile is no queue: this process has one thread, so it was this reading's own.
                Ok(_) | Err(Errno::ENOENT) => return Ok(()),
                Err(errno) => return Err(errno),
            }
            self.note_queue(queue, number)
        })
    }

    fn note_queue(&mut self, queue: Fd, number: u32) -> Result<()> {
        *self.queues.get_mut(self.queue_count).ok_or(Errno::E2BIG)? = queue;
        self.queue_count += 1;
        procfs::lines(NumberedPath::new(b"/proc/self/fdinfo/", number, b"").as_c_str(), |line| {
            let Some((target, events, data)) = watched(line) else { return Ok(()) };
            if kind(target)? != Kind::Eventfd {
                return Err(Errno::EINVAL);
            }
            let flags = sys::status_flags(target)? & O_NONBLOCK;
            let registration = Registration { queue, target, events, data, flags };
            *self.registrations.get_mut(self.registration_count).ok_or(Errno::E2BIG)? = registration;
            self.registration_count += 1;
            Ok(())
        })
    }

    /// In the child: makes them anew. The old ones stay the parent's.
    pub(crate) fn renew(&self) -> Result<()> {
        for queue in self.queues.iter().take(self.queue_count) {
            replace(*queue, sys::epoll()?)?;
        }
        for registration in self.registrations.iter().take(self.registration_count) {
            let Registration { queue, target, events, data, flags } = *registration;
            replace(target, sys::eventfd(flags)?)?;
            sys::epoll_add(queue, target, events, data)?;
        }
        Ok(())
    }
}

fn replace(old: Fd, new: Fd) -> Result<()> {
    let result = sys::duplicate_to(new, old);
    sys::close(new);
    result
}

/// What a line of a queue's fdinfo says: `tfd: 5 events: 80000001 data: 7f0012 pos:0 ino:…` (proc_pid_fdinfo(5)).
fn watched(line: &[u8]) -> Option<(Fd, u32, u64)> {
    let target = field(line, b"tfd")?;
    let target = decimal(target.split(|byte| *byte == b' ').next()?)?;
    let (events, _) = hexadecimal(field(line, b"events")?)?;
    let (data, _) = hexadecimal(field(line, b"data")?)?;
    Some((Fd(i32::try_from(target).ok()?), u32::try_from(events).ok()?, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_fdinfo() {
        let line = b"tfd:        7 events: 80000001 data:     7f0000000012  pos:0 ino:3ea sdev:f";
        assert_eq!(watched(line), Some((Fd(7), 0x8000_0001, 0x7f00_0000_0012)));
        assert_eq!(watched(b"flags:\t02000002"), None);
    }

    #[test]
    fn queues_are_renewed_at_their_numbers() {
        const EPOLLIN: u32 = 1;
        let (queue, counter) = (sys::epoll().expect("made"), sys::eventfd(O_NONBLOCK).expect("made"));
        sys::epoll_add(queue, counter, EPOLLIN, 42).expect("added");
        let mut loops = Loops::new();
        // Not `note`: other tests of this process have queues of their own.
        loops.note_queue(queue, queue.0.cast_unsigned()).expect("readable");
        let old_queue = std::fs::read_link(format!("/proc/self/fd/{}", queue.0)).expect("open");
        sys::write(counter, &1u64.to_ne_bytes()).expect("counted");
        loops.renew().expect("renewed");
        assert_eq!(std::fs::read_link(format!("/proc/self/fd/{}", queue.0)).expect("open"), old_queue);
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", queue.0)).expect("open");
        let (target, events, data) = info.lines().find_map(|line| watched(line.as_bytes())).expect("watches");
        assert_eq!((target, events & 1, data), (counter, EPOLLIN, 42));
        // A new counter: what was counted before is gone.
        assert_eq!(sys::read(counter, &mut [0; 8]), Err(Errno::EAGAIN));
        sys::close(queue);
        sys::close(counter);
    }

    #[test]
    fn a_queue_that_watches_anything_else_is_refused() {
        let queue = sys::epoll().expect("made");
        let (reader, writer) = std::io::pipe().expect("made");
        let reader_fd = Fd(std::os::fd::AsRawFd::as_raw_fd(&reader));
        sys::epoll_add(queue, reader_fd, 1, 0).expect("added");
        let mut loops = Loops::new();
        assert_eq!(loops.note_queue(queue, queue.0.cast_unsigned()), Err(Errno::EINVAL));
        sys::close(queue);
        drop(writer);
    }
}
