//! Bytes to lines, none of which is longer than it may be.

use super::MAX_LINE_BYTES;

/// A line, without its line feed.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Bytes; perhaps no JSON, perhaps not even UTF-8.
    Bytes(Vec<u8>),
    /// More than [`MAX_LINE_BYTES`]. It was skipped.
    TooLong,
}

/// Takes bytes as they come and gives lines.
#[derive(Debug, Default)]
pub struct Lines {
    pending: Vec<u8>,
    /// How many of `pending` are known to have no line feed.
    searched: usize,
    /// Within a line that is too long.
    skipping: bool,
}

impl Lines {
    /// Adds bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next line, if there is one. Empty lines, also with a carriage return, are none.
    pub fn next_line(&mut self) -> Option<Line> {
        loop {
            let unsearched = self.pending.get(self.searched..).unwrap_or_default();
            let Some(end) = unsearched.iter().position(|byte| *byte == b'\n').map(|at| self.searched + at) else {
                self.searched = self.pending.len();
                if self.searched > MAX_LINE_BYTES {
                    self.skipping = true;
                }
                if self.skipping {
                    // What is skipped is not kept.
                    self.pending.clear();
                    self.searched = 0;
                }
                return None;
            };
            let rest = self.pending.split_off(end + 1);
            let mut line = std::mem::replace(&mut self.pending, rest);
            self.searched = 0;
            if std::mem::take(&mut self.skipping) || end > MAX_LINE_BYTES {
                return Some(Line::TooLong);
            }
            line.truncate(end);
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if !line.is_empty() {
                return Some(Line::Bytes(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&[u8]]) -> Vec<Line> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for chunk in chunks {
            lines.push(chunk);
            found.extend(std::iter::from_fn(|| lines.next_line()));
        }
        found
    }

    fn bytes(text: &str) -> Line {
        Line::Bytes(text.into())
    }

    #[test]
    fn lines_however_they_come() {
        assert_eq!(all(&[b"a\nb", b"", b"c\n\r\n\n", b"d\r\n", b"half"]), [bytes("a"), bytes("bc"), bytes("d")]);
        let one_by_one: Vec<&[u8]> = b"ab\nc\n".chunks(1).collect();
        assert_eq!(all(&one_by_one), [bytes("ab"), bytes("c")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_not_kept() {
        let long = vec![b'x'; MAX_LINE_BYTES];
        assert_eq!(all(&[&long, b"\n"]).len(), 1);
        assert_eq!(all(&[&long, b"y\nnext\n"]), [Line::TooLong, bytes("next")]);
        assert_eq!(all(&[&long, b"y", &long, b"z\nnext\n"]), [Line::TooLong, bytes("next")]);
        let mut lines = Lines::default();
        for _ in 0..3 {
            lines.push(&long);
            assert_eq!(lines.next_line(), None);
        }
        assert!(lines.pending.len() <= MAX_LINE_BYTES);
    }
}
