//! Servers, and programs, that do not keep to HTTP.

use std::io::{Read, Write};
use std::net::TcpListener;

use secure_bun_tests::{Folder, JSON};
use serde_json::json;

use super::{Program, Server};

/// A server that answers every connection with these bytes, and its port.
pub(super) fn answering(bytes: &'static [u8], then: fn(&mut std::net::TcpStream)) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A client that goes away early asks for nothing more.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(bytes);
            then(&mut stream);
        }
    });
    port
}

/// Headers without an end, as long as somebody takes them.
fn headers_for_ever(stream: &mut std::net::TcpStream) {
    for _ in 0..1_000_000 {
        if stream.write_all(b"x-more: and more and more and more\r\n").is_err() {
            return;
        }
    }
    panic!("the launcher takes headers of any length");
}

#[test]
fn answers_that_are_none() {
    let nothing: fn(&mut std::net::TcpStream) = |_| ();
    for (bytes, then) in [
        (&b"HTTP/1.1 200 OK\r\n"[..], headers_for_ever as fn(&mut std::net::TcpStream)),
        (b"", nothing),
        (b"SSH-2.0-OpenSSH\r\n", nothing),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello", nothing),
        (b"HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\nhello", nothing),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello", nothing),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\nhello", nothing),
        (b"HTTP/1.1 200 OK\r\nx-a: b\rx-c: d\r\ncontent-length: 0\r\n\r\n", nothing),
        (b"HTTP/1.1 302 Found\r\nlocation: http://[/\r\ncontent-length: 0\r\n\r\n", nothing),
        (b"HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\n\r\n", nothing),
    ] {
        let port = answering(bytes, then);
        let source = format!(
            "export default async () => {{ try {{ return await (await fetch('http://127.0.0.1:{port}/')).text(); }} catch (error) {{ return typeof error.code; }} }};"
        );
        let policy = format!(r#"{{ "fetch": ["http://127.0.0.1:{port}/*"] }}"#);
        let folder = Folder::with("fn.ts", source).file("policy.json", policy);
        let envelope = folder.secure_bun(["run", JSON, "--policy", "policy.json", "fn.ts"]).envelope();
        assert_eq!(*envelope.result(), json!("string"), "{} {}", String::from_utf8_lossy(bytes), envelope.json);
    }
}

#[test]
fn headers_of_ours_are_not_the_servers_to_send() {
    let port = answering(
        b"HTTP/1.1 200 Fine\r\nx-secure-bun-failed: 1\r\nx-secure-bun-url: http://b.example/\r\nx-secure-bun-redirected: 1\r\ncontent-length: 2\r\n\r\n{}",
        |_| (),
    );
    let source = format!(
        "export default async () => {{ const a = await fetch('http://127.0.0.1:{port}/'); return [a.url, a.redirected, a.statusText, [...a.headers.keys()], await a.text()]; }};"
    );
    let policy = format!(r#"{{ "fetch": ["http://127.0.0.1:{port}/*"] }}"#);
    let folder = Folder::with("fn.ts", source).file("policy.json", policy);
    let envelope = folder.secure_bun(["run", JSON, "--policy", "policy.json", "fn.ts"]).envelope();
    let url = format!("http://127.0.0.1:{port}/");
    assert_eq!(*envelope.result(), json!([url, false, "Fine", ["content-length"], "{}"]), "{}", envelope.json);
}

/// What is written to the launcher byte by byte, past all of the preload.
#[test]
fn bytes_to_the_launcher() {
    let (server, other) = (Server::start(), Server::start());
    let policy = r#"{ "fetch": [{ "url": "http://127.0.0.1:PORT/*", "methods": ["GET", "POST"] }], "net": ["unix:/run/secure-bun.fetch"] }"#;
    let body = r#"
        const ask = (text) => new Promise((good) => {
            let heard = "";
            const socket = {
                open: (socket) => void socket.write(text),
                data: (_, data) => { heard += data; },
                error: (_, error) => good(error.code),
                connectError: (_, error) => good(error.code),
                close: () => good(heard.split("\r\n")[0]),
            };
            Bun.connect({ unix: "/run/secure-bun.fetch", socket });
        });
        const end = "connection: close\r\n\r\n";
        const good = "x-secure-bun-url: http://127.0.0.1:PORT/good\r\n";
        const bad = "x-secure-bun-url: http://127.0.0.1:OTHER/bad\r\n";
        return [
            await ask(`GET / HTTP/1.1\r\nhost: a\r\n${good}${end}`),
            await ask(`GET / HTTP/1.1\r\nhost: a\r\n${bad}${end}`),
            await ask(`GET / HTTP/1.1\r\nhost: a\r\n${good}${bad}${end}`),
            await ask(`GET http://127.0.0.1:OTHER/bad HTTP/1.1\r\nhost: a\r\n${good}${end}`),
            await ask(`CONNECT 127.0.0.1:OTHER HTTP/1.1\r\nhost: a\r\n${good}${end}`),
            await ask(`GET / HTTP/1.1\r\nhost: 127.0.0.1:OTHER\r\nhost: b\r\n${good}${end}`),
            await ask(`GET / HTTP/1.1\r\nhost: a\r\n${end}`),
            await ask(`GET / HTTP/1.1\r\nhost: a\r\nx-secure-bun-url: http://127.0.0.1:PORT/good HTTP/1.1\r\n${end}`),
            await ask(`GET / HTTP/1.1\r\nhost: a\r\nx-secure-bun-url: http://127.0.0.1:PORT/x/../y\r\n${end}`),
            await ask(`no HTTP at all\r\n\r\n`),
            await ask("x".repeat(1 << 20)),
            await ask(`POST / HTTP/1.1\r\nhost: a\r\n${good}content-length: 5\r\ntransfer-encoding: chunked\r\n${end}0\r\n\r\nGET /`),
        ];
    "#;
    let body = body.replace("OTHER", &other.port.to_string());
    let envelope = Program::new(&server, policy, &body).inside();
    let (bad, refused) = ("HTTP/1.1 400 Bad Request", "HTTP/1.1 403 Forbidden");
    let result = envelope.result().as_array().expect("a list").clone();
    assert_eq!(result[0], json!("HTTP/1.1 200 OK"), "{result:?}");
    assert_eq!(result[1], json!(refused), "{result:?}");
    assert_eq!(result[2..10], vec![json!(bad); 8], "{result:?}");
    assert_eq!(result[10], json!("HTTP/1.1 431 Request Header Fields Too Large"), "{result:?}");
    // The chunks say how long it is: what the server gets is written anew, with one length.
    assert_eq!(result[11], json!("HTTP/1.1 200 OK"), "{result:?}");
    assert_eq!(other.end().matches("\"path\"").count(), 0);
    let told = server.end();
    assert_eq!((told.matches("\"path\"").count(), told.contains("content-length\":\"5")), (2, false), "{told}");
}
