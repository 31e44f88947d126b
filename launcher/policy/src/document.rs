//! The whole document: from JSON text to what it says.

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::tokens::TokenAndRange;
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, parse_to_ast};

use crate::diagnostic::{Diagnostic, Fault};
use crate::layer::{Extends, Layer};
use crate::limits::{Limit, Setting};
use crate::permission::Permission;
use crate::policy::Policy;
use crate::reader::{Member, Reader};
use crate::settings::{Audit, Freeze, Namespace, Protection, Require};
use crate::source::{Source, SourceText};
use crate::statements::Statements;

pub(crate) const TOP_KEYS: &[&str] =
    &["$schema", "version", "extends", "allow", "deny", "kernel", "limits", "js", "trust"];
pub(crate) const PERMISSION_KEYS: &[&str] = &[
    "read", "write", "import", "net", "listen", "fetch", "env", "run", "exec", "sys", "workers", "ffi", "eval", "wasm",
    "host", "secrets",
];
pub(crate) const KERNEL_KEYS: &[&str] = &["namespaces", "seccomp", "landlock", "require", "audit"];
pub(crate) const JS_KEYS: &[&str] = &["freeze", "globals", "jit", "codegen"];
pub(crate) const TRUST_KEYS: &[&str] = &["signers", "required"];
const MOST_SIGNERS: usize = 64;

pub(crate) fn limit_keys() -> [&'static str; Limit::ALL.len()] {
    Limit::ALL.map(Limit::name)
}

/// The object that a key belongs in, if it is one of the keys of a policy.
pub(crate) fn home_of(key: &str) -> Option<&'static str> {
    [
        ("allow", PERMISSION_KEYS),
        ("limits", &limit_keys()),
        ("kernel", KERNEL_KEYS),
        ("js", JS_KEYS),
        ("trust", TRUST_KEYS),
    ]
    .into_iter()
    .find(|(_, keys)| keys.contains(&key))
    .map(|(home, _)| home)
}

/// Reads the text of a policy file. All its problems are reported, not only the first.
pub(crate) fn read(source: &Source, bytes: &[u8]) -> Result<Layer, Vec<Diagnostic>> {
    let text = source.text(bytes).map_err(|problem| vec![problem])?;
    read_text(&text, source)
}

/// Reads the policy under `key` of a JSON text.
pub(crate) fn read_member(source: &Source, bytes: &[u8], key: &str) -> Result<Option<Layer>, Vec<Diagnostic>> {
    let text = source.text(bytes).map_err(|problem| vec![problem])?;
    let tree = parse(&text)?;
    let Some(Value::Object(object)) = &tree else { return Ok(None) };
    let found = object.properties.iter().find(|property| property.name.as_str() == key);
    found.map(|property| read_value(&text, source, &property.value)).transpose()
}

pub(crate) fn read_text(text: &Arc<SourceText>, source: &Source) -> Result<Layer, Vec<Diagnostic>> {
    let Some(value) = parse(text)? else {
        return Err(vec![
            Fault::new("the policy is empty").with_help("the smallest policy is {}").at(text.origin(0, 0)),
        ]);
    };
    read_value(text, source, &value)
}

fn parse(text: &Arc<SourceText>) -> Result<Option<Value<'_>>, Vec<Diagnostic>> {
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    // Which white space stands between the words of a text is only of interest where there is an unusual one.
    let unusual = text.text.contains(is_foreign_space);
    let comments = if unusual { CommentCollectionStrategy::AsTokens } else { CommentCollectionStrategy::Off };
    let tree = parse_to_ast(&text.text, &CollectOptions { comments, tokens: unusual }, &options).map_err(|error| {
        let range = error.range();
        vec![syntax_fault(error.kind()).at(text.origin(range.start, range.end))]
    })?;
    match tree.tokens.and_then(|tokens| foreign_space(&text.text, &tokens)) {
        None => Ok(tree.value),
        Some((start, space)) => {
            let fault = Fault::new(format!("this is not JSON: {} is no white space", space.escape_unicode()));
            let fault = fault.with_help("write a space instead");
            Err(vec![fault.at(text.origin(start, start + space.len_utf8()))])
        }
    }
}

/// White space that the parser passes over and JSON does not know.
fn is_foreign_space(space: char) -> bool {
    space.is_whitespace() && !matches!(space, ' ' | '\t' | '\n' | '\r')
}

