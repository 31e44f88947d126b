//! What a program sees of files: a root file system of its own, or the host's by grants; and what it is told of that.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use confine::{Access, Grant, Processes, Root, View};
use policy::ExpandedPolicy;

use super::look::{Look, RealFiles};
use super::programs::Programs;
use super::{Shown, host_view, lay_out, network, runtime};
use crate::error::{Error, Kind, c_path};
use crate::host::Host;
use crate::places;
use crate::scratch::Scratch;

/// What a program sees.
pub(crate) struct Seen {
    pub(crate) shown: Shown,
    /// Of the host's own files; none where it has a root of its own.
    grants: Option<Vec<Grant>>,
    /// Bun's path.
    pub(crate) bun: CString,
    /// Whether it may start others, and where these are looked up.
    pub(crate) processes: Processes,
    pub(crate) path: String,
    pub(crate) home: PathBuf,
    pub(crate) tmp: PathBuf,
}

impl Seen {
    /// In a root file system of its own.
    pub(crate) fn own(host: &Host, policy: &ExpandedPolicy) -> Result<Self, Error> {
        let mut root = Root::default();
        runtime::show(&mut root, &host.bun.path, &host.bun.libraries)?;
        let programs = Programs::granted(policy, host.cache.clone())?;
        let (processes, path) = (programs.processes(policy), programs.path());
        Ok(Self {
            shown: lay_out(root, policy, host.identity, programs)?,
            grants: None,
            bun: runtime::BUN.to_owned(),
            processes,
            path,
            home: places::HOME.into(),
            tmp: places::TMP.into(),
        })
    }

    /// Among the host's files, for a program in `folder`.
    pub(crate) fn of_host(
        host: &Host,
        policy: &ExpandedPolicy,
        folder: &Path,
        scratch: &Scratch,
    ) -> Result<Self, Error> {
        let mut grants = host_view::of_bun(&host.bun.path, &host.bun.libraries)?;
        let (granted, mut shown) = host_view::grants(policy, &RealFiles, folder)?;
        shown.warnings.extend(host_view::out_of_reach(&granted, host.identity));
        grants.extend(granted);
        grants.extend(network::grants(policy)?);
        for folder in [scratch.staged(), scratch.home()] {
            let found = RealFiles.look(&folder);
            let found = found.map_err(|error| Error::io(Kind::Sandbox, "open", &folder, &error))?;
            grants.push(host_view::grant(&found, Access::Read)?);
        }
        Ok(Self {
            shown,
            grants: Some(grants),
            bun: c_path(&host.bun.path)?,
            processes: Processes::One,
            path: Programs::granted(policy, host.cache.clone())?.path(),
            home: scratch.home(),
            tmp: scratch.tmp(),
        })
    }

    /// The view for the kernel, which has it from here on.
    pub(crate) fn take_view(&mut self) -> View {
        self.grants.take().map_or_else(|| View::Private(std::mem::take(&mut self.shown.root)), View::Host)
    }
}
