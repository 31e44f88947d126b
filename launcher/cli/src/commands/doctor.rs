//! `secure-bun doctor`: try each layer here and say what works.

use std::process::ExitCode;

use crate::args::Doctor;
use crate::report;

/// Tries and tells.
pub(crate) fn doctor(_: &Doctor) -> ExitCode {
    report::error("secure-bun doctor is not available yet", None);
    ExitCode::from(report::USAGE)
}
