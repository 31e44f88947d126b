//! The statements of a document about permissions, in their long and short forms.

use std::collections::BTreeMap;

use jsonc_parser::ast::Value;
use jsonc_parser::common::{Range, Ranged};

use crate::diagnostic::Fault;
use crate::fetch::{DEFAULT_METHODS, FetchRule, Redirect};
use crate::glob::Glob;
use crate::grants::{Entry, Grants, Rules, SYS_NAMES, Statement, Switch};
use crate::net::NetRule;
use crate::path::SymbolicPath;
use crate::permission::{Permission, Side};
use crate::program::{LibraryRule, ProgramRule};
use crate::reader::{Member, Reader, unknown_word};
use crate::source::Origin;

/// A body of 1 TB is as good as one without a limit.
const MOST_BODY_KB: u64 = 1 << 30;

/// More workers than this is no limit worth the name.
const MOST_WORKERS: u64 = 1024;

/// What was stated so far, to find a permission that is stated both in the long and in the short form.
#[derive(Default)]
pub(crate) struct Statements {
    stated: Vec<(Permission, Side, Origin)>,
}

impl Statements {
    /// The `allow` or `deny` object of a document.
    pub(crate) fn long_form(
        &mut self,
        reader: &mut Reader<'_>,
        grants: &mut Grants<SymbolicPath>,
        side: &str,
        value: &Value<'_>,
    ) {
        let known = crate::document::PERMISSION_KEYS;
        let side_read = if side == "allow" { Side::Allow } else { Side::Deny };
        for Member { key, key_range, value } in reader.members(value, side, known) {
            let Some(permission) = Permission::from_name(key) else { continue };
            if self.first(reader, permission, side_read, key_range) {
                state(reader, grants, permission, side_read, value);
            }
        }
    }

    /// A permission at the top of a document: what is granted, or `{ "allow": …, "deny": … }`.
    pub(crate) fn short_form(
        &mut self,
        reader: &mut Reader<'_>,
        grants: &mut Grants<SymbolicPath>,
        permission: Permission,
        key_range: Range,
        value: &Value<'_>,
    ) {
        let is_rule = permission == Permission::Fetch
            && matches!(value, Value::Object(object) if object.properties.iter().any(|property| property.name.as_str() == "url"));
        if is_rule || !matches!(value, Value::Object(_)) {
            if self.first(reader, permission, Side::Allow, key_range) {
                state(reader, grants, permission, Side::Allow, value);
            }
            return;
        }
        for Member { key, key_range, value } in reader.members(value, permission.name(), &["allow", "deny"]) {
            let side = if key == "allow" { Side::Allow } else { Side::Deny };
            if self.first(reader, permission, side, key_range) {
                state(reader, grants, permission, side, value);
            }
        }
    }

    /// Whether this is the first statement of its kind; a second one is reported.
    fn first(&mut self, reader: &mut Reader<'_>, permission: Permission, side: Side, key_range: Range) -> bool {
        let key = format_args!("{}.{permission}", side.name()).to_string();
        if let Some((_, _, earlier)) = self.stated.iter().find(|(p, s, _)| (*p, *s) == (permission, side)) {
            let fault =
                Fault::new(format!("{key} is stated twice: here and at {earlier}")).with_help("keep one of them");
            reader.report(key_range, fault);
            return false;
        }
        self.stated.push((permission, side, reader.origin(key_range)));
        true
    }
}

/// Reads the value of one permission on one side.
pub(crate) fn state(
    reader: &mut Reader<'_>,
    grants: &mut Grants<SymbolicPath>,
    permission: Permission,
    side: Side,
    value: &Value<'_>,
) {
    let mut list = List { reader, permission, side, value };
    let folder = list.reader.folder;
    let path = |text: &str| SymbolicPath::parse(text, folder);
    let root = || SymbolicPath::Literal("/".into());
    let all_names = || Glob::new(Glob::EVERYTHING);
    match permission {
        Permission::Read => list.read(&mut grants.read, Some(root()), |list, item| list.text(item, path)),
        Permission::Write => list.read(&mut grants.write, Some(root()), |list, item| list.text(item, path)),
        Permission::Import => {
            let everything = (side == Side::Deny).then(root);
            list.read(&mut grants.import, everything, |list, item| list.text(item, path));
        }
        Permission::Net => list.read(&mut grants.net, Some(NetRule::any(permission, side)), List::net),
        Permission::Listen => list.read(&mut grants.listen, Some(NetRule::any(permission, side)), List::net),
        Permission::Fetch => list.read(&mut grants.fetch, Some(FetchRule::ANY), List::fetch),
        Permission::Env => {
            list.read(&mut grants.env, Some(all_names()), |list, item| list.text(item, Glob::parse_name));
        }
        Permission::Run => list.read(&mut grants.run, Some(ProgramRule::Any), |list, item| {
            list.text(item, |text| ProgramRule::parse(text, folder))
        }),
        Permission::Sys => list.read(&mut grants.sys, Some(all_names()), |list, item| list.text(item, sys_name)),
        Permission::Workers => list.workers(&mut grants.workers),
        Permission::Ffi => list.read(&mut grants.ffi, Some(LibraryRule::Any), |list, item| {
            list.text(item, |text| path(text).map(LibraryRule::Path))
        }),
        Permission::Eval => list.switch(&mut grants.eval),
        Permission::Wasm => list.switch(&mut grants.wasm),
        Permission::Host => {
            list.read(&mut grants.host, Some(all_names()), |list, item| list.text(item, Glob::parse_name));
        }
        Permission::Secrets => {
            list.read(&mut grants.secrets, Some(all_names()), |list, item| list.text(item, Glob::parse_name));
        }
    }
}

