//! Connections within the sandbox, which are made on the program's own socket.
//!
//! Whether that waits is the program's to say at any time: `O_NONBLOCK` is the socket's, not the descriptor's, and
//! another thread of the program can take it off just before the call. So the call is a thread's that nobody waits for.

use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use confine::Errno;
use nix::libc;
use socket2::SockRef;

use super::listening::errno;

/// Ends a call that is under way when nobody wants its outcome any more.
struct UnderWay {
    socket: Arc<OwnedFd>,
    has_ended: bool,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.has_ended {
            // A socket without a connection is in no call either.
            let _ = SockRef::from(&*self.socket).shutdown(Shutdown::Both);
        }
    }
}

/// Connects `socket` to `address`, for as long as it takes.
pub(super) async fn connect(socket: &Arc<OwnedFd>, address: Vec<u8>) -> Result<(), Errno> {
    let mut under_way = UnderWay { socket: Arc::clone(socket), has_ended: false };
    let calling = Arc::clone(socket);
    let called = tokio::task::spawn_blocking(move || confine::connect(calling.as_fd(), &address)).await;
    under_way.has_ended = true;
    match called {
        // On the loopback device the answer is there at once, even if the call does not wait for it.
        Ok(Err(Errno(libc::EINPROGRESS))) => match SockRef::from(&**socket).take_error() {
            Ok(Some(error)) => Err(errno(error)),
            _ => Err(Errno(libc::EINPROGRESS)),
        },
        Ok(answer) => answer,
        // The launcher ends.
        Err(_) => Err(Errno(libc::ECONNABORTED)),
    }
}
