//! The tables: one group per power, in the order in which they apply. A later group replaces what an earlier one
//! says about the same call.

mod files;
mod network;
mod process;
mod programs;
mod refused;

use super::Files;
use super::rule::{Group, Rule, Ungranted};

pub(super) const GROUPS: &[Group] = &[
    always("memory", process::MEMORY),
    always("threads", process::THREADS),
    always("time", process::TIME),
    always("signals", process::SIGNALS),
    always("identity", process::IDENTITY),
    always("process", process::PROCESS),
    #[cfg(target_arch = "x86_64")]
    always("process", process::LEGACY),
    always("exec once", process::EXEC_ONCE),
    always("descriptors", files::DESCRIPTORS),
    always("waiting", files::WAITING),
    always("pipes and stdio sockets", files::PIPES),
    always("files: read", files::READ),
    #[cfg(target_arch = "x86_64")]
    always("files: read", files::READ_LEGACY),
    write(files::WRITE),
    #[cfg(target_arch = "x86_64")]
    write(files::WRITE_LEGACY),
    Group {
        name: "files: bulk copies and locks",
        granted: |options| options.write,
        // Unknown here, and every user of these has a fallback.
        ungranted: Ungranted::LeaveAsIs,
        rules: files::BULK,
    },
    Group { name: "terminal", granted: |options| options.tty, ungranted: Ungranted::LeaveAsIs, rules: files::TERMINAL },
    Group {
        name: "no new executable memory",
        granted: |options| options.deny_new_executable_memory,
        ungranted: Ungranted::LeaveAsIs,
        rules: process::NO_NEW_EXECUTABLE_MEMORY,
    },
    Group {
        name: "files behind Landlock alone: watching",
        granted: |options| options.unlisted_in_sight(),
        ungranted: Ungranted::LeaveAsIs,
        rules: refused::WATCHING,
    },
    attributes(refused::ATTRIBUTES),
    #[cfg(target_arch = "x86_64")]
    attributes(refused::ATTRIBUTES_LEGACY),
    Group {
        name: "a child in a narrower sandbox",
        granted: |options| options.narrower.is_some(),
        ungranted: Ungranted::LeaveAsIs,
        rules: programs::NARROWED,
    },
    always("no network", refused::NETWORK),
    Group {
        name: "network",
        granted: |options| options.sockets,
        ungranted: Ungranted::LeaveAsIs,
        rules: network::SOCKETS,
    },
    Group {
        name: "network of the host",
        granted: |options| options.sockets && options.files == Files::Host,
        ungranted: Ungranted::LeaveAsIs,
        rules: network::STREAMS,
    },
    always("never", refused::NEVER),
    #[cfg(target_arch = "x86_64")]
    always("never", refused::LEGACY),
    run(programs::PROGRAMS),
    run(programs::NARROWING),
    copies(programs::COPIES),
    copies(programs::NARROWING),
    #[cfg(target_arch = "x86_64")]
    run(programs::LEGACY),
];

/// What the init of a tree of processes may do.
pub(super) const INIT: &[Rule] = programs::INIT;

const fn always(name: &'static str, rules: &'static [Rule]) -> Group {
    Group { name, granted: |_| true, ungranted: Ungranted::LeaveAsIs, rules }
}

const fn run(rules: &'static [Rule]) -> Group {
    Group { name: "other programs", granted: |options| options.run, ungranted: Ungranted::LeaveAsIs, rules }
}

const fn copies(rules: &'static [Rule]) -> Group {
    Group { name: "copies of itself", granted: |options| options.copies, ungranted: Ungranted::LeaveAsIs, rules }
}

const fn attributes(rules: &'static [Rule]) -> Group {
    Group {
        name: "files behind Landlock alone: attributes",
        granted: |options| options.unwritten_in_sight(),
        ungranted: Ungranted::LeaveAsIs,
        rules,
    }
}

const fn write(rules: &'static [Rule]) -> Group {
    Group {
        name: "files: write",
        granted: |options| options.write,
        // What a read-only mount answers: programs know how to live with it, and it holds for all that they see.
        ungranted: Ungranted::Refuse(libc::EROFS),
        rules,
    }
}