/// A fact of [`SYS_NAMES`].
pub(crate) fn sys_name(text: &str) -> Result<Glob, Fault> {
    if SYS_NAMES.contains(&text) { Ok(Glob::new(text)) } else { Err(unknown_word(text, "sys", SYS_NAMES)) }
}

/// The value of one permission on one side, being read.
struct List<'r, 'a, 'v> {
    reader: &'r mut Reader<'a>,
    permission: Permission,
    side: Side,
    value: &'v Value<'v>,
}

impl<'v> List<'_, '_, 'v> {
    fn key(&self) -> String {
        format!("{}.{}", self.side.name(), self.permission)
    }

    fn statement(&self, range: Range) -> Statement {
        Statement { permission: self.permission, side: self.side, origin: self.reader.origin(range) }
    }

    /// `true`, `false`, one item, or a list of items.
    fn read<T>(
        &mut self,
        rules: &mut Rules<T>,
        everything: Option<T>,
        item: impl Fn(&mut Self, &'v Value<'v>) -> Option<T>,
    ) {
        let mut entries: Vec<Entry<T>> = Vec::new();
        match self.value {
            Value::BooleanLit(literal) if literal.value => {
                if let Some(value) = everything {
                    entries.push(Entry { value, statement: self.statement(self.value.range()) });
                } else {
                    let fault = Fault::new(format!("{} cannot be true", self.key()));
                    let help = "list folders: [\"${PROJECT}\"] is the default";
                    self.reader.report(self.value.range(), fault.with_help(help));
                }
            }
            Value::BooleanLit(_) => rules.revoked |= self.side == Side::Allow,
            Value::Array(array) => {
                for element in &array.elements {
                    let value = item(self, element);
                    let statement = self.statement(telling_range(element));
                    entries.extend(value.map(|value| Entry { value, statement }));
                }
            }
            single => {
                let value = item(self, single);
                let statement = self.statement(telling_range(single));
                entries.extend(value.map(|value| Entry { value, statement }));
            }
        }
        match self.side {
            Side::Allow => {
                rules.stated = true;
                rules.allow = entries;
            }
            Side::Deny => rules.deny = entries,
        }
    }

    fn text<T>(&mut self, item: &Value<'_>, parse: impl FnOnce(&str) -> Result<T, Fault>) -> Option<T> {
        let key = self.key();
        if !matches!(item, Value::StringLit(_)) {
            self.reader.wrong_type(item, &key, "true, false, a string or a list of strings");
            return None;
        }
        self.reader.parsed(item, &key, parse)
    }

    fn net(&mut self, item: &'v Value<'v>) -> Option<NetRule> {
        let (permission, side) = (self.permission, self.side);
        if permission == Permission::Listen && matches!(item, Value::NumberLit(_)) {
            let port = self.reader.whole_number(item, &self.key())?;
            let Ok(port) = u16::try_from(port) else {
                self.reader.report(item.range(), Fault::new(format!("{port} is not a port: the highest is 65535")));
                return None;
            };
            return Some(NetRule::port(port));
        }
        if permission == Permission::Net && matches!(item, Value::NumberLit(_)) {
            let fault = Fault::new("allow.net needs a host besides the port").with_help("write \"example.com:443\"");
            self.reader.report(item.range(), fault);
            return None;
        }
        self.text(item, |text| NetRule::parse(text, permission, side))
    }

    fn fetch(&mut self, item: &'v Value<'v>) -> Option<FetchRule> {
        let (key, side) = (self.key(), self.side);
        if !matches!(item, Value::Object(_)) {
            return self.text(item, |text| FetchRule::parse(text, side));
        }
        let mut rule = None;
        let mut methods = None;
        let mut headers = BTreeMap::new();
        let (mut redirect, mut max_request_kb, mut max_response_kb) = (None, None, None);
        let names: &[&str] = match side {
            Side::Allow => &["url", "methods", "headers", "redirect", "max_request_kb", "max_response_kb"],
            Side::Deny => &["url", "methods"],
        };
        for Member { key: field, value, .. } in self.reader.members(item, &key, names) {
            let place = format!("{key}.{field}");
            match field {
                "url" => rule = self.reader.parsed(value, &place, |text| FetchRule::parse(text, side)),
                "methods" => {
                    let list = self.reader.list(value, &place);
                    let words = list.iter().filter_map(|item| self.reader.parsed(item, &place, method));
                    methods = Some(words.collect());
                }
                "redirect" => {
                    let words = Redirect::ALL.map(Redirect::name);
                    redirect = self.reader.word(value, &place, &words, Redirect::from_name);
                }
                "max_request_kb" => max_request_kb = self.body_limit(value, &place),
                "max_response_kb" => max_response_kb = self.body_limit(value, &place),
                _ => headers = self.headers(value, &place),
            }
        }
        if !matches!(item, Value::Object(object) if object.properties.iter().any(|property| property.name.as_str() == "url"))
        {
            self.reader.report(item.range(), Fault::new(format!("{key} needs a url")));
        }
        let rule = rule?;
        let methods = methods.or(rule.methods);
        Some(FetchRule { url: rule.url, methods, headers, redirect, max_request_kb, max_response_kb })
    }

