//! What the design promises and is not built yet says so, and runs nothing.

use secure_bun_tests::{Folder, str};

#[test]
fn commands() {
    let folder = Folder::with("main.ts", "console.log('it ran')");
    let later = [
        "test", "install", "add", "remove", "update", "ci", "x", "build", "repl", "check", "sign", "verify", "bundle",
        "shim", "learn",
    ];
    for command in later {
        let ended = folder.secure_bun([command, "main.ts", "--watch"]).end();
        let message = format!("secure-bun: error: secure-bun {command} is not available yet\n");
        assert_eq!((ended.code(), ended.stdout(), ended.stderr()), (2, String::new(), message));
    }
}

#[test]
fn permissions_in_a_policy() {
    let policy = r#"{
  "net": ["api.example.com:443"],
  "listen": [3000],
  "fetch": ["https://api.example.com/v1/*"],
  "run": ["git"],
  "host": ["db.*"],
  "secrets": ["SALT"],
  "trust": { "signers": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE1fbGqNhQIJvLuLNeJGLLOrfNwjHeEg3wjMLy3CGjHz"], "required": true },
  "kernel": { "audit": "ebpf" }
}"#;
    let folder = Folder::with("main.ts", "console.log('it ran')").file("p.json", policy);
    folder.secure_bun(["run", "--policy", "p.json", "main.ts"]).shows(str![[r#"
exit code 2
--- stderr
error: allow.host is not available yet
 --> p.json:6:12
  |
6 |   "host": ["db.*"],
  |            ^^^^^^
  |
  = help: this version cannot enforce it, so nothing runs: remove it
error: allow.secrets is not available yet
 --> p.json:7:15
  |
7 |   "secrets": ["SALT"],
  |               ^^^^^^
  |
  = help: this version cannot enforce it, so nothing runs: remove it
error: trust.signers is not available yet
 --> p.json:8:26
  |
8 |   "trust": { "signers": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE1fbGqNhQIJvLuLNeJGLLOrfNwjHeEg3wjMLy3CGjHz"], "required": true },
  |                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: this version cannot enforce it, so nothing runs: remove it
error: trust.required is not available yet
 --> p.json:8:123
  |
8 |   "trust": { "signers": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE1fbGqNhQIJvLuLNeJGLLOrfNwjHeEg3wjMLy3CGjHz"], "required": true },
  |                                                                                                                           ^^^^
  |
  = help: this version cannot enforce it, so nothing runs: remove it
error: kernel.audit "ebpf" is not available yet
 --> p.json:9:24
  |
9 |   "kernel": { "audit": "ebpf" }
  |                        ^^^^^^
  |
  = help: this version cannot enforce it, so nothing runs: remove it

"#]]);
}

#[test]
fn denying_what_is_not_available_is_fine() {
    let policy = r#"{"deny": {"net": ["*:*"], "run": true}, "net": [], "listen": []}"#;
    let folder = Folder::with("main.ts", "console.log('it ran')").file("p.json", policy);
    assert_eq!(folder.secure_bun(["run", "--policy", "p.json", "main.ts"]).prints(), "it ran\n");
}
