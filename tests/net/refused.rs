//! What is not granted is not reached.

use secure_bun_tests::{Folder, JSON};
use serde_json::json;

use super::Server;

/// Connects, sends a line, and says what came back, or the code of the error.
const CONNECT: &str = r#"
import net from "node:net";
const [host, port] = process.argv.slice(2);
const socket = net.connect(Number(port), host, () => socket.write("GET / HTTP/1.1\r\n\r\nGET /end HTTP/1.1\r\n\r\n"));
let text = "";
socket.on("data", (part) => (text += part));
socket.on("close", () => console.log(text ? "reached" : "nothing"));
socket.on("error", (error) => (text = "", console.log(error.code)));
"#;

#[test]
fn another_port_of_a_granted_host() {
    let (granted, other) = (Server::new(), Server::new());
    let folder = Folder::with("main.mjs", CONNECT);
    let port = other.port().to_string();
    let words = ["main.mjs", "127.0.0.1", &port];
    assert_eq!(folder.bun(words).prints(), "reached\n");
    let grant = format!("--allow-net=localhost:{}", granted.port());
    let envelope = folder.secure_bun(["run", JSON, &grant]).words(words).envelope();
    assert_eq!(envelope.at("/stdout"), "ECONNREFUSED\nnothing\n");
    let denial = envelope.at("/denials/0");
    assert_eq!(denial["permission"], "net");
    assert_eq!(denial["resource"], json!(format!("127.0.0.1:{port}")));
    assert_eq!(denial["rule"], "default");
    assert_eq!(denial["fix"], json!(format!("allow.net: [\"127.0.0.1:{port}\"]")));
    assert_eq!(denial["reported_by"], "broker");
}

#[test]
fn addresses_and_names_that_no_rule_names() {
    let folder = Folder::with("main.mjs", CONNECT);
    for host in ["192.0.2.1", "2001:db8::1", "169.254.169.254", "example.com"] {
        let ended = folder.secure_bun(["run", "--allow-net=localhost:1", "main.mjs", host, "80"]).end();
        assert_eq!(ended.stdout(), "ERR_ACCESS_DENIED\nnothing\n", "{host}: {ended}");
    }
}

#[test]
fn nothing_without_a_grant() {
    let server = Server::new();
    let folder = Folder::with("main.mjs", CONNECT);
    let port = server.port().to_string();
    let ended = folder.secure_bun(["run", "main.mjs", "127.0.0.1", &port]).end();
    assert!(!ended.stdout().contains("reached"), "{ended}");
}