/// The first such space between `tokens`, comments among them, and its place.
fn foreign_space(text: &str, tokens: &[TokenAndRange<'_>]) -> Option<(usize, char)> {
    let ends = std::iter::once(0).chain(tokens.iter().map(|token| token.range.end));
    let starts = tokens.iter().map(|token| token.range.start).chain([text.len()]);
    ends.zip(starts).find_map(|(start, end)| {
        let (at, space) = text.get(start..end)?.char_indices().find(|(_, letter)| is_foreign_space(*letter))?;
        Some((start + at, space))
    })
}

fn read_value(text: &Arc<SourceText>, source: &Source, value: &Value<'_>) -> Result<Layer, Vec<Diagnostic>> {
    let mut document = Document {
        reader: Reader { source: text, folder: source.folder(), problems: Vec::new() },
        said: Policy::default(),
    };
    let extends = document.read(value);
    let Document { mut reader, said } = document;
    reader.problems.sort_by_key(|problem| problem.origin().span().start);
    if reader.problems.is_empty() {
        Ok(Layer { name: source.name().to_owned(), path: Some(source.path().to_owned()), extends, said })
    } else {
        Err(reader.problems)
    }
}

fn syntax_fault(kind: &ParseErrorKind) -> Fault {
    let said = kind.to_string();
    let mut letters = said.chars();
    let message = letters.next().map(|first| first.to_lowercase().chain(letters).collect::<String>());
    Fault::new(format!("this is not JSON: {}", message.unwrap_or_default()))
}

struct Document<'a> {
    reader: Reader<'a>,
    said: Policy,
}

