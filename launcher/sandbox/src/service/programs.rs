//! The programs of a service that are there, and their memory.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::Engine;
use crate::supervise::below;

/// The most processes that are looked at: each costs up to a millisecond.
const MOST_PROCESSES: usize = 1024;

/// What a program is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It waits for its call.
    Warm,
    /// It is called.
    Busy,
    /// It forks those that are called.
    Server,
}

/// Those that there are, by the process that was started.
#[derive(Debug, Default)]
pub(crate) struct Programs(Mutex<HashMap<u32, Program>>);

#[derive(Clone, Copy, Debug)]
struct Program {
    engine: Engine,
    state: State,
}

/// A program is listed for as long as this is there.
#[derive(Debug)]
pub(crate) struct Listed {
    programs: Arc<Programs>,
    pid: u32,
}

impl Listed {
    /// Its call has come.
    pub(crate) fn is_called(&self) {
        if let Some(program) = self.programs.lock().get_mut(&self.pid) {
            program.state = State::Busy;
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.programs.lock().remove(&self.pid);
    }
}

/// Something for programs by what they are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ByState<T> {
    /// Those that wait for their call.
    pub warm: T,
    /// Those that are called.
    pub busy: T,
    /// Those that fork others, which are called.
    pub server: T,
}

impl<T> ByState<T> {
    fn of(&mut self, state: State) -> &mut T {
        match state {
            State::Warm => &mut self.warm,
            State::Busy => &mut self.busy,
            State::Server => &mut self.server,
        }
    }
}

/// Something for each engine that a service may run calls by.
pub type ByEngine<T> = BTreeMap<&'static str, ByState<T>>;

/// The memory of a service: proportional set sizes, in which what several processes share counts once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Of the launcher itself.
    pub launcher: Resident,
    /// Of programs.
    pub programs: ByEngine<Held>,
    /// Processes that were too many, or may not be looked at: to an ordinary user the kernel does not show the init of
    /// a program that may start others.
    pub unread: u64,
}

/// The memory of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Resident {
    /// All that it has resident, in bytes.
    pub rss_bytes: u64,
    /// Its part of that, in bytes.
    pub pss_bytes: u64,
}

/// The memory of programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Processes that they are made of.
    pub processes: u64,
    /// Of all of them, in bytes.
    pub pss_bytes: u64,
}

impl Programs {
    /// Lists a program by the process that was started.
    pub(crate) fn list(self: &Arc<Self>, pid: u32, engine: Engine, state: State) -> Listed {
        self.lock().insert(pid, Program { engine, state });
        Listed { programs: Arc::clone(self), pid }
    }

    /// How many there are, of `service`'s engines.
    pub(crate) fn count(&self, service: Engine) -> ByEngine<usize> {
        let mut counts = empty(service);
        for Program { engine, state } in self.lock().values() {
            *counts.entry(engine.name()).or_default().of(*state) += 1;
        }
        counts
    }

