//! Servers inside, and who reaches them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use secure_bun_tests::Folder;

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

pub(crate) fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
}

/// Listens at `process.argv[2]:process.argv[3]`, says that it does, and ends after one request or when its input ends.
pub(crate) const SERVER: &str = r#"
import http from "node:http";
const [host, port] = process.argv.slice(2);
const server = http.createServer((_, response) => response.end("hello from inside", () => process.exit()));
server.listen(Number(port), host, () => console.log("listening " + server.address().port));
process.stdin.on("end", () => process.exit()).resume();
"#;

fn listens(grant: &str, host: &str, port: u16) -> (secure_bun_tests::Running, u16) {
    let folder = Folder::with("main.mjs", SERVER);
    let words = ["run", grant, "main.mjs", host, &port.to_string()];
    let running = folder.secure_bun(words).open_input().keep(folder).start();
    let line = running.line();
    let port = line.trim().strip_prefix("listening ").and_then(|port| port.parse().ok());
    (running, port.unwrap_or_else(|| panic!("it said {line:?}")))
}

#[test]
fn a_granted_port_is_reached_from_the_host() {
    let port = free_port();
    let (running, _) = listens(&format!("--allow-listen=127.0.0.1:{port}"), "127.0.0.1", port);
    assert_eq!(ask((Ipv4Addr::LOCALHOST, port).into()).unwrap(), "hello from inside");
    assert_eq!(running.end().code(), 0);
}

#[test]
fn all_addresses_are_those_that_are_granted() {
    let port = free_port();
    let (running, _) = listens(&format!("--allow-listen=127.0.0.2:{port}"), "0.0.0.0", port);
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    assert_eq!(ask((Ipv4Addr::new(127, 0, 0, 2), port).into()).unwrap(), "hello from inside");
    assert_eq!(running.end().code(), 0);
}

#[test]
fn any_free_port_where_any_is_granted() {
    let (running, port) = listens("--allow-listen=localhost:*", "127.0.0.1", 0);
    assert_eq!(ask((Ipv4Addr::LOCALHOST, port).into()).unwrap(), "hello from inside");
    assert_eq!(running.end().code(), 0);
}

#[test]
fn a_port_that_is_not_granted_is_the_sandbox_s_own() {
    let (running, port) = listens("--allow-net=localhost:1", "127.0.0.1", 0);
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    assert_eq!(running.end().code(), 0);
}

#[test]
fn a_program_reaches_its_own_servers_granted_or_not() {
    let program = r#"
for (const port of [0, Number(process.argv[2])]) {
  const server = Bun.serve({ port, hostname: "127.0.0.1", fetch: () => new Response("own " + (port ? "granted" : "inner")) });
  console.log(await (await fetch(`http://localhost:${server.port}/`)).text());
  server.stop(true);
}
"#;
    let folder = Folder::with("main.mjs", program);
    let port = free_port().to_string();
    let grant = format!("--allow-listen=127.0.0.1:{port}");
    assert_eq!(folder.secure_bun(["run", &grant, "main.mjs", &port]).prints(), "own inner\nown granted\n");
}