    fn body_limit(&mut self, value: &'v Value<'v>, place: &str) -> Option<u64> {
        let number = self.reader.whole_number(value, place)?;
        if number > MOST_BODY_KB {
            self.reader.report(value.range(), Fault::new(format!("{place} must be from 0 to {MOST_BODY_KB}")));
        }
        Some(number)
    }

    fn headers(&mut self, value: &'v Value<'v>, place: &str) -> BTreeMap<String, String> {
        let Value::Object(object) = value else {
            self.reader.wrong_type(value, place, "an object of strings");
            return BTreeMap::new();
        };
        let mut headers = BTreeMap::new();
        for property in &object.properties {
            let name = property.name.as_str().to_ascii_lowercase();
            let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if name.is_empty() || !name.bytes().all(token) {
                self.reader.report(property.name.range(), Fault::new(format!("{name:?} is not the name of a header")));
            } else if is_framing(&name) {
                let fault = Fault::new(format!("the launcher sets the header {name:?} itself"));
                self.reader.report(property.name.range(), fault.with_help("remove it"));
            } else if let Some(text) = self.reader.parsed(&property.value, place, header_value)
                && headers.insert(name, text).is_some()
            {
                self.reader.report(property.name.range(), Fault::new("this header is there twice"));
            }
        }
        headers
    }

    fn workers(&mut self, switch: &mut Switch<u32>) {
        if self.side == Side::Deny {
            return self.deny_switch(&mut switch.deny);
        }
        let count = match self.value {
            Value::BooleanLit(literal) => Some(if literal.value { u32::MAX } else { 0 }),
            Value::NumberLit(_) => self.reader.whole_number(self.value, &self.key()).and_then(|number| {
                let count = u32::try_from(number).ok().filter(|_| number <= MOST_WORKERS);
                if count.is_none() {
                    let fault = Fault::new(format!("allow.workers must be from 0 to {MOST_WORKERS}"));
                    self.reader.report(self.value.range(), fault.with_help("true stands for any number"));
                }
                count
            }),
            other => {
                self.reader.wrong_type(other, "allow.workers", "true, false or a number");
                None
            }
        };
        let statement = self.statement(self.value.range());
        switch.allow = count.map(|value| Entry { value, statement });
    }

    fn switch(&mut self, switch: &mut Switch<bool>) {
        if self.side == Side::Deny {
            return self.deny_switch(&mut switch.deny);
        }
        let value = self.reader.boolean(self.value, &self.key());
        let statement = self.statement(self.value.range());
        switch.allow = value.map(|value| Entry { value, statement });
    }

    fn deny_switch(&mut self, deny: &mut Option<Statement>) {
        let denied = self.reader.boolean(self.value, &self.key()) == Some(true);
        *deny = denied.then(|| self.statement(self.value.range()));
    }
}

/// The part of a value that people know it by: of a rule with several members, its URL.
fn telling_range(value: &Value<'_>) -> Range {
    match value {
        Value::Object(object) => {
            let mut members = object.properties.iter();
            members.find(|member| member.name.as_str() == "url").map_or(object.range, |url| url.value.range())
        }
        other => other.range(),
    }
}

fn method(text: &str) -> Result<String, Fault> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-') {
        return Err(
            Fault::new(format!("{text:?} is not a method")).with_help(format!("write {}", DEFAULT_METHODS.join(", ")))
        );
    }
    Ok(text.to_ascii_uppercase())
}

/// Whether a header says where a request goes, or how it is transmitted.
fn is_framing(name: &str) -> bool {
    const FRAMING: [&str; 10] = [
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-encoding",
    ];
    FRAMING.contains(&name) || name.starts_with("proxy-") || name.starts_with("x-secure-bun-")
}

/// Text in which every `${secret:NAME}` is well-formed.
fn header_value(text: &str) -> Result<String, Fault> {
    if text.chars().any(char::is_control) {
        return Err(Fault::new("a header cannot contain control characters"));
    }
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("${") {
        let name = after.split_once('}').and_then(|(name, later)| {
            rest = later;
            name.strip_prefix("secret:")
        });
        let word =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !name.is_some_and(word) {
            return Err(Fault::new("only secrets can stand in a header").with_help("write ${secret:NAME}"));
        }
    }
    Ok(text.to_owned())
}
