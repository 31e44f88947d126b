//! Calls: what they name, what narrows them, how they end.

use secure_bun_tests::Folder;
use serde_json::{Value, json};

use super::client::{Client, source};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn registered_functions_sources_and_files() {
    let folder =
        Folder::with("fn.ts", "export const twice = (n: number) => n * 2;\nexport default (a: string) => a + '!';");
    let mut client = Client::of_functions(&folder);
    let code = "export default (...all: number[]) => all.reduce((a, b) => a + b, 0);";
    let registered = client.ask("function.register", json!({ "name": "sum", "source": code }));
    assert_eq!(registered["result"], json!({ "name": "sum" }));
    let twice = json!({ "name": "twice", "file": "fn.ts", "export": "twice" });
    client.ask("function.register", twice);

    assert_eq!(client.result(json!({ "function": "sum", "args": [1, 2, 3] })), 6);
    assert_eq!(client.result(json!({ "function": "sum" })), 0);
    assert_eq!(client.result(json!({ "function": "twice", "args": [21] })), 42);
    assert_eq!(client.result(json!({ "file": "fn.ts", "args": ["a"] })), "a!");
    assert_eq!(client.result(json!({ "file": "fn.ts", "export": "twice", "args": [4] })), 8);
    assert_eq!(client.result(source("export default (a: any) => a.b", json!([{ "b": null }]))), Value::Null);

    // Another one takes the place of the first.
    client.ask("function.register", json!({ "name": "sum", "source": "export default () => 'other'" }));
    assert_eq!(client.result(json!({ "function": "sum" })), "other");
    client.ask("function.remove", json!({ "name": "sum" }));
    let gone = client.ask("call", json!({ "function": "sum" }));
    assert_eq!(gone["error"]["code"], -32004, "{gone}");
    client.end();
}

#[test]
fn a_call_that_cannot_be_started_says_why() {
    let folder = Folder::new().folder("folder");
    let mut client = Client::start(&folder, &["--policy", "function", "--allow-fetch=http://localhost:1/*"]);
    for (params, kind) in
        [(json!({ "file": "missing.ts" }), "not_found"), (json!({ "file": "folder" }), "not_runnable")]
    {
        let answer = client.ask("call", params);
        assert_eq!(answer["error"]["code"], -32006, "{answer}");
        assert_eq!(answer["error"]["data"]["kind"], kind, "{answer}");
    }
    let bad = client.ask("call", json!({ "source": "export default 1", "policy": { "reed": [] } }));
    assert_eq!(bad["error"]["code"], -32602);
    assert_eq!(bad["error"]["data"]["path"], "policy");
    assert!(bad["error"]["message"].as_str().unwrap().contains("reed"), "{bad}");
    let extends = json!({ "source": "export default 1", "policy": { "extends": "./other.json" } });
    let extends = client.ask("call", extends);
    assert!(extends["error"]["message"].as_str().unwrap().contains("only presets"), "{extends}");
    client.end();
}

#[test]
fn a_policy_narrows_and_never_widens() {
    let folder = Folder::with("data/a.txt", "a").file("data/b.txt", "b").open_to_all();
    let allowed = folder.text("data");
    let mut client = Client::start(&folder, &["--policy", "function", &format!("--allow-read={allowed}")]);
    let read = "import { readFileSync } from 'node:fs'; export default (path: string) => readFileSync(path, 'utf8');";
    let call = |path: &str, policy: Value| {
        let mut call = source(read, json!([folder.text(path)]));
        if !policy.is_null() {
            call["policy"] = policy;
        }
        call
    };
    assert_eq!(client.result(call("data/a.txt", Value::Null)), "a");
    let only_a = json!({ "read": [folder.text("data/a.txt")] });
    assert_eq!(client.result(call("data/a.txt", only_a.clone())), "a");
    let refused = client.call(call("data/b.txt", only_a));
    assert_eq!(refused["error"]["code"], "ERR_ACCESS_DENIED", "{refused}");
    // Not granted by serve, whatever a call says.
    let wider = client.call(call("/etc/passwd", json!({ "read": ["/etc/passwd"] })));
    assert_eq!(wider["error"]["code"], "ERR_ACCESS_DENIED", "{wider}");
    assert_eq!(wider["denials"][0]["resource"], "/etc/passwd");
    client.end();
}

#[test]
fn the_smaller_limit_counts() {
    let folder = Folder::new();
    let mut client = Client::start(&folder, &["--policy", "function", "--limit", "wall=400ms"]);
    let endless = source("export default () => { for (;;); }", json!([]));
    for (wall, allowed) in [(json!(100), 100), (json!(60_000), 400)] {
        let mut call = endless.clone();
        call["limits"] = json!({ "wall_ms": wall });
        let ended = client.call(call);
        assert_eq!(ended["error"]["limit"], "wall", "{ended}");
        assert_eq!(ended["error"]["allowed"], allowed, "{ended}");
    }
    client.end();
}

#[test]
fn crashes_end_one_call() {
    let folder = Folder::new();
    let mut client = Client::of_functions(&folder);
    for (code, expected) in [
        ("export default () => process.exit(3)", "ERR_FUNCTION_EXITED"),
        ("export default () => process.kill(process.pid, 'SIGKILL')", "ERR_FUNCTION_EXITED"),
        (
            "export default () => { const all: any[] = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1)); }",
            "ERR_LIMIT_EXCEEDED",
        ),
    ] {
        let envelope = client.call(source(code, json!([])));
        assert_eq!(envelope["error"]["code"], expected, "{envelope}");
        assert_eq!(client.result(source("export default () => 'alive'", json!([]))), "alive");
    }
    client.end();
}