    /// The memory of all. What ends meanwhile has none.
    pub(crate) fn memory(&self, service: Engine) -> Memory {
        let listed = self.lock().clone();
        let mut memory = Memory { launcher: resident("self").unwrap_or_default(), programs: empty(service), unread: 0 };
        let mut left = MOST_PROCESSES;
        for (&pid, Program { engine, state }) in &listed {
            let held = memory.programs.entry(engine.name()).or_default().of(*state);
            // Children of a server are listed themselves.
            let below = below(pid).unwrap_or_default().into_iter().filter(|pid| !listed.contains_key(pid));
            for pid in [pid].into_iter().chain(below) {
                let found = if left > 0 { resident(&pid.to_string()) } else { None };
                left = left.saturating_sub(1);
                match found {
                    Some(found) => {
                        held.processes += 1;
                        held.pss_bytes += found.pss_bytes;
                    }
                    None if fs::exists(format!("/proc/{pid}")).unwrap_or(true) => memory.unread += 1,
                    None => {}
                }
            }
        }
        memory
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Program>> {
        // Nothing that holds it can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing yet. What an engine cannot run goes to those after it.
fn empty<T: Default>(service: Engine) -> ByEngine<T> {
    let engines: &[Engine] = match service {
        Engine::Auto | Engine::Fork => &[Engine::Fork, Engine::Pool, Engine::Spawn],
        Engine::Pool => &[Engine::Pool, Engine::Spawn],
        Engine::Spawn => &[Engine::Spawn],
    };
    engines.iter().map(|engine| (engine.name(), ByState::default())).collect()
}

/// The memory of a process. `None` where it is not there or may not be looked at.
fn resident(pid: &str) -> Option<Resident> {
    of_rollup(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?)
}

/// Out of /proc/PID/smaps_rollup (proc_pid_smaps(5)).
fn of_rollup(text: &str) -> Option<Resident> {
    let bytes = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kilobytes: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kilobytes << 10)
    };
    Some(Resident { rss_bytes: bytes("Rss")?, pss_bytes: bytes("Pss")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_there_until_they_are_dropped() {
        let programs = Arc::new(Programs::default());
        let counts = |engine: &str| programs.count(Engine::Pool)[engine];
        let none = ByState::default();
        let one = programs.list(1, Engine::Pool, State::Warm);
        let two = programs.list(2, Engine::Spawn, State::Busy);
        assert_eq!([counts("pool"), counts("spawn")], [ByState { warm: 1, ..none }, ByState { busy: 1, ..none }]);
        one.is_called();
        drop(two);
        assert_eq!([counts("pool"), counts("spawn")], [ByState { busy: 1, ..none }, none]);
        drop(one);
        assert_eq!([counts("pool"), counts("spawn")], [none; 2]);
    }

    #[test]
    fn the_memory_of_processes() {
        let programs = Arc::new(Programs::default());
        let block = vec![1u8; 32 << 20];
        // With those that other tests of this process have started.
        let _listed = programs.list(std::process::id(), Engine::Spawn, State::Busy);
        let memory = programs.memory(Engine::Pool);
        drop(block);
        let spawned = memory.programs["spawn"];
        assert!(spawned.busy.processes >= 1 && spawned.busy.pss_bytes >= 32 << 20, "{memory:?}");
        assert!(memory.launcher.rss_bytes >= memory.launcher.pss_bytes, "{memory:?}");
        assert!(memory.launcher.pss_bytes >= 32 << 20, "{memory:?}");
        assert_eq!(spawned.warm, Held::default());
        assert_eq!(memory.programs["pool"], ByState::default());
    }

    #[test]
    fn what_forks_is_told_from_what_it_has_forked() {
        let mut child = std::process::Command::new("/bin/cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let programs = Arc::new(Programs::default());
        let _server = programs.list(std::process::id(), Engine::Fork, State::Server);
        let forked = programs.list(child.id(), Engine::Fork, State::Warm);
        let held = |memory: &Memory, state| memory.programs["fork"].clone().of(state).processes;
        let apart = programs.memory(Engine::Fork);
        assert_eq!(held(&apart, State::Warm), 1);
        drop(forked);
        let together = programs.memory(Engine::Fork);
        assert_eq!(held(&together, State::Warm), 0);
        assert!(held(&together, State::Server) > 1, "{together:?}");
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn who_has_gone_has_none_and_is_not_missed() {
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        child.wait().unwrap();
        let programs = Arc::new(Programs::default());
        let _listed = programs.list(child.id(), Engine::Spawn, State::Busy);
        let memory = programs.memory(Engine::Spawn);
        assert_eq!((memory.programs["spawn"], memory.unread), (ByState::default(), 0));
    }

    #[test]
    fn the_lines_of_a_rollup() {
        let text = "0-7f ---p 0 00:00 0   [rollup]\nRss:               28704 kB\nPss:               26963 kB\nPss_Dirty: 1 kB\n";
        assert_eq!(of_rollup(text), Some(Resident { rss_bytes: 28704 << 10, pss_bytes: 26963 << 10 }));
        assert_eq!(of_rollup("Rss: 1 kB\n"), None);
    }
}
