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
    let message = harmless(message);
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

/// A run that there is none of.
pub(crate) fn refusal(refusal: &secure_bun::Error) -> ExitCode {
    error(&refusal.message, refusal.help.as_deref());
    ExitCode::from(refusal.kind.exit_code())
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
        // The colours are ours; the snippet's own escapes it has replaced.
        let text = shown(problem.render(colour).trim_end(), |c| is_command(c) && c != '\x1b');
        let _ = writeln!(stderr, "{text}");
    }
}

/// Text that may be of the program's making, harmless for a terminal and its reader: what commands the terminal, or
/// turns the direction of reading, is shown, not obeyed.
pub(crate) fn harmless(text: &str) -> String {
    shown(text, is_command)
}

fn is_command(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control() && c != '\n' && c != '\t'
}

fn shown(text: &str, is_hidden: impl Fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
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

    #[test]
    fn what_stands_first_is_read_first() {
        assert_eq!(harmless("a\u{202e}b\u{2066}c é 文 👩\u{200d}🔬"), "a\\u{202e}b\\u{2066}c é 文 👩\u{200d}🔬");
    }
}