impl Document<'_> {
    fn read(&mut self, value: &Value<'_>) -> Option<Extends> {
        let known: Vec<&str> = TOP_KEYS.iter().chain(PERMISSION_KEYS).copied().collect();
        let mut extends = None;
        let mut statements = Statements::default();
        for Member { key, key_range, value } in self.reader.members(value, "the policy", &known) {
            match key {
                "$schema" => {
                    self.reader.string(value, "$schema");
                }
                "version" => self.version(value),
                "extends" => extends = self.extends(value),
                "allow" | "deny" => statements.long_form(&mut self.reader, &mut self.said.grants, key, value),
                "kernel" => self.kernel(value),
                "limits" => self.limits(value),
                "js" => self.js(value),
                "trust" => self.trust(value),
                _ => {
                    if let Some(permission) = Permission::from_name(key) {
                        statements.short_form(&mut self.reader, &mut self.said.grants, permission, key_range, value);
                    }
                }
            }
        }
        self.contradictions();
        extends
    }

    fn version(&mut self, value: &Value<'_>) {
        if self.reader.whole_number(value, "version").is_some_and(|version| version != 1) {
            let fault = Fault::new("this version of the policy format is not known").with_help("write \"version\": 1");
            self.reader.report(value.range(), fault);
        }
    }

    fn extends(&mut self, value: &Value<'_>) -> Option<Extends> {
        let target = self.reader.string(value, "extends")?;
        let origin = self.reader.origin(value.range());
        let folder = self.reader.folder;
        Extends::parse(target, folder, origin).map_err(|fault| self.reader.report(value.range(), fault)).ok()
    }

    fn kernel(&mut self, value: &Value<'_>) {
        for Member { key, value, .. } in self.reader.members(value, "kernel", KERNEL_KEYS) {
            let origin = self.reader.origin(value.range());
            match key {
                "namespaces" => {
                    let words: Vec<&str> = Namespace::ALL.iter().map(|namespace| namespace.name()).collect();
                    for item in self.reader.list(value, "kernel.namespaces") {
                        let namespace = self.reader.word(item, "kernel.namespaces", &words, Namespace::from_name);
                        let origin = self.reader.origin(item.range());
                        self.said.kernel.namespaces.extend(namespace.map(|value| Setting { value, origin }));
                    }
                }
                "seccomp" => {
                    self.reader.word(value, "kernel.seccomp", &["default-deny"], |word| {
                        (word == "default-deny").then_some(())
                    });
                }
                "landlock" => {
                    if self.reader.boolean(value, "kernel.landlock") == Some(false) {
                        let fault = Fault::new("kernel.landlock cannot be switched off").with_help(
                            "to run where the host lacks Landlock, list the other layers in kernel.require and leave it out",
                        );
                        self.reader.report(value.range(), fault);
                    }
                }
                "require" => {
                    let require = self.require(value);
                    self.said.kernel.require = require.map(|value| Setting { value, origin });
                }
                _ => {
                    let words: Vec<&str> = Audit::ALL.iter().map(|audit| audit.name()).collect();
                    let audit = self.reader.word(value, "kernel.audit", &words, Audit::from_name);
                    self.said.kernel.audit = audit.map(|value| Setting { value, origin });
                }
            }
        }
    }

    fn require(&mut self, value: &Value<'_>) -> Option<Require> {
        let words: Vec<&str> = Protection::ALL.iter().map(|protection| protection.name()).collect();
        if let Value::Array(array) = value {
            let listed = array
                .elements
                .iter()
                .filter_map(|item| self.reader.word(item, "kernel.require", &words, Protection::from_name));
            return Some(Require::Listed(listed.collect()));
        }
        let Value::StringLit(_) = value else {
            self.reader.wrong_type(value, "kernel.require", "\"all\" or a list of layers");
            return None;
        };
        self.reader.word(value, "kernel.require", &["all"], |word| (word == "all").then_some(Require::All))
    }

    fn limits(&mut self, value: &Value<'_>) {
        for Member { key, value, .. } in self.reader.members(value, "limits", &limit_keys()) {
            let Some(limit) = Limit::ALL.into_iter().find(|limit| limit.name() == key) else { continue };
            let Some(number) = self.reader.whole_number(value, &format!("limits.{key}")) else { continue };
            if let Some(objection) = limit.objection(number) {
                let fault = Fault::new(objection).with_help("leave the key out for no limit");
                self.reader.report(value.range(), fault);
                continue;
            }
            let origin = self.reader.origin(value.range());
            self.said.limits.set(limit, Setting { value: number, origin });
        }
    }

    fn js(&mut self, value: &Value<'_>) {
        for Member { key, value, .. } in self.reader.members(value, "js", JS_KEYS) {
            let origin = self.reader.origin(value.range());
            match key {
                "freeze" => {
                    let words: Vec<&str> = Freeze::ALL.iter().map(|freeze| freeze.name()).collect();
                    let freeze = self.reader.word(value, "js.freeze", &words, Freeze::from_name);
                    self.said.js.freeze = freeze.map(|value| Setting { value, origin });
                }
                "globals" => {
                    self.reader.word(value, "js.globals", &["default"], |word| (word == "default").then_some(()));
                }
                "jit" => {
                    let jit = self.reader.boolean(value, "js.jit");
                    self.said.js.jit = jit.map(|value| Setting { value, origin });
                }
                _ => {
                    let codegen = self.reader.boolean(value, "js.codegen");
                    self.said.js.codegen = codegen.map(|value| Setting { value, origin });
                }
            }
        }
    }

    fn trust(&mut self, value: &Value<'_>) {
        for Member { key, value, .. } in self.reader.members(value, "trust", TRUST_KEYS) {
            let origin = self.reader.origin(value.range());
            if key == "required" {
                let required = self.reader.boolean(value, "trust.required");
                self.said.trust.required = required.map(|value| Setting { value, origin });
                continue;
            }
            let list = self.reader.list(value, "trust.signers");
            if list.len() > MOST_SIGNERS {
                self.reader
                    .report(value.range(), Fault::new(format!("trust.signers has more than {MOST_SIGNERS} keys")));
            }
            for item in list {
                let signer = self.reader.string(item, "trust.signers").map(str::to_owned);
                let origin = self.reader.origin(item.range());
                self.said.trust.signers.extend(signer.map(|value| Setting { value, origin }));
            }
        }
    }

    /// Statements of one file that cannot both be meant.
    fn contradictions(&mut self) {
        let mut found: BTreeMap<usize, Diagnostic> = BTreeMap::new();
        for (useless, denial) in self.said.grants.useless() {
            let message = format!("{useless} grants nothing: {denial} denies it, and denying wins");
            let problem = Diagnostic::error(useless.origin.clone(), message).with_help("remove one of the two");
            found.entry(useless.origin.span().start).or_insert(problem);
        }
        let says = &self.said;
        if let (Some(codegen), Some(eval)) = (&says.js.codegen, &says.grants.eval.allow)
            && !codegen.value
            && eval.value
        {
            let message = format!("js.codegen false denies what {} grants", eval.statement);
            found.insert(
                codegen.origin.span().start,
                Diagnostic::error(codegen.origin.clone(), message).with_help("remove one of the two"),
            );
        }
        if let (Some(jit), Some(ffi)) = (&says.js.jit, says.grants.ffi.allow.first())
            && !jit.value
        {
            let message = format!("js.jit false makes native calls impossible, but {} grants them", ffi.statement);
            found.insert(
                jit.origin.span().start,
                Diagnostic::error(jit.origin.clone(), message).with_help("remove one of the two"),
            );
        }
        self.reader.problems.extend(found.into_values());
    }
}
