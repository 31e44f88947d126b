//! The input of a function.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use secure_bun_tests::{Folder, JSON, str};

/// A function that says that it was called, and with what.
fn echo() -> Folder {
    Folder::with("echo.ts", "export default (...all: unknown[]) => ({ called: all });")
}

#[test]
fn json_reaches_the_function() {
    echo().secure_bun(["run", "echo.ts", "--input", r#"{"a":[1,"ä\u0000",null]}"#]).shows(str![[r#"
exit code 0
--- stdout
{"called":[{"a":[1,"\u00c3\u00a4\u0000",null]}]}

"#]]);
}

#[test]
fn without_input_there_is_no_argument_and_standard_input_is_not_read() {
    echo().secure_bun(["run", "echo.ts"]).input("1").shows(str![[r#"
exit code 0
--- stdout
{"called":[]}

"#]]);
}

#[test]
fn a_dash_is_standard_input() {
    echo().secure_bun(["run", "echo.ts", "--input", "-"]).input("[1]").shows(str![[r#"
exit code 0
--- stdout
{"called":[[1]]}

"#]]);
}

#[test]
fn an_at_sign_is_a_file() {
    echo().file("in.json", "[2]").secure_bun(["run", "--input", "@in.json", "echo.ts"]).shows(str![[r#"
exit code 0
--- stdout
{"called":[[2]]}

"#]]);
}

#[test]
fn an_equals_sign_does_as_well() {
    echo().secure_bun(["run", "--input=3", "echo.ts"]).shows(str![[r#"
exit code 0
--- stdout
{"called":[3]}

"#]]);
    echo().secure_bun(["run", "echo.ts", "--input=3"]).shows(str![[r#"
exit code 0
--- stdout
{"called":[3]}

"#]]);
}

#[test]
fn a_missing_file() {
    echo().secure_bun(["run", "echo.ts", "--input", "@missing.json"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: --input: cannot open missing.json: No such file or directory (os error 2)

"#]]);
}

#[test]
fn a_directory() {
    echo().secure_bun(["run", "echo.ts", "--input", "@."]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: --input: cannot read .: Is a directory (os error 21)

"#]]);
}

#[test]
fn text_that_is_not_json() {
    echo().secure_bun(["run", "echo.ts", "--input", "hello"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: --input: not JSON: expected value at line 1 column 1
secure-bun: help: strings need their quotes: '"text"'

"#]]);
}

#[test]
fn nothing_is_not_json() {
    echo().secure_bun(["run", "echo.ts", "--input", "-"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: --input: not JSON: EOF while parsing a value at line 1 column 0
secure-bun: help: strings need their quotes: '"text"'

"#]]);
}

#[test]
fn bytes_that_are_not_utf_8() {
    let words = [OsStr::new("run"), OsStr::new("echo.ts"), OsStr::new("--input"), OsStr::from_bytes(b"\"\xff\"")];
    echo().secure_bun(words).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: --input: not UTF-8

"#]]);
    echo().secure_bun(["run", "echo.ts", "--input", "-"]).input(*b"\"\xff\"").shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: --input: not UTF-8

"#]]);
}

#[test]
fn sixteen_megabytes_are_the_most() {
    let folder = Folder::with("length.ts", "export default (text: string) => text.length;");
    let text = |bytes: usize| format!("\"{}\"", "a".repeat(bytes - 2));
    let most = folder.secure_bun(["run", "length.ts", "--input", "-"]).input(text(16 << 20));
    assert_eq!(most.prints(), "16777214\n");
    folder.secure_bun(["run", "length.ts", "--input", "-"]).input(text((16 << 20) + 1)).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: --input: longer than 16 MB

"#]]);
}

#[test]
fn an_input_for_what_is_no_function() {
    Folder::with("main.ts", "console.log('it ran')").secure_bun(["run", "main.ts", "--input", "1"]).shows(str![[r#"
exit code 1
--- stdout
it ran
--- stderr
secure-bun: error: Error: the program does not export "default": it has no exports
secure-bun: help: https://github.com/secure-bun/secure-bun/blob/main/docs/errors/ERR_EXPORT_NOT_FOUND.md

"#]]);
}

#[test]
fn an_input_without_end_is_not_read_for_ever() {
    echo().secure_bun(["run", "echo.ts", "--input", "@/dev/zero"]).shows(str![[r#"
exit code 2
--- stderr
secure-bun: error: --input: longer than 16 MB

"#]]);
}

#[test]
fn a_key_called_proto_is_a_key() {
    let folder = Folder::with("own.ts", "export default (x: object) => Object.keys(x);");
    let envelope = folder.secure_bun(["run", JSON, "own.ts", "--input", r#"{"__proto__":1}"#]).envelope();
    assert_eq!(envelope.result()[0], "__proto__");
}
