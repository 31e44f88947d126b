//! Children reach for their siblings and for the server, from native code.

mod launcher;

use std::path::{Path, PathBuf};
use std::process::Command;

use launcher::{Called, Server, Settings, call};
use serde_json::{Value, json};

const ATTACK: &str = "modules/attack.ts";
const VICTIM: &str = "modules/victim.ts";

/// What the filter cannot tell from harmless calls.
const BY_LANDLOCK: [&str; 5] = [
    "open /proc/PID/mem",
    "open /proc/PID/environ",
    "open /proc/PID/maps",
    "read the link /proc/PID/fd/N",
    "read the link /proc/PID/cwd",
];

fn module(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// A child that waits, with the number of its channel.
fn victim(server: &Server) -> (Called, u64) {
    let mut victim = server.child().call(&call(&module(VICTIM), &json!([])));
    let sockets = victim.result();
    let [channel] = sockets.as_array().expect("a list").as_slice() else {
        panic!("a child has one socket, its channel, and no way to the server: {sockets}")
    };
    (victim, channel.as_u64().expect("a number"))
}

/// What a process can do that is neither a child nor confined.
fn from_outside(pid: u32, descriptor: u64) -> Value {
    let mut command = Command::new(launcher::bun());
    command.arg(module(ATTACK)).args([pid.to_string(), descriptor.to_string()]);
    launcher::take_privileges(&mut command);
    let output = command.output().expect("Bun starts");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn assert_all_refused(acts: &Value) {
    for (act, verdict) in acts.as_object().expect("an object") {
        let expected = if BY_LANDLOCK.contains(&act.as_str()) { "EACCES" } else { "EPERM" };
        assert_eq!(verdict, expected, "{act}");
    }
}

#[test]
fn a_sibling_is_out_of_reach() {
    let server = Server::start(&Settings::default());
    let (victim, channel) = victim(&server);

    let outside = from_outside(victim.child.pid, channel);
    for (act, verdict) in outside.as_object().expect("an object") {
        assert_eq!(verdict, "works", "{act}");
    }

    let mut attacker = server.child().call(&call(&module(ATTACK), &json!([victim.child.pid, channel])));
    assert_all_refused(&attacker.result());
    assert!(victim.child.is_alive());
}

#[test]
fn a_child_has_its_channel_and_nothing_that_leads_to_the_server() {
    let server = Server::start(&Settings::default());
    let list = server.module(
        "descriptors.ts",
        "import { readdirSync, readlinkSync } from 'node:fs';
        const target = (name: string) => {
            try { return readlinkSync(`/proc/self/fd/${name}`); } catch { return 'closed'; }
        };
        export default () => readdirSync('/proc/self/fd').map(target);",
    );
    let child = server.child().call(&call(&list, &json!([]))).result();
    let of_child: Vec<&str> = child.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let folder = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("a folder");
    let of_server: Vec<String> = folder
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .collect();

    let is_socket = |target: &&str| target.starts_with("socket:");
    let sockets: Vec<&str> = of_child.iter().copied().filter(is_socket).collect();
    assert_eq!(sockets.len(), 1, "its channel: {of_child:?}");
    assert_eq!(of_server.iter().map(String::as_str).filter(is_socket).count(), 1, "its control: {of_server:?}");
    assert!(!of_server.iter().any(|target| target == sockets[0]), "they share no socket");
    assert_eq!(of_child.first(), Some(&"/dev/null"), "in the place of the library");
    // That is closed: whoever had it could write into the code of all of them.
    assert!(!of_child.iter().any(|target| target.contains("memfd")), "{of_child:?}");
}

#[test]
fn the_server_is_out_of_reach() {
    let server = Server::start(&Settings::default());
    let standard_output = 1;
    let mut attacker = server.child().call(&call(&module(ATTACK), &json!([server.pid(), standard_output])));
    assert_all_refused(&attacker.result());
    server.child();
}
