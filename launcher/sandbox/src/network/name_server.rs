//! What the sandbox asks for names: granted ones have stand-ins, all others do not exist, and nobody else is asked.
//! A question that goes nowhere cannot carry anything out.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{DNSClass, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::broker::Broker;
use super::names::Host;
use crate::count::Count;

/// How long an answer holds, in seconds. The address behind a stand-in is the one of when it was asked for.
const TTL: u32 = 5;

/// The most addresses of one host, which fit a datagram of 512 bytes.
const MOST_ADDRESSES: usize = 16;

/// Questions, and connections that ask, at a time.
const MOST_QUESTIONS: usize = 256;
const MOST_CONNECTIONS: usize = 64;

/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(10);

/// The longest question that is read: no name needs more.
const MOST_BYTES: usize = 1024;

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
        let Some(one) = connections.one(MOST_CONNECTIONS) else { continue };
        let broker = Rc::clone(&broker);
        tokio::task::spawn_local(async move {
            // However it ends, it is the program's.
            let _ = converse(&broker, stream).await;
            drop(one);
        });
    }
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
        Some(name) if !broker.resolves(name) => Err(ResponseCode::NXDomain),
        Some(_) if !question.wants_addresses => Ok(Vec::new()),
        Some(name) => look_up(broker, name).await,
    };
    question.answer(found).to_vec().ok()
}

/// The stand-ins of a granted name.
async fn look_up(broker: &Broker, name: &str) -> Result<Vec<Ipv4Addr>, ResponseCode> {
    let _permit = broker.look_ups.acquire().await.map_err(|_| ResponseCode::ServFail)?;
    let found = tokio::net::lookup_host((name, 0)).await;
    let mut addresses: Vec<IpAddr> = found.map_err(|_| ResponseCode::NXDomain)?.map(|found| found.ip()).collect();
    // Those that any network reaches come first; each stands there once.
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses.dedup();
    addresses.truncate(MOST_ADDRESSES);
    let stand_in = |address| {
        let host = Host { name: name.to_owned(), address };
        broker.names.borrow_mut().stand_in(host).ok_or(ResponseCode::ServFail)
    };
    addresses.into_iter().map(stand_in).collect()
}

/// What a program wants to know.
pub(crate) struct Question {
    id: u16,
    query: Query,
    /// Lower case, without a dot at its end; `None` where it cannot be the name of a host.
    name: Option<String>,
    /// IPv4 addresses; of all else there is nothing.
    wants_addresses: bool,
}

impl Question {
    /// Reads a message. `None` if it is not even the beginning of one; `Err` with the answer to what is not understood.
    pub(crate) fn read(bytes: &[u8]) -> Option<Result<Self, Message>> {
        let id = u16::from_be_bytes(*bytes.first_chunk()?);
        let refuse = |code| Some(Err(Message::error_msg(id, OpCode::Query, code)));
        if bytes.get(2)? & 0x80 != 0 {
            // An answer: whoever answered it would have two of us talk for ever.
            return None;
        }
        let Ok(mut message) = Message::from_vec(bytes) else { return refuse(ResponseCode::FormErr) };
        if message.metadata.op_code != OpCode::Query {
            return refuse(ResponseCode::NotImp);
        }
        let (Some(query), true) = (message.queries.pop(), message.queries.is_empty()) else {
            return refuse(ResponseCode::FormErr);
        };
        if query.query_class != DNSClass::IN {
            return refuse(ResponseCode::NotImp);
        }
        // Escapes of unusual characters show that it is no host's.
        let name = query.name.to_ascii().to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let name = Some(name).filter(|name| is_name(name)).map(str::to_owned);
        let wants_addresses = query.query_type == RecordType::A;
        Some(Ok(Self { id, query, name, wants_addresses }))
    }

    /// The answer with these addresses, or why there are none.
    fn answer(self, found: Result<Vec<Ipv4Addr>, ResponseCode>) -> Message {
        let mut answer = Message::response(self.id, OpCode::Query);
        answer.metadata.recursion_desired = true;
        answer.metadata.recursion_available = true;
        match found {
            Ok(addresses) => {
                let record = |address| Record::from_rdata(self.query.name.clone(), TTL, RData::A(A(address)));
                answer.answers = addresses.into_iter().map(record).collect();
            }
            Err(code) => answer.metadata.response_code = code,
        }
        answer.queries = vec![self.query];
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::Name;

    fn ask(name: &str, kind: RecordType) -> Vec<u8> {
        let mut message = Message::query();
        message.queries = vec![Query::query(Name::from_ascii(name).unwrap(), kind)];
        message.to_vec().unwrap()
    }

    #[test]
    fn a_question_for_addresses() {
        let question = Question::read(&ask("API.Example.com.", RecordType::A)).unwrap().unwrap();
        assert_eq!(question.name.as_deref(), Some("api.example.com"));
        assert!(question.wants_addresses);
        let answer = question.answer(Ok(vec![Ipv4Addr::new(198, 18, 0, 1)]));
        let read = Message::from_vec(&answer.to_vec().unwrap()).unwrap();
        // As it was asked for, which some resolvers insist on.
        assert_eq!(read.queries[0].name.to_ascii(), "API.Example.com.");
        assert_eq!(read.answers.len(), 1);
        assert_eq!(read.answers[0].data, RData::A(A::new(198, 18, 0, 1)));
    }

    #[test]
    fn names_of_no_host() {
        for name in ["a\\032b.example.com.", "a\\.b.example.com.", "*.example.com."] {
            let question = Question::read(&ask(name, RecordType::A)).unwrap().unwrap();
            assert_eq!(question.name, None, "{name}");
        }
    }

    #[test]
    fn what_is_no_question_is_not_answered_or_refused() {
        assert!(Question::read(&[]).is_none());
        assert!(Question::read(&[1, 2]).is_none());
        let mut answer = ask("a.example.", RecordType::A);
        answer[2] |= 0x80;
        assert!(Question::read(&answer).is_none());
        for cut in 3..ask("a.example.", RecordType::A).len() {
            let refusal = Question::read(&ask("a.example.", RecordType::A)[..cut]).unwrap().err().unwrap();
            assert_eq!(refusal.metadata.response_code, ResponseCode::FormErr, "{cut}");
        }
    }
}
