//! What the launcher's own processes have of secrets in their memory.

use std::fs::{self, File};
use std::io::{self, Read};

use secure_bun_tests::{Folder, count_in_memory};

/// In two parts: this file's own memory would have it otherwise.
fn secret(kind: &str) -> String {
    ["topsecret", kind, "dGhlIHZhbHVl"].join("-")
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// Whether a process has `needle` in its memory; an error where nobody may look.
fn has(pid: i32, needle: &str) -> io::Result<bool> {
    count_in_memory(pid, needle).map(|count| count > 0)
}

#[test]
fn init_knows_none() {
    let (of_file, of_variable) = (secret("file"), secret("variable"));
    let policy = r#"{ "run": ["sh"], "fetch": [{ "url": "http://127.0.0.1:1/*",
        "headers": { "x-file": "${secret:FILE}", "x-variable": "${secret:VARIABLE}" } }] }"#;
    let script = "console.log('runs'); for await (const _ of Bun.stdin.stream());";
    let folder = Folder::with("script.ts", script).file("policy.json", policy).file("secret", &of_file);
    let words = [
        "run",
        "--policy",
        "policy.json",
        "--secret",
        "FILE=file:secret",
        "--secret",
        "VARIABLE=env:OF_ALL",
        "script.ts",
    ];
    let running = folder.secure_bun(words).env("OF_ALL", of_variable.as_str()).open_input().start();
    running.says("runs");
    let launcher = running.pid.as_raw();
    let children = fs::read_to_string(format!("/proc/{launcher}/task/{launcher}/children")).expect("it has some");
    let init: i32 = children.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("there is an init");
    for secret in [&of_file, &of_variable] {
        assert!(has(launcher, secret).expect("it is ours to look into"), "the control: {secret}");
        // Without the rights of root nobody may look.
        assert!(!has(init, secret).unwrap_or(false), "{secret}");
    }
    let mut environ = Vec::new();
    if File::open(format!("/proc/{init}/environ")).and_then(|mut file| file.read_to_end(&mut environ)).is_ok() {
        assert!(!holds(&environ, &of_variable));
    }
    match has(init, "x-variable") {
        Ok(has) => assert!(has, "the control: what else the launcher knows is there"),
        Err(_) => assert!(!nix::unistd::geteuid().is_root(), "root may look"),
    }
    running.end();
}
