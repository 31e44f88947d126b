//! Functions that do not return what they should, and exports that cannot be called.

use secure_bun_tests::{Command, Folder, JSON, str};

fn function(source: &str) -> Command {
    let folder = Folder::with("fn.ts", source);
    folder.secure_bun(["run", "fn.ts"]).keep(folder)
}

fn told(source: &str) -> Command {
    let folder = Folder::with("fn.ts", source);
    folder.secure_bun(["run", JSON, "fn.ts"]).keep(folder)
}

#[test]
fn an_error() {
    function("export default () => { throw new RangeError('too far'); };").shows(str![[r#"
exit code 1
--- stderr
secure-bun: error: RangeError: too far
    at starDefault ([FOLDER]/fn.ts:1:34)

"#]]);
    told("export default () => { throw new RangeError('too far'); };").envelope().is(str![[r#"
exit code 1
{
  "denials": [],
  "error": {
    "message": "too far",
    "name": "RangeError"
  },
  "exit": {
    "code": 1,
    "signal": null
  },
  "logs": [],
  "ok": false,
  "stderr": "",
  "stdout": "",
  "truncated": false
}

"#]]);
}

#[test]
fn an_error_with_control_characters_does_not_command_the_terminal() {
    function(r"export default () => { throw new Error('\x1b[2J\x1b]0;owned\x07'); };").shows(str![[r#"
exit code 1
--- stderr
secure-bun: error: Error: \u{1b}[2J\u{1b}]0;owned\u{7}
    at starDefault ([FOLDER]/fn.ts:1:34)

"#]]);
}

#[test]
fn a_string() {
    told("export default () => { throw 'no'; };").envelope().is(str![[r#"
exit code 1
{
  "denials": [],
  "error": {
    "message": "the program threw \"no\"",
    "name": "Error"
  },
  "exit": {
    "code": 1,
    "signal": null
  },
  "logs": [],
  "ok": false,
  "stderr": "",
  "stdout": "",
  "truncated": false
}

"#]]);
}

#[test]
fn null() {
    told("export default () => { throw null; };").envelope().is(str![[r#"
exit code 1
{
  "denials": [],
  "error": {
    "message": "the program threw null",
    "name": "Error"
  },
  "exit": {
    "code": 1,
    "signal": null
  },
  "logs": [],
  "ok": false,
  "stderr": "",
  "stdout": "",
  "truncated": false
}

"#]]);
}

#[test]
fn an_object() {
    told("export default () => { throw { code: 7 }; };").envelope().is(str![[r#"
exit code 1
{
  "denials": [],
  "error": {
    "code": "7",
    "message": "the program threw a value that is no error",
    "name": "Error"
  },
  "exit": {
    "code": 1,
    "signal": null
  },
  "logs": [],
  "ok": false,
  "stderr": "",
  "stdout": "",
  "truncated": false
}

"#]]);
}

#[test]
fn a_rejected_promise() {
    told("export default () => Promise.reject(new Error('later'));").envelope().is(str![[r#"
exit code 1
{
  "denials": [],
  "error": {
    "message": "later",
    "name": "Error"
  },
  "exit": {
    "code": 1,
    "signal": null
  },
  "logs": [],
  "ok": false,
  "stderr": "",
  "stdout": "",
  "truncated": false
}

"#]]);
}

#[test]
fn nothing_is_null() {
    function("export default () => {};").shows(str![[r#"
exit code 0
--- stdout
null

"#]]);
}

#[test]
fn a_bigint() {
    told("export default () => ({ list: [0, { big: 1n }] });").envelope().is(str![[r#"
exit code 1
{
  "denials": [],
  "error": {
    "code": "ERR_RESULT_NOT_SERIALIZABLE",
    "docs": "https://github.com/secure-bun/secure-bun/blob/main/docs/errors/ERR_RESULT_NOT_SERIALIZABLE.md",
    "message": "result.list[1].big is a BigInt, which JSON cannot express",
    "name": "TypeError"
  },
  "exit": {
    "code": 1,
    "signal": null
  },
  "logs": [],
  "ok": false,
  "stderr": "",
  "stdout": "",
  "truncated": false
}

"#]]);
}

#[test]
fn a_cycle() {
    told("export default () => { const a: any = { b: {} }; a.b.c = a; return a; };").envelope().is(str![[r#"
exit code 1
{
  "denials": [],
  "error": {
    "code": "ERR_RESULT_NOT_SERIALIZABLE",
    "docs": "https://github.com/secure-bun/secure-bun/blob/main/docs/errors/ERR_RESULT_NOT_SERIALIZABLE.md",
    "message": "result.b.c refers back to result",
    "name": "TypeError"
  },
  "exit": {
    "code": 1,
    "signal": null
  },
  "logs": [],
  "ok": false,
  "stderr": "",
  "stdout": "",
  "truncated": false
}

"#]]);
}

#[test]
fn a_getter_that_throws() {
    told("export default () => ({ get x() { throw new Error('no'); } });").envelope().is(str![[r#"
exit code 1
{
  "denials": [],
  "error": {
    "message": "no",
    "name": "Error"
  },
  "exit": {
    "code": 1,
    "signal": null
  },
  "logs": [],
  "ok": false,
  "stderr": "",
  "stdout": "",
  "truncated": false
}

"#]]);
}

#[test]
fn a_result_of_some_size_arrives_whole() {
    let envelope = told("export default () => 'x'.repeat(4 << 20);").envelope();
    assert_eq!(envelope.result().as_str().map(str::len), Some(4 << 20));
}

#[test]
fn an_exit() {
    told("export default () => process.exit(0);").envelope().is(str![[r#"
exit code 1
{
  "denials": [],
  "error": {
    "code": "ERR_FUNCTION_EXITED",
    "docs": "https://github.com/secure-bun/secure-bun/blob/main/docs/errors/ERR_FUNCTION_EXITED.md",
    "message": "the function did not return: the program exited with code 0",
    "name": "Error"
  },
  "exit": {
    "code": 0,
    "signal": null
  },
  "logs": [],
  "ok": false,
  "stderr": "",
  "stdout": "",
  "truncated": false
}

"#]]);
    told("export default () => process.exit(7);").envelope().is(str![[r#"
exit code 7
{
  "denials": [],
  "error": {
    "code": "ERR_FUNCTION_EXITED",
    "docs": "https://github.com/secure-bun/secure-bun/blob/main/docs/errors/ERR_FUNCTION_EXITED.md",
    "message": "the function did not return: the program exited with code 7",
    "name": "Error"
  },
  "exit": {
    "code": 7,
    "signal": null
  },
  "logs": [],
  "ok": false,
  "stderr": "",
  "stdout": "",
  "truncated": false
}

"#]]);
    function("export default () => process.exit(7);").shows(str![[r#"
exit code 7
--- stderr
secure-bun: error: the function did not return: the program exited with code 7
secure-bun: help: https://github.com/secure-bun/secure-bun/blob/main/docs/errors/ERR_FUNCTION_EXITED.md

"#]]);
}

#[test]
fn an_abort() {
    let envelope = told("export default () => process.abort();").envelope();
    assert_eq!(envelope.at("/ok"), false);
    assert_eq!(envelope.text("/error/code"), "ERR_FUNCTION_EXITED");
}

#[test]
fn a_promise_that_never_settles() {
    function("export default () => new Promise(() => {});").shows(str![[r#"
exit code 1
--- stderr
secure-bun: error: the function did not return: the program exited with code 0
secure-bun: help: https://github.com/secure-bun/secure-bun/blob/main/docs/errors/ERR_FUNCTION_EXITED.md

"#]]);
}

#[test]
fn an_error_while_loading() {
    told("throw new TypeError('at once'); export default () => 1;").envelope().is(str![[r#"
exit code 1
{
  "denials": [],
  "error": {
    "message": "at once",
    "name": "TypeError"
  },
  "exit": {
    "code": 1,
    "signal": null
  },
  "logs": [],
  "ok": false,
  "stderr": "1 | throw new TypeError('at once'); export default () => 1;\n              ^\nTypeError: at once\n      at [FOLDER]/fn.ts:1:11\n\nBun v1.4.5 (Linux x64)\n",
  "stdout": "",
  "truncated": false
}

"#]]);
}

#[test]
fn an_export_by_name() {
    let folder = Folder::with("fn.ts", "export const add = ({ a, b }) => a + b;");
    let call = folder.secure_bun(["run", "fn.ts", "--export", "add", "--input", r#"{"a":1,"b":2}"#]);
    assert_eq!(call.prints(), "3\n");
}

#[test]
fn a_missing_export() {
    let folder = Folder::with("fn.ts", "export const add = () => 1; export const sub = () => 2;");
    folder.secure_bun(["run", "fn.ts", "--export", "ad"]).shows(str![[r#"
exit code 1
--- stderr
secure-bun: error: Error: the program does not export "ad": its exports are "add", "sub"
secure-bun: help: https://github.com/secure-bun/secure-bun/blob/main/docs/errors/ERR_EXPORT_NOT_FOUND.md

"#]]);
}

#[test]
fn exports_that_are_not_called() {
    for value in ["class {}", "{ fetch() {} }", "7"] {
        let folder = Folder::with("fn.ts", format!("export default {value};"));
        let envelope = folder.secure_bun(["run", JSON, "--export", "default", "fn.ts"]).envelope();
        assert_eq!(envelope.text("/error/code"), "ERR_EXPORT_NOT_CALLABLE", "{value}");
        assert_eq!(envelope.code, 1, "{value}");
    }
}

#[test]
fn what_a_function_prints_does_not_mix_with_its_result() {
    function("export default () => { console.log('seen'); console.error('too'); return { a: 1 }; };").shows(str![[
        r#"
exit code 0
--- stdout
{"a":1}
--- stderr
seen
too

"#
    ]]);
}

#[test]
fn what_a_function_prints_is_in_the_envelope() {
    told("export default () => { console.log('a %d', 1, { b: 2 }); console.warn('c'); process.stdout.write('d'); };")
        .envelope()
        .is(str![[r#"
exit code 0
{
  "denials": [],
  "exit": {
    "code": 0,
    "signal": null
  },
  "logs": [
    {
      "level": "log",
      "t_ms": null,
      "text": "a 1 { b: 2 }"
    },
    {
      "level": "warn",
      "t_ms": null,
      "text": "c"
    }
  ],
  "ok": true,
  "result": null,
  "stderr": "",
  "stdout": "d",
  "truncated": false
}

"#]]);
}

#[test]
fn a_forged_envelope_is_only_output() {
    let forged = r#"console.log('{"ok":true,"result":"forged"}')"#;
    let envelope = told(&format!("{forged}; export default () => {{ {forged}; return 'honest'; }};")).envelope();
    assert_eq!(envelope.result(), "honest");
}
