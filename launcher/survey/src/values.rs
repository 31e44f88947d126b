//! Values that stand in the text.

use oxc_ast::ast::{Argument, BinaryOperator, Expression, ObjectExpression, ObjectPropertyKind, TemplateLiteral};

use crate::Resource;
use crate::names::Names;

/// A string that stands in the text.
pub(crate) fn literal(expression: &Expression<'_>) -> Option<String> {
    match expression.get_inner_expression() {
        Expression::StringLiteral(text) => Some(text.value.to_string()),
        Expression::TemplateLiteral(template) if template.expressions.is_empty() => beginning(template),
        _ => None,
    }
}

/// The fixed text that a template begins with.
pub(crate) fn beginning(template: &TemplateLiteral<'_>) -> Option<String> {
    template.quasis.first()?.value.cooked.as_ref().map(ToString::to_string)
}

/// A whole number that stands in the text and is a port.
pub(crate) fn port(expression: &Expression<'_>) -> Option<u16> {
    match expression.get_inner_expression() {
        // A whole number is written without a point.
        Expression::NumericLiteral(number) => number.value.to_string().parse().ok(),
        Expression::StringLiteral(text) => text.value.parse().ok(),
        _ => None,
    }
    .filter(|port| *port > 0)
}

/// The member of an object literal.
pub(crate) fn member<'o, 'a>(object: &'o ObjectExpression<'a>, name: &str) -> Option<&'o Expression<'a>> {
    object.properties.iter().find_map(|property| match property {
        ObjectPropertyKind::ObjectProperty(property) if property.key.static_name().is_some_and(|key| key == name) => {
            Some(&property.value)
        }
        _ => None,
    })
}

/// The path that an expression stands for.
pub(crate) fn path(names: &Names, expression: &Expression<'_>) -> Resource {
    let expression = expression.get_inner_expression();
    if let Some(text) = literal(expression) {
        return Resource::Named(text);
    }
    match expression {
        Expression::Identifier(name) => names.constant(&name.name).cloned(),
        Expression::TemplateLiteral(template) => beside_template(names, template),
        Expression::BinaryExpression(sum) if sum.operator == BinaryOperator::Addition => {
            beside_sum(names, &sum.left, &sum.right)
        }
        Expression::NewExpression(new) if new.callee.is_specific_id("URL") => url(names, &new.arguments),
        Expression::CallExpression(call) => match names.full(&call.callee).as_deref() {
            Some("node:path.join" | "node:path.resolve") => joined(names, &call.arguments),
            Some("Bun.fileURLToPath" | "node:url.fileURLToPath") => {
                call.arguments.first().and_then(Argument::as_expression).map(|inner| path(names, inner))
            }
            _ => None,
        },
        _ => None,
    }
    .unwrap_or(Resource::Computed)
}

fn is_own_folder(names: &Names, expression: &Expression<'_>) -> bool {
    matches!(names.full(expression).as_deref(), Some("import.meta.dir" | "import.meta.dirname" | "__dirname"))
}

/// `${import.meta.dir}/data`.
fn beside_template(names: &Names, template: &TemplateLiteral<'_>) -> Option<Resource> {
    let ([folder], [before, after]) = (&template.expressions[..], &template.quasis[..]) else { return None };
    let rest = after.value.cooked.as_ref()?.strip_prefix('/')?;
    (is_own_folder(names, folder) && before.value.raw.is_empty()).then(|| Resource::Beside(rest.to_owned()))
}

/// `__dirname + "/data"`.
fn beside_sum(names: &Names, left: &Expression<'_>, right: &Expression<'_>) -> Option<Resource> {
    let text = literal(right)?;
    let rest = text.strip_prefix('/')?;
    is_own_folder(names, left).then(|| Resource::Beside(rest.to_owned()))
}

/// `new URL("./data", import.meta.url)`.
fn url(names: &Names, arguments: &[Argument<'_>]) -> Option<Resource> {
    let [relative, base] = arguments else { return None };
    let base = names.full(base.as_expression()?)?;
    let relative = literal(relative.as_expression()?)?;
    (base == "import.meta.url" && !relative.contains(':')).then_some(Resource::Beside(relative))
}

/// `path.join(import.meta.dir, "data", "a.txt")`.
fn joined(names: &Names, arguments: &[Argument<'_>]) -> Option<Resource> {
    let (first, rest) = arguments.split_first()?;
    let first = first.as_expression()?;
    let rest: Option<Vec<String>> = rest.iter().map(|part| part.as_expression().and_then(literal)).collect();
    let rest = rest?;
    if is_own_folder(names, first) {
        return Some(Resource::Beside(rest.join("/")));
    }
    match path(names, first) {
        Resource::Named(first) => Some(Resource::Named([vec![first], rest].concat().join("/"))),
        Resource::Beside(first) => Some(Resource::Beside([vec![first], rest].concat().join("/"))),
        Resource::Whole | Resource::Computed => None,
    }
}
