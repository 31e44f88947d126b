//! The processes of a sandbox and what they use: the program alone, or all that lives below an init.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use confine::Child;
use nix::libc;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use super::memory::Memory;

/// How often new processes are looked for.
const INTERVAL: Duration = Duration::from_millis(5);

/// More processes than any limit allows are not looked at.
const MOST_PROCESSES: usize = 5000;

/// The unit of times in /proc/PID/stat, the same on every Linux (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// The processes of a sandbox.
pub(super) struct Tree {
    init: Option<u32>,
    members: BTreeMap<u32, Member>,
    last: Option<Instant>,
    /// CPU time of members that have gone, as far as it was seen.
    gone: Duration,
    used: Duration,
    peak_bytes: u64,
    most: u64,
    open: Open,
    failure: Option<io::Error>,
}

/// How the counters of a process are opened.
type Open = fn(u32) -> io::Result<Memory>;

/// One process.
struct Member {
    memory: Memory,
    clock: Option<ClockId>,
    /// What it had used before it was looked at.
    before: Duration,
    cpu: Duration,
}

impl Member {
    /// `None` when it has ended already.
    fn of(pid: u32, open: Open) -> io::Result<Option<Self>> {
        let Some(memory) = unless_gone(open(pid))? else { return Ok(None) };
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(pid.cast_signed())).ok();
        Ok(Some(Self { memory, clock, before: Duration::ZERO, cpu: Duration::ZERO }))
    }

    fn look_at_cpu(&mut self) -> Duration {
        if let Some(used) = self.clock.and_then(|clock| clock_gettime(clock).ok()) {
            self.cpu = self.cpu.max(Duration::from(used).saturating_sub(self.before));
        }
        self.cpu
    }
}

impl Tree {
    pub(super) fn of(child: &Child) -> Self {
        if child.is_init() { Self::empty(Some(child.pid), Memory::of) } else { Self::alone(child.pid) }
    }

    /// One process that starts no others.
    fn alone(pid: u32) -> Self {
        let mut tree = Self::empty(None, Memory::of);
        tree.add(pid);
        tree
    }

    /// A process that was forked and has warmed up, which is nobody's call.
    pub(super) fn of_copy(pid: u32) -> Self {
        let mut tree = Self::empty(None, Memory::of_copy);
        tree.add(pid);
        for member in tree.members.values_mut() {
            member.before = member.look_at_cpu();
            member.cpu = Duration::ZERO;
        }
        tree
    }

    /// What had been used before it was looked at.
    pub(super) fn before(&self) -> Duration {
        self.members.values().map(|member| member.before).sum()
    }

    fn empty(init: Option<u32>, open: Open) -> Self {
        Self {
            init,
            members: BTreeMap::new(),
            last: None,
            gone: Duration::ZERO,
            used: Duration::ZERO,
            peak_bytes: 0,
            most: 0,
            open,
            failure: None,
        }
    }

    /// Why a process could not be looked at that is there: what cannot be counted cannot be limited.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// A value that could be had, or `None` where it could not.
    fn seen<T>(&mut self, found: io::Result<T>) -> Option<T> {
        found.map_err(|error| self.failure = Some(error)).ok()
    }

    fn add(&mut self, pid: u32) {
        let member = Member::of(pid, self.open);
        if let Some(Some(member)) = self.seen(member) {
            self.members.insert(pid, member);
        }
    }

    /// Whether there may be more than one process.
    pub(super) const fn may_grow(&self) -> bool {
        self.init.is_some()
    }

    /// The memory of all, in bytes.
    pub(super) fn memory(&mut self) -> u64 {
        self.refresh();
        let now = self.members.values_mut().map(|member| member.memory.look()).sum();
        self.peak_bytes = self.peak_bytes.max(now);
        now
    }

    /// The CPU time of all, those included that have ended and were seen or waited for.
    pub(super) fn cpu(&mut self) -> Duration {
        self.refresh();
        let living: Duration = self.members.values_mut().map(Member::look_at_cpu).sum();
        let Some(init) = self.init else {
            self.used = self.used.max(living);
            return living;
        };
        // Whoever was waited for counts at its parent; whoever was not, as far as it was seen.
        let waited = self.members.keys().chain([&init]).map(|pid| children_cpu(*pid)).sum();
        let waited: Duration = self.seen(waited).unwrap_or_default();
        self.used = self.used.max(living + waited.max(self.gone));
        self.used
    }

    /// The CPU time that was seen of a tree.
    pub(super) const fn used(&self) -> Duration {
        self.used
    }

