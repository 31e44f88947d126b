//! Programs that are started ahead of their calls.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use secure_bun_tests::{Folder, Machine};
use serde_json::json;

use super::client::{Client, until};

const WHO: &str = "export default () => process.pid";

fn warm(client: &mut Client) -> u64 {
    client.ask("stats", json!({}))["result"]["warm"].as_u64().expect("a number")
}

#[test]
fn each_is_called_once_and_replaced() {
    let folder = Folder::new();
    let mut client = Client::of_engine(&folder, "pool");
    client.ask("function.register", json!({ "name": "who", "source": WHO }));
    until("programs are started", || warm(&mut client) >= 2);
    let mut seen = std::collections::HashSet::new();
    for _ in 0..10 {
        until("programs are started", || warm(&mut client) >= 2);
        let envelope = client.call(json!({ "function": "who" }));
        assert!(seen.insert(envelope["result"].to_string()), "{envelope}");
    }
    client.ask("function.remove", json!({ "name": "who" }));
    until("they end with their function", || warm(&mut client) == 0);
    client.end();
}

#[test]
fn one_that_has_ended_meanwhile_is_not_called() {
    let folder = Folder::new();
    let mut client = Client::of_engine(&folder, "pool");
    client.ask("function.register", json!({ "name": "who", "source": WHO }));
    until("programs are started", || warm(&mut client) >= 2);
    for child in Machine::children(client.running.pid.as_raw()) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(child), Signal::SIGKILL).expect("it is ours");
        let stat = || fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        until("it has ended", || stat().rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with('Z')));
    }
    for _ in 0..4 {
        assert!(client.result(json!({ "function": "who" })).is_number());
    }
    client.end();
}

#[test]
fn a_large_call_arrives_whole() {
    let folder = Folder::new();
    let mut client = Client::of_engine(&folder, "pool");
    client.ask("function.register", json!({ "name": "length", "source": "export default (a: string) => a.length" }));
    for length in [10, 70_000, 5 << 20] {
        until("programs are started", || warm(&mut client) >= 1);
        assert_eq!(client.result(json!({ "function": "length", "args": ["x".repeat(length)] })), length);
    }
    client.end();
}

#[test]
fn what_narrows_a_call_is_enforced_on_it() {
    let folder = Folder::with("data.txt", "data").open_to_all();
    let path = folder.text("data.txt");
    let mut client = Client::start(&folder, &["--policy", "function", &format!("--allow-read={path}")]);
    let code = "import { readFileSync } from 'node:fs'; export default (path: string) => readFileSync(path, 'utf8')";
    client.ask("function.register", json!({ "name": "read", "source": code }));
    until("programs are started", || warm(&mut client) >= 2);
    assert_eq!(client.result(json!({ "function": "read", "args": [path] })), "data");
    let narrowed = client.call(json!({ "function": "read", "args": [path], "policy": { "read": [] } }));
    assert_eq!(narrowed["error"]["code"], "ERR_ACCESS_DENIED", "{narrowed}");
    client.end();
}

#[test]
fn nothing_is_left_of_a_serve_that_was_killed() {
    let folder = Folder::new();
    let mut client = Client::of_engine(&folder, "pool");
    client.ask("function.register", json!({ "name": "who", "source": WHO }));
    until("programs are started", || warm(&mut client) >= 2);
    client.send("call", json!({ "source": "export default () => { for (;;); }" }));
    until("a call runs", || client.ask("stats", json!({}))["result"]["running"] == json!(1));
    let children = Machine::children(client.running.pid.as_raw());
    assert!(children.len() >= 3, "{children:?}");
    client.running.signal(Signal::SIGKILL);
    until("all are gone", || children.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
    assert_eq!(client.running.end().signal(), Some(Signal::SIGKILL));
}
