//! What a run could leave behind on the machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::process::PATIENCE;

/// Between two looks at something that has no event to wait for.
const LOOK: Duration = Duration::from_millis(5);

/// The mounts of the machine at one time.
#[derive(Debug)]
pub struct Machine {
    mounts: BTreeSet<String>,
}

impl Machine {
    /// Looks at the machine.
    pub fn now() -> Self {
        Self { mounts: mounts() }
    }

    /// No mount has come since.
    #[track_caller]
    pub fn assert_no_new_mount(&self) {
        let now = mounts();
        let new: Vec<&String> = now.difference(&self.mounts).collect();
        assert!(new.is_empty(), "new mounts: {new:#?}");
    }

    /// The processes with `marker` in their command line.
    pub fn processes(marker: &str) -> Vec<String> {
        let running = fs::read_dir("/proc").expect("there is a /proc").flatten().filter_map(|entry| {
            entry.file_name().to_str()?.parse::<u32>().ok()?;
            let words = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&words).replace('\0', " ");
            line.contains(marker).then(|| format!("{} {line}", entry.file_name().display()))
        });
        running.collect()
    }

    /// The processes with `marker` in their environment.
    pub fn marked(marker: &str) -> Vec<i32> {
        let pids = fs::read_dir("/proc").expect("there is a /proc").flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let is_marked = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.windows(marker.len()).any(|window| window == marker.as_bytes())
        };
        pids.filter(is_marked).collect()
    }

    /// Waits until no process has `marker` in its environment any more.
    #[track_caller]
    pub fn assert_no_marked_process_stays(marker: &str) {
        let stays = within(PATIENCE, || Self::marked(marker), Vec::is_empty);
        assert!(stays.is_empty(), "still running: {stays:?}");
    }

    /// Waits until a launcher that has ended has no control group any more.
    #[track_caller]
    pub fn assert_no_control_group_of(launcher: i32) {
        let stays = within(PATIENCE, || Self::control_groups_of(launcher), Vec::is_empty);
        assert!(stays.is_empty(), "control groups left: {stays:#?}");
    }

    /// Waits until no process has `marker` in its command line any more.
    #[track_caller]
    pub fn assert_no_process_stays(marker: &str) {
        let stays = within(PATIENCE, || Self::processes(marker), Vec::is_empty);
        assert!(stays.is_empty(), "still running: {stays:#?}");
    }

    /// The control groups of launchers. Those of runs that are under way elsewhere go away with them.
    #[track_caller]
    pub fn assert_no_control_group_stays() {
        let ours = control_groups(Path::new("/sys/fs/cgroup"));
        let stays = within(PATIENCE, || ours.iter().filter(|group| group.exists()).collect(), Vec::is_empty);
        assert!(stays.is_empty(), "control groups left: {stays:#?}");
    }

    /// The control groups of the programs of a launcher.
    pub fn control_groups_of(launcher: i32) -> Vec<PathBuf> {
        let prefix = format!("secure-bun-{launcher}-");
        let mut groups = control_groups(Path::new("/sys/fs/cgroup"));
        groups.retain(|group| group.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)));
        groups
    }

    /// The children of a process, of whichever of its threads.
    pub fn children(parent: i32) -> Vec<i32> {
        let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
    }

    /// All processes below a process.
    pub fn below(parent: i32) -> Vec<i32> {
        let children = Self::children(parent);
        let further: Vec<i32> = children.iter().flat_map(|child| Self::below(*child)).collect();
        [children, further].concat()
    }

    /// What a folder holds.
    pub fn entries(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

fn mounts() -> BTreeSet<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").expect("there is a /proc");
    text.lines().map(str::to_owned).collect()
}

fn control_groups(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if entry.file_name().to_string_lossy().starts_with("secure-bun") {
                found.push(entry.path());
            }
            found.extend(control_groups(&entry.path()));
        }
    }
    found
}

/// Looks until it is as it should be, or until `patience` is over; what was seen last.
fn within<T>(patience: Duration, look: impl Fn() -> T, is_good: impl Fn(&T) -> bool) -> T {
    let began = Instant::now();
    loop {
        let seen = look();
        if is_good(&seen) || began.elapsed() > patience {
            return seen;
        }
        std::thread::sleep(LOOK);
    }
}
