//! How a server and its children live and end.

mod launcher;

use std::path::Path;

use launcher::{Server, Settings, call};
use secure_bun_forkserver::messages::{Answer, Limit, Limits};
use serde_json::json;

const RLIMIT_NOFILE: u32 = 7;
const EAGAIN: i32 = 11;
const SIGKILL: i32 = 9;

#[test]
fn a_child_is_a_whole_bun() {
    let server = Server::start(&Settings::default());
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules/everything.ts");
    for _ in 0..3 {
        let mut called = server.child().call(&call(&module, &json!([])));
        let expected = json!({
            "file": true, "async_file": true, "regex": "a<1>b<2>c<3>", "intl": "1,234,567.5", "sqlite": { "answer": 42 },
            "gzip": "there and back", "wasm": 42, "served": "over loopback",
            "worker": { "sum": 6, "random": true }, "collected": 199_999, "digest": "11f6ad8e", "spawn": "EPERM",
        });
        assert_eq!(called.result(), expected);
        server.end(&called.child);
    }
}

#[test]
fn limits_of_the_request_hold_and_cannot_be_raised() {
    let server = Server::start(&Settings::default());
    let module = server.module(
        "limits.ts",
        "import { readFileSync } from 'node:fs';
        import { dlopen, ptr } from 'bun:ffi';
        export default () => {
            const { setrlimit } = dlopen('libc.so.6', { setrlimit: { args: ['i32', 'ptr'], returns: 'i32' } }).symbols;
            const raised = setrlimit(7, ptr(new BigUint64Array([100n, 100n])));
            return [raised, /Max open files +(\\d+) +(\\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))!.slice(1)];
        };",
    );
    let limit = Limit { resource: RLIMIT_NOFILE, soft: 50, hard: 100 };
    let child = server.fork(&Limits::default().and(limit).expect("room"));
    child.wait_until_ready();
    assert_eq!(child.call(&call(&module, &json!([]))).result(), json!([-1, ["50", "100"]]));
}

#[test]
fn a_child_that_has_ended_is_forgotten_when_the_launcher_says_so() {
    let server = Server::start(&Settings::default());
    let child = server.child();
    assert_eq!(server.ask_to_reap(child.pid), Answer::Failed(EAGAIN));
    let reaped = server.end(&child);
    assert_eq!(reaped.status, SIGKILL);
    assert!(reaped.user_us + reaped.system_us > 0 && reaped.peak_memory_kib > 0, "{reaped:?}");
    assert!(!Path::new("/proc").join(child.pid.to_string()).exists());
    assert_eq!(server.ask_to_reap(child.pid), Answer::Failed(EAGAIN));
    // Of what is not its child it knows nothing.
    assert_eq!(server.ask_to_reap(std::process::id()), Answer::Failed(EAGAIN));
}

#[test]
fn a_child_whose_gate_closes_ends() {
    let server = Server::start(&Settings::default());
    let reaped = server.reap(&server.child().without_gate());
    assert_eq!(reaped.status, 0);
}

#[test]
fn the_server_ends_with_the_launcher_and_calls_outlive_it() {
    let mut server = Server::start(&Settings::default());
    let module = server.module("add.ts", "export default (a: number, b: number): number => a + b;");
    let (child, waiting) = (server.child(), server.child());
    assert_eq!(server.hang_up().code(), Some(0));
    assert_eq!(child.call(&call(&module, &json!([20, 22]))).result(), 42);
    waiting.without_gate().wait_until_ended();
}

#[test]
fn a_message_that_is_no_request_ends_the_server() {
    for message in [&b"?"[..], &[0; 8], &[1, 0, 0, 0, 0, 0, 0, 0]] {
        let mut server = Server::start(&Settings::default());
        assert_eq!(server.exchange(message), None, "{message:?}");
        assert_eq!(server.hang_up().code(), Some(1), "{message:?}");
    }
}
