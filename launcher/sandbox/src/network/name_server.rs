//! What the sandbox asks for names: granted ones have stand-ins, all others do not exist, and nobody else is asked.
//! A question that goes nowhere cannot carry anything out.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use confine::Errno;
use hickory_proto::op::ResponseCode;
use nix::libc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;

use super::broker::Broker;
use super::names::Host;
use super::question::Question;
use crate::count::Count;

/// The most addresses of one host, which fit a datagram of 512 bytes.
const MOST_ADDRESSES: usize = 16;

/// Questions, and connections that ask, at a time.
const MOST_QUESTIONS: usize = 256;
const MOST_CONNECTIONS: usize = 64;

/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(10);

const LOCALHOST: &str = "localhost";

/// The longest question that is read: no name needs more.
const MOST_BYTES: usize = 1024;

/// The port of name servers.
pub(crate) const PORT: u16 = 53;

/// Where the C library finds the addresses of name servers (resolv.conf(5)).
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// What takes the connections that a program in the host's network makes to the host's name servers.
pub(crate) struct Stand {
    addresses: Vec<IpAddr>,
    sender: mpsc::Sender<TcpStream>,
}

impl Stand {
    /// One at the addresses that the program finds, and where the C library asks if there are none.
    pub(crate) fn of_host() -> (Self, mpsc::Receiver<TcpStream>) {
        let (sender, taken) = mpsc::channel(MOST_CONNECTIONS);
        let mut addresses = name_servers(&std::fs::read_to_string(RESOLV_CONF).unwrap_or_default());
        addresses.push(Ipv4Addr::LOCALHOST.into());
        (Self { addresses, sender }, taken)
    }

    pub(crate) fn is_at(&self, to: SocketAddr) -> bool {
        to.port() == PORT && self.addresses.contains(&to.ip())
    }

    pub(crate) fn take(&self, stream: TcpStream) -> Result<(), Errno> {
        self.sender.try_send(stream).map_err(|_| Errno(libc::EAGAIN))
    }
}

fn name_servers(resolv_conf: &str) -> Vec<IpAddr> {
    let addresses = resolv_conf.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?;
        // A link-local one may have a scope.
        address.split('%').next()?.parse::<IpAddr>().ok()
    });
    addresses.map(|address| address.to_canonical()).collect()
}

pub(crate) fn socket(datagrams: OwnedFd) -> io::Result<UdpSocket> {
    UdpSocket::from_std(datagrams.into())
}

pub(crate) fn listener(connections: OwnedFd) -> io::Result<TcpListener> {
    TcpListener::from_std(connections.into())
}

/// Answers datagrams. One more question than are answered at a time is lost, as datagrams are.
pub(crate) async fn datagrams(broker: Rc<Broker>, socket: UdpSocket) {
    let (socket, questions) = (Rc::new(socket), Count::default());
    let mut buffer = [0; MOST_BYTES];
    loop {
        // An error is an answer to someone who has gone.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let Some(one) = questions.one(MOST_QUESTIONS) else { continue };
        let question = buffer.get(..length).unwrap_or_default().to_vec();
        let (broker, socket) = (Rc::clone(&broker), Rc::clone(&socket));
        tokio::task::spawn_local(async move {
            if let Some(answer) = answer(&broker, &question).await {
                let _ = socket.send_to(&answer, from).await;
            }
            drop(one);
        });
    }
}

/// Answers connections.
pub(crate) async fn connections(broker: Rc<Broker>, listener: TcpListener) {
    let connections = Count::default();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: others are closed in a moment.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        answer_on(&broker, stream, &connections);
    }
}

/// Answers connections that were made for a sandbox without a network of its own.
pub(crate) async fn taken(broker: Rc<Broker>, mut taken: mpsc::Receiver<TcpStream>) {
    let connections = Count::default();
    while let Some(stream) = taken.recv().await {
        answer_on(&broker, stream, &connections);
    }
}

/// Answers on a connection. One more than are answered at a time is closed.
fn answer_on(broker: &Rc<Broker>, stream: TcpStream, connections: &Count) {
    let Some(one) = connections.one(MOST_CONNECTIONS) else { return };
    let broker = Rc::clone(broker);
    tokio::task::spawn_local(async move {
        // However it ends, it is the program's.
        let _ = converse(&broker, stream).await;
        drop(one);
    });
}

/// Each message is preceded by its length (RFC 1035, 4.2.2).
async fn converse(broker: &Broker, mut stream: TcpStream) -> io::Result<()> {
    loop {
        let question = tokio::time::timeout(SILENCE, async {
            let length = usize::from(stream.read_u16().await?);
            let mut question = vec![0; length];
            stream.read_exact(&mut question).await?;
            io::Result::Ok(question)
        });
        let question = question.await.map_err(|_| io::ErrorKind::TimedOut)??;
        let Some(answer) = answer(broker, &question).await else { return Ok(()) };
        let length = u16::try_from(answer.len()).map_err(|_| io::ErrorKind::InvalidData)?;
        stream.write_all(&[&length.to_be_bytes(), answer.as_slice()].concat()).await?;
    }
}

/// The answer to a question; `None` to what is none.
async fn answer(broker: &Broker, question: &[u8]) -> Option<Vec<u8>> {
    let question = match Question::read(question)? {
        Ok(question) => question,
        Err(answer) => return answer.to_vec().ok(),
    };
    let found = match &question.name {
        None => Err(ResponseCode::NXDomain),
        // As name servers should, whatever the hosts file says, which may be out of sight (RFC 6761, 6.3).
        Some(name) if name == LOCALHOST && question.wants_addresses => Ok(vec![Ipv4Addr::LOCALHOST]),
        Some(name) if !broker.resolves(name) => {
            if !question.is_second {
                broker.note_name(name);
            }
            Err(ResponseCode::NXDomain)
        }
        Some(_) if !question.wants_addresses => Ok(Vec::new()),
        Some(name) => look_up(broker, name).await,
    };
    question.answer(found).to_vec().ok()
}

/// The stand-ins of a granted name.
async fn look_up(broker: &Broker, name: &str) -> Result<Vec<Ipv4Addr>, ResponseCode> {
    let mut addresses = broker.resolver.addresses(name).await.ok_or(ResponseCode::NXDomain)?;
    addresses.truncate(MOST_ADDRESSES);
    let stand_in = |address| {
        let host = Host { name: name.to_owned(), address };
        broker.names.borrow_mut().stand_in(host).ok_or(ResponseCode::ServFail)
    };
    addresses.into_iter().map(stand_in).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_name_servers() {
        let text = "# nameserver 1.1.1.1\nsearch corp.example\nnameserver 10.0.0.53\nnameserver\nnameserver fe80::1%eth0\n\
                    nameserver ::ffff:10.0.0.54\nnameserver not-one\noptions edns0\n";
        let expected = ["10.0.0.53", "fe80::1", "10.0.0.54"].map(|address| address.parse::<IpAddr>().unwrap());
        assert_eq!(name_servers(text), expected);
    }
}
