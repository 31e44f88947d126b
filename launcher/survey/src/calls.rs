//! Which calls need which permission.

use oxc_ast::ast::{Argument, CallExpression, Expression, ObjectExpression, StaticMemberExpression};
use oxc_span::Span;
use policy::Permission;

use crate::names::Names;
use crate::values::{beginning, literal, member, path, port};
use crate::{Ask, Import, Lines, Resource, Survey, address};

/// Functions of `node:fs` whose first argument is a path that is read.
const READS: &[&str] = &[
    "access",
    "createReadStream",
    "exists",
    "lstat",
    "openAsBlob",
    "opendir",
    "readFile",
    "readdir",
    "readlink",
    "realpath",
    "stat",
    "statfs",
    "watch",
    "watchFile",
];
/// Those whose first argument is a path that is written.
const WRITES: &[&str] = &[
    "appendFile",
    "chmod",
    "chown",
    "createWriteStream",
    "lchown",
    "lutimes",
    "mkdir",
    "mkdtemp",
    "rm",
    "rmdir",
    "truncate",
    "unlink",
    "utimes",
    "writeFile",
];
/// Functions of `node:os`, and what `sys` calls what they tell.
const FACTS: &[(&str, &str)] = &[
    ("availableParallelism", "cpus"),
    ("cpus", "cpus"),
    ("freemem", "memory"),
    ("hostname", "hostname"),
    ("loadavg", "loadavg"),
    ("networkInterfaces", "networkInterfaces"),
    ("release", "release"),
    ("totalmem", "memory"),
    ("uptime", "uptime"),
    ("userInfo", "userInfo"),
    ("version", "release"),
];
/// The port of `Bun.serve` without one.
pub(crate) const BUN_PORT: u16 = 3000;

/// Collects what a file asks for.
pub(crate) struct Asking<'n> {
    pub(crate) names: &'n Names,
    lines: &'n Lines,
    pub(crate) found: Survey,
}

impl<'n> Asking<'n> {
    pub(crate) fn new(names: &'n Names, lines: &'n Lines) -> Self {
        Self { names, lines, found: Survey::default() }
    }

    fn line(&self, span: Span) -> usize {
        self.lines.line(usize::try_from(span.start).unwrap_or_default())
    }

    pub(crate) fn ask(&mut self, permission: Permission, resource: Resource, span: Span) {
        let line = self.line(span);
        self.found.asks.push(Ask { permission, resource, line });
    }

    pub(crate) fn import(&mut self, specifier: &str, span: Span) {
        let line = self.line(span);
        self.found.imports.push(Import { specifier: specifier.to_owned(), line });
    }

    pub(crate) fn module(&mut self, specifier: Option<&Expression<'_>>, span: Span) {
        match specifier.and_then(literal) {
            Some(specifier) => self.import(&specifier, span),
            None => self.ask(Permission::Import, Resource::Computed, span),
        }
    }

    /// A path argument; a descriptor is no path.
    pub(crate) fn path(&mut self, permission: Permission, argument: Option<&Expression<'_>>, span: Span) {
        let Some(argument) = argument else { return };
        if !matches!(argument, Expression::NumericLiteral(_)) {
            let resource = path(self.names, argument);
            self.ask(permission, resource, span);
        }
    }

    pub(crate) fn url(&mut self, argument: Option<&Expression<'_>>, span: Span) {
        let Some(argument) = argument else { return };
        let address = match argument.get_inner_expression() {
            Expression::TemplateLiteral(template) if !template.expressions.is_empty() => {
                beginning(template).and_then(|text| address::of_beginning(&text))
            }
            Expression::BinaryExpression(sum) => literal(&sum.left).and_then(|text| address::of_beginning(&text)),
            Expression::NewExpression(new) if new.callee.is_specific_id("URL") => {
                return self.url(new.arguments.first().and_then(Argument::as_expression), span);
            }
            other => match path(self.names, other) {
                Resource::Named(text) => address::of_url(&text),
                _ => None,
            },
        };
        self.ask(Permission::Net, address.map_or(Resource::Computed, Resource::Named), span);
    }

    /// `{ hostname, port }` of a connection.
    fn connection(&mut self, options: &ObjectExpression<'_>, by_default: Option<u16>, span: Span) {
        let host = member(options, "hostname").or_else(|| member(options, "host")).and_then(literal);
        let port = member(options, "port").map_or(by_default, port);
        let address = host.zip(port).map(|(host, port)| address::joined(&host, port));
        self.ask(Permission::Net, address.map_or(Resource::Computed, Resource::Named), span);
    }

