//! The numbers of a service: what it counts, what its programs have in memory, and the text for a scraper.

use secure_bun_tests::Folder;
use serde_json::{Value, json};

use super::client::{Client, source, until};
use super::exposition::{Kind, Metrics};

const WAIT: &str = "export default () => new Promise((done) => setTimeout(done, 60_000))";
const READ: &str =
    "import { readFileSync } from 'node:fs'; export default (path: string) => readFileSync(path, 'utf8')";

fn stats(client: &mut Client, asked: Value) -> Value {
    client.ask("stats", asked)["result"].take()
}

fn metrics(client: &mut Client) -> Metrics {
    let stats = stats(client, json!({ "format": "prometheus", "memory": true }));
    let text = stats["text"].as_str().unwrap();
    Metrics::read(text).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"))
}

#[test]
fn memory_of_programs_that_wait_and_of_those_that_are_called() {
    let folder = Folder::new();
    let mut client = Client::of_engine(&folder, "pool");
    client.ask("function.register", json!({ "name": "wait", "source": WAIT }));
    until("programs wait", || stats(&mut client, json!({}))["programs"]["pool"]["warm"].as_u64() >= Some(2));
    assert_eq!(stats(&mut client, json!({})).get("memory"), None, "it is looked at where it is asked for");

    client.send("call", json!({ "function": "wait" }));
    client.send("call", source(WAIT, json!([])));
    let busy = |stats: &Value| ["pool", "spawn"].map(|engine| stats["programs"][engine]["busy"].clone());
    until("two are called", || busy(&stats(&mut client, json!({}))) == [1, 1]);
    let look = |client: &mut Client| stats(client, json!({ "memory": true }))["memory"].take();
    let held = |memory: &Value, engine: &str, state: &str| {
        let held = &memory["programs"][engine][state];
        (held["processes"].as_u64().unwrap(), held["pss_bytes"].as_u64().unwrap())
    };
    // A Bun that does nothing has some MB of its own, and its part of what all share; one that has just been started is
    // not Bun yet.
    let mut memory = Value::Null;
    until("each program has become Bun", || {
        memory = look(&mut client);
        [("pool", "warm"), ("pool", "busy"), ("spawn", "busy")].into_iter().all(|(engine, state)| {
            let (processes, bytes) = held(&memory, engine, state);
            processes > 0 && (1 << 20..1 << 30).contains(&(bytes / processes))
        })
    });
    assert_eq!(held(&memory, "spawn", "warm"), (0, 0));
    assert!(memory["launcher"]["rss_bytes"].as_u64() >= memory["launcher"]["pss_bytes"].as_u64(), "{memory}");
    assert!(memory["launcher"]["pss_bytes"].as_u64() > Some(0), "{memory}");
    assert_eq!(memory["unread"], 0, "{memory}");
    client.end();
}

#[test]
fn memory_of_what_forks_and_of_what_it_has_forked() {
    let folder = Folder::new();
    let mut client = Client::of_engine(&folder, "fork");
    client.ask("function.register", json!({ "name": "wait", "source": WAIT }));
    let programs = |client: &mut Client| stats(client, json!({}))["programs"]["fork"].take();
    // One for the function, and one for all that are called by their text.
    until("they serve", || programs(&mut client)["server"] == 2 && programs(&mut client)["warm"].as_u64() >= Some(2));
    client.send("call", json!({ "function": "wait" }));
    until("one is called", || programs(&mut client)["busy"] == 1);
    let memory = stats(&mut client, json!({ "memory": true }))["memory"].take();
    let held = |state: &str, field: &str| memory["programs"]["fork"][state][field].as_u64().unwrap();
    assert_eq!(held("busy", "processes"), 1, "{memory}");
    // What a child shares with its server counts for both in part.
    assert!((1..held("server", "pss_bytes")).contains(&held("busy", "pss_bytes")), "{memory}");
    client.end();
}

