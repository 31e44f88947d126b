//! A child of a server: forked ahead, called once, ended.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use confine::Ended;
use forkserver::messages::{Answer, JOIN, READY, Reaped, Request};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, socketpair};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task;
use wire::byte_arrays::Bytes;

use super::control::{Control, PATIENCE, Socket};
use super::limits_of_one;
use crate::pipes::pipe;
use crate::supervise::{Called, Copy, Report, look_after_copy};

/// A child that is ready: it has mended and confined itself, and waits for its channel. It ends with this.
pub(crate) struct Child {
    process: Process,
    gate: Socket,
    /// Made before anybody waits for it, with our ends of its channel and its streams.
    copy: Copy,
    /// Its own ends.
    theirs: [OwnedFd; 3],
}

/// The process of a child. The server is told to forget it when it has ended.
struct Process {
    control: Rc<Control>,
    /// Its number as the server sees it, and as we do.
    inside: u32,
    outside: u32,
    pidfd: Option<AsyncFd<OwnedFd>>,
}

impl Child {
    /// Has a server fork, and waits until the child is ready.
    pub(super) async fn fork(control: &Rc<Control>, policy: &policy::ExpandedPolicy) -> io::Result<Self> {
        let (gate, theirs) = Socket::pair()?;
        let (answer, pidfd) = control.ask(&Request::Fork(limits_of_one(policy)), Some(theirs)).await?;
        let (inside, pidfd) = match (answer, pidfd) {
            (Answer::Forked(inside), Some(pidfd)) => (inside, pidfd),
            (Answer::Failed(errno), _) => return Err(io::Error::from_raw_os_error(errno)),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        let outside = number(&pidfd)?;
        let process = Process { control: Rc::clone(control), inside, outside, pidfd: Some(confine::watch(pidfd)?) };
        let mut word = [0; READY.len()];
        let received = tokio::time::timeout(PATIENCE, gate.receive(&mut word)).await;
        let (length, _) = received.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        if length != READY.len() || word != READY {
            return Err(process.failure().await);
        }
        let (ours, channel) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        let ((reads, stdout), (reads_errors, stderr)) = (pipe()?, pipe()?);
        let copy = Copy::new(process.outside, policy.limits, [reads, reads_errors], ours)?;
        Ok(Self { process, gate, copy, theirs: [channel, stdout, stderr] })
    }

    /// Its number, as we see it.
    pub(crate) const fn pid(&self) -> u32 {
        self.process.outside
    }

    /// Whether it still waits.
    pub(crate) fn is_there(&self) -> bool {
        self.process.pidfd.as_ref().is_some_and(|pidfd| !confine::has_ended(pidfd.get_ref()))
    }

    /// Gives it its channel and the parts of `request`, and looks after it to its end; it is ended when `stop` is there.
    pub(super) async fn call(
        self,
        request: Vec<Bytes>,
        watched: Watched<'_>,
        stop: impl Future<Output = ()>,
    ) -> io::Result<Report> {
        let Self { process, gate, copy, theirs } = self;
        // It finds its request in the channel.
        tell(copy.channel(), request)?;
        gate.send(JOIN, &theirs.each_ref().map(AsFd::as_fd)).await?;
        drop(theirs);
        let pidfd = process.pidfd.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let called = Called {
            end: pidfd,
            started: watched.started,
            writable: crate::run::writable(watched.policy),
            returns_bytes: watched.returns_bytes,
        };
        look_after_copy(copy, called, stop, process.reap()).await
    }
}

/// What a call is looked after by.
#[derive(Clone, Copy)]
pub(super) struct Watched<'a> {
    pub(super) policy: &'a policy::ExpandedPolicy,
    pub(super) started: Instant,
    /// Whether byte arrays of its result are wanted beside it.
    pub(super) returns_bytes: bool,
}

impl Process {
    /// How it ended, once it has. The server may be gone, which has a reason of its own: init reaps the child then.
    async fn reap(&self) -> Option<Ended> {
        let Ok((Answer::Reaped(reaped), _)) = self.control.ask(&Request::Reap(self.inside), None).await else {
            return None;
        };
        Some(ended(&reaped))
    }

    /// Why it is not ready.
    async fn failure(self) -> io::Error {
        let ended = self.reap().await;
        io::Error::other(format!("a child is not ready ({ended:?})"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some(pidfd) = self.pidfd.take() else { return };
        confine::kill(pidfd.get_ref());
        let (control, inside) = (Rc::clone(&self.control), self.inside);
        // Without a runtime everything ends, the server and its children with it.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        task::spawn_local(async move {
            if pidfd.readable().await.is_ok() {
                // It has been forgotten already where somebody wanted to know how it ended.
                let _ = control.ask(&Request::Reap(inside), None).await;
            }
        });
    }
}

fn ended(reaped: &Reaped) -> Ended {
    let cpu = Duration::from_micros(reaped.user_us.saturating_add(reaped.system_us));
    Ended::of(reaped.status, cpu, reaped.peak_memory_kib.saturating_mul(1024))
}

/// What the kernel says of a pidfd is shorter.
const MOST_INFO_BYTES: usize = 1024;

/// The number of a process, from what the kernel says of a descriptor of it (pidfd_open(2)).
fn number(pidfd: &OwnedFd) -> io::Result<u32> {
    let path = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
    let info = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = [0; MOST_INFO_BYTES];
    let length = rustix::io::read(info, &mut text)?;
    let info = String::from_utf8_lossy(text.get(..length).unwrap_or_default());
    let number = info.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok());
    number.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Writes the parts of a request, for as long as the child takes to read them.
fn tell(channel: &OwnedFd, parts: Vec<Bytes>) -> io::Result<()> {
    let mut parts: VecDeque<Bytes> = parts.into();
    match write_some(channel, &mut parts) {
        Err(Errno::AGAIN) => {}
        // That it has ended shows soon enough.
        Ok(()) | Err(Errno::PIPE | Errno::CONNRESET) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    }
    let rest = confine::watch_both(channel.try_clone()?)?;
    task::spawn_local(async move {
        // As above.
        let _ = rest.async_io(Interest::WRITABLE, |fd| Ok(write_some(fd, &mut parts)?)).await;
    });
    Ok(())
}

/// Writes as much as there is room for; all of it, unless that is an error.
fn write_some(channel: &OwnedFd, parts: &mut VecDeque<Bytes>) -> rustix::io::Result<()> {
    while let Some(part) = parts.front_mut() {
        while !part.is_empty() {
            let written = send(channel, part, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?;
            drop(part.split_to(written));
        }
        parts.pop_front();
    }
    Ok(())
}