#[test]
fn calls_run_side_by_side_up_to_the_limit_and_the_rest_is_refused() {
    let folder = Folder::new();
    let mut client = Client::start(&folder, &["--policy", "function", "--concurrency", "2", "--queue", "1"]);
    let wait = source("export default () => new Promise((done) => setTimeout(done, 60_000))", json!([]));
    let ids: Vec<Value> = (0..3).map(|_| client.send("call", wait.clone())).collect();
    let overloaded = client.ask("call", wait);
    assert_eq!(overloaded["error"]["code"], -32001, "{overloaded}");
    assert_eq!(overloaded["error"]["data"]["queue"], 1);
    let stats = client.ask("stats", json!({}));
    assert_eq!([&stats["result"]["running"], &stats["result"]["waiting"]], [2, 1], "{stats}");
    for id in ids {
        client.notify("$/cancel", json!({ "id": id }));
        assert_eq!(client.answer(&id)["error"]["code"], -32002);
    }
    assert_eq!(client.result(source("export default () => 1", json!([]))), 1);
    let stats = client.ask("stats", json!({}));
    assert_eq!(stats["result"]["calls"]["cancelled"], 3, "{stats}");
    assert_eq!(stats["result"]["calls"]["overloaded"], 1, "{stats}");
    client.end();
}

#[test]
fn shutting_down_waits_for_calls_or_ends_them() {
    let folder = Folder::new();
    let slow = source("export default () => new Promise((done) => setTimeout(() => done('done'), 300))", json!([]));
    let mut client = Client::of_functions(&folder);
    let (call, shutdown) = (client.send("call", slow), client.send("shutdown", json!({})));
    let late = client.ask("call", source("export default () => 1", json!([])));
    assert_eq!(late["error"]["code"], -32005, "{late}");
    assert_eq!(client.answer(&call)["result"]["result"], "done");
    assert_eq!(client.answer(&shutdown)["result"], Value::Null);
    client.end();

    let forever = source("export default () => new Promise((done) => setTimeout(done, 60_000))", json!([]));
    let mut client = Client::of_functions(&folder);
    let (call, shutdown) = (client.send("call", forever), client.send("shutdown", json!({ "wait_ms": 50 })));
    assert_eq!(client.answer(&call)["error"]["code"], -32002);
    assert_eq!(client.answer(&shutdown)["result"], Value::Null);
    client.end();
}

#[test]
fn context_variables_and_secrets_are_those_of_the_call() {
    let folder = Folder::new();
    let mut client = Client::of_functions(&folder);
    let mut call = source(
        "export default () => [executionContext, Object.isFrozen(executionContext), process.env.A ?? null]",
        json!([]),
    );
    call["context"] = json!({ "function_id": "f", "user_id": "u", "execution_id": "e", "traceparent": TRACE });
    call["env"] = json!({ "A": "b" });
    let answer = client.result(call);
    let context = &answer[0];
    assert_eq!([&context["functionID"], &context["userID"], &context["executionID"]], ["f", "u", "e"]);
    assert_eq!(context["traceparent"], TRACE);
    // The preset allows five seconds.
    assert_eq!(context["deadline"].as_u64().unwrap() - context["startTime"].as_u64().unwrap(), 5000);
    assert_eq!([&answer[1], &answer[2]], [&json!(true), &json!("b")]);
    let other =
        client.result(source("export default () => [executionContext.userID, process.env.A ?? null]", json!([])));
    assert_eq!(other, json!([null, null]));
    client.end();
}

#[test]
fn log_lines_and_denials_say_what_trace_they_belong_to() {
    let folder = Folder::new();
    for engine in ["fork", "pool", "spawn"] {
        let mut client = Client::of_engine(&folder, engine);
        let code = "import { readFileSync } from 'node:fs';
            export default () => {
                console.log('one');
                console.error({ traceparent: 'forged' });
                readFileSync('/etc/passwd');
            }";
        client.ask("function.register", json!({ "name": "talk", "source": code }));
        let traced = client.call(json!({ "function": "talk", "context": { "traceparent": TRACE } }));
        let of = |envelope: &Value, list: &str| -> Vec<Value> {
            envelope[list].as_array().unwrap().iter().map(|entry| entry["traceparent"].clone()).collect()
        };
        assert_eq!(of(&traced, "logs"), [TRACE, TRACE], "{traced}");
        assert_eq!(of(&traced, "denials"), [TRACE], "{traced}");
        let other = client.call(json!({ "function": "talk" }));
        assert_eq!(of(&other, "logs"), [Value::Null, Value::Null], "{other}");
        assert_eq!(of(&other, "denials"), [Value::Null], "{other}");
        let malformed = client.ask("call", json!({ "function": "talk", "context": { "traceparent": "00-1-2-01" } }));
        assert_eq!(malformed["error"]["code"], -32602, "{malformed}");
        assert_eq!(malformed["error"]["data"]["path"], "context.traceparent");
        client.end();
    }
}
