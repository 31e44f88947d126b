//! Halves of surrogate pairs. JavaScript's strings may hold one alone, and JSON's grammar lets `\ud800` pass, but it is
//! no text: many readers of JSON give up at it, and with it the line that it is in.

use std::borrow::Cow;

/// The length of `\uXXXX`.
const ESCAPE_BYTES: usize = 6;
/// What stands for what is no text (U+FFFD), as an escape.
const REPLACEMENT: &[u8; ESCAPE_BYTES] = br"\ufffd";

/// The same JSON, in which every escape of half a pair is one of U+FFFD.
pub(crate) fn replaced(json: &[u8]) -> Cow<'_, [u8]> {
    let mut json = Cow::Borrowed(json);
    let mut from = 0;
    while let Some(at) = json.iter().skip(from).position(|byte| *byte == b'\\').map(|at| from + at) {
        from = match (unit(&json, at), unit(&json, at + ESCAPE_BYTES)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at + 2 * ESCAPE_BYTES,
            (Some(0xd800..=0xdfff), _) => {
                if let Some(escape) = json.to_mut().get_mut(at..at + ESCAPE_BYTES) {
                    escape.copy_from_slice(REPLACEMENT);
                }
                at + ESCAPE_BYTES
            }
            // The escaped character may be a backslash.
            _ => at + 2,
        };
    }
    json
}

/// The code unit that is escaped at `at`, if one is.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + ESCAPE_BYTES)?.strip_prefix(br"\u")?;
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    u16::from_str_radix(std::str::from_utf8(digits).ok().filter(|_| is_hex)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_replaced_and_pairs_are_not() {
        for (json, expected) in [
            (r#""plain \n \\ud800 \u00e9""#, r#""plain \n \\ud800 \u00e9""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ud800""#, r#""\ufffd""#),
            (r#""\uDC00\uD800x""#, r#""\ufffd\ufffdx""#),
            (r#"["\ud800\ud83d\ude00","\\\udfff"]"#, r#"["\ufffd\ud83d\ude00","\\\ufffd"]"#),
            (r#""\ud8""#, r#""\ud8""#),
        ] {
            assert_eq!(replaced(json.as_bytes()), expected.as_bytes(), "{json}");
        }
        assert!(matches!(replaced(br#""\ud83d\ude00""#), Cow::Borrowed(_)));
    }
}
