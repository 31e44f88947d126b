//! Clients that Bun has, unchanged.

use secure_bun_tests::{Folder, JSON};

use super::Server;

/// One line per client: what it got.
pub(crate) const CLIENTS: &str = r#"
import http from "node:http";
import net from "node:net";

const port = Number(process.argv[2]);
const url = `http://localhost:${port}/`;
const REQUEST = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\nGET /end HTTP/1.1\r\n\r\n";
const body = (text) => text.split("\r\n\r\n")[1];

const clients = {
  fetch: async () => (await fetch(url)).text(),
  "fetch by address": async () => (await fetch(url.replace("localhost", "127.0.0.1"))).text(),
  "node:http": () =>
    new Promise((resolve, reject) => {
      const request = http.get(url, { agent: new http.Agent({ keepAlive: false }) }, (response) => {
        let text = "";
        response.on("data", (part) => (text += part)).on("end", () => resolve(text));
      });
      request.on("error", reject);
    }),
  "node:net": () =>
    new Promise((resolve, reject) => {
      let text = "";
      const socket = net.connect(port, "localhost", () => socket.write(REQUEST));
      socket.on("data", (part) => (text += part)).on("close", () => resolve(body(text))).on("error", reject);
    }),
  "Bun.connect": () =>
    new Promise((resolve, reject) => {
      let text = "";
      Bun.connect({
        hostname: "localhost",
        port,
        socket: {
          open: (socket) => void socket.write(REQUEST),
          data: (_, part) => void (text += part.toString()),
          close: () => resolve(body(text)),
          connectError: (_, error) => reject(error),
        },
      }).catch(reject);
    }),
};
for (const [name, client] of Object.entries(clients)) console.log(name, await client().catch((error) => error.code));
"#;

#[test]
fn what_is_granted_is_reached_by_every_client() {
    let server = Server::new();
    let port = server.port().to_string();
    let folder = Folder::with("main.mjs", CLIENTS);
    let outside = folder.bun(["run", "main.mjs", &port]).prints();
    assert_eq!(outside.matches("hello from outside").count(), 5, "{outside}");
    let grant = format!("--allow-net=localhost:{port}");
    assert_eq!(folder.secure_bun(["run", &grant, "main.mjs", &port]).prints(), outside);
}

#[test]
fn several_hundred_at_once() {
    let server = Server::new();
    let program = r#"
const url = `http://localhost:${process.argv[2]}/`;
let good = 0;
for (let round = 0; round < 5; round++) {
  const all = Array.from({ length: 200 }, () => fetch(url, { keepalive: false }).then((response) => response.text()));
  good += (await Promise.all(all)).filter((text) => text === "hello from outside").length;
}
console.log(good);
"#;
    let folder = Folder::with("main.mjs", program);
    let port = server.port().to_string();
    let grant = format!("--allow-net=localhost:{port}");
    assert_eq!(folder.secure_bun(["run", &grant, "main.mjs", &port]).prints(), "1000\n");
}

#[test]
fn the_report_says_how_the_network_is_guarded() {
    let folder = Folder::with("main.ts", "1");
    let envelope = folder.secure_bun(["run", JSON, "--allow-net=localhost:1", "main.ts"]).envelope();
    assert_eq!(envelope.at("/sandbox/layers/network"), "broker");
    assert_eq!(envelope.at("/sandbox/layers/namespaces"), &serde_json::json!(["user", "mnt", "net", "ipc", "uts"]));
    let envelope = folder.secure_bun(["run", JSON, "main.ts"]).envelope();
    assert_eq!(envelope.at("/sandbox/layers/network"), "none");
}
