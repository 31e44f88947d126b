//! What a program finds of a network: where it asks for names, and whom it trusts.

use std::path::Path;

use confine::{Access, File, Root, Sockets};
use policy::{ExpandedPolicy, Namespace};

use super::look::{Look, RealFiles};
use super::runtime::bind;
use crate::error::{Error, c_path};
use crate::network::is_granted;

/// Where systems keep the certificates that they trust, in one file.
const CERTIFICATES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The files that say how names are looked up: the sandbox's own name server first.
const FILES: [(&std::ffi::CStr, &str); 4] = [
    (c"/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n"),
    (c"/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    (c"/etc/nsswitch.conf", "hosts: files dns\n"),
    (c"/etc/host.conf", "multi on\n"),
];

/// The sockets that a policy gives a program.
pub fn sockets(policy: &ExpandedPolicy) -> Sockets {
    if is_granted(policy) {
        Sockets::Asked
    } else if policy.kernel.lists(Namespace::Net) {
        Sockets::Nowhere
    } else {
        Sockets::None
    }
}

/// Shows what programs look for before they connect.
pub(super) fn show(root: &mut Root, policy: &ExpandedPolicy) -> Result<(), Error> {
    if sockets(policy) != Sockets::Asked {
        return Ok(());
    }
    for (path, contents) in FILES {
        root.files.push(File { target: path.to_owned(), contents: contents.into() });
    }
    for path in CERTIFICATES.map(Path::new) {
        if let Ok(found) = RealFiles.look(path) {
            root.binds.push(bind(&found, c_path(path)?, Access::Read, false)?);
        }
    }
    Ok(())
}
