//! Walking a file from its top to its end, past everything that needs a permission.

use oxc_ast::ast::{
    Argument, BindingPattern, CallExpression, ComputedMemberExpression, ExportAllDeclaration, ExportDefaultDeclaration,
    ExportDefaultDeclarationKind, ExportNamedDeclaration, Expression, ImportDeclaration, ImportExpression,
    ImportOrExportKind, NewExpression, StaticMemberExpression, TaggedTemplateExpression, VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::GetSpan;
use policy::Permission;

use crate::Resource;
use crate::calls::{Asking, BUN_PORT};
use crate::values::{beginning, literal, member, path};

impl<'a> Visit<'a> for Asking<'_> {
    fn visit_import_declaration(&mut self, import: &ImportDeclaration<'a>) {
        // Types are gone when the program runs.
        if import.import_kind == ImportOrExportKind::Value {
            self.import(&import.source.value, import.span);
        }
    }

    fn visit_export_all_declaration(&mut self, export: &ExportAllDeclaration<'a>) {
        if export.export_kind == ImportOrExportKind::Value {
            self.import(&export.source.value, export.span);
        }
    }

    fn visit_export_named_declaration(&mut self, export: &ExportNamedDeclaration<'a>) {
        if let (Some(source), ImportOrExportKind::Value) = (&export.source, export.export_kind) {
            self.import(&source.value, export.span);
        }
        walk::walk_export_named_declaration(self, export);
    }

    fn visit_export_default_declaration(&mut self, export: &ExportDefaultDeclaration<'a>) {
        match &export.declaration {
            ExportDefaultDeclarationKind::FunctionDeclaration(_) => self.found.exports_function = true,
            declaration => match declaration.as_expression().map(Expression::get_inner_expression) {
                Some(Expression::ArrowFunctionExpression(_) | Expression::FunctionExpression(_)) => {
                    self.found.exports_function = true;
                }
                Some(Expression::Identifier(name)) => self.found.exports_function = self.names.is_function(&name.name),
                // Bun serves such an object.
                Some(Expression::ObjectExpression(object)) if member(object, "fetch").is_some() => {
                    self.server(object, Some(BUN_PORT), export.span);
                }
                _ => {}
            },
        }
        walk::walk_export_default_declaration(self, export);
    }

    fn visit_import_expression(&mut self, import: &ImportExpression<'a>) {
        self.module(Some(&import.source), import.span);
        walk::walk_import_expression(self, import);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if let Some(full) = self.names.full(&call.callee) {
            self.call(&full, &call.arguments, call.span);
        }
        if let Expression::StaticMemberExpression(member) = call.callee.get_inner_expression() {
            self.method(member, &call.arguments, call.span);
        }
        walk::walk_call_expression(self, call);
    }

    fn visit_new_expression(&mut self, new: &NewExpression<'a>) {
        let first = new.arguments.first().and_then(Argument::as_expression);
        match self.names.full(&new.callee).as_deref() {
            Some("Worker" | "Bun.Worker" | "node:worker_threads.Worker") => {
                self.ask(Permission::Workers, Resource::Whole, new.span);
                match first.map(|first| path(self.names, first)) {
                    // A worker's file is beside the file that starts it, however it is written.
                    Some(Resource::Named(file) | Resource::Beside(file)) => {
                        let is_relative = file.starts_with('.') || file.starts_with('/');
                        self.import(&if is_relative { file } else { format!("./{file}") }, new.span);
                    }
                    _ => self.ask(Permission::Import, Resource::Computed, new.span),
                }
            }
            Some("Function") => self.ask(Permission::Eval, Resource::Whole, new.span),
            Some(full) if full.starts_with("node:vm.") => self.ask(Permission::Eval, Resource::Whole, new.span),
            Some("WebSocket" | "EventSource") => self.url(first, new.span),
            Some("bun:sqlite.Database" | "bun:sqlite" | "node:sqlite.DatabaseSync") => {
                let in_memory = first.and_then(literal).is_some_and(|name| name.is_empty() || name == ":memory:");
                if !in_memory {
                    self.path(Permission::Write, first, new.span);
                }
            }
            _ => {}
        }
        walk::walk_new_expression(self, new);
    }

    fn visit_tagged_template_expression(&mut self, tagged: &TaggedTemplateExpression<'a>) {
        if self.names.full(&tagged.tag).is_some_and(|full| full == "Bun.$") {
            self.shell(beginning(&tagged.quasi), tagged.span);
        }
        walk::walk_tagged_template_expression(self, tagged);
    }

    fn visit_variable_declarator(&mut self, declared: &VariableDeclarator<'a>) {
        if declared.init.as_ref().is_some_and(|value| self.is_environment(value)) {
            match &declared.id {
                BindingPattern::ObjectPattern(pattern) => {
                    for property in &pattern.properties {
                        let name = property.key.static_name().map(|name| Resource::Named(name.to_string()));
                        self.ask(Permission::Env, name.unwrap_or(Resource::Computed), property.span);
                    }
                    if let Some(rest) = &pattern.rest {
                        self.ask(Permission::Env, Resource::Computed, rest.span);
                    }
                }
                BindingPattern::BindingIdentifier(_) => {}
                other => self.ask(Permission::Env, Resource::Computed, other.span()),
            }
            return;
        }
        walk::walk_variable_declarator(self, declared);
    }

    fn visit_static_member_expression(&mut self, member: &StaticMemberExpression<'a>) {
        match self.names.member(&member.object, &member.property.name) {
            Some(full) if Self::variable(&full).is_some() => {
                let name = member.property.name.to_string();
                self.ask(Permission::Env, Resource::Named(name), member.span);
            }
            // All of it at once: passed on, spread, listed.
            Some(full) if matches!(full.as_str(), "process.env" | "Bun.env") => {
                self.ask(Permission::Env, Resource::Computed, member.span);
            }
            _ => walk::walk_static_member_expression(self, member),
        }
    }

    fn visit_computed_member_expression(&mut self, member: &ComputedMemberExpression<'a>) {
        if self.is_environment(&member.object) {
            let name = literal(&member.expression).map_or(Resource::Computed, Resource::Named);
            self.ask(Permission::Env, name, member.span);
            self.visit_expression(&member.expression);
        } else {
            walk::walk_computed_member_expression(self, member);
        }
    }
}
