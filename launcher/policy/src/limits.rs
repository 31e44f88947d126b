//! Limits on what a run may use up.

use crate::source::Origin;

/// A value that is not a grant, with the place that states it. The last layer that states it decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub origin: Origin,
}

/// A kind of limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Time on the clock.
    Wall,
    /// Processor time of all processes and threads.
    Cpu,
    /// Memory of all processes.
    Memory,
    /// Stack of a thread.
    Stack,
    /// Processes at a time.
    Processes,
    /// Processes and threads at a time.
    Threads,
    /// Open files of a process.
    OpenFiles,
    /// Size of the private temporary folder.
    Tmp,
    /// Size of a file.
    File,
    /// Standard output and standard error.
    Output,
}

const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1000;
const GB_IN_MB: u64 = 1024;

impl Limit {
    /// All limits, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Wall,
        Self::Cpu,
        Self::Memory,
        Self::Stack,
        Self::Processes,
        Self::Threads,
        Self::OpenFiles,
        Self::Tmp,
        Self::File,
        Self::Output,
    ];

    /// The key below `limits`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wall => "wall_ms",
            Self::Cpu => "cpu_ms",
            Self::Memory => "memory_mb",
            Self::Stack => "stack_kb",
            Self::Processes => "processes",
            Self::Threads => "threads",
            Self::OpenFiles => "open_files",
            Self::Tmp => "tmp_mb",
            Self::File => "file_mb",
            Self::Output => "output_kb",
        }
    }

    /// The limit of a key below `limits`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.name() == name)
    }

    /// What it limits, for people.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Wall => "Time on the clock, in milliseconds. Past it, everything the run started is ended.",
            Self::Cpu => "Processor time of all processes and threads together, in milliseconds.",
            Self::Memory => "Memory of all processes together, in MB of 2^20 bytes.",
            Self::Stack => "Stack of a thread, in KB of 2^10 bytes.",
            Self::Processes => "Processes at a time.",
            Self::Threads => "Processes and threads at a time. Bun itself runs on about eight.",
            Self::OpenFiles => "Open files of a process.",
            Self::Tmp => "Size of the private temporary folder, in MB.",
            Self::File => "Size of a file that is written, in MB.",
            Self::Output => "Standard output and standard error together, in KB.",
        }
    }

    /// A value that suits a small function.
    pub const fn example(self) -> u64 {
        match self {
            Self::Wall => 5000,
            Self::Cpu => 1000,
            Self::Memory => 128,
            Self::Stack | Self::Output => 1024,
            Self::Processes => 1,
            Self::Threads => 64,
            Self::OpenFiles => 256,
            Self::Tmp | Self::File => 16,
        }
    }

    /// The smallest and the largest value that make sense.
    pub const fn bounds(self) -> (u64, u64) {
        match self {
            Self::Wall | Self::Cpu => (1, WEEK_MS),
            // A program that prints one line needs 16 MB.
            Self::Memory => (16, 1024 * GB_IN_MB),
            // Below 128 KB Bun cannot load a module; the kernel's default is 8 MB.
            Self::Stack => (128, 1024 * 1024),
            Self::Processes => (1, 4096),
            // Bun itself runs on eight tasks: main, garbage collector, compilers, I/O.
            Self::Threads => (8, 32_768),
            // Bun needs a dozen; descriptor 1000 is the launcher's (it is how Bun is started exactly once).
            Self::OpenFiles => (16, 1000),
            // 0 would be no limit to the kernel.
            Self::Tmp | Self::File => (1, 1024 * GB_IN_MB),
            Self::Output => (1, 1024 * 1024),
        }
    }

    /// Why a value is out of bounds, if it is.
    pub(crate) fn objection(self, value: u64) -> Option<String> {
        let (least, most) = self.bounds();
        (value < least || value > most).then(|| format!("limits.{} must be from {least} to {most}", self.name()))
    }
}

/// The limits of a run; an absent one does not limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Time on the clock, in milliseconds.
    pub wall_ms: Option<u64>,
    /// Processor time of all processes and threads, in milliseconds.
    pub cpu_ms: Option<u64>,
    /// Memory of all processes, in MB of 2^20 bytes.
    pub memory_mb: Option<u64>,
    /// Stack of a thread, in KB of 2^10 bytes.
    pub stack_kb: Option<u64>,
    /// Processes at a time.
    pub processes: Option<u64>,
    /// Processes and threads at a time.
    pub threads: Option<u64>,
    /// Open files of a process.
    pub open_files: Option<u64>,
    /// Size of the private temporary folder, in MB.
    pub tmp_mb: Option<u64>,
    /// Size of a file, in MB.
    pub file_mb: Option<u64>,
    /// Standard output and standard error together, in KB.
    pub output_kb: Option<u64>,
}

impl Limits {
    /// The limits with the values that `value` gives.
    pub fn from_fn(value: impl Fn(Limit) -> Option<u64>) -> Self {
        Self {
            wall_ms: value(Limit::Wall),
            cpu_ms: value(Limit::Cpu),
            memory_mb: value(Limit::Memory),
            stack_kb: value(Limit::Stack),
            processes: value(Limit::Processes),
            threads: value(Limit::Threads),
            open_files: value(Limit::OpenFiles),
            tmp_mb: value(Limit::Tmp),
            file_mb: value(Limit::File),
            output_kb: value(Limit::Output),
        }
    }

    /// The value of one limit.
    pub const fn get(&self, limit: Limit) -> Option<u64> {
        match limit {
            Limit::Wall => self.wall_ms,
            Limit::Cpu => self.cpu_ms,
            Limit::Memory => self.memory_mb,
            Limit::Stack => self.stack_kb,
            Limit::Processes => self.processes,
            Limit::Threads => self.threads,
            Limit::OpenFiles => self.open_files,
            Limit::Tmp => self.tmp_mb,
            Limit::File => self.file_mb,
            Limit::Output => self.output_kb,
        }
    }
}

/// The limits as stated, each with its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatedLimits([Option<Setting<u64>>; Limit::ALL.len()]);

impl StatedLimits {
    /// What was stated about `limit`.
    pub fn get(&self, limit: Limit) -> Option<&Setting<u64>> {
        self.0[limit as usize].as_ref()
    }

    pub(crate) fn set(&mut self, limit: Limit, setting: Setting<u64>) {
        self.0[limit as usize] = Some(setting);
    }

    /// Adds what is said later: the last one holds.
    pub fn merge(&mut self, later: &Self) {
        for (ours, theirs) in self.0.iter_mut().zip(&later.0) {
            if theirs.is_some() {
                ours.clone_from(theirs);
            }
        }
    }

    /// The values alone.
    pub fn values(&self) -> Limits {
        Limits::from_fn(|limit| self.get(limit).map(|setting| setting.value))
    }
}
