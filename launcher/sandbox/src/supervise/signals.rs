//! Signals that somebody sends to the launcher mean the program.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use confine::Child;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tokio::io::unix::AsyncFd;

/// Signals that are passed on. Job control is left alone: the terminal stops and continues both of us.
const FORWARDED: [Signal; 6] =
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2];

/// `si_code` of a signal that the kernel made, as for a key at the terminal (sigaction(2)).
const FROM_KERNEL: i32 = 0x80;

/// The blocked signals, as a descriptor.
#[derive(Debug)]
pub(crate) struct Signals(SignalFd);

impl Signals {
    /// Blocks the signals from here on, so that none is lost between the start of the program and the first look.
    pub(crate) fn block() -> io::Result<Self> {
        let set: SigSet = FORWARDED.into_iter().collect();
        set.thread_block()?;
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    /// Passes on what has come. A key at the terminal reaches the program by itself: it is in the same group.
    fn forward(&self, child: &Child) {
        while let Ok(Some(info)) = self.0.read_signal() {
            if info.ssi_code != FROM_KERNEL {
                child.signal(i32::try_from(info.ssi_signo).unwrap_or(0));
            }
        }
    }
}

/// Signals on their way to a program.
pub(crate) struct Passing {
    signals: Signals,
    arrival: AsyncFd<OwnedFd>,
}

impl Passing {
    pub(crate) fn on(signals: Signals) -> io::Result<Self> {
        let arrival = confine::watch(signals.0.as_fd().try_clone_to_owned()?)?;
        Ok(Self { signals, arrival })
    }
}

/// Waits for signals and passes them on; for ever, where none are to be.
pub(crate) async fn pass_on(passing: Option<&Passing>, child: &Child) -> io::Result<()> {
    let Some(Passing { signals, arrival }) = passing else { return std::future::pending().await };
    let mut ready = arrival.readable().await?;
    signals.forward(child);
    ready.clear_ready();
    Ok(())
}
