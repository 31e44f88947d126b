//! What standard input and output may be.

use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use secure_bun_tests::{Folder, PATIENCE};
use serde_json::{Value, json};

use super::client::ENGINES;

fn line(id: u32, method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

/// A file is always ready, and cannot be waited for.
#[test]
fn requests_can_come_from_a_file() {
    let requests = [
        line(1, "initialize", &json!({ "protocol": 1 })),
        line(2, "call", &json!({ "source": "export default (a: number) => a + 1", "args": [1] })),
        line(3, "shutdown", &json!({})),
    ];
    for engine in ENGINES {
        let folder = Folder::with("requests", requests.join("\n") + "\n");
        let command = folder.secure_bun(["serve", "--policy", "function", "--engine", engine]);
        let ended = command.after("exec < requests").end();
        assert_eq!(ended.code(), 0, "{engine}: {ended}");
        let answers: Vec<Value> = ended.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let results: Vec<&Value> = answers.iter().map(|answer| &answer["result"]).collect();
        assert_eq!(answers.len(), 3, "{engine}: {ended}");
        assert_eq!(results[1]["result"], 2, "{engine}: {ended}");
    }
}

/// Nor is what holds nothing.
#[test]
fn no_requests_are_no_error() {
    let folder = Folder::new();
    let ended = folder.secure_bun(["serve", "--policy", "function"]).after("exec < /dev/null").end();
    assert_eq!((ended.code(), ended.stdout().as_str()), (0, ""), "{ended}");
}

/// An output that does not block refuses what its reader has no room for, which then has to wait: it was lost.
#[test]
fn a_host_may_give_an_output_that_does_not_block() {
    const LENGTH: usize = 3_000_000;
    let folder = Folder::new();
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    theirs.set_nonblocking(true).expect("set");
    ours.set_read_timeout(Some(PATIENCE)).expect("set");
    let command = folder.secure_bun(["serve", "--policy", "function"]).stdout(OwnedFd::from(theirs)).open_input();
    let mut running = command.start();
    running.tell(&line(1, "initialize", &json!({ "protocol": 1 })));
    let large = format!("export default () => 'x'.repeat({LENGTH})");
    for id in 2..5 {
        running.tell(&line(id, "call", &json!({ "source": large })));
    }
    // Meanwhile it is full.
    std::thread::sleep(Duration::from_millis(300));
    let mut lines = BufReader::new(ours).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().expect("a line").expect("read")).expect("JSON") };
    assert_eq!(next()["result"]["protocol"], 1);
    for _ in 2..5 {
        let answer = next();
        assert_eq!(answer["result"]["result"].as_str().map(str::len), Some(LENGTH), "{}", answer["error"]);
    }
    running.tell(&line(5, "shutdown", &json!({})));
    assert_eq!(next()["id"], 5);
    assert_eq!(running.end().code(), 0);
}
