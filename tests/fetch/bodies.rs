//! Bodies stream both ways, in the pace of whoever reads, and end when the program has enough.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use secure_bun_tests::{Folder, PATIENCE};
use serde_json::json;

use super::{Program, Server};

const ANY: &str = r#"{ "fetch": [{ "url": "http://127.0.0.1:PORT/*", "methods": ["GET", "POST"] }] }"#;
const MB: u64 = 1 << 20;

/// The most memory that a process ever had, in bytes.
fn most_memory(pid: nix::unistd::Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it is running");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it has memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// Runs a script to where it says `done`, with the launcher's peak of memory there.
fn peak_of(server: &Server, script: &str) -> u64 {
    let here = |text: &str| text.replace("PORT", &server.port.to_string());
    let script = format!("{}\nconsole.log('done'); for await (const _ of Bun.stdin.stream());", here(script));
    let folder = Folder::with("script.ts", script).file("policy.json", here(ANY));
    let running = folder.secure_bun(["run", "--policy", "policy.json", "script.ts"]).open_input().start();
    running.says("done");
    let peak = most_memory(running.pid);
    assert_eq!(running.end().code(), 0);
    peak
}

#[test]
fn large_ones_need_no_memory() {
    let server = Server::start();
    let small = peak_of(&server, "await (await fetch('http://127.0.0.1:PORT/')).text();");
    let down = "let bytes = 0; for await (const chunk of (await fetch('http://127.0.0.1:PORT/download?mb=64')).body) bytes += chunk.length; if (bytes !== 64 << 20) throw bytes;";
    let peak = peak_of(&server, down);
    assert!(peak < small + 8 * MB, "{small} {peak}");
    let up = r"
        let left = 64;
        const body = new ReadableStream({ pull(to) { if (left-- > 0) to.enqueue(new Uint8Array(1 << 20)); else to.close(); } });
        const arrived = await (await fetch('http://127.0.0.1:PORT/upload', { method: 'POST', body })).text();
        if (arrived !== String(64 << 20)) throw arrived;
    ";
    let peak = peak_of(&server, up);
    assert!(peak < small + 8 * MB, "{small} {peak}");
}

#[test]
fn who_does_not_read_is_not_sent_more() {
    let (told, stalled) = std::sync::mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody asks");
        stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a limit");
        let _ = stream.read(&mut [0; 4096]);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("somebody reads");
        let mut sent = 0;
        // Without an end, until nobody takes any more.
        while let Ok(bytes) = stream.write(&[b'x'; 1 << 12]) {
            sent += bytes as u64;
            assert!(sent < 256 * MB, "the launcher takes what nobody reads");
        }
        let _ = told.send(sent);
    });
    let script = format!(
        "const reader = (await fetch('http://127.0.0.1:{port}/')).body.getReader(); await reader.read();
        console.log('done'); for await (const _ of Bun.stdin.stream());"
    );
    let policy = ANY.replace("PORT", &port.to_string());
    let folder = Folder::with("script.ts", script).file("policy.json", policy);
    let running = folder.secure_bun(["run", "--policy", "policy.json", "script.ts"]).open_input().start();
    running.says("done");
    let sent = stalled.recv_timeout(PATIENCE).expect("it stalls");
    let peak = most_memory(running.pid);
    assert!(peak < 64 * MB, "{sent} {peak}");
    running.end();
}

#[test]
fn an_end_before_its_time_reaches_the_server() {
    let server = Server::start();
    let body = r#"
        const abort = new AbortController();
        const answer = await fetch("http://127.0.0.1:PORT/never", { signal: abort.signal });
        await answer.body.getReader().read();
        abort.abort();
        try { await fetch("http://127.0.0.1:PORT/echo", { signal: abort.signal }); } catch (error) { return error.name; }
    "#;
    let script = body.replace("return error.name", "console.log(error.name)").replace("PORT", &server.port.to_string());
    let script = format!("{script}\nfor await (const _ of Bun.stdin.stream());");
    let policy = ANY.replace("PORT", &server.port.to_string());
    let folder = Folder::with("script.ts", script).file("policy.json", policy);
    let running = folder.secure_bun(["run", "--policy", "policy.json", "script.ts"]).open_input().start();
    running.says("AbortError");
    // While the program still runs.
    server.says("cancelled");
    assert_eq!(running.end().code(), 0);
}

#[test]
fn rules_limit_them() {
    let server = Server::start();
    let policy = r#"{ "fetch": [
        { "url": "http://127.0.0.1:PORT/*", "methods": ["GET", "POST"], "max_request_kb": 1, "max_response_kb": 2 }
    ] }"#;
    let body = r#"
        const outcome = async (path, init) => {
            try { return (await (await fetch("http://127.0.0.1:PORT" + path, init)).text()).length; }
            catch (error) { return [error.name, error.code, error.limit, error.allowed]; }
        };
        const stream = () => new ReadableStream({ start(to) { for (let i = 0; i < 4; i++) to.enqueue(new Uint8Array(500)); to.close(); } });
        return [
            await outcome("/upload", { method: "POST", body: "x".repeat(1024) }),
            await outcome("/upload", { method: "POST", body: "x".repeat(1025) }),
            await outcome("/upload", { method: "POST", body: stream() }),
            await outcome("/long"),
            (await outcome("/download?mb=1"))[0] !== undefined,
        ];
    "#;
    let limit = |key: &str, allowed: u64| json!(["LimitError", "ERR_LIMIT_EXCEEDED", key, allowed]);
    let expected =
        json!([4, limit("max_request_kb", 1), limit("max_request_kb", 1), limit("max_response_kb", 2), true]);
    assert_eq!(*Program::new(&server, policy, body).inside().result(), expected);
}
