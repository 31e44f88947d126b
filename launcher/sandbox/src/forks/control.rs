//! The control socket of a server: requests, and answers in their order.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use forkserver::messages::{ANSWER_BYTES, Answer, MOST_REQUEST_BYTES, Request};
use rustix::cmsg_space;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Mutex;
use tokio::task;

/// How long a server may take to answer: it does one thing after the other, none of which takes a millisecond.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The most descriptors that come with one message.
const MOST_DESCRIPTORS: usize = 3;

/// One end of a pair of sockets that keep messages apart.
pub(super) struct Socket(AsyncFd<OwnedFd>);

impl Socket {
    /// A pair; the second end is for the sandbox.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        Ok((Self(confine::watch_both(ours)?), theirs))
    }

    /// Sends one message, with these descriptors.
    pub(super) async fn send(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.0.async_io(Interest::WRITABLE, |socket| send(socket.as_fd(), bytes, descriptors)).await
    }

    /// The next message into `bytes`: its length, and the descriptor that came with it. 0: the other end is closed.
    pub(super) async fn receive(&self, bytes: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
        self.0.async_io(Interest::READABLE, |socket| receive(socket.as_fd(), bytes)).await
    }
}

fn send(to: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !rights.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(to, &[IoSlice::new(bytes)], &mut rights, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?;
    Ok(())
}

fn receive(from: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let message = recvmsg(from, &mut [IoSliceMut::new(bytes)], &mut rights, flags)?;
    let descriptor = rights.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok((message.bytes, descriptor))
}

/// What a server is asked through.
pub(super) struct Control {
    socket: Socket,
    /// One question at a time.
    turn: Mutex<()>,
}

impl Control {
    pub(super) fn new(socket: Socket) -> Rc<Self> {
        Rc::new(Self { socket, turn: Mutex::new(()) })
    }

    /// The next answer, and the descriptor that came with it.
    pub(super) async fn answer(&self) -> io::Result<(Answer, Option<OwnedFd>)> {
        let mut bytes = [0; ANSWER_BYTES];
        let received = tokio::time::timeout(PATIENCE, self.socket.receive(&mut bytes)).await;
        let (length, descriptor) = received.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let answer = bytes.get(..length).and_then(Answer::decode);
        answer.map(|answer| (answer, descriptor)).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Asks, and waits for the answer. Whoever stops waiting leaves no answer to the next.
    pub(super) async fn ask(
        self: &Rc<Self>,
        request: &Request,
        descriptor: Option<OwnedFd>,
    ) -> io::Result<(Answer, Option<OwnedFd>)> {
        let control = Rc::clone(self);
        let mut bytes = [0; MOST_REQUEST_BYTES];
        let length = request.encode(&mut bytes);
        let bytes = bytes.get(..length).unwrap_or_default().to_vec();
        let asked = task::spawn_local(async move {
            let _turn = control.turn.lock().await;
            let descriptors = descriptor.as_ref().map(AsFd::as_fd);
            control.socket.send(&bytes, descriptors.as_slice()).await?;
            drop(descriptor);
            control.answer().await
        });
        asked.await.map_err(|_| io::Error::from(io::ErrorKind::Interrupted))?
    }
}
