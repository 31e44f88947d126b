//! Children of one Bun: each is a Bun that works, and none is like another.

mod launcher;

use std::collections::HashSet;

use launcher::{PROBE, Server, Settings, call};
use serde_json::json;

#[test]
fn a_child_answers_a_call() {
    let server = Server::start(&Settings::default());
    let module = server.module("add.ts", "export default (a: number, b: number): number => a + b;");
    let child = server.child();
    let mut called = child.call(&call(&module, &json!([20, 22])));
    assert_eq!(called.result(), 42);
    let reaped = server.end(&called.child);
    assert_eq!((reaped.pid, reaped.status), (called.child.pid, 9));
}

#[test]
fn random_numbers_events_and_speed() {
    for eval in [false, true] {
        let server = Server::start(&Settings { eval, ..Settings::default() });
        let mut seen = HashSet::new();
        for _ in 0..20 {
            let mut called = server.child().call(PROBE);
            let probe = called.result();
            let random = probe["random"].as_object().expect("an object");
            // Contexts of node:vm are made with code from strings.
            assert_eq!(random.len(), if eval { 12 } else { 11 });
            for (source, drawn) in random {
                let new = seen.insert((source.clone(), drawn.to_string()));
                assert!(new, "two children drew the same: {source} {drawn}");
            }
            assert_eq!(probe["events"], json!(["timer", "immediate", "file", "digest"]));
            assert!(probe["loop_ms"].as_f64().expect("a number") < 200.0, "{probe}");
            assert_eq!(probe["pid"], called.child.pid);
            server.end(&called.child);
        }
    }
}
