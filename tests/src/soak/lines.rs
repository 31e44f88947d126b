//! Lines that a host should not send.

use fastrand::Rng;

/// The longest line that is read, as `initialize` says.
const MOST_LINE_BYTES: usize = 32 << 20;

/// Lines that are answered without an id, since they are no requests.
const NONSENSE: [&str; 12] = [
    "nonsense",
    "{",
    "{}",
    "null",
    "[]",
    "\u{feff}{}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stats\"}\0",
    r#"[{"jsonrpc":"2.0","id":1,"method":"stats"}]"#,
    r#"{"jsonrpc":"2.0","id":null,"method":"stats"}"#,
    r#"{"jsonrpc":"1.0","id":1,"method":"stats"}"#,
    r#"{"jsonrpc":"2.0","id":1e300,"method":"stats"}"#,
    r#"{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"stats"}"#,
];

/// Requests that are wrong in one thing, or that a change makes wrong. Numbers take the place of `ID`.
const REQUESTS: [&str; 16] = [
    r#"{"jsonrpc":"2.0","id":"bad-ID","method":"fly","params":{}}"#,
    r#"{"jsonrpc":"2.0","id":"bad-ID","method":"initialize","params":{"protocol":1}}"#,
    r#"{"jsonrpc":"2.0","id":"bad-ID","method":"call","params":{"function":"good","args":{}}}"#,
    r#"{"jsonrpc":"2.0","id":"bad-ID","method":"call","params":{"function":"good","args":[1e999]}}"#,
    r#"{"jsonrpc":"2.0","id":"bad-ID","method":"call","params":{"function":"good","args":["\ud800"]}}"#,
    r#"{"jsonrpc":"2.0","id":"bad-ID","method":"call","params":{"function":["good"]}}"#,
    r#"{"jsonrpc":"2.0","id":"bad-ID","method":"call","params":{"function":"good","limits":{"wall_ms":-1}}}"#,
    r#"{"jsonrpc":"2.0","id":"bad-ID","method":"call","params":{"function":"good","policy":{"read":"/"},"env":{"A=B":"c"}}}"#,
    r#"{"jsonrpc":"2.0","id":"bad-ID","method":"call","params":{"file":"/dev/zero"}}"#,
    r#"{"jsonrpc":"2.0","id":"bad-ID","method":"function.register","params":{"name":"bad","source":"export default 1","policy":[]}}"#,
    r#"{"jsonrpc":"2.0","id":"bad-ID","method":"function.register","params":{"name":"bad","source":"","file":""}}"#,
    r#"{"jsonrpc":"2.0","id":"bad-ID","method":"function.remove","params":{"name":7}}"#,
    r#"{"jsonrpc":"2.0","id":"bad-ID","method":"stats","params":{"format":7}}"#,
    r#"{"jsonrpc":"2.0","id":"bad-ID","method":"stats","params":null}"#,
    r#"{"jsonrpc":"2.0","method":"$/cancel","params":{"id":"bad-ID"}}"#,
    r#"{"jsonrpc":"2.0","method":"$/cancel","params":{"id":["bad-ID"]}}"#,
];

/// A line that is no request.
pub(super) fn nonsense(chance: &mut Rng) -> &'static str {
    NONSENSE[chance.usize(..NONSENSE.len())]
}

/// A line that is longer than any that is read.
pub(super) fn oversized(chance: &mut Rng) -> Vec<u8> {
    vec![b' ' + chance.u8(..90); MOST_LINE_BYTES + chance.usize(1..1 << 20)]
}

/// Any other line that should not be: as it stands, or changed in a few places. It has no line feed at its end, but may
/// have some within.
pub(super) fn hostile(chance: &mut Rng, number: u64) -> Vec<u8> {
    match chance.u8(..10) {
        0 => nonsense(chance).into(),
        1 => nested(chance),
        2 => (0..chance.usize(..2000)).map(|_| chance.u8(..)).collect(),
        3 => vec![*chance.choice(b"\0\r\xff {[\"").expect("there are some"); chance.usize(..100_000)],
        _ => {
            let text = REQUESTS[chance.usize(..REQUESTS.len())].replace("ID", &number.to_string());
            let mut line = text.into_bytes();
            for _ in 0..chance.usize(..4) {
                change(&mut line, chance);
            }
            line
        }
    }
}

/// Lists in lists in parameters, closed or not.
fn nested(chance: &mut Rng) -> Vec<u8> {
    let depth = chance.usize(..50_000);
    let closed = if chance.bool() { depth } else { chance.usize(..=depth) };
    let (open, close) = ("[".repeat(depth), "]".repeat(closed));
    format!(r#"{{"jsonrpc":"2.0","id":"bad","method":"call","params":{{"args":{open}{close}}}}}"#).into_bytes()
}

/// One change: a bit, a byte more or less, a piece once more or cut off.
fn change(line: &mut Vec<u8>, chance: &mut Rng) {
    let place = chance.usize(..=line.len());
    match chance.u8(..5) {
        0 => line.truncate(place),
        1 => line.insert(place, chance.u8(..)),
        2 => line.extend_from_within(place..),
        3 if place < line.len() => drop(line.remove(place)),
        _ => {
            if let Some(byte) = line.get_mut(place) {
                *byte ^= 1 << chance.u8(..8);
            }
        }
    }
}
