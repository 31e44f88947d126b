//! Names with `*`: environment variables, host methods, secrets, and the secret files of import roots.

use std::fmt;

use crate::diagnostic::Fault;
use crate::pattern::Pattern;

/// A name in which each `*` stands for any text, also none. There are no other metacharacters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    pub(crate) const EVERYTHING: &str = "*";

    pub(crate) fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// A pattern for names that cannot contain spaces, `=` or control characters.
    pub(crate) fn parse_name(text: &str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault::new("the name is empty"));
        }
        match text.chars().find(|c| c.is_control() || c.is_whitespace() || *c == '=') {
            Some(c) => Err(Fault::new(format!("a name cannot contain {c:?}"))),
            None => Ok(Self::new(text)),
        }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `name` is one of the names this stands for.
    pub fn matches(&self, name: &str) -> bool {
        matches(self.0.as_bytes(), name.as_bytes())
    }
}

impl Pattern for Glob {
    fn covers(&self, other: &Self) -> bool {
        // A `*` of `other` can only be taken up by a `*` of ours, which then also takes whatever it stands for.
        matches(self.0.as_bytes(), other.0.as_bytes())
    }

    fn meets(&self, other: &Self) -> bool {
        meets(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Whether `text` matches `pattern`. Takes time proportional to the product of both lengths at most.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut last_star = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            last_star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star, taken)) = last_star {
            // The last star takes one more byte; earlier stars never need to.
            last_star = Some((star, taken + 1));
            p = star + 1;
            t = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Whether some text matches both patterns.
fn meets(one: &[u8], other: &[u8]) -> bool {
    // reachable[j]: the part of `one` read so far and the first j bytes of `other` can stand for the same text.
    let mut reachable = vec![false; other.len() + 1];
    reachable[0] = true;
    for (j, byte) in other.iter().enumerate() {
        reachable[j + 1] = reachable[j] && *byte == b'*';
    }
    for byte in one {
        let mut next = vec![false; other.len() + 1];
        next[0] = reachable[0] && *byte == b'*';
        for (j, opposite) in other.iter().enumerate() {
            next[j + 1] = match (*byte, *opposite) {
                // The star is empty, or it takes what the other pattern has there.
                (b'*', _) | (_, b'*') => reachable[j + 1] || next[j],
                (a, b) => reachable[j] && a == b,
            };
        }
        reachable = next;
    }
    reachable[other.len()]
}