    /// `{ hostname, port }` of a server.
    pub(crate) fn server(&mut self, options: &ObjectExpression<'_>, by_default: Option<u16>, span: Span) {
        if member(options, "unix").is_some() || member(options, "path").is_some() {
            return self.ask(Permission::Listen, Resource::Computed, span);
        }
        let port = member(options, "port").map_or(by_default, port);
        let host = member(options, "hostname").or_else(|| member(options, "host"));
        let address = match (host.map(literal), port) {
            (None, Some(port)) => Some(port.to_string()),
            (Some(Some(host)), Some(port)) => Some(address::joined(&host, port)),
            _ => None,
        };
        self.ask(Permission::Listen, address.map_or(Resource::Computed, Resource::Named), span);
    }

    /// A command line whose first word is a program.
    fn program(&mut self, command: Option<&Expression<'_>>, span: Span) {
        let Some(command) = command else { return };
        let first = match command.get_inner_expression() {
            Expression::ArrayExpression(words) => words.elements.first().and_then(|word| word.as_expression()),
            Expression::ObjectExpression(options) => return self.program(member(options, "cmd"), span),
            _ => Some(command),
        };
        let resource = first.map_or(Resource::Computed, |program| path(self.names, program));
        self.ask(Permission::Run, resource, span);
    }

    /// A line for a shell: its first word, where that is plain.
    pub(crate) fn shell(&mut self, line: Option<String>, span: Span) {
        let word = line.and_then(|line| line.split_whitespace().next().map(str::to_owned));
        let plain = |word: &String| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
        self.ask(Permission::Run, word.filter(plain).map_or(Resource::Computed, Resource::Named), span);
    }

