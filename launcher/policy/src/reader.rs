//! Reading values of a JSON tree, reporting what is wrong with each and carrying on.

use std::path::Path;
use std::sync::Arc;

use jsonc_parser::ast::{ObjectProp, Value};
use jsonc_parser::common::{Range, Ranged};

use crate::diagnostic::{Diagnostic, Fault, nearest};
use crate::source::{Origin, SourceText};

/// Beyond this many problems a report helps nobody.
const MOST_PROBLEMS: usize = 50;

pub(crate) struct Reader<'a> {
    pub(crate) source: &'a Arc<SourceText>,
    /// The folder that relative paths start from.
    pub(crate) folder: &'a Path,
    pub(crate) problems: Vec<Diagnostic>,
}

/// A member of an object whose key is known.
pub(crate) struct Member<'v> {
    pub(crate) key: &'v str,
    pub(crate) key_range: Range,
    pub(crate) value: &'v Value<'v>,
}

impl Reader<'_> {
    pub(crate) fn origin(&self, range: Range) -> Origin {
        self.source.origin(range.start, range.end)
    }

    pub(crate) fn report(&mut self, range: Range, fault: Fault) {
        let origin = self.origin(range);
        self.report_at(origin, fault);
    }

    pub(crate) fn report_at(&mut self, origin: Origin, fault: Fault) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(fault.at(origin));
        }
    }

    pub(crate) fn wrong_type(&mut self, value: &Value<'_>, key: &str, expected: &str) {
        let fault = Fault::new(format!("{key} must be {expected}, not {}", kind(value)));
        self.report(value.range(), fault);
    }

    /// The members of an object with known keys; anything else is reported. `place` names the object for people.
    pub(crate) fn members<'v>(&mut self, value: &'v Value<'v>, place: &str, known: &[&str]) -> Vec<Member<'v>> {
        let Value::Object(object) = value else {
            self.wrong_type(value, place, "an object");
            return Vec::new();
        };
        let mut members: Vec<Member<'v>> = Vec::with_capacity(object.properties.len());
        for property in &object.properties {
            let ObjectProp { name, value, .. } = property;
            let (key, key_range) = (name.as_str(), name.range());
            if !known.contains(&key) {
                self.report(key_range, unknown_key(key, place, known));
            } else if members.iter().any(|member| member.key == key) {
                let fault = Fault::new(format!("the key {key:?} is there twice in {place}"));
                self.report(key_range, fault.with_help("keep one of them"));
            } else {
                members.push(Member { key, key_range, value });
            }
        }
        members
    }

    pub(crate) fn string<'v>(&mut self, value: &'v Value<'v>, key: &str) -> Option<&'v str> {
        let Value::StringLit(text) = value else {
            self.wrong_type(value, key, "a string");
            return None;
        };
        if text.value.contains('\0') {
            self.report(value.range(), Fault::new(format!("{key} contains a NUL character")));
            return None;
        }
        Some(&text.value)
    }

    /// A string that `parse` understands.
    pub(crate) fn parsed<T>(
        &mut self,
        value: &Value<'_>,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<T> {
        let text = self.string(value, key)?;
        parse(text).map_err(|fault| self.report(value.range(), fault)).ok()
    }

    /// A string that is one of `words`.
    pub(crate) fn word<T>(
        &mut self,
        value: &Value<'_>,
        key: &str,
        words: &[&str],
        from: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.parsed(value, key, |text| from(text).ok_or_else(|| unknown_word(text, key, words)))
    }

    pub(crate) fn boolean(&mut self, value: &Value<'_>, key: &str) -> Option<bool> {
        let Value::BooleanLit(literal) = value else {
            self.wrong_type(value, key, "true or false");
            return None;
        };
        Some(literal.value)
    }

    /// A whole number that is not negative.
    pub(crate) fn whole_number(&mut self, value: &Value<'_>, key: &str) -> Option<u64> {
        let Value::NumberLit(literal) = value else {
            self.wrong_type(value, key, "a whole number");
            return None;
        };
        let plain = literal.value.bytes().all(|byte| byte.is_ascii_digit());
        match literal.value.parse() {
            Ok(number) if plain => Some(number),
            _ => {
                let fault = Fault::new(format!("{key} must be a whole number, not {}", literal.value));
                self.report(value.range(), fault);
                None
            }
        }
    }

    pub(crate) fn list<'v>(&mut self, value: &'v Value<'v>, key: &str) -> &'v [Value<'v>] {
        let Value::Array(array) = value else {
            self.wrong_type(value, key, "a list");
            return &[];
        };
        &array.elements
    }
}

fn unknown_key(key: &str, place: &str, known: &[&str]) -> Fault {
    let fault = Fault::new(format!("unknown key {key:?} in {place}"));
    match nearest(key, known.iter().copied()) {
        Some(meant) => fault.with_help(format!("did you mean {meant:?}?")),
        None => fault.with_help(match crate::document::home_of(key) {
            Some(home) => format!("{key:?} belongs in {home:?}"),
            None => format!("the keys here are {}", known.join(", ")),
        }),
    }
}

pub(crate) fn unknown_word(word: &str, key: &str, words: &[&str]) -> Fault {
    let fault = Fault::new(format!("{word:?} is not a value of {key}"));
    match nearest(word, words.iter().copied()) {
        Some(meant) => fault.with_help(format!("did you mean {meant:?}?")),
        None if words.len() == 1 => fault.with_help(format!("the only value is {:?}", words[0])),
        None => fault.with_help(format!("the values are {}", words.join(", "))),
    }
}

fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::StringLit(_) => "a string",
        Value::NumberLit(_) => "a number",
        Value::BooleanLit(literal) if literal.value => "true",
        Value::BooleanLit(_) => "false",
        Value::Object(_) => "an object",
        Value::Array(_) => "a list",
        Value::NullKeyword(_) => "null",
    }
}
