//! Questions for names, as programs write them (RFC 1035), and their answers.

use std::net::Ipv4Addr;

use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{DNSClass, RData, Record, RecordType};

/// How long an answer holds, in seconds. The address behind a stand-in is the one of when it was asked for.
const TTL: u32 = 5;

/// What a program wants to know.
pub(crate) struct Question {
    id: u16,
    query: Query,
    /// Lower case, without a dot at its end; `None` where it cannot be the name of a host.
    pub(crate) name: Option<String>,
    /// IPv4 addresses; of all else there is nothing.
    pub(crate) wants_addresses: bool,
    /// IPv6 addresses: whoever wants these asks for the others as well.
    pub(crate) is_second: bool,
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
        let is_second = query.query_type == RecordType::AAAA;
        Some(Ok(Self { id, query, name, wants_addresses, is_second }))
    }

    /// The answer with these addresses, or why there are none.
    pub(crate) fn answer(self, found: Result<Vec<Ipv4Addr>, ResponseCode>) -> Message {
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

/// What holds for every message, for those who try them all.
#[cfg(any(test, fuzzing))]
pub(crate) fn assert_answerable(bytes: &[u8]) {
    let answer = match Question::read(bytes) {
        None => return,
        Some(Err(refusal)) => refusal,
        Some(Ok(question)) => {
            if let Some(name) = &question.name {
                assert!(name.len() <= 254 && !name.bytes().any(|byte| byte.is_ascii_uppercase()), "{name}");
                assert!(!name.contains(['\\', '*', '\0', ' ', '/']), "{name}");
            }
            question.answer(Ok(vec![Ipv4Addr::new(198, 18, 0, 1); 16]))
        }
    };
    let answer = answer.to_vec().expect("an answer can be written");
    assert_eq!(answer.first_chunk::<2>(), bytes.first_chunk::<2>(), "it is the answer to this question");
    assert!(answer[2] & 0x80 != 0, "it is an answer");
    assert!(u16::try_from(answer.len()).is_ok(), "it fits a message");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::mutations;
    use hickory_proto::rr::Name;

    #[test]
    fn any_bytes_at_all() {
        mutations::each("question", assert_answerable);
    }

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
        for first in [&b"a b"[..], b"a.b", b"a\0b", b"a\\b", b"*"] {
            let mut message = Message::query();
            message.queries = vec![Query::query(Name::from_labels([first, b"example"]).unwrap(), RecordType::A)];
            let question = Question::read(&message.to_vec().unwrap()).unwrap().unwrap();
            assert_eq!(question.name, None, "{first:?}");
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
