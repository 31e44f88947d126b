//! Limits that end a run: time on the clock, CPU time, memory.

use std::time::{Duration, Instant};

use confine::{Child, Ended};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use policy::{Limit, Limits};

use super::memory::Memory;
use super::reached;
use crate::outcome::{Ending, Reached};

/// How often memory is looked at: a program can fill some 3 MB in this time.
const MEMORY_INTERVAL: Duration = Duration::from_millis(2);
/// How often CPU time is looked at.
const CPU_INTERVAL: Duration = Duration::from_millis(5);

const MB: u64 = 1 << 20;

/// Watches one program.
pub(super) struct Watch {
    limits: Limits,
    started: Instant,
    memory: Option<Memory>,
    cpu: Option<ClockId>,
}

impl Watch {
    pub(super) fn new(child: &Child, limits: Limits, started: Instant) -> Self {
        let cpu_clock = || ClockId::pid_cpu_clock_id(Pid::from_raw(child.pid.cast_signed())).ok();
        Self {
            limits,
            started,
            // It may have ended already: then there is nothing to watch.
            memory: Memory::of(child.pid).ok(),
            cpu: limits.cpu_ms.and_then(|_| cpu_clock()),
        }
    }

    /// Comes back when a limit is reached.
    pub(super) async fn next(&mut self) -> Reached {
        loop {
            if let Some(reached) = self.look() {
                return reached;
            }
            match self.pause() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        }
    }

    fn pause(&self) -> Option<Duration> {
        let memory = self.limits.memory_mb.map(|_| MEMORY_INTERVAL);
        let cpu = self.limits.cpu_ms.map(|_| CPU_INTERVAL);
        let wall = self.limits.wall_ms.map(|ms| Duration::from_millis(ms).saturating_sub(self.started.elapsed()));
        [memory, cpu, wall].into_iter().flatten().min()
    }

    fn look(&mut self) -> Option<Reached> {
        if let Some(allowed) = self.limits.wall_ms {
            let value = millis(self.started.elapsed());
            if value >= allowed {
                return Some(reached(Limit::Wall, value, allowed));
            }
        }
        if let (Some(allowed), Some(memory)) = (self.limits.memory_mb, &mut self.memory) {
            let bytes = memory.look();
            if bytes > allowed * MB {
                return Some(reached(Limit::Memory, bytes.div_ceil(MB), allowed));
            }
        }
        if let (Some(allowed), Some(clock)) = (self.limits.cpu_ms, self.cpu)
            && let Ok(used) = clock_gettime(clock)
        {
            let value = millis(Duration::from(used));
            if value >= allowed {
                return Some(reached(Limit::Cpu, value, allowed));
            }
        }
        None
    }

    /// The most memory that was seen, where it was watched.
    pub(super) fn peak_memory_bytes(&self) -> Option<u64> {
        self.memory.as_ref().map(Memory::peak_bytes).filter(|bytes| *bytes > 0)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// An end by the kernel's own limit, named like ours: `RLIMIT_CPU` kills with the hard limit's SIGKILL.
pub(super) fn kernel_limit(ending: Ending, ended: &Ended, limits: Limits) -> Ending {
    match (&ending, limits.cpu_ms) {
        (Ending::Ended, Some(allowed)) if ended.signal == Some(9) && millis(ended.cpu) >= allowed => {
            Ending::Limit(reached(Limit::Cpu, millis(ended.cpu), allowed))
        }
        _ => ending,
    }
}
