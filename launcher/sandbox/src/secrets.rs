//! Secrets that the launcher keeps: they stand in headers of requests that it makes, and nothing inside sees them but
//! those that the program may read.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::PathBuf;

use confine::OwnMemory;
use http::HeaderValue;
use policy::{ExpandedPolicy, Request, decide};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, Kind};

/// The longest secret, in bytes.
const MOST_BYTES: u64 = 64 << 10;

/// The longest one that can stand in a header, in bytes: servers accept no longer ones.
const MOST_HEADER_BYTES: usize = 8 << 10;

/// Room for what is read of a file: what a vector grows out of would stay in memory.
const MOST_BUFFER_BYTES: usize = 16 << 10;

/// A secret by its name, and where its value is.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its name in a policy.
    pub name: String,
    /// Where the launcher finds it.
    pub from: Source,
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Secret({})", self.name)
    }
}

/// Where a secret is.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// In a variable of the launcher.
    Variable(OsString),
    /// In a file, without the line break at its end.
    File(PathBuf),
    /// Here.
    Value(Zeroizing<String>),
}

/// The values of secrets. The init of a sandbox, which is a copy of the launcher, has none of them.
#[derive(Default)]
pub(crate) struct Secrets(BTreeMap<String, OwnMemory>);

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.0.keys()).finish()
    }
}

impl Secrets {
    /// Reads what was given, and checks that it is all that the policy asks for.
    pub(crate) fn read(given: &[Secret], policy: &ExpandedPolicy) -> Result<Self, Error> {
        let mut values = BTreeMap::new();
        for secret in given {
            let value = value(secret)?;
            if policy.grants.fetch.allow.iter().any(|entry| entry.value.secrets().any(|name| name == secret.name)) {
                check_for_header(&secret.name, &value)?;
            }
            if values.insert(secret.name.clone(), kept(&value)?).is_some() {
                return Err(refuse(&secret.name, "is given twice"));
            }
        }
        for entry in &policy.grants.fetch.allow {
            if let Some(missing) = entry.value.secrets().find(|name| !values.contains_key(*name)) {
                let message = format!("{} needs the secret {missing}, which is not given", entry.statement);
                let help = format!("give it with --secret {missing}=env:VARIABLE or --secret {missing}=file:PATH");
                return Err(Error::new(Kind::Usage, message).with_help(help));
            }
        }
        Ok(Self(values))
    }

    /// All of them.
    pub(crate) fn values(&self) -> impl Iterator<Item = (String, Zeroizing<String>)> {
        self.0.iter().map(|(name, kept)| (name.clone(), text(kept)))
    }

    /// Those that a program may read itself.
    pub(crate) fn granted(&self, policy: &ExpandedPolicy) -> BTreeMap<String, Zeroizing<String>> {
        let is_granted = |name: &str| decide(policy, &Request::Secret(name.to_owned())).allowed;
        let granted = self.0.iter().filter(|(name, _)| is_granted(name));
        granted.map(|(name, kept)| (name.clone(), text(kept))).collect()
    }

    /// The value of a header in which secrets stand.
    pub(crate) fn fill(&self, template: &str) -> Option<HeaderValue> {
        let mut text = Zeroizing::new(String::with_capacity(template.len()));
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("${secret:") {
            let (name, later) = after.split_once('}')?;
            text.push_str(before);
            text.push_str(std::str::from_utf8(self.0.get(name)?.bytes()).ok()?);
            rest = later;
        }
        text.push_str(rest);
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// The launcher's variables without those that hold a secret, which the program gets under no grant.
pub(crate) fn other_variables(given: &[Secret]) -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let holds_secret = given.iter().any(|secret| matches!(&secret.from, Source::Variable(own) if *own == name));
        if holds_secret {
            value.into_encoded_bytes().zeroize();
            return None;
        }
        Some((name, value))
    })
}

fn text(kept: &OwnMemory) -> Zeroizing<String> {
    Zeroizing::new(String::from_utf8_lossy(kept.bytes()).into_owned())
}

fn kept(value: &str) -> Result<OwnMemory, Error> {
    OwnMemory::holding(value.as_bytes())
        .map_err(|error| Error::new(Kind::Sandbox, format!("there is no memory for a secret: {error}")))
}

