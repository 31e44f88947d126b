//! Messages for people, on standard error.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use policy::{Colour, Diagnostic};

use crate::args::Stop;
use crate::policy_source::Fault;

/// What usage and policy errors exit with.
pub(crate) const USAGE: u8 = 2;

/// Whether messages are in colour: on a terminal, unless NO_COLOR says otherwise (no-color.org).
fn is_coloured() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn print(kind: &str, colour: &str, message: &str) {
    let mut stderr = std::io::stderr().lock();
    // Standard error may be closed; then nobody wants to know.
    let _ = if is_coloured() {
        writeln!(stderr, "\x1b[1msecure-bun:\x1b[0m \x1b[{colour}m{kind}:\x1b[0m {message}")
    } else {
        writeln!(stderr, "secure-bun: {kind}: {message}")
    };
}

/// Something is wrong.
pub(crate) fn error(message: &str, help: Option<&str>) {
    print("error", "1;31", message);
    if let Some(text) = help {
        self::help(text);
    }
}

/// What to do about it, or where to read on.
pub(crate) fn help(message: &str) {
    print("help", "1;36", message);
}

/// Something could be better.
pub(crate) fn warning(message: &str) {
    print("warning", "1;33", message);
}

/// Something to know.
pub(crate) fn note(message: &str) {
    print("note", "1;34", message);
}

/// Help that was asked for, or a request that makes no sense.
pub(crate) fn stop(stop: &Stop) -> ExitCode {
    match stop {
        Stop::Help(text) => {
            // A reader that has gone does not need help.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Stop::Usage { message, help } => {
            error(message, help.as_deref());
            ExitCode::from(USAGE)
        }
    }
}

/// A policy that cannot be used.
pub(crate) fn fault(fault: &Fault) -> ExitCode {
    match fault {
        Fault::Invalid(problems) => diagnostics(problems),
        Fault::Unreadable { message, help } => error(message, help.as_deref()),
    }
    ExitCode::from(USAGE)
}

/// Problems with their place in the policy.
pub(crate) fn diagnostics(problems: &[Diagnostic]) {
    let colour = if is_coloured() { Colour::On } else { Colour::Off };
    let mut stderr = std::io::stderr().lock();
    for problem in problems {
        let _ = writeln!(stderr, "{}", problem.render(colour).trim_end());
    }
}

/// Text of the program's making, harmless for a terminal: control characters are shown, not obeyed.
pub(crate) fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' && c != '\t' {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn a_terminal_does_not_obey_the_program() {
        assert_eq!(harmless("a\x1b[2Jb\r\n\tc\u{9b}"), "a\\u{1b}[2Jb\\u{d}\n\tc\\u{9b}");
    }
}
