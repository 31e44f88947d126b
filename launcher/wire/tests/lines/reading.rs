//! What holds for whatever a host may send.

use serde_json::Value;
use wire::rpc::{Answer, Id, Line, Lines, MAX_NAME_BYTES, Message, Refused, read};

/// How many bytes come at a time, besides all at once.
const PIECES: [usize; 2] = [1, 7];

/// Checks it for `bytes`.
pub(crate) fn assert_readable(bytes: &[u8]) {
    let lines = lines(bytes.chunks(bytes.len().max(1)));
    for piece in PIECES {
        assert_eq!(self::lines(bytes.chunks(piece)), lines, "{piece} bytes at a time");
    }
    for line in &lines {
        if let Line::Bytes(line) = line {
            assert!(!line.is_empty() && !line.contains(&b'\n'));
        }
        match read(line) {
            Ok(Message::Request(id, _) | Message::Cancel(id)) => assert_short(&id),
            Ok(Message::Ignored) => {}
            Err(refused) => assert_told(refused),
        }
    }
}

fn lines<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Line> {
    let mut lines = Lines::default();
    let mut found = Vec::new();
    for piece in pieces {
        lines.push(piece);
        found.extend(std::iter::from_fn(|| lines.next_line()));
    }
    found
}

fn assert_short(id: &Id) {
    if let Id::Text(text) = id {
        assert!(text.len() <= MAX_NAME_BYTES);
    }
}

/// The answer is one line of JSON, with an error that has a message and an id only if one was read.
fn assert_told(refused: Refused) {
    let id = refused.id.clone();
    if let Some(id) = &id {
        assert_short(id);
    }
    let line = Answer { id: refused.id, outcome: Err(refused.fault) }.to_line();
    assert_eq!(line.find('\n'), Some(line.len() - 1), "{line:?}");
    let answer: Value = serde_json::from_str(&line).expect("it is JSON");
    assert!((-32_768..=-32_000).contains(&answer["error"]["code"].as_i64().expect("a code")), "{line}");
    assert!(!answer["error"]["message"].as_str().expect("a message").is_empty(), "{line}");
    assert_eq!(answer["id"].is_null(), id.is_none(), "{line}");
}
