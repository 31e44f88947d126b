//! The network of a sandbox that may connect to, or be reached at, what its policy names.
//!
//! The sandbox's own network namespace is empty but for a loopback device. Names are asked of a server of ours in it,
//! which gives an address of 198.18.0.0/15 for each real one. A connection to a stand-in, or to a granted address,
//! is made by the launcher, from a socket of the host that takes the place of the program's: what was checked is what is
//! connected, and nothing of ours is between the two ends afterwards. The same goes for granted ports.

mod address;
mod broker;
mod datagrams;
mod ground;
mod listening;
#[cfg(test)]
mod mutations;
mod name_server;
mod names;
mod own;
mod question;
mod refusals;
mod unix;

use std::io;
use std::rc::Rc;

use policy::ExpandedPolicy;

use crate::requests::Requests;
use crate::resolver::Resolver;
use crate::secrets::Secrets;
use broker::Broker;
pub use refusals::Refusal;
pub(crate) use refusals::Refusals;

/// Whether a policy lets a program connect to anything, or be reached. Only then it has sockets.
pub fn is_granted(policy: &ExpandedPolicy) -> bool {
    let grants = &policy.grants;
    !grants.net.allow.is_empty() || !grants.listen.allow.is_empty() || !grants.fetch.allow.is_empty()
}

/// The running broker of a sandbox.
pub(crate) struct Running {
    broker: Rc<Broker>,
}

/// Begins to answer for the sandbox's network. Must be called within a local set of the current thread.
pub(crate) fn serve(network: confine::Network, policy: &ExpandedPolicy, secrets: Secrets) -> io::Result<Running> {
    let confine::Network { listener, name_server } = network;
    let (refusals, resolver) = (Refusals::default(), Resolver::default());
    let requests = Requests::granted(policy, secrets, resolver.clone(), refusals.clone());
    let broker = |stand| Broker::new(listener, policy.clone(), requests, (stand, resolver), refusals).map(Rc::new);
    let broker = if let Some(confine::NameServer { datagrams, connections }) = name_server {
        let broker = broker(None)?;
        tokio::task::spawn_local(name_server::datagrams(Rc::clone(&broker), name_server::socket(datagrams)?));
        tokio::task::spawn_local(name_server::connections(Rc::clone(&broker), name_server::listener(connections)?));
        broker
    } else {
        let (stand, taken) = name_server::Stand::of_host();
        let broker = broker(Some(stand))?;
        tokio::task::spawn_local(name_server::taken(Rc::clone(&broker), taken));
        broker
    };
    tokio::task::spawn_local(broker::serve(Rc::clone(&broker), broker.readiness()?));
    Ok(Running { broker })
}

impl Running {
    /// What was refused so far.
    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        self.broker.refusals.take()
    }
}
