//! Secrets in what a program says of itself, and in what is said of it: taken out before anybody reads that.

use std::fmt::{self, Write as _};

use memchr::memmem;
use url::Url;
use wire::envelope::{Denial, Failure, Refusal};
use wire::frame::{Error, Log};
use zeroize::Zeroizing;

use crate::error::{Error as NotRun, Warning};
use crate::secrets::{Secret, Source};

/// Shorter values stand in too many places by chance.
const LEAST_BYTES: usize = 6;

/// Texts, each with what is shown instead. One that holds another comes first.
type Replacements = Vec<(Zeroizing<String>, String)>;

/// What is taken out.
#[derive(Default)]
pub(crate) struct Redaction {
    /// The values themselves.
    values: Replacements,
    /// The same, and as they stand in paths, hosts, URLs and the lines of a policy.
    forms: Replacements,
}

impl fmt::Debug for Redaction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.values.iter().map(|(_, shown)| shown)).finish()
    }
}

impl Redaction {
    /// Of these secrets by their names.
    pub(crate) fn of(secrets: impl IntoIterator<Item = (String, Zeroizing<String>)>) -> Self {
        let long_enough = secrets.into_iter().filter(|(_, value)| value.len() >= LEAST_BYTES);
        let mut values: Replacements = long_enough.map(|(name, value)| (value, format!("[secret {name}]"))).collect();
        let mut forms: Replacements =
            values.iter().flat_map(|(value, shown)| forms(value).map(|form| (form, shown.clone()))).collect();
        for list in [&mut values, &mut forms] {
            list.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        }
        forms.dedup();
        Self { values, forms }
    }

    /// Of what a program was to be given, which has not run.
    pub(crate) fn of_given(secrets: &[Secret]) -> Self {
        Self::of(secrets.iter().filter_map(|secret| match &secret.from {
            Source::Value(value) => Some((secret.name.clone(), value.clone())),
            Source::Variable(_) | Source::File(_) => None,
        }))
    }

    pub(crate) fn bytes(&self, mut text: Vec<u8>) -> Vec<u8> {
        for (value, shown) in &self.values {
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
        without(&self.values, text)
    }

    /// What the launcher says, in which values stand as rules and resources have them.
    pub(crate) fn told(&self, text: String) -> String {
        without(&self.forms, text)
    }

    pub(crate) fn log(&self, log: Log) -> Log {
        Log { text: self.text(log.text), ..log }
    }

    /// All but the resource, which the policy is still to be asked about.
    pub(crate) fn error(&self, error: Error) -> Error {
        let Error { name, code, message, stack, .. } = error;
        Error {
            name: self.text(name),
            code: code.map(|code| self.text(code)),
            message: self.text(message),
            stack: stack.map(|stack| self.text(stack)),
            ..error
        }
    }

    pub(crate) fn failure(&self, failure: Failure) -> Failure {
        let Failure { message, stack, refusal, .. } = failure;
        Failure {
            message: self.told(message),
            stack: stack.map(|stack| self.told(stack)),
            refusal: refusal.map(|refusal| self.refusal(refusal)),
            ..failure
        }
    }

    pub(crate) fn denial(&self, denial: Denial) -> Denial {
        let Denial { refusal, at, package, .. } = denial;
        Denial {
            refusal: self.refusal(refusal),
            at: at.map(|at| self.told(at)),
            package: package.map(|package| self.told(package)),
            ..denial
        }
    }

    fn refusal(&self, refusal: Refusal) -> Refusal {
        let Refusal { permission, resource, rule, fix } = refusal;
        Refusal {
            permission,
            resource: resource.map(|resource| self.told(resource)),
            rule: self.told(rule),
            fix: fix.map(|fix| self.told(fix)),
        }
    }

    pub(crate) fn warning(&self, warning: Warning) -> Warning {
        Warning(self.told(warning.0))
    }

    pub(crate) fn not_run(&self, error: NotRun) -> NotRun {
        let NotRun { kind, message, help } = error;
        NotRun { kind, message: self.told(message), help: help.map(|help| self.told(help)) }
    }
}

fn without(replacements: &Replacements, text: String) -> String {
    replacements.iter().fold(text, |text, (value, shown)| {
        if text.contains(value.as_str()) { text.replace(value.as_str(), shown) } else { text }
    })
}

/// How a value is written: as it is, as JSON, as the name of a host, and in the path or the query of a URL, by hand or
/// by whoever reads it.
fn forms(value: &str) -> impl Iterator<Item = Zeroizing<String>> + use<> {
    let quoted = Zeroizing::new(serde_json::Value::from(value).to_string());
    let json = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).map(str::to_owned);
    let read = Url::parse("https://host").ok().map(|mut url| {
        url.set_path(value);
        url.set_query(Some(value));
        [url.path().trim_start_matches('/').to_owned(), url.query().unwrap_or_default().to_owned()]
    });
    let all = [value.to_owned(), value.to_lowercase(), percent_encoded(value)];
    let all = all.into_iter().chain(json).chain(read.into_iter().flatten());
    all.filter(|form| form.len() >= LEAST_BYTES).map(Zeroizing::new)
}

/// As `encodeURIComponent` writes it.
fn percent_encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
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

    #[test]
    fn a_resource_is_left_for_the_policy_to_judge() {
        let error = Error { resource: Some("/data/s3cret!".to_owned()), ..Error::default() };
        assert_eq!(redaction().error(error.clone()), error);
    }

    #[test]
    fn values_are_found_however_rules_and_resources_write_them() {
        let secret = "Top \"s3cret\"/é";
        let redaction = Redaction::of([("KEY".to_owned(), Zeroizing::new(secret.to_owned()))]);
        for text in [
            "/data/Top \"s3cret\"/é",
            r#"allow.read: ["/data/Top \"s3cret\"/é"]"#,
            "https://host/Top%20%22s3cret%22/%C3%A9",
            "https://host/?q=Top%20%22s3cret%22/%C3%A9&a",
            "https://host/?q=Top%20%22s3cret%22%2F%C3%A9",
            "top \"s3cret\"/é.example.com:443",
        ] {
            let told = redaction.told(text.to_owned());
            assert!(told.contains("[secret KEY]") && !told.to_lowercase().contains("s3cret"), "{text}: {told}");
        }
        assert_eq!(format!("{redaction:?}"), r#"["[secret KEY]"]"#);
    }

    #[test]
    fn all_that_is_said_of_a_refusal_is_looked_at() {
        let text = || "with s3cret!".to_owned();
        let refusal =
            Refusal { permission: "read".to_owned(), resource: Some(text()), rule: text(), fix: Some(text()) };
        let failure =
            Failure { message: text(), stack: Some(text()), refusal: Some(refusal.clone()), ..Failure::default() };
        let denial = Denial {
            refusal,
            reported_by: wire::envelope::Reporter::Program,
            at: Some(text()),
            package: Some(text()),
            count: 1,
            traceparent: None,
        };
        let not_run = NotRun::new(crate::error::Kind::Usage, text()).with_help(text());
        let said = format!(
            "{:?} {:?} {:?} {:?}",
            redaction().failure(failure),
            redaction().denial(denial),
            redaction().warning(Warning(text())),
            redaction().not_run(not_run),
        );
        assert!(!said.contains("s3cret"), "{said}");
        assert_eq!(said.matches("with [secret KEY]").count(), 5 + 5 + 1 + 2);
    }
}
