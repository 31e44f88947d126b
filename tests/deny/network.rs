//! No network: neither out nor in.

use std::io::{Read, Write};
use std::net::TcpListener;

use secure_bun_tests::{Folder, JSON};

use super::{Act, Refusal};

#[test]
fn connecting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = format!("127.0.0.1:{port}");
    let fix = format!("allow.net: [\"{host}\"]");
    let refusal = Refusal { permission: "net", resource: Some(&host), rule: "default", fix: &fix };
    let ways = [
        "Bun.connect({ hostname: '127.0.0.1', port: PORT, socket: { data() {} } }).then(s => void s.end())",
        "new Promise((good, bad) => { const s = require('net').connect(PORT, '127.0.0.1', () => good(void s.destroy())); s.on('error', bad); })",
        "new Promise((good, bad) => { const w = new WebSocket('ws://127.0.0.1:PORT'); setTimeout(() => { w.close(); good(null); }, 50); })",
    ];
    for way in ways {
        Act::new(Folder::new(), &way.replace("PORT", &port.to_string())).refused_as(&refusal);
    }
}

/// A server that answers each request, and its URL.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A client that goes away early asks for nothing more.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi");
        }
    });
    url
}

/// It works outside; inside, a SecurityError names this permission.
#[track_caller]
fn is_refused(way: &str, permission: &str) {
    let envelope = Act::new(Folder::new(), way).fails();
    assert_eq!(envelope.text("/error/name"), "SecurityError", "{way}: {}", envelope.json);
    assert_eq!(envelope.text("/error/permission"), permission, "{way}: {}", envelope.json);
}

#[test]
fn fetching() {
    is_refused(&format!("fetch('{}').then(r => r.text())", server()), "net");
}

#[test]
fn requesting() {
    let url = server();
    is_refused(
        &format!("new Promise((good, bad) => require('http').get('{url}', r => good(r.statusCode)).on('error', bad))"),
        "net",
    );
}

#[test]
fn fetching_by_a_way_that_no_guard_sees() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect = format!("(await import(['n', 'et'].join(''))).connect({port}, '127.0.0.1')");
    let wait = format!(
        "new Promise(async (good, bad) => {{ const s = {connect}; s.on('connect', () => {{ s.destroy(); good('connected'); }}); s.on('error', bad); }})"
    );
    let act = Act::new(Folder::new(), &wait);
    act.fails();
}

#[test]
fn listening() {
    let ways = [
        "void Bun.serve({ port: 0, fetch() { return new Response(''); } }).stop(true)",
        "void Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } }).stop(true)",
    ];
    for way in ways {
        is_refused(way, "listen");
    }
}

#[test]
fn resolving_names() {
    let folder = Folder::with("fn.ts", "export default () => require('dns').promises.lookup('localhost');")
        .file("outside.ts", super::CALLER);
    folder.bun(["run", "outside.ts"]).prints();
    let envelope = folder.secure_bun(["run", JSON, "--policy", "function", "fn.ts"]).envelope();
    assert_eq!(envelope.at("/ok"), false, "{}", envelope.json);
}
