//! Grants, denials and limits given on the command line.

use std::borrow::Cow;
use std::path::PathBuf;

use jsonc_parser::ast::{Array, BooleanLit, NumberLit, StringLit, Value};
use jsonc_parser::common::Range;

use crate::diagnostic::{Diagnostic, Fault, nearest};
use crate::layer::Layer;
use crate::limits::{Limit, Setting};
use crate::permission::{Permission, Side};
use crate::policy::Policy;
use crate::reader::Reader;
use crate::source::{SourceKind, SourceText};
use crate::statements::state;

/// Collects what flags say, into the [`Layer`] that comes last. Relative paths are relative to the working directory.
///
/// ```
/// use policy::{Flags, Permission, Side};
///
/// let mut flags = Flags::new("/project");
/// flags.state(Side::Allow, Permission::Read, Some("./data,/etc/hosts"), "--allow-read=./data,/etc/hosts");
/// flags.state(Side::Deny, Permission::Env, None, "--deny-env");
/// flags.limit("wall=5s,memory=128mb", "--limit wall=5s,memory=128mb");
/// let layer = flags.into_layer().unwrap();
/// assert_eq!(layer.said().limits.values().wall_ms, Some(5000));
/// assert_eq!(
///     layer.said().grants.read.allow[1].statement.to_string(),
///     "allow.read \"/etc/hosts\" (--allow-read=./data,/etc/hosts)",
/// );
/// ```
#[derive(Debug)]
pub struct Flags {
    cwd: PathBuf,
    said: Policy,
    problems: Vec<Diagnostic>,
}

impl Flags {
    /// Without any flag yet.
    pub fn new(cwd: impl Into<PathBuf>) -> Self {
        Self { cwd: cwd.into(), said: Policy::default(), problems: Vec::new() }
    }

    /// A flag that grants or denies a permission: everything, or the comma-separated `values`. `typed` is the whole
    /// flag as the user wrote it.
    pub fn state(&mut self, side: Side, permission: Permission, values: Option<&str>, typed: &str) {
        let (kind, text) = match values {
            None => (SourceKind::Builtin, "true"),
            Some(values) => (SourceKind::Flag, values),
        };
        let source = SourceText::new(typed, kind, text, Some(&self.cwd));
        let mut reader = Reader { source: &source, folder: &self.cwd, problems: Vec::new() };
        let mut fresh = Policy::default();
        state(&mut reader, &mut fresh.grants, permission, side, &flag_value(permission, values));
        self.problems.append(&mut reader.problems);
        self.said.grants.merge(&fresh.grants);
    }

    /// A flag that sets limits: `wall=5s,memory=128mb`.
    pub fn limit(&mut self, settings: &str, typed: &str) {
        let source = SourceText::new(typed, SourceKind::Flag, settings, None);
        for (start, setting) in items(settings) {
            let origin = source.origin(start, start + setting.len());
            match limit(setting) {
                Ok((limit, value)) => self.said.limits.set(limit, Setting { value, origin }),
                Err(fault) => self.problems.push(fault.at(origin)),
            }
        }
    }

    /// The layer that the flags make, or everything that is wrong with them.
    pub fn into_layer(self) -> Result<Layer, Vec<Diagnostic>> {
        if self.problems.is_empty() {
            Ok(Layer { name: "the command line".to_owned(), path: None, extends: None, said: self.said })
        } else {
            Err(self.problems)
        }
    }
}

/// The comma-separated items of a flag, each with where it starts.
fn items(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 0;
    text.split(',').map(move |item| {
        let start = next;
        next += item.len() + 1;
        (start, item)
    })
}

