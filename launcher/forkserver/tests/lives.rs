//! How a server and its children live and end.

mod launcher;

use std::path::Path;

use launcher::{Server, Settings, call};
use secure_bun_forkserver::messages::{Answer, Limit, Limits};
use serde_json::{Value, json};

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
fn a_call_has_its_own_context_and_console() {
    let server = Server::start(&Settings::default());
    let module = server.module(
        "context.ts",
        "export default (word: string) => {
            console.warn(word, { a: 1 });
            const context = (globalThis as any).executionContext;
            return [context.userID, Object.isFrozen(context), Reflect.deleteProperty(globalThis, 'executionContext')];
        };",
    );
    for user in ["ann", "bob"] {
        let request = json!({
            "kind": "call", "path": module, "export": "default", "args": ["hi"], "context": { "userID": user },
        });
        let mut called = server.child().call(&request.to_string());
        for expected in [("hello", json!({ "v": 1 })), ("loaded", json!({ "kind": "function" })), ("call", json!({}))] {
            let (kind, payload) = called.frame().expect("a frame");
            assert_eq!((kind.as_str(), payload), expected);
        }
        let (kind, log) = called.frame().expect("a frame");
        assert_eq!((kind.as_str(), &log["level"]), ("log", &Value::from("warn")));
        assert_eq!(log["text"], "hi {\n  a: 1,\n}");
        assert!(log["t_ms"].as_f64().expect("a number") >= 0.0);
        assert_eq!(called.result(), json!([user, true, false]));
    }
}

#[test]
fn what_goes_wrong_in_a_call_is_its_answer() {
    let server = Server::start(&Settings::default());
    let throws = server.module("throws.ts", "export default () => { throw new RangeError('no'); };");
    let empty = server.module("empty.ts", "export const other = 1;");
    let broken = server.module("broken.ts", "export default = ;");
    let bigint = server.module("bigint.ts", "export default () => [1n];");
    let missing = empty.with_file_name("missing.ts");
    let answers = [
        (&throws, "RangeError", "no"),
        (&empty, "TypeError", "the module does not export a function \"default\""),
        (&broken, "BuildMessage", "Unexpected ="),
        (&missing, "ResolveMessage", "Cannot find module"),
        (&bigint, "TypeError", "result[0] is a BigInt"),
    ];
    for (path, name, message) in answers {
        let mut called = server.child().call(&call(path, &json!([])));
        let Some((kind, error)) = called.output() else { panic!("no answer: {name}") };
        assert_eq!((kind.as_str(), &error["name"]), ("error", &Value::from(name)), "{error}");
        assert!(error["message"].as_str().expect("a text").contains(message), "{error}");
    }
    // What is no request at all.
    let mut called = server.child().call("{");
    assert_eq!(called.output().expect("an answer").1["name"], "SyntaxError");
}

#[test]
fn a_program_that_replaces_the_language_changes_nothing_of_its_frames() {
    let server = Server::start(&Settings::default());
    let module = server.module(
        "replaces.ts",
        "const seen: unknown[] = [];
        const spy = function (this: unknown, ...args: unknown[]) { seen.push(this, args); return seen; };
        for (const it of [TextEncoder, Uint8Array, Object.getPrototypeOf(Uint8Array), Array, String, Number, Function])
            for (const name of Object.getOwnPropertyNames(it.prototype))
                if (name !== 'constructor' && name !== 'push')
                    try { (it.prototype as any)[name] = spy; } catch {}
        JSON.stringify = JSON.parse = Reflect.apply = Object.freeze = spy as never;
        Object.defineProperty(Object.prototype, 'toJSON', { value: spy });
        export default () => { console.log('x'); return { frames: seen.length }; };",
    );
    let mut called = server.child().call(&call(&module, &json!([])));
    let frames: Vec<(String, Value)> = std::iter::from_fn(|| called.frame()).take(5).collect();
    let kinds: Vec<&str> = frames.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["hello", "loaded", "call", "log", "result"]);
    assert_eq!(frames[4].1, json!({ "frames": 0 }));
}

#[test]
fn large_arguments_and_results_pass() {
    let server = Server::start(&Settings::default());
    let module = server.module("echo.ts", "export default (text: string) => text;");
    let text = "ä€😀\u{0}\n".repeat(300_000);
    let mut called = server.child().call(&call(&module, &json!([text])));
    assert!(called.result() == text);
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
fn the_server_ends_with_the_launcher_and_the_children_with_it() {
    let server = Server::start(&Settings::default());
    let child = server.child();
    let status = server.hang_up();
    assert_eq!(status.code(), Some(0));
    child.wait_until_ended();
}

#[test]
fn a_message_that_is_no_request_ends_the_server() {
    for message in [&b"?"[..], &[0; 8], &[1, 0, 0, 0, 0, 0, 0, 0]] {
        let server = Server::start(&Settings::default());
        assert_eq!(server.exchange(message), None, "{message:?}");
        assert_eq!(server.hang_up().code(), Some(1), "{message:?}");
    }
}
