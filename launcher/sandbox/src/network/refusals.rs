//! What the broker refused.

use std::cell::RefCell;
use std::rc::Rc;

use policy::{Decision, ExpandedPolicy, Request, Transport, connects};

/// The most different ones that are kept.
const MOST: usize = 128;

/// A request that the broker refused, by the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked for, with the host by the name that the program used.
    pub request: Request,
    /// Why it was refused.
    pub decision: Decision,
    /// How often.
    pub count: u64,
    /// A name was asked for, and the port is only the usual one.
    pub is_look_up: bool,
}

/// Most names are asked for to connect to this port.
const USUAL_PORT: u16 = 443;
/// What addresses are asked for by to hear their names.
const ADDRESSES: &str = ".arpa";

/// Refusals, each once. A clone is the same list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(Rc<RefCell<Vec<Refusal>>>);

impl Refusals {
    /// Notes one more.
    pub(crate) fn note(&self, request: Request, decision: Decision) {
        self.add(Refusal { request, decision, count: 1, is_look_up: false });
    }

    /// Notes a name that does not exist within, since no rule grants a port of it.
    pub(crate) fn note_name(&self, policy: &ExpandedPolicy, name: &str) {
        let decision = connects(policy, Transport::Tcp, name, USUAL_PORT);
        if decision.allowed || name.is_empty() || name.ends_with(ADDRESSES) {
            return;
        }
        let request = Request::Net { host: name.to_owned(), port: USUAL_PORT };
        self.add(Refusal { request, decision, count: 1, is_look_up: true });
    }

    fn add(&self, refusal: Refusal) {
        let mut known = self.0.borrow_mut();
        if let Some(same) = known.iter_mut().find(|known| known.request == refusal.request) {
            same.count += 1;
            same.is_look_up &= refusal.is_look_up;
        } else if known.len() < MOST {
            known.push(refusal);
        }
    }

    /// All of them.
    pub(crate) fn take(&self) -> Vec<Refusal> {
        self.0.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_kept_once_and_not_too_many() {
        let source = policy::Source::file("p.json", "/p/p.json");
        let layer = policy::Layer::parse(&source, br#"{"net": ["granted.example:443"]}"#).unwrap();
        let policy = policy::Policy::merge([&layer]).expand(&policy::Places {
            program: "/p".into(),
            project: vec!["/p".into()],
            tmp: "/tmp".into(),
            home: "/home/me".into(),
            cwd: "/p".into(),
        });
        let refusals = Refusals::default();
        for number in 0..2 * MOST {
            refusals.note_name(&policy, &format!("n{number}.example"));
            refusals.note_name(&policy, "often.example");
        }
        for name in ["granted.example", "1.0.0.127.in-addr.arpa", ""] {
            refusals.note_name(&policy, name);
        }
        let found = refusals.take();
        assert_eq!(found.len(), MOST);
        let often = &found[1];
        assert_eq!(often.request, Request::Net { host: "often.example".to_owned(), port: 443 });
        assert_eq!((often.count, often.is_look_up), (2 * MOST as u64, true));
    }
}
