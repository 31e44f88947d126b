//! What a service holds at one time, of memory and of the machine.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::folder::Folder;
use crate::machine::Machine;

/// More memory than this is growth after thousands of calls, and not the way in which memory is handed out.
pub const ROOM_BYTES: u64 = 8 << 20;

/// The same after few: what was given back in between is not always the kernel's again.
pub const WIDE_ROOM_BYTES: u64 = 32 << 20;

/// The same after the longest lines: as much as four of them. The launcher's allocator keeps blocks of that size, and
/// divides them.
pub(super) const ROOM_OF_LINES_BYTES: u64 = 128 << 20;

/// Threads for what blocks stay for a while, and go.
const PASSING_THREADS: usize = 4;

/// What is held.
#[derive(Clone, Debug)]
pub struct Held {
    /// Memory of the launcher that is in RAM.
    pub resident_bytes: u64,
    /// Open descriptors of the launcher.
    pub descriptors: usize,
    /// Its threads.
    pub threads: usize,
    /// Processes below it, all of them.
    pub processes: usize,
    /// Entries of its temporary folder.
    pub files: usize,
    /// Control groups of its programs.
    pub groups: usize,
    /// Mounts that it sees.
    pub mounts: usize,
}

impl Held {
    /// By the launcher `pid`, which was started in `folder`.
    pub fn by(pid: i32, folder: &Folder) -> Self {
        let count = |path: String| fs::read_dir(path).map_or(0, Iterator::count);
        let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        Self {
            resident_bytes: resident_bytes(pid),
            descriptors: count(format!("/proc/{pid}/fd")),
            threads: count(format!("/proc/{pid}/task")),
            processes: Machine::below(pid).len(),
            files: Machine::entries(&folder.path("temporary")).len(),
            groups: Machine::control_groups_of(pid).len(),
            mounts: mounts.lines().count(),
        }
    }

    /// What is more now than it was before, when nothing was under way either; of memory, by more than `room_bytes`.
    pub fn grown_since(&self, before: &Self, room_bytes: u64) -> Vec<String> {
        let mut grown = Vec::new();
        let mut compare = |what: &str, before: usize, now: usize| {
            if now > before {
                grown.push(format!("{what}: {before} before, {now} now"));
            }
        };
        compare("descriptors", before.descriptors, self.descriptors);
        compare("threads", before.threads + PASSING_THREADS, self.threads);
        compare("processes", before.processes, self.processes);
        compare("files in the temporary folder", before.files, self.files);
        compare("control groups", before.groups, self.groups);
        compare("mounts", before.mounts, self.mounts);
        if self.resident_bytes > before.resident_bytes + room_bytes {
            grown.push(format!("memory: {} bytes before, {} now", before.resident_bytes, self.resident_bytes));
        }
        grown
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resident_bytes, descriptors, threads, processes, files, groups, mounts } = self;
        let tenths = resident_bytes * 10 / (1 << 20);
        write!(
            f,
            "RSS {}.{} MB, {descriptors} descriptors, {threads} threads, {processes} processes, {files} files, \
             {groups} groups, {mounts} mounts",
            tenths / 10,
            tenths % 10
        )
    }
}

/// What a process has in RAM.
pub fn resident_bytes(pid: i32) -> u64 {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
