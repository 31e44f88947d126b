//! Web servers.

use secure_bun_tests::Folder;

use super::{servers, the_same_inside};

#[test]
fn nginx_by_http2_and_every_client() {
    let (server, authority) = servers::nginx();
    let program = r#"
import fs from "node:fs";
import http2 from "node:http2";
import https from "node:https";
import axios from "axios";
import { Agent, request } from "undici";
const url = `https://localhost:${process.argv[2]}`;
const ca = fs.readFileSync("authority.txt", "utf8");
const client = http2.connect(url, { ca });
await new Promise((resolve, reject) => client.on("connect", resolve).on("error", reject));
const pages = Array.from({ length: 20 }, () => {
  const { promise, resolve, reject } = Promise.withResolvers();
  const stream = client.request({ ":path": "/" });
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (part) => (text += part)).on("end", () => resolve(text)).on("error", reject).end();
  return promise;
});
console.log("http2", new Set(await Promise.all(pages)));
client.close();
console.log("fetch", await (await fetch(url, { tls: { ca } })).text());
console.log("axios", (await axios.get(url, { httpsAgent: new https.Agent({ ca }), adapter: "http" })).data);
const { body } = await request(url, { dispatcher: new Agent({ connect: { ca } }) }).catch((error) => ({
  body: { text: () => error.code },
}));
console.log("undici", await body.text());
process.exit();
"#;
    let port = server.port.to_string();
    let folder = Folder::with("authority.txt", authority);
    let printed = the_same_inside(folder, program, &[server.port], &[&port]);
    assert!(printed.matches("a page").count() >= 3, "{printed}");
}

/// A server inside, listening only there, and its clients.
#[test]
fn ws_within_the_sandbox_and_from_outside() {
    let program = r#"
import WebSocket, { WebSocketServer } from "ws";
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]) });
server.on("connection", (socket) => socket.on("message", (data) => socket.send(`heard ${data}`)));
await new Promise((resolve) => server.on("listening", resolve));
for (const Client of [WebSocket, globalThis.WebSocket]) {
  const client = new Client(`ws://localhost:${server.address().port}/`);
  await new Promise((resolve, reject) => Object.assign(client, { onopen: resolve, onerror: reject }));
  const heard = new Promise((resolve) => (client.onmessage = ({ data }) => resolve(data)));
  client.send("hello");
  console.log(await heard);
  client.close();
}
process.exit();
"#;
    let folder = Folder::with("main.mjs", program).package();
    std::os::unix::fs::symlink(secure_bun_tests::services().join("node_modules"), folder.path("node_modules")).unwrap();
    let read = format!("--allow-read=.,{}", secure_bun_tests::services().display());
    let outside = folder.bun(["run", "main.mjs", "0"]).prints();
    assert_eq!(outside, "heard hello\nheard hello\n");
    let inside = folder.secure_bun(["run", "--allow-net=localhost:1", &read, "main.mjs", "0"]).prints();
    assert_eq!(inside, outside);
}
