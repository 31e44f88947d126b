//! What a program finds of a network: where it asks for names, and whom it trusts.

use std::path::Path;

use confine::seccomp::Files;
use confine::{Access, File, Grant, Root, Sockets};
use policy::{ExpandedPolicy, Namespace};

use super::host_view;
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

/// The host's files that say how names are looked up. Where one cannot be read that is there, c-ares, which Bun asks for
/// `dns.resolve`, does not look at [`variables`] either. The launcher answers for the servers that they name.
const SETTINGS: [&str; 3] = ["/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf"];

/// The files that say how names are looked up: the sandbox's own name server first.
const FILES: [(&std::ffi::CStr, &str); 4] = [
    (c"/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n"),
    (c"/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    (c"/etc/nsswitch.conf", "hosts: files dns\n"),
    (c"/etc/host.conf", "multi on\n"),
];

/// The sockets that a policy gives a program that sees these files.
pub fn sockets(policy: &ExpandedPolicy, files: Files) -> Sockets {
    if is_granted(policy) {
        match files {
            Files::Own => Sockets::Asked,
            Files::Host => Sockets::AskedOnHost,
        }
    } else if policy.kernel.lists(Namespace::Net) {
        Sockets::Nowhere
    } else {
        Sockets::None
    }
}

/// Shows what programs look for before they connect.
pub(super) fn show(root: &mut Root, policy: &ExpandedPolicy) -> Result<(), Error> {
    if !is_granted(policy) {
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

/// The same where a program sees the host's files. Not the hosts file: it has addresses that the launcher would not know
/// the names of.
pub(super) fn grants(policy: &ExpandedPolicy) -> Result<Vec<Grant>, Error> {
    let files = CERTIFICATES.iter().chain(&SETTINGS).filter(|_| is_granted(policy)).map(Path::new);
    files.filter_map(|path| RealFiles.look(path).ok()).map(|found| host_view::grant(&found, Access::Read)).collect()
}

/// How names are asked for where there are no datagrams (resolv.conf(5)): over connections, with few questions.
pub(crate) fn variables(sockets: Sockets) -> Option<Vec<u8>> {
    (sockets == Sockets::AskedOnHost).then(|| b"RES_OPTIONS=use-vc timeout:5 attempts:2".to_vec())
}
