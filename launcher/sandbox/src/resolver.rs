//! Names of hosts, asked of the host's own resolver.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// Names that are looked up at a time, for connections and for requests: each takes a thread while the host's resolver
/// waits.
const MOST: usize = 32;

/// What looks names up for a sandbox.
#[derive(Clone, Debug)]
pub(crate) struct Resolver(Arc<Semaphore>);

impl Default for Resolver {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Resolver {
    /// The addresses of a host, each once, those that any network reaches first. `None` where there are none. Must be
    /// called within a local set.
    pub(crate) async fn addresses(&self, name: &str) -> Option<Vec<IpAddr>> {
        let permit = Arc::clone(&self.0).acquire_owned().await.ok()?;
        let name = name.to_owned();
        // It goes on if whoever wants to know gives up: its thread waits for the host's resolver, and counts until then.
        let asking = tokio::task::spawn_local(async move {
            let found = tokio::net::lookup_host((name, 0)).await.map(|found| found.map(|found| found.ip()).collect());
            drop(permit);
            found
        });
        let mut addresses: Vec<IpAddr> = asking.await.ok()?.ok()?;
        addresses.sort_by_key(IpAddr::is_ipv6);
        addresses.dedup();
        Some(addresses).filter(|addresses| !addresses.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(name: &str) -> Option<Vec<IpAddr>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, Resolver::default().addresses(name))
    }

    #[test]
    fn a_host_has_each_of_its_addresses_once() {
        assert_eq!(addresses("127.0.0.1"), Some(vec!["127.0.0.1".parse().unwrap()]));
        assert_eq!(addresses("::1"), Some(vec!["::1".parse().unwrap()]));
    }

    #[test]
    fn what_is_no_host_has_none() {
        for name in ["", "a b"] {
            assert_eq!(addresses(name), None, "{name}");
        }
    }
}