fn value(secret: &Secret) -> Result<Zeroizing<String>, Error> {
    let name = &secret.name;
    let text = match &secret.from {
        Source::Variable(variable) => {
            let found = std::env::var_os(variable).ok_or_else(|| {
                refuse(name, &format!("is not there: the variable {} is not set", variable.display()))
            })?;
            Zeroizing::new(found.into_string().map_err(|_| refuse(name, "is not UTF-8"))?)
        }
        Source::Value(value) => value.clone(),
        Source::File(path) => {
            let failed = |error: std::io::Error| {
                refuse(name, &format!("is not there: {} cannot be read: {error}", path.display()))
            };
            let file = std::fs::File::open(path).map_err(failed)?;
            let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_BUFFER_BYTES));
            file.take(MOST_BYTES + 2).read_to_end(&mut bytes).map_err(failed)?;
            let text = std::str::from_utf8(&bytes).map_err(|_| refuse(name, "is not UTF-8"))?;
            let text = text.strip_suffix('\n').unwrap_or(text);
            Zeroizing::new(text.strip_suffix('\r').unwrap_or(text).to_owned())
        }
    };
    if text.is_empty() {
        return Err(refuse(name, "is empty"));
    }
    if text.len() as u64 > MOST_BYTES {
        return Err(refuse(name, &format!("is longer than {MOST_BYTES} bytes")));
    }
    Ok(text)
}

/// Whether a value can stand in a header.
fn check_for_header(name: &str, value: &str) -> Result<(), Error> {
    if value.len() > MOST_HEADER_BYTES {
        return Err(refuse(name, &format!("is longer than {MOST_HEADER_BYTES} bytes, too long for a header")));
    }
    // A line break would begin another header.
    if value.chars().any(char::is_control) {
        return Err(refuse(name, "has line breaks or other control characters in it"));
    }
    Ok(())
}

fn refuse(name: &str, why: &str) -> Error {
    Error::new(Kind::Usage, format!("the secret {name} {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(contents: &[u8]) -> (tempfile::NamedTempFile, Secret) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), contents).unwrap();
        let secret = Secret { name: "KEY".to_owned(), from: Source::File(file.path().to_owned()) };
        (file, secret)
    }

    #[test]
    fn values_are_filled_in_and_shown_to_nobody() {
        let (_file, secret) = file(b"s3cret\n");
        let secrets = Secrets(BTreeMap::from([("KEY".to_owned(), kept(&value(&secret).unwrap()).unwrap())]));
        assert_eq!(secrets.fill("Bearer ${secret:KEY}, ${secret:KEY}").unwrap(), "Bearer s3cret, s3cret");
        assert_eq!(secrets.fill("plain").unwrap(), "plain");
        assert_eq!(secrets.fill("${secret:OTHER}"), None);
        let shown = format!("{secrets:?} {:?}", secrets.fill("${secret:KEY}").unwrap());
        assert_eq!(shown, "[\"KEY\"] Sensitive");
    }

    #[test]
    fn what_is_no_secret() {
        for (contents, why) in
            [(&b""[..], "is empty"), (b"\n", "is empty"), (b"\xff", "UTF-8"), (&b"a".repeat(70_000), "longer than")]
        {
            let (_file, secret) = file(contents);
            let message = value(&secret).unwrap_err().message;
            assert!(message.contains(why), "{message}");
        }
    }

    #[test]
    fn what_cannot_stand_in_a_header() {
        for (contents, why) in [("a\r\nx-other: b", "control characters"), (&"a".repeat(9000), "longer than")] {
            let (_file, secret) = file(contents.as_bytes());
            let message = check_for_header("KEY", &value(&secret).unwrap()).unwrap_err().message;
            assert!(message.contains(why), "{message}");
            assert!(!message.contains("x-other"), "{message}");
        }
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let from = Source::Variable("SECURE_BUN_TEST_NO_SUCH_VARIABLE".into());
        let secret = Secret { name: "KEY".to_owned(), from };
        let message = value(&secret).unwrap_err().message;
        assert_eq!(message, "the secret KEY is not there: the variable SECURE_BUN_TEST_NO_SUCH_VARIABLE is not set");
    }
}
