//! Limits that end a run: time on the clock, CPU time, memory, processes.

use std::io;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use confine::{Child, Ended};
use policy::{Limit, Limits};

use super::cgroup::{Cgroup, ControlGroup};
use super::disk::{Disk, Folder};
use super::reached;
use super::sample::Sample;
use super::tasks::Tasks;
use super::tree::Tree;
use crate::outcome::{Ending, Peaks, Reached};

/// How often memory is looked at. The timer adds up to a millisecond; a program can fill some 3 MB in that time.
const MEMORY_INTERVAL: Duration = Duration::from_millis(1);
/// How often CPU time is looked at.
const CPU_INTERVAL: Duration = Duration::from_millis(5);

/// How often tasks are counted where the kernel does not.
const TASKS_INTERVAL: Duration = Duration::from_millis(2);

/// How often new files are looked for.
const DISK_INTERVAL: Duration = Duration::from_millis(10);

const MB: u64 = 1 << 20;
/// One new file counts as 4 KB of the limit on temporary files.
const FILES_PER_MB: u64 = 256;
/// The signal that cannot be caught.
const KILL: i32 = 9;

/// A program that lives this long joins a control group. Joining waits for every processor (some milliseconds), which
/// a short program must not pay for; until then, and beside it, memory is looked at.
const CGROUP_AFTER: Duration = Duration::from_millis(50);

/// The control group of a program.
enum Group {
    /// It may come.
    Later { pid: u32 },
    /// A thread of its own sees to it.
    Joining(JoinHandle<Option<Cgroup>>),
    /// It is there, or cannot be made here.
    Joined(Option<Cgroup>),
}

impl Group {
    fn join(&mut self, bytes: u64) {
        if let Self::Later { pid } = *self {
            *self = Self::Joining(std::thread::spawn(move || Cgroup::hold(pid, bytes)));
        }
    }

    /// The group, once that is known.
    fn settle(&mut self) -> Option<&Cgroup> {
        if let Self::Joining(thread) = std::mem::replace(self, Self::Joined(None)) {
            *self = Self::Joined(thread.join().ok().flatten());
        }
        match self {
            Self::Joined(group) => group.as_ref(),
            _ => None,
        }
    }

    /// Whether the kernel has ended a process of the group, as far as the group is known already.
    fn has_killed(&mut self) -> bool {
        if matches!(self, Self::Joining(thread) if thread.is_finished()) {
            self.settle();
        }
        matches!(self, Self::Joined(Some(group)) if group.has_killed())
    }
}

/// Watches one program.
pub(super) struct Watch {
    limits: Limits,
    started: Instant,
    tree: Tree,
    cgroup: Group,
    disk: Option<(Disk, Instant)>,
    /// What the kernel counts of a program with namespaces of its own, and of no other.
    counted: Option<Counted>,
    sample: Option<Sample>,
}

/// What is looked at where the program has no namespaces, or shares them with its like: the kernel's own limits are
/// those of all together, or of a mount that there is not.
struct Counted {
    tasks: Tasks,
    tmp: Option<Folder>,
}

fn disk(limits: &Limits, writable: &[PathBuf], started: Instant) -> Option<(Disk, Instant)> {
    let megabytes = limits.tmp_mb.filter(|_| !writable.is_empty())?;
    Some((Disk::watch(writable, megabytes), started))
}

impl Watch {
    pub(super) fn new(
        child: &Child,
        limits: Limits,
        group: Option<ControlGroup>,
        writable: &[PathBuf],
        scratch_tmp: Option<PathBuf>,
        started: Instant,
        sample: Option<Sample>,
    ) -> Self {
        Self {
            limits,
            started,
            tree: Tree::of(child),
            cgroup: group.map_or(Group::Later { pid: child.pid }, |group| Group::Joined(Some(group.into()))),
            disk: disk(&limits, writable, started),
            counted: scratch_tmp.map(|tmp| Counted { tasks: Tasks::of(child.pid), tmp: Some(Folder::new(tmp)) }),
            sample,
        }
    }