    pub(crate) fn call(&mut self, full: &str, arguments: &[Argument<'_>], span: Span) {
        let argument = |at: usize| arguments.get(at).and_then(Argument::as_expression);
        if let Some(name) = full.strip_prefix("node:fs.") {
            return self.file_call(name.strip_suffix("Sync").unwrap_or(name), arguments, span);
        }
        if let Some(name) = full.strip_prefix("node:os.") {
            if let Some((_, fact)) = FACTS.iter().find(|(known, _)| *known == name) {
                self.ask(Permission::Sys, Resource::Named((*fact).to_owned()), span);
            }
            return;
        }
        match full {
            "require" => self.module(argument(0), span),
            "Bun.file" => self.path(Permission::Read, argument(0), span),
            "Bun.write" => self.bun_write(argument(0), span),
            "Bun.serve" => self.served(argument(0), Some(BUN_PORT), span),
            "Bun.listen" => self.served(argument(0), None, span),
            "Bun.udpSocket" => self.datagrams(argument(0), span),
            "fetch" | "Bun.fetch" => self.url(argument(0), span),
            "node:http.get" | "node:http.request" => self.connect(arguments, Some(80), span),
            "node:https.get" | "node:https.request" => self.connect(arguments, Some(443), span),
            "Bun.connect" | "node:net.connect" | "node:net.createConnection" | "node:tls.connect" => {
                self.connect(arguments, None, span);
            }
            "Bun.spawn"
            | "Bun.spawnSync"
            | "node:child_process.spawn"
            | "node:child_process.spawnSync"
            | "node:child_process.execFile"
            | "node:child_process.execFileSync" => self.program(argument(0), span),
            "node:child_process.exec" | "node:child_process.execSync" => {
                self.ask(Permission::Run, Resource::Named("sh".to_owned()), span);
                self.shell(argument(0).and_then(literal), span);
            }
            "node:child_process.fork" => self.ask(Permission::Run, Resource::Named("bun".to_owned()), span),
            "eval" | "Function" => self.ask(Permission::Eval, Resource::Whole, span),
            "bun:ffi.dlopen" => self.path(Permission::Ffi, argument(0), span),
            "process.dlopen" => self.path(Permission::Ffi, argument(1), span),
            "secrets.get" => self.name(Permission::Secrets, argument(0), span),
            "host.request" | "NETWORK.request" => self.name(Permission::Host, argument(0), span),
            _ if full.starts_with("node:vm.") => self.ask(Permission::Eval, Resource::Whole, span),
            _ if full.starts_with("bun:ffi.") => self.ask(Permission::Ffi, Resource::Computed, span),
            _ => {}
        }
    }

    fn file_call(&mut self, name: &str, arguments: &[Argument<'_>], span: Span) {
        let argument = |at: usize| arguments.get(at).and_then(Argument::as_expression);
        match name {
            "open" => {
                let reads = match argument(1) {
                    None => true,
                    Some(flags) => literal(flags).is_some_and(|flags| !flags.contains(['w', 'a', '+'])),
                };
                self.path(if reads { Permission::Read } else { Permission::Write }, argument(0), span);
            }
            "copyFile" | "cp" => {
                self.path(Permission::Read, argument(0), span);
                self.path(Permission::Write, argument(1), span);
            }
            "rename" | "link" => {
                self.path(Permission::Write, argument(0), span);
                self.path(Permission::Write, argument(1), span);
            }
            "symlink" => self.path(Permission::Write, argument(1), span),
            name if READS.contains(&name) => self.path(Permission::Read, argument(0), span),
            name if WRITES.contains(&name) => self.path(Permission::Write, argument(0), span),
            _ => {}
        }
    }

    /// `Bun.write("a", …)`, `Bun.write(Bun.file("a"), …)`; `Bun.stdout` is no file.
    fn bun_write(&mut self, target: Option<&Expression<'_>>, span: Span) {
        match target.map(Expression::get_inner_expression) {
            Some(Expression::CallExpression(call)) if self.is_bun_file(call) => {
                self.path(Permission::Write, call.arguments.first().and_then(Argument::as_expression), span);
            }
            Some(target) => {
                let full = self.names.full(target);
                if !full.is_some_and(|full| full == "Bun.stdout" || full == "Bun.stderr") {
                    self.path(Permission::Write, Some(target), span);
                }
            }
            None => {}
        }
    }

    fn is_bun_file(&self, call: &CallExpression<'_>) -> bool {
        self.names.full(&call.callee).is_some_and(|full| full == "Bun.file")
    }

    /// Only a socket that is connected sends anything out of a sandbox.
    fn datagrams(&mut self, options: Option<&Expression<'_>>, span: Span) {
        let Some(Expression::ObjectExpression(options)) = options.map(Expression::get_inner_expression) else { return };
        let Some(peer) = member(options, "connect").map(Expression::get_inner_expression) else { return };
        let Expression::ObjectExpression(peer) = peer else {
            return self.ask(Permission::Net, Resource::Computed, span);
        };
        let host = member(peer, "hostname").and_then(literal);
        let address = host.zip(member(peer, "port").and_then(port));
        let address = address.map(|(host, port)| format!("udp://{}", address::joined(&host, port)));
        self.ask(Permission::Net, address.map_or(Resource::Computed, Resource::Named), span);
    }

    fn served(&mut self, options: Option<&Expression<'_>>, by_default: Option<u16>, span: Span) {
        match options.map(Expression::get_inner_expression) {
            Some(Expression::ObjectExpression(options)) => self.server(options, by_default, span),
            Some(_) => self.ask(Permission::Listen, Resource::Computed, span),
            None => {}
        }
    }

    /// Options, a URL, or a port and a host.
    fn connect(&mut self, arguments: &[Argument<'_>], by_default: Option<u16>, span: Span) {
        let argument = |at: usize| arguments.get(at).and_then(Argument::as_expression);
        match argument(0).map(Expression::get_inner_expression) {
            Some(Expression::ObjectExpression(options)) => self.connection(options, by_default, span),
            Some(first) if by_default.is_none() => {
                let host = argument(1).map_or_else(|| Some("localhost".to_owned()), literal);
                let address = port(first).zip(host).map(|(port, host)| address::joined(&host, port));
                self.ask(Permission::Net, address.map_or(Resource::Computed, Resource::Named), span);
            }
            first => self.url(first, span),
        }
    }

    fn name(&mut self, permission: Permission, name: Option<&Expression<'_>>, span: Span) {
        let name = name.and_then(literal);
        self.ask(permission, name.map_or(Resource::Computed, Resource::Named), span);
    }

    /// A method of something: of a file of Bun's, or of a server.
    pub(crate) fn method(&mut self, callee: &StaticMemberExpression<'_>, arguments: &[Argument<'_>], span: Span) {
        let method = callee.property.name.as_str();
        if let Expression::CallExpression(call) = callee.object.get_inner_expression()
            && matches!(method, "write" | "writer" | "delete" | "unlink")
            && self.is_bun_file(call)
        {
            self.path(Permission::Write, call.arguments.first().and_then(Argument::as_expression), span);
        }
        if method == "listen" {
            match arguments.first().and_then(Argument::as_expression).map(Expression::get_inner_expression) {
                Some(Expression::ObjectExpression(options)) if member(options, "port").is_some() => {
                    self.server(options, None, span);
                }
                Some(first) => {
                    if let Some(port) = port(first) {
                        let host = arguments.get(1).and_then(Argument::as_expression).and_then(literal);
                        let address = host.map_or_else(|| port.to_string(), |host| address::joined(&host, port));
                        self.ask(Permission::Listen, Resource::Named(address), span);
                    } else if !matches!(first, Expression::ArrowFunctionExpression(_)) {
                        self.ask(Permission::Listen, Resource::Computed, span);
                    }
                }
                None => {}
            }
        }
    }

    /// The name after `process.env.`, if `full` is that.
    pub(crate) fn variable(full: &str) -> Option<&str> {
        let name = ["process.env.", "Bun.env.", "import.meta.env."].iter().find_map(|env| full.strip_prefix(env))?;
        (!name.contains('.')).then_some(name)
    }

    pub(crate) fn is_environment(&self, expression: &Expression<'_>) -> bool {
        matches!(self.names.full(expression).as_deref(), Some("process.env" | "Bun.env" | "import.meta.env"))
    }
}
