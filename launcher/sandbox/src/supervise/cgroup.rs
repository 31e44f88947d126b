//! A control group that holds a program to its memory limit exactly, where the host lets us make one: cgroup v2, or
//! the memory controller of v1 (cgroups(7)). Polling (super::memory) goes on beside it, and alone where there is none.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::tree::below;

/// What our groups are called, before the launcher's process id.
const PREFIX: &str = "secure-bun-";

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

impl Cgroup {
    /// Makes a group for `pid`, and all below it, that may have `bytes` of memory. `None` where that is not possible.
    pub(super) fn hold(pid: u32, bytes: u64) -> Option<Self> {
        let membership = fs::read_to_string("/proc/self/cgroup").ok()?;
        places(&membership).into_iter().find_map(|(place, version)| {
            sweep(&place);
            let group = Self::make(&place, version).ok()?;
            group.fill(pid, bytes).ok()?;
            Some(group)
        })
    }

    fn make(place: &Path, version: Version) -> io::Result<Self> {
        let folder = place.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&folder)?;
        Ok(Self { folder, version })
    }

    fn fill(&self, pid: u32, bytes: u64) -> io::Result<()> {
        self.write(self.version.limit_file(), &bytes.to_string())?;
        // Swap would be memory by another name. Hosts without it have no such file.
        let _ = match self.version {
            Version::V1 => self.write("memory.swappiness", "0"),
            Version::V2 => self.write("memory.swap.max", "0"),
        };
        self.write("cgroup.procs", &pid.to_string())?;
        // What these start from now on is in the group from its beginning; what they have started already is taken in
        // until there is nobody new.
        let mut inside = BTreeSet::from([pid]);
        loop {
            let new: Vec<u32> = below(pid).into_iter().filter(|pid| inside.insert(*pid)).collect();
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
        for _ in 0..20 {
            match fs::remove_dir(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    std::thread::sleep(Duration::from_micros(500));
                }
                // What cannot be removed is swept at a later start.
                _ => return,
            }
        }
    }
}

fn killed(events: &str) -> u64 {
    events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
}

/// Where groups could be made, for a /proc/self/cgroup: in our own group, or beside it.
fn places(membership: &str) -> Vec<(PathBuf, Version)> {
    let mut places = Vec::new();
    for line in membership.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let below = path.trim_start_matches('/');
        if controllers.split(',').any(|controller| controller == "memory") {
            places.push((Path::new("/sys/fs/cgroup/memory").join(below), Version::V1));
        } else if controllers.is_empty() {
            let own = Path::new("/sys/fs/cgroup").join(below);
            // A group with processes in it cannot hand the controller on, but the one above may have.
            let beside = own.parent().filter(|parent| parent.starts_with("/sys/fs/cgroup")).map(Path::to_path_buf);
            for place in [Some(own), beside].into_iter().flatten() {
                let hands_on = fs::read_to_string(place.join("cgroup.subtree_control"));
                if hands_on.is_ok_and(|controllers| controllers.split_whitespace().any(|name| name == "memory")) {
                    places.push((place, Version::V2));
                }
            }
        }
    }
    places
}

/// Removes groups whose launcher has gone without: what the kernel cannot drop by itself after a SIGKILL.
fn sweep(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let launcher = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|pid| pid.parse::<u32>().ok());
        if launcher.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // Somebody else may have been faster, or a process is just leaving: the next start tries again.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_controller_of_version_1_is_found_among_others() {
        let found = places("9:name=systemd:/\n3:cpu,cpuacct:/a\n2:memory:/a/b\n");
        assert_eq!(found, [(PathBuf::from("/sys/fs/cgroup/memory/a/b"), Version::V1)]);
    }

    #[test]
    fn both_versions_count_kills_alike() {
        assert_eq!(killed("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"), 2);
        assert_eq!(killed("low 0\nhigh 0\nmax 4\noom 1\noom_kill 0\n"), 0);
    }

    #[test]
    fn groups_of_launchers_that_have_gone_are_swept() {
        let place = tempfile::tempdir().unwrap();
        let gone = place.path().join(format!("{PREFIX}{}", u32::MAX));
        let ours = place.path().join(format!("{PREFIX}{}", std::process::id()));
        for folder in [&gone, &ours] {
            fs::create_dir(folder).unwrap();
        }
        sweep(place.path());
        assert!(!gone.exists() && ours.exists());
    }
}