    /// Watches one of several copies of a process, which the kernel counts together.
    pub(super) fn of_copy(pid: u32, tree: Tree, limits: Limits, writable: &[PathBuf], started: Instant) -> Self {
        Self {
            limits,
            started,
            cgroup: Group::Later { pid },
            tree,
            disk: disk(&limits, writable, started),
            counted: Some(Counted { tasks: Tasks::of(pid), tmp: None }),
            sample: Some(Sample::new(false)),
        }
    }

    /// Comes back when a limit is reached, or when nobody could tell any more whether one is.
    pub(super) async fn next(&mut self) -> io::Result<Reached> {
        loop {
            if let Some(reached) = self.look() {
                return Ok(reached);
            }
            if let Some(failure) = self.tree.failure().filter(|_| self.counts_processes()) {
                return Err(failure);
            }
            match self.pause() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Whether a limit is kept by looking at each process.
    const fn counts_processes(&self) -> bool {
        self.limits.memory_mb.is_some() || self.limits.cpu_ms.is_some() || self.limits.processes.is_some()
    }

    fn pause(&self) -> Option<Duration> {
        let memory = self.limits.memory_mb.map(|_| MEMORY_INTERVAL);
        let cpu = self.limits.cpu_ms.map(|_| CPU_INTERVAL);
        let wall = self.limits.wall_ms.map(|ms| Duration::from_millis(ms).saturating_sub(self.started.elapsed()));
        let disk = self.disk.as_ref().map(|_| DISK_INTERVAL);
        let tasks = self.counted.as_ref().and(self.limits.threads).map(|_| TASKS_INTERVAL);
        let tmp = self.counted.as_ref().and_then(|counted| counted.tmp.as_ref()).and(self.limits.tmp_mb);
        let tmp = tmp.map(|_| DISK_INTERVAL);
        let sample = self.sample.as_ref().map(Sample::pause);
        let processes = self.limits.processes.filter(|_| self.tree.may_grow()).map(|_| CPU_INTERVAL);
        [memory, cpu, wall, disk, tasks, tmp, sample, processes].into_iter().flatten().min()
    }

    fn look(&mut self) -> Option<Reached> {
        if let Some(sample) = self.sample.as_mut().filter(|sample| sample.is_due()) {
            sample.look(&self.tree.processes());
            if self.tree.may_grow() {
                self.tree.memory();
                self.tree.cpu();
            }
        }
        if let Some(allowed) = self.limits.wall_ms {
            let value = millis(self.started.elapsed());
            if value >= allowed {
                return Some(reached(Limit::Wall, value, allowed));
            }
        }
        if let Some(allowed) = self.limits.memory_mb {
            if self.started.elapsed() >= CGROUP_AFTER {
                self.cgroup.join(allowed * MB);
            }
            let bytes = self.tree.memory();
            if bytes > allowed * MB {
                return Some(reached(Limit::Memory, bytes.div_ceil(MB), allowed));
            }
            // The kernel ends one process of a group, and leaves the others.
            if self.tree.may_grow() && self.cgroup.has_killed() {
                return Some(reached(Limit::Memory, allowed, allowed));
            }
        }
        if let Some(allowed) = self.limits.cpu_ms {
            let value = millis(self.tree.cpu());
            if value >= allowed {
                return Some(reached(Limit::Cpu, value, allowed));
            }
        }
        if let Some(allowed) = self.limits.processes.filter(|_| self.tree.may_grow()) {
            let value = self.tree.most();
            if value > allowed {
                return Some(reached(Limit::Processes, value, allowed));
            }
        }
        if let Some((disk, last)) = &mut self.disk
            && last.elapsed() >= DISK_INTERVAL
        {
            *last = Instant::now();
            if let Some(files) = disk.look() {
                return Some(reached(Limit::Tmp, files / FILES_PER_MB + 1, disk.allowed_files() / FILES_PER_MB));
            }
        }
        self.look_at_counted()
    }

    fn look_at_counted(&mut self) -> Option<Reached> {
        let counted = self.counted.as_mut()?;
        if let Some(allowed) = self.limits.threads {
            let value = counted.tasks.look();
            if value > allowed {
                return Some(reached(Limit::Threads, value, allowed));
            }
        }
        if let (Some(allowed), Some(tmp)) = (self.limits.tmp_mb, &mut counted.tmp) {
            let bytes = tmp.look();
            if bytes > allowed * MB {
                return Some(reached(Limit::Tmp, bytes.div_ceil(MB), allowed));
            }
        }
        None
    }

    /// The most memory that was seen, where it was watched.
    pub(super) fn peak_memory_bytes(&self) -> Option<u64> {
        Some(self.tree.peak_bytes()).filter(|bytes| *bytes > 0)
    }

    /// The CPU time that was seen, where the kernel does not tell it at the end: an init that is ended has not waited for
    /// the program.
    pub(super) const fn cpu(&self) -> Duration {
        self.tree.used()
    }

    /// What a copy had used of the processor before its call.
    pub(super) fn cpu_before(&self) -> Duration {
        self.tree.before()
    }

    /// Looks at what the program has, before it is ended: a short call may have come between two looks.
    pub(super) fn look_once_more(&mut self) {
        if self.limits.memory_mb.is_some() || self.tree.may_grow() {
            self.tree.memory();
        }
        if self.tree.may_grow() {
            self.tree.cpu();
        }
        if let Some(sample) = &mut self.sample {
            sample.look(&self.tree.processes());
            if let Some(tmp) = self.counted.as_mut().and_then(|counted| counted.tmp.as_mut()) {
                tmp.look_now();
            }
        }
    }

    /// The same of a copy, whose end nobody waits for: what else it used has to be found out now. What the kernel limits
    /// is looked at only where it has been before, since many calls take less time than a look.
    pub(super) fn look_at_copy_once_more(&mut self) {
        self.tree.memory();
        self.tree.cpu();
        if let Some(sample) = self.sample.as_mut().filter(|sample| sample.is_due()) {
            sample.look(&self.tree.processes());
        }
    }

    /// The most that was seen of what the kernel limits.
    pub(super) fn peaks(&self) -> Peaks {
        let Some(sample) = &self.sample else { return Peaks::default() };
        let peaks = sample.peaks();
        Peaks {
            tmp_bytes: self
                .counted
                .as_ref()
                .and_then(|counted| counted.tmp.as_ref())
                .map_or(peaks.tmp_bytes, |tmp| Some(tmp.peak_bytes())),
            ..peaks
        }
    }

    /// How memory is limited, if it is. Called before the process is waited for: a group that is still being joined
    /// must not take in somebody else under its number.
    pub(super) fn memory_control(&mut self) -> Option<&'static str> {
        self.limits.memory_mb.map(|_| self.cgroup.settle().map_or("polling", Cgroup::name))
    }

    /// An end by a limit that the kernel keeps, named like ours. Both kill by SIGKILL: the control group for memory,
    /// `RLIMIT_CPU` for CPU time.
    pub(super) fn kernel_limit(&self, ending: Ending, ended: &Ended) -> Ending {
        if !matches!(ending, Ending::Ended) || ended.signal != Some(KILL) {
            return ending;
        }
        if let (Some(allowed), Group::Joined(Some(cgroup))) = (self.limits.memory_mb, &self.cgroup)
            && cgroup.has_killed()
        {
            return Ending::Limit(reached(Limit::Memory, allowed, allowed));
        }
        match self.limits.cpu_ms {
            Some(allowed) if millis(ended.cpu) >= allowed => {
                Ending::Limit(reached(Limit::Cpu, millis(ended.cpu), allowed))
            }
            _ => ending,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
