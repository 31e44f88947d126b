//! Which addresses stand in for which hosts.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

/// The block that stand-ins come from: it is for tests of networks, and no host on the Internet has one of its
/// addresses (RFC 2544).
pub(crate) const STAND_INS: (Ipv4Addr, u8) = (Ipv4Addr::new(198, 18, 0, 0), 15);

/// How many there are. A program that needs more hosts is told that its name server failed.
const MOST: u32 = 1 << 16;

/// A host as a program asked for it, at one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Host {
    /// Its name, in lower case.
    pub(crate) name: String,
    /// The address that it had when it was asked for.
    pub(crate) address: IpAddr,
}

/// The stand-ins that have been given out. They stay: a program may keep an address as long as it likes.
#[derive(Debug, Default)]
pub(crate) struct Names {
    hosts: Vec<Host>,
    given: HashMap<Host, u32>,
}

impl Names {
    /// The stand-in for a host; the same for the same one. `None` when there are no more.
    pub(crate) fn stand_in(&mut self, host: Host) -> Option<Ipv4Addr> {
        let next = u32::try_from(self.hosts.len()).ok().filter(|next| *next < MOST);
        let number = if let Some(number) = self.given.get(&host) {
            *number
        } else {
            let number = next?;
            self.hosts.push(host.clone());
            self.given.insert(host, number);
            number
        };
        // Not the block's first, which looks like that of a network.
        Some(Ipv4Addr::from(u32::from(STAND_INS.0) + number + 1))
    }

    /// The host behind an address; `Err` where that is none of ours, `Ok(None)` where it was never given out.
    pub(crate) fn host(&self, address: IpAddr) -> Result<Option<&Host>, IpAddr> {
        let IpAddr::V4(v4) = address else { return Err(address) };
        let offset = u32::from(v4) ^ u32::from(STAND_INS.0);
        if offset >> (32 - u32::from(STAND_INS.1)) != 0 {
            return Err(address);
        }
        Ok(offset.checked_sub(1).and_then(|number| self.hosts.get(usize::try_from(number).ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, address: &str) -> Host {
        Host { name: name.to_owned(), address: address.parse().unwrap() }
    }

    #[test]
    fn each_name_and_address_has_its_own_and_keeps_it() {
        let mut names = Names::default();
        let one = names.stand_in(host("a.example", "1.1.1.1")).unwrap();
        let other = names.stand_in(host("a.example", "1.1.1.2")).unwrap();
        let third = names.stand_in(host("b.example", "1.1.1.1")).unwrap();
        assert_eq!([one, other, third].map(|ip| ip.to_string()), ["198.18.0.1", "198.18.0.2", "198.18.0.3"]);
        assert_eq!(names.stand_in(host("a.example", "1.1.1.1")), Some(one));
        assert_eq!(names.host(other.into()), Ok(Some(&host("a.example", "1.1.1.2"))));
    }

    #[test]
    fn what_was_not_given_out_is_no_host() {
        let names = Names::default();
        for unknown in ["198.18.0.0", "198.18.0.1", "198.19.255.255"] {
            assert_eq!(names.host(unknown.parse().unwrap()), Ok(None), "{unknown}");
        }
        for other in ["198.17.255.255", "198.20.0.0", "127.0.0.1", "::1"] {
            let other = other.parse().unwrap();
            assert_eq!(names.host(other), Err(other));
        }
    }

    #[test]
    fn the_preload_knows_their_block() {
        let source = include_str!("../../../../preload/src/network.ts");
        let [a, b, c, d] = STAND_INS.0.octets();
        assert!(source.contains(&format!("const STAND_INS: Address = [{a}, {b}, {c}, {d}];")));
        assert!(source.contains(&format!("const STAND_INS_BITS = {};", STAND_INS.1)));
    }

    #[test]
    fn there_is_an_end_to_them() {
        let mut names = Names::default();
        for number in 0..MOST {
            assert!(names.stand_in(host("a.example", &Ipv4Addr::from(number).to_string())).is_some());
        }
        assert_eq!(names.stand_in(host("b.example", "1.1.1.1")), None);
        assert!(names.stand_in(host("a.example", "0.0.0.7")).is_some());
    }
}
