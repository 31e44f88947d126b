//! A control group that holds a program to its memory limit exactly, where the host lets us make one: cgroup v2, or
//! the memory controller of v1 (cgroups(7)). Polling (super::memory) goes on beside it, and alone where there is none.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use confine::Child;
use policy::{ExpandedPolicy, Protection};

use super::tree::below;
use crate::error::{Error, Kind};

/// Where control groups are mounted.
const HIERARCHY: &str = "/sys/fs/cgroup";
/// What our groups are called, before the launcher's process id and a number among its groups: `secure-bun-812-3`.
const PREFIX: &str = "secure-bun-";

/// Groups that this launcher has made: a service has one for each program.
static MADE: AtomicU64 = AtomicU64::new(0);

/// How often a group is tried to be removed where that is waited for, and by a thread of its own.
const TRIES: u32 = 20;
const TRIES_OF_THREAD: u32 = 4000;
const BETWEEN_TRIES: Duration = Duration::from_micros(500);

/// A group of our own. It is removed with this value.
#[derive(Debug)]
pub(super) struct Cgroup {
    folder: PathBuf,
    version: Version,
}

/// Which interface of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

impl Version {
    const fn limit_file(self) -> &'static str {
        match self {
            Self::V1 => "memory.limit_in_bytes",
            Self::V2 => "memory.max",
        }
    }

    /// Where `oom_kill N` counts the processes that the kernel has ended.
    const fn events_file(self) -> &'static str {
        match self {
            Self::V1 => "memory.oom_control",
            Self::V2 => "memory.events",
        }
    }
}

/// The group of a program whose policy requires one: there before the program is.
#[derive(Debug)]
pub(crate) struct ControlGroup(Cgroup);

impl ControlGroup {
    /// The group that `policy` requires, empty as yet. Without a limit of memory there is nothing to hold.
    pub(crate) fn required(policy: &ExpandedPolicy) -> Result<Option<Self>, Error> {
        let Some(megabytes) = policy.limits.memory_mb.filter(|_| policy.kernel.requires(Protection::Cgroup)) else {
            return Ok(None);
        };
        let group = Cgroup::prepare(megabytes << 20).ok_or_else(|| lacking("there is no place to make one"))?;
        Ok(Some(Self(group)))
    }

    /// The same with `child` in it, which is ended where that fails.
    pub(crate) fn with(self, child: &Child) -> Result<Self, Error> {
        self.0.join(child.pid).map(|()| self).map_err(|error| {
            child.kill();
            super::wait(child);
            lacking(&format!("the program cannot join it: {error}"))
        })
    }
}

impl From<ControlGroup> for Cgroup {
    fn from(ControlGroup(group): ControlGroup) -> Self {
        group
    }
}

fn lacking(why: &str) -> Error {
    let message = format!("the sandbox cannot be established: kernel.require lists cgroup, but {why}");
    Error::new(Kind::Sandbox, message).with_help(REMEDY)
}

/// What lets us make groups.
pub(crate) const REMEDY: &str = "let secure-bun make control groups with the memory controller: in a systemd service, \
                                 `Delegate=memory` with `DelegateSubgroup=main`; in a container, a writable /sys/fs/cgroup";

impl Cgroup {
    /// Makes a group for `pid`, and all below it, that may have `bytes` of memory. `None` where that is not possible.
    pub(super) fn hold(pid: u32, bytes: u64) -> Option<Self> {
        let group = Self::prepare(bytes)?;
        group.join(pid).ok()?;
        Some(group)
    }

    /// Makes an empty group that may have `bytes` of memory. `None` where that is not possible.
    fn prepare(bytes: u64) -> Option<Self> {
        let membership = fs::read_to_string("/proc/self/cgroup").ok()?;
        Self::prepare_in(Path::new(HIERARCHY), &membership, bytes)
    }

    fn prepare_in(hierarchy: &Path, membership: &str, bytes: u64) -> Option<Self> {
        places(hierarchy, membership).into_iter().find_map(|(place, version)| {
            sweep(&place);
            let group = Self::make(&place, version).ok()?;
            group.limit(bytes).ok()?;
            Some(group)
        })
    }

