//! What the names of a file stand for: modules, their members, and constants.

use std::collections::{HashMap, HashSet};

use oxc_ast::ast::{
    BindingPattern, Expression, Function, ImportDeclaration, ImportDeclarationSpecifier, VariableDeclarationKind,
    VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_syntax::scope::ScopeFlags;

use crate::Resource;
use crate::values::{self, literal};

/// Names that matter have fewer parts; a chain of a thousand members is looked at once for each of them.
const MOST_PARTS: usize = 8;

/// What the names of a file stand for. Scopes are not told apart: a name that is used twice can only make the survey
/// list too much, which its reader sees.
#[derive(Default)]
pub(crate) struct Names {
    /// Full names by local ones: `fs` is `node:fs`, `read` is `node:fs.readFile`.
    known: HashMap<String, String>,
    /// Constants whose value stands in the text; `None` where two of a name differ.
    constants: HashMap<String, Option<Resource>>,
    functions: HashSet<String>,
}

/// A builtin module under its one name, or `None` for any other module.
pub(crate) fn builtin(specifier: &str) -> Option<String> {
    const MODULES: [&str; 13] = [
        "child_process",
        "fs",
        "http",
        "http2",
        "https",
        "net",
        "os",
        "path",
        "sqlite",
        "tls",
        "url",
        "vm",
        "worker_threads",
    ];
    let plain = specifier.strip_prefix("node:").unwrap_or(specifier);
    match plain {
        "fs/promises" => Some("node:fs".to_owned()),
        "path/posix" => Some("node:path".to_owned()),
        "process" => Some("process".to_owned()),
        "bun" => Some("Bun".to_owned()),
        "bun:ffi" | "bun:sqlite" => Some(plain.to_owned()),
        module if MODULES.contains(&module) => Some(format!("node:{module}")),
        _ => None,
    }
}

impl Names {
    /// The full name of an expression such as `fs.promises.readFile`: `node:fs.readFile`.
    pub(crate) fn full(&self, expression: &Expression<'_>) -> Option<String> {
        self.full_within(expression, MOST_PARTS)
    }

    fn full_within(&self, expression: &Expression<'_>, parts: usize) -> Option<String> {
        let parts = parts.checked_sub(1)?;
        match expression.get_inner_expression() {
            Expression::Identifier(name) => {
                Some(self.known.get(name.name.as_str()).cloned().unwrap_or_else(|| name.name.to_string()))
            }
            Expression::StaticMemberExpression(member) => {
                Some(joined(self.full_within(&member.object, parts)?, &member.property.name))
            }
            Expression::ComputedMemberExpression(member) => {
                Some(joined(self.full_within(&member.object, parts)?, &literal(&member.expression)?))
            }
            Expression::MetaProperty(_) => Some("import.meta".to_owned()),
            Expression::ChainExpression(chain) => {
                let member = chain.expression.as_member_expression()?;
                Some(joined(self.full_within(member.object(), parts)?, member.static_property_name()?))
            }
            Expression::AwaitExpression(awaited) => match awaited.argument.get_inner_expression() {
                Expression::ImportExpression(import) => builtin(&literal(&import.source)?),
                _ => None,
            },
            Expression::CallExpression(call) => {
                let is_require = call.callee.is_specific_id("require");
                let specifier = call.arguments.first()?.as_expression().and_then(literal)?;
                is_require.then(|| builtin(&specifier)).flatten()
            }
            _ => None,
        }
    }

    pub(crate) fn member(&self, object: &Expression<'_>, property: &str) -> Option<String> {
        Some(joined(self.full(object)?, property))
    }

    /// The value of a constant.
    pub(crate) fn constant(&self, name: &str) -> Option<&Resource> {
        self.constants.get(name)?.as_ref()
    }

    /// Whether a function has this name.
    pub(crate) fn is_function(&self, name: &str) -> bool {
        self.functions.contains(name)
    }

    fn bind(&mut self, pattern: &BindingPattern<'_>, full: &str) {
        match pattern {
            BindingPattern::BindingIdentifier(name) => {
                self.known.insert(name.name.to_string(), full.to_owned());
            }
            BindingPattern::ObjectPattern(pattern) => {
                for property in &pattern.properties {
                    if let Some(key) = property.key.static_name() {
                        let is_same = (full == "node:fs" && key == "promises") || key == "default";
                        let member = if is_same { full.to_owned() } else { format!("{full}.{key}") };
                        self.bind(&property.value, &member);
                    }
                }
            }
            BindingPattern::AssignmentPattern(pattern) => self.bind(&pattern.left, full),
            BindingPattern::ArrayPattern(_) => {}
        }
    }
}

/// The full name of a member.
fn joined(object: String, property: &str) -> String {
    match (object.as_str(), property) {
        ("globalThis" | "global" | "window" | "self", property) => property.to_owned(),
        (module, "default") if module.contains(':') || module == "Bun" => module.to_owned(),
        ("node:fs", "promises") => object,
        _ => format!("{object}.{property}"),
    }
}

/// Whether a full name leads somewhere that permissions guard.
fn is_interesting(full: &str) -> bool {
    full.contains(':')
        || ["Bun", "process", "import.meta"].iter().any(|root| full == *root || full.starts_with(&format!("{root}.")))
}

impl<'a> Visit<'a> for Names {
    fn visit_import_declaration(&mut self, import: &ImportDeclaration<'a>) {
        let Some(module) = builtin(&import.source.value) else { return };
        for specifier in import.specifiers.iter().flatten() {
            let (local, full) = match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(named) => {
                    let name = named.imported.name();
                    let is_module = name == "default" || (module == "node:fs" && name == "promises");
                    (&named.local, if is_module { module.clone() } else { format!("{module}.{name}") })
                }
                ImportDeclarationSpecifier::ImportDefaultSpecifier(named) => (&named.local, module.clone()),
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(named) => (&named.local, module.clone()),
            };
            self.known.insert(local.name.to_string(), full);
        }
    }

    fn visit_function(&mut self, function: &Function<'a>, flags: ScopeFlags) {
        self.functions.extend(function.id.iter().map(|name| name.name.to_string()));
        walk::walk_function(self, function, flags);
    }

    fn visit_variable_declarator(&mut self, declared: &VariableDeclarator<'a>) {
        if let Some(value) = &declared.init {
            if let Some(full) = self.full(value).filter(|full| is_interesting(full)) {
                self.bind(&declared.id, &full);
            }
            if let BindingPattern::BindingIdentifier(name) = &declared.id {
                let name = name.name.to_string();
                if matches!(value, Expression::ArrowFunctionExpression(_) | Expression::FunctionExpression(_)) {
                    self.functions.insert(name.clone());
                }
                let value = (declared.kind == VariableDeclarationKind::Const).then(|| values::path(self, value));
                let value = value.filter(|value| *value != Resource::Computed);
                // A second one of this name: the text does not say which is meant.
                let is_new = !self.constants.contains_key(&name);
                self.constants.insert(name, value.filter(|_| is_new));
            }
        }
        walk::walk_variable_declarator(self, declared);
    }
}
