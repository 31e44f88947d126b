//! Lines that a host should not send.

use fastrand::Rng;

/// Lines that are answered without an id, since they are no requests.
const NONSENSE: [&str; 9] = [
    "nonsense",
    "{",
    "{}",
    "null",
    "[]",
    r#"[{"jsonrpc":"2.0","id":1,"method":"stats"}]"#,
    r#"{"jsonrpc":"2.0","id":null,"method":"stats"}"#,
    r#"{"jsonrpc":"1.0","id":1,"method":"stats"}"#,
    r#"{"jsonrpc":"2.0","id":1e300,"method":"stats"}"#,
];

/// A line that is no request.
pub fn nonsense(chance: &mut Rng) -> &'static str {
    NONSENSE[chance.usize(..NONSENSE.len())]
}
