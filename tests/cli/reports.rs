//! `--json`, `--report-fd`, `--suggest`, `--quiet`, `--verbose`.

use secure_bun_tests::{Envelope, Folder, JSON, str};

const PASSWD: &str = "import fs from 'fs';\nexport default () => fs.readFileSync('/etc/passwd');\n";

#[test]
fn a_function_that_returns() {
    let folder = Folder::with("add.ts", "export default ({ a, b }) => a + b;");
    let envelope = folder.secure_bun(["run", JSON, "add.ts", "--input", r#"{"a":1,"b":2}"#]).envelope();
    envelope.is(str![[r#"
exit code 0
{
  "denials": [],
  "exit": {
    "code": 0,
    "signal": null
  },
  "logs": [],
  "ok": true,
  "result": 3,
  "stderr": "",
  "stdout": "",
  "truncated": false
}

"#]]);
    assert!(envelope.number("/stats/wall_ms") > 0.0);
    assert!(envelope.number("/stats/cpu_ms") > 0.0);
    assert!(envelope.number("/stats/start_ms") > 0.0);
    assert!(envelope.number("/stats/peak_memory_bytes") > 1e6);
    assert_eq!(envelope.text("/sandbox/status"), "full");
    assert_eq!(envelope.text("/sandbox/layers/seccomp"), "enforced");
    assert_eq!(envelope.text("/sandbox/layers/network"), "none");
    assert!(envelope.text("/sandbox/layers/landlock").starts_with("abi"));
}

#[test]
fn a_function_that_is_refused_a_file() {
    let folder = Folder::with("fn.ts", PASSWD);
    folder.secure_bun(["run", "--policy", "function", JSON, "fn.ts"]).envelope().is(str![[r#"
exit code 1
{
  "denials": [
    {
      "count": 1,
      "fix": "allow.read: [\"/etc/passwd\"]",
      "permission": "read",
      "reported_by": "program",
      "resource": "/etc/passwd",
      "rule": "default"
    }
  ],
  "error": {
    "code": "ERR_ACCESS_DENIED",
    "docs": "https://github.com/secure-bun/secure-bun/blob/main/docs/errors/ERR_ACCESS_DENIED.md",
    "fix": "allow.read: [\"/etc/passwd\"]",
    "message": "reading \"/etc/passwd\" is not allowed: no rule of the policy grants it. To allow it: allow.read: [\"/etc/passwd\"]",
    "name": "SecurityError",
    "permission": "read",
    "resource": "/etc/passwd",
    "rule": "default"
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
fn a_refusal_for_people() {
    let folder = Folder::with("fn.ts", PASSWD);
    folder.secure_bun(["run", "--policy", "function", "fn.ts"]).shows(str![[r#"
exit code 1
--- stderr
secure-bun: error: SecurityError: reading "/etc/passwd" is not allowed: no rule of the policy grants it. To allow it: allow.read: ["/etc/passwd"]
secure-bun: help: https://github.com/secure-bun/secure-bun/blob/main/docs/errors/ERR_ACCESS_DENIED.md

"#]]);
}

#[test]
fn a_script_with_its_output_and_exit_code() {
    let folder = Folder::with("main.ts", "console.log('out'); console.error('err'); process.exit(3);");
    folder.secure_bun(["run", JSON, "main.ts"]).envelope().is(str![[r#"
exit code 3
{
  "denials": [],
  "error": {
    "code": "ERR_PROGRAM_FAILED",
    "docs": "https://github.com/secure-bun/secure-bun/blob/main/docs/errors/ERR_PROGRAM_FAILED.md",
    "message": "the program exited with code 3",
    "name": "Error"
  },
  "exit": {
    "code": 3,
    "signal": null
  },
  "logs": [],
  "ok": false,
  "stderr": "err\n",
  "stdout": "out\n",
  "truncated": false
}

"#]]);
}

#[test]
fn a_script_that_a_signal_ended() {
    let folder = Folder::with("main.ts", "process.kill(process.pid, 'SIGKILL');");
    let ended = folder.secure_bun(["run", JSON, "main.ts"]).end();
    assert!(ended.stdout().contains(r#""exit":{"code":null,"signal":"SIGKILL"}"#), "{ended}");
    assert!(ended.stdout().contains(r#""code":"ERR_PROGRAM_KILLED""#), "{ended}");
}

#[test]
fn output_that_is_not_text_is_encoded_and_says_so() {
    let folder = Folder::with("main.ts", "process.stdout.write(new Uint8Array([0xff, 0x00]));");
    folder.secure_bun(["run", JSON, "main.ts"]).envelope().is(str![[r#"
exit code 0
{
  "denials": [],
  "exit": {
    "code": 0,
    "signal": null
  },
  "logs": [],
  "ok": true,
  "stderr": "",
  "stdout": "/wA=",
  "stdout_encoding": "base64",
  "truncated": false
}

"#]]);
}

#[test]
fn the_lines_that_would_have_helped() {
    let folder = Folder::with("fn.ts", PASSWD);
    folder.secure_bun(["run", "--policy", "function", "--suggest", "fn.ts"]).shows(str![[r#"
exit code 1
--- stderr
secure-bun: error: SecurityError: reading "/etc/passwd" is not allowed: no rule of the policy grants it. To allow it: allow.read: ["/etc/passwd"]
secure-bun: help: https://github.com/secure-bun/secure-bun/blob/main/docs/errors/ERR_ACCESS_DENIED.md
secure-bun: note: under a policy with these lines nothing of this would have been refused:
  allow.read: ["/etc/passwd"]

"#]]);
}

#[test]
fn under_the_suggested_lines_it_passes() {
    let folder = Folder::with("data.txt", "here");
    let read = format!("export default () => Bun.file('{}').text();\n", folder.text("data.txt"));
    let folder = folder.file("fn.ts", read);
    let refused = folder.secure_bun(["run", "--suggest", "--quiet", "fn.ts"]).end();
    let stderr = String::from_utf8(refused.errors.clone()).unwrap();
    let line = stderr.lines().find(|line| line.starts_with("  allow.read: ")).unwrap_or_else(|| panic!("{refused}"));
    let folder =
        folder.file("p.json", format!("{{ \"allow\": {{ {} }} }}", line.trim().replace("allow.read", "\"read\"")));
    assert_eq!(folder.secure_bun(["run", "--policy", "p.json", "fn.ts"]).prints(), "\"here\"\n");
}

#[test]
fn nothing_to_suggest() {
    let folder = Folder::with("main.ts", "console.log('fine')");
    folder.secure_bun(["run", "--suggest", "main.ts"]).shows(str![[r#"
exit code 0
--- stdout
fine
--- stderr
secure-bun: note: nothing was refused

"#]]);
}

#[test]
fn the_report_goes_to_a_descriptor_beside_the_output() {
    let folder = Folder::with("main.ts", "console.log('out')").file("report", "");
    let command = folder.secure_bun(["run", "--report-fd", "5", "main.ts"]);
    let ended = command.descriptor(5, &folder.path("report")).end();
    assert_eq!((ended.code(), ended.stdout()), (0, "out\n".to_owned()), "{ended}");
    let report: serde_json::Value = serde_json::from_str(&folder.read("report")).unwrap();
    assert_eq!((&report["ok"], &report["exit"]["code"]), (&true.into(), &0.into()));
    assert_eq!(report["stdout"], "", "relayed output is not captured as well");
}

#[test]
fn the_program_cannot_write_to_the_reports_descriptor() {
    let source = "import fs from 'fs'; for (let fd = 3; fd < 64; fd++) try { fs.writeSync(fd, 'forged\\n'); } catch {}";
    let folder = Folder::with("main.ts", source).file("report", "");
    let outside = folder.bun(["run", "main.ts"]).descriptor(5, &folder.path("report")).end();
    assert!(folder.read("report").contains("forged"), "the test shows nothing: {outside}");
    let folder = folder.file("report", "");
    let command = folder.secure_bun(["run", "--report-fd", "5", "main.ts"]);
    command.descriptor(5, &folder.path("report")).end();
    assert!(!folder.read("report").contains("forged"), "{}", folder.read("report"));
}

#[test]
fn a_descriptor_that_is_not_open() {
    let folder = Folder::with("main.ts", "console.log('out')");
    folder.secure_bun(["run", "--report-fd", "77", "main.ts"]).shows(str![[r#"
exit code 2
--- stdout
out
--- stderr
secure-bun: error: cannot write the report: No such file or directory (os error 2)

"#]]);
}

#[test]
fn quiet_is_without_warnings() {
    let folder = Folder::with("main.ts", "console.log('out')").file("p.json", r#"{"read": "./missing"}"#);
    folder.secure_bun(["run", "--policy", "p.json", "--quiet", "main.ts"]).shows(str![[r#"
exit code 0
--- stdout
out

"#]]);
}

#[test]
fn verbose_tells_what_it_took() {
    let ended = Folder::with("main.ts", "").secure_bun(["run", "--verbose", "main.ts"]).end();
    assert!(ended.stderr().contains("secure-bun: note: started in "), "{ended}");
}

#[test]
fn usage_errors_are_for_people_even_with_json() {
    let ended = Folder::new().secure_bun(["run", JSON, "missing.ts"]).end();
    assert_eq!((ended.code(), ended.stdout()), (127, String::new()));
}

#[test]
fn the_envelope_is_one_line_whatever_is_printed() {
    let folder = Folder::with("fn.ts", "export default () => { console.log('a\\nb\\u2028c'); return 'd\\ne'; };");
    let envelope: Envelope = folder.secure_bun(["run", JSON, "fn.ts"]).envelope();
    assert_eq!(envelope.result(), "d\ne");
    assert_eq!(envelope.text("/logs/0/text"), "a\nb\u{2028}c");
}