    /// The process numbers of all.
    pub(super) fn processes(&mut self) -> Vec<u32> {
        self.refresh();
        self.members.keys().copied().collect()
    }

    /// The most processes that were seen at a time: a look takes a while, and meanwhile they come and go.
    pub(super) fn most(&mut self) -> u64 {
        self.refresh();
        self.most
    }

    /// The most memory that was seen.
    pub(super) const fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    fn refresh(&mut self) {
        let Some(init) = self.init else { return };
        if self.last.is_some_and(|last| last.elapsed() < INTERVAL) {
            return;
        }
        self.last = Some(Instant::now());
        let Some(living) = self.seen(below(init)) else { return };
        let (staying, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.members).into_iter().partition(|(pid, _)| living.contains(pid));
        self.members = staying;
        self.gone += gone.values().map(|member| member.cpu).sum::<Duration>();
        self.most = self.most.max(u64::try_from(living.len()).unwrap_or(u64::MAX));
        for pid in living {
            if !self.members.contains_key(&pid) {
                self.add(pid);
            }
        }
    }
}

/// Everything below the process `pid`, itself not included. Whoever loses its parent becomes a child of init.
pub(crate) fn below(pid: u32) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    let mut open = vec![pid];
    while let Some(pid) = open.pop() {
        // Gone in the meantime: its children have another parent, and are found there the next time.
        let Some(tasks) = unless_gone(fs::read_dir(format!("/proc/{pid}/task")))? else { continue };
        for task in tasks {
            let Some(task) = unless_gone(task)? else { continue };
            let Some(children) = unless_gone(fs::read_to_string(task.path().join("children")))? else { continue };
            let children = children.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok());
            for child in children {
                if found.len() == MOST_PROCESSES {
                    return Ok(found);
                }
                found.push(child);
                open.push(child);
            }
        }
    }
    Ok(found)
}

/// `None` where the process that it is about has ended.
fn unless_gone<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The CPU time of the children that process `pid` has waited for (proc_pid_stat(5), fields 16 and 17).
fn children_cpu(pid: u32) -> io::Result<Duration> {
    let stat = unless_gone(fs::read_to_string(format!("/proc/{pid}/stat")))?.unwrap_or_default();
    Ok(waited_ticks(&stat).map_or(Duration::ZERO, |ticks| TICK.saturating_mul(ticks)))
}

fn waited_ticks(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(13);
    let (user, system) = (fields.next()?.parse::<u32>().ok()?, fields.next()?.parse::<u32>().ok()?);
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn children_that_were_waited_for_are_found_in_the_line() {
        let stat = "7 (a) 1 (b) S 1 7 7 0 -1 4194304 1 0 0 0 2 3 40 5 20 0 9 0 17 1 2 3";
        assert_eq!(waited_ticks(stat), Some(45));
        assert_eq!(waited_ticks("7 (gone"), None);
    }

    /// A tree of which `child` is all.
    fn tree_of(child: &std::process::Child, open: Open) -> Tree {
        let mut tree = Tree::empty(None, open);
        tree.add(child.id());
        tree
    }

    #[test]
    fn who_has_gone_is_no_failure_and_who_cannot_be_looked_at_is_one() {
        let mut child = Command::new("/bin/sh").args(["-c", "read line"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut tree = tree_of(&child, Memory::of);
        assert!(tree.failure().is_none() && tree.memory() > 0);
        let mut tree = tree_of(&child, |_| Err(io::Error::from_raw_os_error(libc::EMFILE)));
        assert_eq!(tree.memory(), 0);
        let failure = tree.failure().map(|failure| failure.raw_os_error());
        assert_eq!(failure, Some(Some(libc::EMFILE)));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut tree = tree_of(&child, Memory::of);
        assert!(tree.failure().is_none() && tree.members.is_empty());
        assert!(below(child.id()).unwrap().is_empty());
        assert_eq!(children_cpu(child.id()).unwrap(), Duration::ZERO);
    }

    #[test]
    fn children_of_children_are_below() {
        let mut child = Command::new("/bin/sh").args(["-c", "sleep 100 & wait"]).spawn().unwrap();
        let found = || below(std::process::id()).unwrap();
        while !below(child.id()).unwrap().iter().any(|pid| found().contains(pid)) {
            std::thread::yield_now();
        }
        let grandchildren = below(child.id()).unwrap();
        assert!(found().contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        for pid in grandchildren {
            nix::sys::signal::kill(Pid::from_raw(pid.cast_signed()), nix::sys::signal::Signal::SIGKILL).unwrap();
        }
    }
}
