//! What can be said of the filter without a kernel: it agrees with an independent compiler, the assembler survives
//! tables of any size, and the verdicts that matter most are what they must be. `tests/seccomp_kernel.rs` asks the
//! kernel.

mod assembling;
mod evaluator;
mod oracle;
mod tables;
mod verdicts;

use super::{Fewer, Files, Options};

/// Every combination of grants.
fn all_options() -> impl Iterator<Item = Options> {
    (0..=255u8).map(|bits| Options {
        write: bits & 1 != 0,
        tty: bits & 2 != 0,
        deny_new_executable_memory: bits & 4 != 0,
        run: bits & 8 != 0,
        sockets: bits % 64 >= 32,
        files: if bits & 16 != 0 { Files::Host } else { Files::Own },
        copies: bits >= 192,
        narrower: match bits >> 6 {
            1 => Some(Fewer::Read),
            2 => Some(Fewer::Written),
            // The last quarter is for copies, which are in no narrower sandbox.
            _ => None,
        },
    })
}
