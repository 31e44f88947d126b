//! A narrower sandbox within one that is there: the calling process gives up more, for good, and becomes a program. It
//! stands inside, so all that it has is what it was given; the kernel lets a domain, a filter and a limit be added, and
//! none of them taken away.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::AsRawFd;

use crate::child::At;
use crate::error::{Error, Step};
use crate::host_view;
use crate::landlock::Rules;
use crate::plan::{Grant, Need, ProcessLimits, Program};
use crate::seccomp::{Filter, Options};
use crate::start::display;
use crate::sys::{self, Exec, Fd, Resource};

/// What is left to a program, and the program.
#[derive(Debug)]
pub struct Narrower {
    /// What it may open, of what the caller may.
    pub grants: Vec<Grant>,
    /// Limits that are lowered. There is none on tasks: it would count those of the whole sandbox.
    pub limits: ProcessLimits,
    /// Which system calls are left; `narrower` has to be some.
    pub filter: Options,
    /// What is run. Descriptors that are open across an exec are its own.
    pub program: Program,
}

/// Whether the kernel has what a narrower sandbox is made of.
pub fn can_narrow() -> Result<(), Error> {
    Rules::new(Need::Required).map(drop)
}

/// Becomes the program of `narrower`. Returns only to say why it could not.
///
/// The caller should have one thread: others would keep what they have.
pub fn narrow(narrower: &Narrower) -> Result<Infallible, Error> {
    let Narrower { grants, limits, filter, program } = narrower;
    let Some(rules) = Rules::new(Need::Required)? else { return Err(sys::Errno::ENOSYS).at(Step::LandlockVersion) };
    for (index, grant) in grants.iter().enumerate() {
        allow(&rules, grant, index).map_err(|error| Error { path: Some(display(&grant.path)), ..error })?;
    }
    let exec = Exec::new(program.argv.iter().map(CString::as_c_str), program.env.iter().map(CString::as_c_str));
    let exec_key = sys::random().at(Step::LoadFilter)?;
    let mut filter = Filter::new(filter, exec_key);
    filter.patch_pid(sys::pid());

    // Ignored signals stay ignored across an exec, and Rust ignores one.
    sys::default_signal(libc::SIGPIPE).at(Step::ResetSignals)?;
    let lowered = [
        (Resource::Cpu, limits.cpu_s),
        (Resource::FileSize, limits.file_bytes),
        (Resource::OpenFiles, Some(limits.open_files)),
    ];
    for (resource, value) in lowered {
        if let Some(value) = value {
            sys::set_limit(resource, value).at(Step::SetLimits)?;
        }
    }
    sys::landlock_restrict_self(rules.fd()).at(Step::LandlockRestrict)?;
    // Last, since it forbids all of the above.
    sys::load_filter(filter.program()).at(Step::LoadFilter)?;
    let failed = |error| Error { path: Some(display(&program.path)), ..error };
    sys::exec_path(&program.path, &exec, exec_key).at(Step::Exec).map_err(failed)
}

fn allow(rules: &Rules, grant: &Grant, index: usize) -> Result<(), Error> {
    let opened = host_view::open(grant, index)?;
    let rights = rules.rights(grant.access, grant.kind);
    sys::landlock_add_path(rules.fd(), Fd(opened.as_raw_fd()), rights.0).at(Step::LandlockRule(index))
}
