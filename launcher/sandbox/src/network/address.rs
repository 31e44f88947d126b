//! Addresses as the kernel takes them (`struct sockaddr` of sockaddr(3type)), from a program's memory.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::libc;

/// What an address of a program means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// A host and port; an IPv4 address that is written as an IPv6 one is an IPv4 address.
    Internet(SocketAddr),
    /// A path in the file system (unix(7)).
    Path(PathBuf),
    /// No address (`AF_UNSPEC`): an association is to be dissolved.
    Unspecified,
    /// Anything else: abstract and unnamed unix sockets, other families.
    Other,
}

impl Address {
    /// Reads an address. `None` where the kernel would find it too short.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let family = i32::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let port = || Some(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?));
        match family {
            libc::AF_UNSPEC => Some(Self::Unspecified),
            // `struct sockaddr_in` has 16 bytes, the last eight of them unused.
            libc::AF_INET if bytes.len() >= 16 => {
                let ip = Ipv4Addr::from(*bytes.get(4..)?.first_chunk::<4>()?);
                Some(Self::Internet(SocketAddr::new(ip.into(), port()?)))
            }
            // `struct sockaddr_in6` without its scope, which older programs leave out.
            libc::AF_INET6 if bytes.len() >= 24 => {
                let ip = Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?);
                Some(Self::Internet(SocketAddr::new(IpAddr::V6(ip).to_canonical(), port()?)))
            }
            libc::AF_INET | libc::AF_INET6 => None,
            libc::AF_UNIX => {
                let path = bytes.get(2..)?;
                let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
                match path.get(..end)? {
                    [] => Some(Self::Other),
                    path => Some(Self::Path(OsStr::from_bytes(path).into())),
                }
            }
            _ => Some(Self::Other),
        }
    }
}

/// What holds for every address, for those who try them all.
#[cfg(any(test, fuzzing))]
pub(crate) fn assert_plain(bytes: &[u8]) {
    match Address::parse(bytes) {
        Some(Address::Internet(to)) => assert_eq!(to.ip().to_canonical(), to.ip(), "an address has one spelling"),
        Some(Address::Path(path)) => {
            let path = path.as_os_str().as_bytes();
            assert!(
                !path.is_empty() && !path.contains(&0) && bytes[2..].starts_with(path),
                "a path is what is written"
            );
        }
        Some(Address::Unspecified | Address::Other) => assert!(bytes.len() >= 2),
        None => assert!(bytes.len() < 24, "long enough for any family"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::mutations;

    #[test]
    fn any_bytes_at_all() {
        mutations::each("address", assert_plain);
    }

    fn family(family: i32) -> Vec<u8> {
        u16::try_from(family).unwrap().to_ne_bytes().to_vec()
    }

    fn internet(ip: &str, port: u16) -> Vec<u8> {
        match ip.parse().unwrap() {
            IpAddr::V4(v4) => {
                [family(libc::AF_INET), port.to_be_bytes().to_vec(), v4.octets().to_vec(), vec![0; 8]].concat()
            }
            IpAddr::V6(v6) => {
                [family(libc::AF_INET6), port.to_be_bytes().to_vec(), vec![9; 4], v6.octets().to_vec(), vec![0; 4]]
                    .concat()
            }
        }
    }

    #[test]
    fn hosts_and_ports() {
        for (given, meant) in [
            ("192.0.2.1", "192.0.2.1:443"),
            ("2001:db8::1", "[2001:db8::1]:443"),
            ("::ffff:127.0.0.1", "127.0.0.1:443"),
        ] {
            let bytes = internet(given, 443);
            assert_eq!(Address::parse(&bytes), Some(Address::Internet(meant.parse().unwrap())), "{given}");
        }
    }

    #[test]
    fn what_is_too_short_is_none() {
        for bytes in [internet("192.0.2.1", 1), internet("2001:db8::1", 1)] {
            for length in 2..bytes.len() - 4 {
                assert_eq!(Address::parse(&bytes[..length]).filter(|_| length < 16), None, "{length}");
            }
        }
        assert_eq!(Address::parse(&[]), None);
        assert_eq!(Address::parse(&[2]), None);
    }

    #[test]
    fn paths_end_at_a_nul_or_with_the_address() {
        let unix = |path: &[u8]| Address::parse(&[&family(libc::AF_UNIX), path].concat());
        assert_eq!(unix(b"/run/x.sock"), Some(Address::Path("/run/x.sock".into())));
        assert_eq!(unix(b"/run/x\0/etc"), Some(Address::Path("/run/x".into())));
        assert_eq!(unix(b"\0abstract"), Some(Address::Other));
        assert_eq!(unix(b""), Some(Address::Other));
    }

    #[test]
    fn no_address_and_other_families() {
        assert_eq!(Address::parse(&family(libc::AF_UNSPEC)), Some(Address::Unspecified));
        assert_eq!(Address::parse(&[&family(libc::AF_VSOCK)[..], &[0; 14]].concat()), Some(Address::Other));
    }
}