/// The value of a flag as the JSON that would say the same in a file.
fn flag_value(permission: Permission, values: Option<&str>) -> Value<'_> {
    let Some(values) = values else {
        return Value::BooleanLit(BooleanLit { range: Range::new(0, "true".len()), value: true });
    };
    let range = Range::new(0, values.len());
    let single = matches!(permission, Permission::Workers | Permission::Eval | Permission::Wasm);
    match values {
        "true" | "false" if single => Value::BooleanLit(BooleanLit { range, value: values == "true" }),
        _ if single && values.starts_with(|c: char| c.is_ascii_digit()) => {
            Value::NumberLit(NumberLit { range, value: values })
        }
        _ if single => Value::StringLit(StringLit { range, value: Cow::Borrowed(values) }),
        _ => {
            let element = |(start, item): (usize, &str)| {
                let range = Range::new(start, start + item.len());
                Value::StringLit(StringLit { range, value: Cow::Owned(item.to_owned()) })
            };
            Value::Array(Array { range, elements: items(values).map(element).collect() })
        }
    }
}

/// What a limit counts.
#[derive(Clone, Copy)]
enum Unit {
    Millisecond,
    Kilobyte,
    Megabyte,
    One,
}

impl Unit {
    fn of(limit: Limit) -> Self {
        match limit {
            Limit::Wall | Limit::Cpu => Self::Millisecond,
            Limit::Stack | Limit::Output => Self::Kilobyte,
            Limit::Memory | Limit::Tmp | Limit::File => Self::Megabyte,
            Limit::Processes | Limit::Threads | Limit::OpenFiles => Self::One,
        }
    }

    /// How many of this unit one `suffix` is, as a fraction.
    fn per(self, suffix: &str) -> Option<(u64, u64)> {
        Some(match (self, suffix) {
            (Self::Millisecond, "ms") | (Self::Kilobyte, "kb") | (Self::Megabyte, "mb") | (Self::One, "") => (1, 1),
            (Self::Millisecond, "s") => (1000, 1),
            (Self::Millisecond, "m" | "min") => (60 * 1000, 1),
            (Self::Millisecond, "h") => (60 * 60 * 1000, 1),
            (Self::Kilobyte, "mb") | (Self::Megabyte, "gb") => (1024, 1),
            (Self::Kilobyte, "gb") => (1024 * 1024, 1),
            (Self::Megabyte, "kb") => (1, 1024),
            _ => return None,
        })
    }

    const fn example(self) -> &'static str {
        match self {
            Self::Millisecond => "500ms, 5s or 2m",
            Self::Kilobyte | Self::Megabyte => "512kb, 64mb or 2gb",
            Self::One => "a number without a unit",
        }
    }
}

/// The name of a limit on the command line: its key without the unit.
fn short_name(limit: Limit) -> &'static str {
    let name = limit.name();
    match name.rsplit_once('_') {
        Some((short, "ms" | "mb" | "kb")) => short,
        _ => name,
    }
}

fn limit(setting: &str) -> Result<(Limit, u64), Fault> {
    let Some((name, value)) = setting.split_once('=') else {
        return Err(Fault::new(format!("{setting:?} is not a limit")).with_help("write wall=5s,memory=128mb"));
    };
    let plain = name.replace('-', "_");
    let Some(limit) = Limit::ALL.into_iter().find(|limit| short_name(*limit) == plain) else {
        let names = Limit::ALL.map(short_name);
        let fault = Fault::new(format!("there is no limit {name:?}"));
        return Err(match nearest(&plain, names) {
            Some(meant) => fault.with_help(format!("did you mean {meant}?")),
            None => fault.with_help(format!("the limits are {}", names.join(", "))),
        });
    };
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, suffix) = value.split_at(digits);
    let unit = Unit::of(limit);
    let per = unit.per(&suffix.to_ascii_lowercase());
    let (Ok(number), Some((times, over))) = (number.parse::<u64>(), per) else {
        return Err(
            Fault::new(format!("{value:?} is not a value of {name}")).with_help(format!("write {}", unit.example()))
        );
    };
    match number.checked_mul(times) {
        Some(product) if product % over == 0 => {
            let value = product / over;
            limit.objection(value).map_or(Ok((limit, value)), |objection| Err(Fault::new(objection)))
        }
        _ => Err(Fault::new(format!("{value:?} is not a whole number of units of limits.{}", limit.name()))),
    }
}