    fn make(place: &Path, version: Version) -> io::Result<Self> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = place.join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs::create_dir(&folder)?;
        Ok(Self { folder, version })
    }

    fn limit(&self, bytes: u64) -> io::Result<()> {
        self.write(self.version.limit_file(), &bytes.to_string())?;
        // Swap would be memory by another name. Hosts without it have no such file.
        let _ = match self.version {
            Version::V1 => self.write("memory.swappiness", "0"),
            Version::V2 => self.write("memory.swap.max", "0"),
        };
        Ok(())
    }

    fn join(&self, pid: u32) -> io::Result<()> {
        self.write("cgroup.procs", &pid.to_string())?;
        // What these start from now on is in the group from its beginning; what they have started already is taken in
        // until there is nobody new.
        let mut inside = BTreeSet::from([pid]);
        loop {
            let new: Vec<u32> = below(pid)?.into_iter().filter(|pid| inside.insert(*pid)).collect();
            if new.is_empty() {
                return Ok(());
            }
            for pid in new {
                // It may have ended.
                let _ = self.write("cgroup.procs", &pid.to_string());
            }
        }
    }

    fn write(&self, file: &str, value: &str) -> io::Result<()> {
        // Not fs::write, which would create a file where there is no such setting.
        let mut opened = fs::OpenOptions::new().write(true).open(self.folder.join(file))?;
        io::Write::write_all(&mut opened, value.as_bytes())
    }

    /// Whether the kernel has ended a process of the group for want of memory.
    pub(super) fn has_killed(&self) -> bool {
        let events = fs::read_to_string(self.folder.join(self.version.events_file()));
        events.is_ok_and(|events| killed(&events) > 0)
    }

    /// The name of the interface.
    pub(super) const fn name(&self) -> &'static str {
        match self.version {
            Version::V1 => "cgroup-v1",
            Version::V2 => "cgroup-v2",
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // The last process has been waited for, but the kernel may need a moment to leave.
        if removed(&self.folder, TRIES) {
            return;
        }
        // Or nobody waits for it: a copy that has answered is killed, and takes a while to give back its memory.
        let folder = std::mem::take(&mut self.folder);
        std::thread::spawn(move || removed(&folder, TRIES_OF_THREAD));
    }
}

/// Removes a group once nobody is in it. Whether there is nothing more to try: what cannot be removed at all is swept at
/// a later start.
fn removed(folder: &Path, tries: u32) -> bool {
    (0..tries).any(|_| match fs::remove_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            std::thread::sleep(BETWEEN_TRIES);
            false
        }
        _ => true,
    })
}

fn killed(events: &str) -> u64 {
    events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
}

/// Where groups could be made, for a /proc/self/cgroup: in our own group, or beside it.
fn places(hierarchy: &Path, membership: &str) -> Vec<(PathBuf, Version)> {
    let mut places = Vec::new();
    for line in membership.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let below = path.trim_start_matches('/');
        if controllers.split(',').any(|controller| controller == "memory") {
            places.push((hierarchy.join("memory").join(below), Version::V1));
        } else if controllers.is_empty() {
            let own = hierarchy.join(below);
            // A group with processes in it cannot hand the controller on, but the one above may have.
            let beside = own.parent().filter(|parent| parent.starts_with(hierarchy)).map(Path::to_path_buf);
            let handing_on = [Some(own), beside].into_iter().flatten().filter(|place| hands_on_memory(place));
            places.extend(handing_on.map(|place| (place, Version::V2)));
        }
    }
    places
}

/// Whether groups below `place` have the memory controller. Where a group was delegated to an ordinary user, nobody
/// else may have switched it on.
fn hands_on_memory(place: &Path) -> bool {
    let lists = |file: &str| {
        let listed = fs::read_to_string(place.join(file));
        listed.is_ok_and(|controllers| controllers.split_whitespace().any(|name| name == "memory"))
    };
    let file = "cgroup.subtree_control";
    if lists(file) {
        return true;
    }
    // Root would change what is not its own to change.
    let delegated = !nix::unistd::geteuid().is_root() && lists("cgroup.controllers");
    let opened = || fs::OpenOptions::new().write(true).open(place.join(file));
    delegated && opened().is_ok_and(|mut file| io::Write::write_all(&mut file, b"+memory").is_ok()) && lists(file)
}

