//! What the launcher itself prints about a program holds nothing that commands a terminal.

use secure_bun_tests::{Ended, Folder};

/// Clears the screen, sets the clipboard, clears it again in one character, and turns the direction of reading.
const COMMANDS: &str = "\\u001b[2J\\u001b]52;c;ZXZpbA==\\u0007\\u009b2J\\u202e";

#[track_caller]
fn prints_no_commands(source: &str, flags: &[&str]) {
    let folder = Folder::with("fn.ts", source.replace("COMMANDS", COMMANDS)).file(
        "call.ts",
        "import act from './fn.ts'; try { await act(); } catch (error) { console.error(error.message); }",
    );
    let outside = folder.bun(["run", "call.ts"]).end();
    assert!(outside.errors.contains(&0x1b), "the test shows nothing: {outside}");
    let words = ["run", "--policy", "function"].into_iter().chain(flags.iter().copied()).chain(["fn.ts"]);
    let ended = folder.secure_bun(words).end();
    assert_ne!(ended.code(), 0);
    assert_harmless(&ended);
}

#[track_caller]
fn assert_harmless(ended: &Ended) {
    let text = ended.stdout() + &ended.stderr();
    let command = text.chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
    assert_eq!(command, None, "{ended}");
}

#[test]
fn in_the_message_of_an_error() {
    prints_no_commands("export default () => { throw new Error('COMMANDS'); };", &[]);
}

#[test]
fn in_the_name_and_the_code_of_an_error() {
    let source = "export default () => { throw Object.assign(new Error('COMMANDS'), { name: 'COMMANDS', code: 'COMMANDS', stack: 'COMMANDS\\n at COMMANDS' }); };";
    prints_no_commands(source, &[]);
}

#[test]
fn in_the_name_of_a_file() {
    let source = "export default () => { try { return require('fs').readFileSync('/COMMANDS', 'utf8'); } catch (error) { throw new Error(error.message + 'COMMANDS'); } };";
    prints_no_commands(source, &["--suggest"]);
}

#[test]
fn in_a_value_that_is_thrown() {
    prints_no_commands(
        "export default () => { console.error; throw Object.assign(Object.create(null), { message: 'COMMANDS', toString: () => 'COMMANDS' }); };",
        &[],
    );
}

#[test]
fn in_a_policy() {
    let commands = "\u{9b}2J\u{202e}";
    let key = Folder::with("policy.json", format!("{{\"read{commands}\": true}}"));
    let ended = key.secure_bun(["policy", "check", "policy.json"]).end();
    assert_eq!(ended.code(), 2, "{ended}");
    assert_harmless(&ended);
    let rule = Folder::with("policy.json", format!("{{\"read\": [\"/a/{commands}\"]}}"));
    let ended =
        rule.secure_bun(["policy", "why", "--policy", "policy.json", "read", &format!("/a/{commands}/b")]).end();
    assert_harmless(&ended);
    let named = Folder::with("fn.ts", "").file(commands, "{]");
    let ended = named.secure_bun(["run", "--policy", &format!("./{commands}"), "fn.ts"]).end();
    assert_eq!(ended.code(), 2, "{ended}");
    assert_harmless(&ended);
}
