//! Secrets in what a program says of itself: taken out before anybody reads that.

use memchr::memmem;
use wire::frame::{Error, Log};
use zeroize::Zeroizing;

/// Shorter values stand in too many places by chance.
const LEAST_BYTES: usize = 6;

/// What is taken out: values, each with its name.
#[derive(Default)]
pub(crate) struct Redaction(Vec<(Zeroizing<String>, String)>);

impl Redaction {
    /// Of these secrets by their names.
    pub(crate) fn of(secrets: impl IntoIterator<Item = (String, Zeroizing<String>)>) -> Self {
        let long_enough = secrets.into_iter().filter(|(_, value)| value.len() >= LEAST_BYTES);
        let mut values: Vec<_> = long_enough.map(|(name, value)| (value, format!("[secret {name}]"))).collect();
        // One that holds another goes first.
        values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Self(values)
    }

    pub(crate) fn bytes(&self, mut text: Vec<u8>) -> Vec<u8> {
        for (value, shown) in &self.0 {
            let mut rest = text.as_slice();
            let mut redacted = Vec::new();
            while let Some(at) = memmem::find(rest, value.as_bytes()) {
                let (before, from) = rest.split_at(at);
                redacted.extend_from_slice(before);
                redacted.extend_from_slice(shown.as_bytes());
                rest = from.get(value.len()..).unwrap_or_default();
            }
            if !redacted.is_empty() {
                redacted.extend_from_slice(rest);
                text = redacted;
            }
        }
        text
    }

    fn text(&self, text: String) -> String {
        self.0.iter().fold(
            text,
            |text, (value, shown)| {
                if text.contains(value.as_str()) { text.replace(value.as_str(), shown) } else { text }
            },
        )
    }

    pub(crate) fn log(&self, log: Log) -> Log {
        Log { text: self.text(log.text), ..log }
    }

    pub(crate) fn error(&self, error: Error) -> Error {
        let Error { name, code, message, stack, resource, .. } = error;
        Error {
            name: self.text(name),
            code: code.map(|code| self.text(code)),
            message: self.text(message),
            stack: stack.map(|stack| self.text(stack)),
            resource: resource.map(|resource| self.text(resource)),
            ..error
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redaction() -> Redaction {
        let secret = |name: &str, value: &str| (name.to_owned(), Zeroizing::new(value.to_owned()));
        Redaction::of([secret("KEY", "s3cret!"), secret("LONGER", "my s3cret! here"), secret("SHORT", "abc")])
    }

    #[test]
    fn values_are_replaced_by_their_names() {
        let redacted = |text: &str| String::from_utf8(redaction().bytes(text.into())).unwrap();
        assert_eq!(redacted("a s3cret!s3cret! b"), "a [secret KEY][secret KEY] b");
        assert_eq!(redacted("my s3cret! here"), "[secret LONGER]");
        assert_eq!(redacted("abc, and s3cre"), "abc, and s3cre");
        assert_eq!(redaction().bytes(b"\xffs3cret!".into()), b"\xff[secret KEY]");
    }

    #[test]
    fn all_of_an_error_is_looked_at() {
        let text = || "with s3cret!".to_owned();
        let error = Error { message: text(), stack: Some(text()), code: Some(text()), ..Error::default() };
        let error = redaction().error(error);
        let expected = "with [secret KEY]";
        assert_eq!(
            [error.message.as_str(), &error.stack.unwrap(), &error.code.unwrap()],
            [expected, expected, expected]
        );
    }
}