/// Removes groups whose launcher has gone without: what the kernel cannot drop by itself after a SIGKILL.
fn sweep(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().and_then(launcher).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
        {
            // Somebody else may have been faster, or a process is just leaving: the next start tries again.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// The launcher that has made the group of this name, if it is one of ours.
fn launcher(group: &str) -> Option<u32> {
    let (pid, number) = group.strip_prefix(PREFIX)?.split_once('-')?;
    number.parse::<u64>().ok()?;
    pid.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_controller_of_version_1_is_found_among_others() {
        let found = places(Path::new(HIERARCHY), "9:name=systemd:/\n3:cpu,cpuacct:/a\n2:memory:/a/b\n");
        assert_eq!(found, [(PathBuf::from("/sys/fs/cgroup/memory/a/b"), Version::V1)]);
    }

    /// A folder tree like that of version 2: each group with the controllers that it has and hands on.
    fn hierarchy(groups: &[(&str, &str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (group, has, hands_on) in groups {
            let folder = root.path().join(group);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("cgroup.controllers"), has).unwrap();
            fs::write(folder.join("cgroup.subtree_control"), hands_on).unwrap();
        }
        root
    }

    #[test]
    fn version_2_makes_groups_where_the_memory_controller_is_handed_on() {
        let root = hierarchy(&[
            ("", "cpu memory", "cpu memory"),
            ("user.slice", "cpu memory", "memory pids"),
            ("user.slice/main", "memory", ""),
            ("other", "cpu", ""),
            ("other/main", "cpu", ""),
        ]);
        let at = |membership| places(root.path(), membership);
        let v2 = |below: &str| (root.path().join(below), Version::V2);
        assert_eq!(at("0::/user.slice\n"), [v2("user.slice"), v2("")]);
        assert_eq!(at("0::/other/main\n"), []);
        // An ordinary user to whom a group was delegated switches the controller on; root leaves groups alone.
        let delegated = at("0::/user.slice/main\n");
        if nix::unistd::geteuid().is_root() {
            assert_eq!(delegated, [v2("user.slice")]);
        } else {
            assert!(delegated.contains(&v2("user.slice")), "{delegated:?}");
        }
    }

    #[test]
    fn the_root_of_a_container_has_nothing_beside_it() {
        let root = hierarchy(&[("", "cpu memory", "")]);
        let found = places(root.path(), "0::/\n");
        assert!(found.iter().all(|(place, _)| place == root.path()), "{found:?}");
    }

    #[test]
    fn a_host_without_control_groups_has_no_place_for_one() {
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(places(empty.path(), "0::/\n"), []);
        assert_eq!(places(empty.path(), ""), []);
        assert!(Cgroup::prepare_in(empty.path(), "0::/\n4:memory:/\n", 1 << 20).is_none());
    }

    #[test]
    fn a_group_that_takes_no_limit_is_not_left_behind() {
        let root = hierarchy(&[("", "memory", "memory")]);
        // No file system of the kernel, so the new group has no memory.max.
        assert!(Cgroup::prepare_in(root.path(), "0::/\n", 1 << 20).is_none());
        let left: Vec<_> = fs::read_dir(root.path()).unwrap().flatten().filter(|entry| entry.path().is_dir()).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn programs_of_one_launcher_have_a_group_each() {
        let place = tempfile::tempdir().unwrap();
        let [one, other] = [(); 2].map(|()| Cgroup::make(place.path(), Version::V2).unwrap());
        assert_ne!(one.folder, other.folder);
        drop(one);
        assert!(other.folder.exists());
    }

    #[test]
    fn both_versions_count_kills_alike() {
        assert_eq!(killed("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"), 2);
        assert_eq!(killed("low 0\nhigh 0\nmax 4\noom 1\noom_kill 0\n"), 0);
    }

    #[test]
    fn groups_of_launchers_that_have_gone_are_swept() {
        let place = tempfile::tempdir().unwrap();
        let group = |name: String| {
            let folder = place.path().join(name);
            fs::create_dir(&folder).unwrap();
            folder
        };
        let gone = [0, 12].map(|number| group(format!("{PREFIX}{}-{number}", u32::MAX)));
        let ours = group(format!("{PREFIX}{}-0", std::process::id()));
        let others = ["x", "4294967295-x", "4294967295-1-1"].map(|name| group(format!("{PREFIX}{name}")));
        sweep(place.path());
        assert!(gone.iter().all(|folder| !folder.exists()));
        assert!(ours.exists() && others.iter().all(|folder| folder.exists()));
    }
}