#[test]
fn memory_of_all_that_a_program_has_started() {
    let folder = Folder::new();
    let flags = ["--policy", "function", "--engine", "spawn", "--allow-run=sleep", "--limit", "processes=8"];
    let mut client = Client::start(&folder, &flags);
    let code = "export default () => new Promise(() => Bun.spawn(['sleep', '60']))";
    client.send("call", source(code, json!([])));
    let held = |client: &mut Client| {
        let memory = stats(client, json!({ "memory": true }))["memory"].take();
        let read = memory["programs"]["spawn"]["busy"]["processes"].as_u64().unwrap();
        (read, read + memory["unread"].as_u64().unwrap())
    };
    // Bun, its child and the init, into which an ordinary user may not look.
    until("three are there", || matches!(held(&mut client), (2 | 3, 3)));
    client.end();
}

#[test]
fn a_look_at_memory_is_a_request_like_others() {
    let folder = Folder::new();
    let mut client = Client::of_functions(&folder);
    let looks: Vec<Value> = (0..20).map(|_| client.send("stats", json!({ "memory": true }))).collect();
    assert_eq!(client.result(source("export default () => 1", json!([]))), 1);
    for look in looks {
        assert!(client.answer(&look)["result"]["memory"]["launcher"].is_object());
    }
    let look = client.send("stats", json!({ "memory": true }));
    assert_eq!(client.ask("shutdown", json!({}))["result"], Value::Null);
    assert!(client.answer(&look)["result"]["memory"].is_object(), "it is answered before the end");
    client.end();
}

#[test]
fn numbers_for_a_scraper() {
    let folder = Folder::with("data/a \"quoted\" name", "").open_to_all();
    let path = folder.text("data/a \"quoted\" name");
    let deny = format!("--deny-read={path}");
    let mut client = Client::start(&folder, &["--policy", "function", "--engine", "pool", &deny]);
    client.result(source("export default () => 1", json!([])));
    client.call(source(READ, json!(["/etc/passwd"])));
    client.call(source(READ, json!([path])));
    let mut limited = source("export default () => { for (;;); }", json!([]));
    limited["limits"] = json!({ "wall_ms": 50 });
    client.call(limited);

    let metrics = metrics(&mut client);
    let value = |name: &str, labels: &[(&str, &str)]| metrics.value(&format!("secure_bun_{name}"), labels);
    for (outcome, count) in [("ok", 1.0), ("failed", 2.0), ("limited", 1.0), ("refused", 0.0)] {
        assert_eq!(value("calls_total", &[("outcome", outcome)]), Some(count), "{outcome}");
    }
    assert_eq!(value("denials_total", &[("rule", "read default")]), Some(1.0));
    let rules = metrics.labelled("secure_bun_denials_total", "rule");
    assert!(rules.len() == 2 && rules.iter().any(|rule| rule.starts_with("read deny.read")), "{rules:?}");
    assert_eq!(value("call_seconds_count", &[]), Some(4.0));
    // One that was ended after 50 ms.
    let within = |bound| value("call_seconds_bucket", &[("le", bound)]);
    assert!(within("0.05") <= Some(3.0) && within("10") == Some(4.0), "{metrics:?}");
    assert!((0.05..60.0).contains(&value("call_seconds_sum", &[]).unwrap()), "{metrics:?}");
    assert!((0.01..60.0).contains(&value("cpu_seconds_total", &[]).unwrap()), "{metrics:?}");
    assert_eq!(value("info", &[("engine", "pool")]), Some(1.0));
    for (engine, state) in [("pool", "warm"), ("pool", "busy"), ("spawn", "warm"), ("spawn", "busy")] {
        let labels = [("engine", engine), ("state", state)];
        for name in ["programs", "processes", "programs_pss_bytes"] {
            assert_eq!(value(name, &labels), Some(0.0), "{name} {labels:?}");
        }
    }
    let launcher = ["launcher_resident_memory_bytes", "launcher_pss_bytes"].map(|name| value(name, &[]).unwrap());
    assert!(launcher[0] >= launcher[1] && launcher[1] > 0.0, "{launcher:?}");
    assert_eq!(metrics.kind("secure_bun_call_seconds"), Some(Kind::Histogram));
    client.end();
}
