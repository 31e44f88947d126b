//! The trace that a call belongs to: the `traceparent` of W3C Trace Context.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::rpc::MAX_NAME_BYTES;

/// The length of version `00`, with which every later version begins.
const LENGTH: usize = 55;

/// A `traceparent` that is well-formed. Copies are cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceParent(Arc<str>);

/// Why a text is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTraceParent(&'static str);

impl fmt::Display for BadTraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a traceparent such as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01: {}", self.0)
    }
}

impl std::error::Error for BadTraceParent {}

impl TraceParent {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TraceParent {
    type Err = BadTraceParent;

    fn from_str(text: &str) -> Result<Self, BadTraceParent> {
        if text.len() > MAX_NAME_BYTES {
            return Err(BadTraceParent("it is longer than 256 bytes"));
        }
        let (known, later) = text.split_at_checked(LENGTH).ok_or(BadTraceParent("it has less than 55 characters"))?;
        let mut parts = known.split('-');
        let mut part = |length: usize| {
            let part = parts.next().filter(|part| part.len() == length)?;
            part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(part)
        };
        let form = "its parts are 2, 32, 16 and 2 lower-case hexadecimal digits";
        let (Some(version), Some(trace), Some(parent), Some(_flags)) = (part(2), part(32), part(16), part(2)) else {
            return Err(BadTraceParent(form));
        };
        let is_zero = |digits: &str| digits.bytes().all(|digit| digit == b'0');
        match (version, later) {
            _ if is_zero(trace) || is_zero(parent) => Err(BadTraceParent("the id of a trace or a parent is not 0")),
            ("ff", _) => Err(BadTraceParent("there is no version ff")),
            ("00", later) if !later.is_empty() => Err(BadTraceParent("version 00 has 55 characters")),
            // What a later version adds is not known; it is passed on as it is.
            (_, later) if !later.is_empty() && !later.starts_with('-') => Err(BadTraceParent(form)),
            (_, later) if !later.bytes().all(|byte| byte.is_ascii_graphic()) => Err(BadTraceParent(form)),
            _ => Ok(Self(text.into())),
        }
    }
}

impl<'de> Deserialize<'de> for TraceParent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for TraceParent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_one() {
        for text in
            [GOOD.to_owned(), GOOD.replace("00-4", "01-4"), format!("{}-what.comes", GOOD.replace("00-4", "cc-4"))]
        {
            assert_eq!(text.parse::<TraceParent>().map(|trace| trace.as_str().to_owned()), Ok(text));
        }
    }

    #[test]
    fn what_is_none() {
        for (text, why) in [
            (String::new(), "less than 55"),
            (GOOD[..54].to_owned(), "less than 55"),
            ("00-1-2-01".to_owned(), "less than 55"),
            (GOOD.to_uppercase(), "lower-case"),
            (GOOD.replace("00-4", "0g-4"), "hexadecimal"),
            (GOOD.replace("736-00f", "73-600f"), "parts"),
            (GOOD.replace("00-4", "ff-4"), "no version ff"),
            (GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)), "not 0"),
            (GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)), "not 0"),
            (format!("{GOOD}-00"), "55 characters"),
            (format!("{}x", GOOD.replace("00-4", "01-4")), "parts"),
            (format!("{}-a b", GOOD.replace("00-4", "01-4")), "parts"),
            (format!("{}-\n", GOOD.replace("00-4", "01-4")), "parts"),
            (format!("{}-{}", GOOD.replace("00-4", "01-4"), "a".repeat(256)), "longer than 256"),
            (format!("{}é-more", &GOOD[..54]), "less than 55"),
        ] {
            let message = text.parse::<TraceParent>().unwrap_err().to_string();
            assert!(message.contains(why), "{text}: {message}");
        }
    }
}
