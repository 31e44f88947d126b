//! A service that makes mistakes, or worse.

use secure_bun_tests::Folder;
use serde_json::{Value, json};

use super::client::{Client, source};

#[track_caller]
fn is_alive(client: &mut Client) {
    assert_eq!(client.result(source("export default () => 'alive'", json!([]))), "alive");
}

#[test]
fn lines_that_are_no_requests_disturb_nothing() {
    let folder = Folder::new();
    let mut client = Client::of_functions(&folder);
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep = format!(r#"{{"jsonrpc":"2.0","id":"deep","method":"call","params":{nested}}}"#);
    for (line, code) in [
        (&b"nonsense"[..], -32700),
        (b"{\"jsonrpc\":\"2.0\"", -32700),
        (b"\xff\xfe\n", -32700),
        (b"\"\xed\xa0\x80\"", -32700),
        (b"{}", -32600),
        (b"null", -32600),
        (b"[]", -32600),
        (br#"[{"jsonrpc":"2.0","id":1,"method":"stats"}]"#, -32600),
        (br#"{"jsonrpc":"2.0","id":{},"method":"stats"}"#, -32600),
        (br#"{"jsonrpc":"2.0","id":1e400,"method":"stats"}"#, -32600),
        (br#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600),
        (deep.as_bytes(), -32602),
    ] {
        let line: &[u8] = line.strip_suffix(b"\n").unwrap_or(line);
        client.running.give(&[line, b"\n"].concat()).unwrap();
        let answer = client.next_answer();
        let shown = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
        assert_eq!(answer["error"]["code"], code, "{shown}: {answer}");
    }
    is_alive(&mut client);
    client.end();
}

#[test]
fn a_line_without_end_is_not_kept() {
    let folder = Folder::new();
    let mut client = Client::of_functions(&folder);
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        client.running.give(&chunk).unwrap();
    }
    client.running.give(b"\n").unwrap();
    let answer = client.next_answer();
    assert_eq!(answer["error"]["code"], -32700);
    assert_eq!(answer["error"]["message"], "the line is longer than 33554432 bytes");
    let status = std::fs::read_to_string(format!("/proc/{}/status", client.running.pid)).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim().trim_end_matches(" kB");
    assert!(peak.parse::<u64>().unwrap() < 200 << 10, "{peak} kB");
    is_alive(&mut client);
    client.end();
}

#[test]
fn an_id_that_is_in_use() {
    let folder = Folder::new();
    let mut client = Client::of_functions(&folder);
    let id =
        client.send("call", source("export default () => new Promise((done) => setTimeout(done, 60_000))", json!([])));
    client.running.tell(&json!({ "jsonrpc": "2.0", "id": id, "method": "stats" }).to_string());
    let refused = client.next_answer();
    assert_eq!([&refused["id"], &refused["error"]["data"]["id"]], [&Value::Null, &id], "{refused}");
    client.notify("$/cancel", json!({ "id": id }));
    assert_eq!(client.answer(&id)["error"]["code"], -32002);
    // What is answered is free again.
    client.running.tell(&json!({ "jsonrpc": "2.0", "id": id, "method": "stats" }).to_string());
    assert!(client.answer(&id).get("result").is_some());
    // And what nobody waits for cannot be cancelled.
    client.notify("$/cancel", json!({ "id": id }));
    client.notify("$/cancel", json!({ "id": {} }));
    assert_eq!(client.next_answer()["error"]["code"], -32600);
    is_alive(&mut client);
    client.end();
}

#[test]
fn half_a_line_at_the_end_is_none() {
    let folder = Folder::new();
    let mut client = Client::of_functions(&folder);
    client.running.give(br#"{"jsonrpc":"2.0","id":9,"method":"stats"}"#).unwrap();
    client.running.hang_up();
    assert_eq!(client.running.next_line(), None);
    client.end();
}

#[test]
fn the_end_of_input_ends_what_runs() {
    let folder = Folder::new();
    let mut client = Client::of_functions(&folder);
    client.send("call", source("export default () => { for (;;); }", json!([])));
    client.send("call", source("export default () => new Promise((done) => setTimeout(done, 60_000))", json!([])));
    client.ask("stats", json!({}));
    let ended = client.end();
    assert!(ended.took.as_secs() < 20);
}

/// Answers of a megabyte each, of which none is read: no more of them are made than there is room for.
#[test]
fn a_service_that_does_not_read_is_not_flooded() {
    let folder = Folder::new();
    let mut command = folder.secure_bun(["serve", "--policy", "function", "--concurrency", "2", "--queue", "4"]);
    let (reader, writer) = std::io::pipe().unwrap();
    command = command.open_input().stdout(writer);
    let mut running = command.start();
    running.tell(r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocol":1}}"#);
    let big = "export default () => 'x'.repeat(1 << 20)";
    let pid = running.pid;
    let give = std::thread::spawn(move || {
        for id in 0..60 {
            let line = json!({ "jsonrpc": "2.0", "id": id, "method": "call", "params": { "source": big } });
            running.tell(&line.to_string());
        }
        running
    });
    // It takes what it has room for, and then nothing: its memory stays where it is.
    let resident = || {
        let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    };
    let mut most = 0;
    for _ in 0..40 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        most = most.max(resident());
    }
    assert!(most < 120 << 20, "{most} bytes");
    let mut lines = std::io::BufReader::new(reader);
    let mut seen = 0;
    let mut line = String::new();
    while seen < 61 {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut lines, &mut line).unwrap() > 0);
        seen += 1;
    }
    assert_eq!(give.join().unwrap().end().code(), 0);
}
