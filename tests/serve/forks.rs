//! Calls that are forked for: they are looked after like programs of their own, and what cannot be forked says why.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use secure_bun_tests::{Command, Folder, Machine, count_in_memory};
use serde_json::{Value, json};

use super::client::{Client, source, until};

const WITHOUT: &str = env!("CARGO_BIN_EXE_without");

/// A service that forks, with these limits and a folder `out` that calls may read and write.
fn limited(limits: &Value) -> (Folder, Client) {
    let folder = Folder::new().folder("out").open_to_all();
    fs::set_permissions(folder.path("out"), std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("it is ours");
    let out = folder.text("out");
    let allow = json!({ "workers": 2, "eval": true, "read": [out], "write": [out] });
    let policy = json!({ "extends": "function", "allow": allow, "limits": limits });
    let folder = folder.file("p.json", policy.to_string());
    let client = Client::start(&folder, &["--policy", "p.json", "--engine", "fork"]);
    (folder, client)
}

/// Every call so far was forked for: no program was started besides the one server.
#[track_caller]
fn all_were_forked(client: &mut Client) {
    let stats = client.ask("stats", json!({}));
    let launcher = client.running.pid.as_raw();
    assert_eq!(stats["result"]["engine"], "fork", "{stats}");
    assert_eq!(Machine::children(launcher).len(), 1, "the init of one server");
}

#[test]
fn each_limit_ends_its_call_and_no_other() {
    let limits = json!({
        "wall_ms": 3000, "cpu_ms": 400, "memory_mb": 100, "threads": 12, "output_kb": 100, "open_files": 64,
        "file_mb": 1,
    });
    let (folder, mut client) = limited(&limits);
    let sleeper = source("export default async () => { await Bun.sleep(2500); return 'whole'; }", json!([]));
    let sleeper = client.send("call", sleeper);
    let fill = "import fs from 'node:fs'; export default (path: string) => ";
    for (code, limit) in [
        ("export default () => { for (;;); }".to_owned(), "cpu"),
        (
            "export default () => { const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1)); }".into(),
            "memory",
        ),
        (format!("{fill}{{ for (;;) fs.writeSync(1, 'x'.repeat(1000)); }}"), "output"),
    ] {
        let ended = client.call(source(&code, json!([folder.text("out")])));
        let error = &ended["error"];
        assert_eq!([&error["code"], &error["limit"]], [&json!("ERR_LIMIT_EXCEEDED"), &json!(limit)], "{ended}");
        let key = error["key"].as_str().and_then(|key| key.strip_prefix("limits.")).expect("it says how to allow more");
        assert_eq!(error["allowed"], limits[key], "{ended}");
        assert_eq!(ended["exit"]["signal"], "SIGKILL", "{ended}");
    }
    // These the kernel answers, and a program goes on.
    let open = "import fs from 'node:fs';
        export default () => { try { for (;;) fs.openSync('/dev/null'); } catch (error: any) { return error.code; } }";
    assert_eq!(client.result(source(open, json!([]))), "EMFILE");
    let large = format!(
        "{fill}{{ try {{ fs.writeFileSync(`${{path}}/large`, new Uint8Array(2 << 20)); return 'written'; }}
            catch (error: any) {{ return error.code; }} }}"
    );
    assert_eq!(client.result(source(&large, json!([folder.text("out")]))), "EFBIG");
    let answer = client.answer(&sleeper);
    assert_eq!(answer["result"]["result"], "whole", "{answer}");
    let ended = client.call(source("export default () => new Promise(() => setInterval(() => {}, 1000))", json!([])));
    assert_eq!(ended["error"]["limit"], "wall", "{ended}");
    all_were_forked(&mut client);
    client.end();
}

#[test]
fn a_call_ends_as_a_program_would() {
    let (_folder, mut client) = limited(&json!({}));
    let exits = |code: u8| format!("export default () => process.exit({code})");
    let signals = |name: &str| format!("export default () => {{ process.kill(process.pid, '{name}'); for (;;); }}");
    let nothing = Value::Null;
    for (code, status, signal) in [
        (exits(0), json!(0), ""),
        (exits(3), json!(3), ""),
        (exits(255), json!(255), ""),
        (
            "export default () => { setTimeout(() => { throw new Error('late'); }, 1); return new Promise(() => {}); }"
                .into(),
            json!(1),
            "",
        ),
        (
            "export default async () => { Promise.reject(new Error('late')); await Bun.sleep(5000); }".into(),
            json!(1),
            "",
        ),
        ("export default () => process.abort()".into(), nothing.clone(), "SIGABRT"),
        (signals("SIGSEGV"), nothing.clone(), "SIGSEGV"),
        (signals("SIGTERM"), nothing.clone(), "SIGTERM"),
        (signals("SIGKILL"), nothing, "SIGKILL"),
    ] {
        let ended = client.call(source(&code, json!([])));
        assert_eq!(ended["error"]["code"], "ERR_FUNCTION_EXITED", "{code}: {ended}");
        let signal = if signal.is_empty() { Value::Null } else { json!(signal) };
        assert_eq!([&ended["exit"]["code"], &ended["exit"]["signal"]], [&status, &signal], "{code}: {ended}");
        assert_eq!(client.result(source("export default () => 'next'", json!([]))), "next");
    }
    let thrown = client.call(source("export default () => { throw new TypeError('no'); }", json!([])));
    assert_eq!([&thrown["error"]["name"], &thrown["exit"]["code"]], [&json!("TypeError"), &json!(1)], "{thrown}");
    let unloaded = client.call(source("throw new Error('at once'); export default () => 1;", json!([])));
    assert_eq!(
        [&unloaded["error"]["message"], &unloaded["exit"]["code"]],
        [&json!("at once"), &json!(1)],
        "{unloaded}"
    );
    all_were_forked(&mut client);
    client.end();
}

/// What is left to do when a call has answered is not done.
#[test]
fn nothing_runs_after_the_answer() {
    let (folder, mut client) = limited(&json!({}));
    let code = "import { writeFileSync } from 'node:fs';
        const late = (path: string) => { writeFileSync(path, ''); for (;;); };
        export default (path: string) => {
            setInterval(late, 0, path);
            setImmediate(late, path);
            process.on('exit', () => late(path));
            process.on('beforeExit', () => late(path));
            new FinalizationRegistry(late).register({}, path);
            return 'answered';
        };";
    for _ in 0..20 {
        let ended = client.call(source(code, json!([folder.text("out/late")])));
        assert_eq!([&ended["result"], &ended["exit"]["code"]], [&json!("answered"), &json!(0)], "{ended}");
    }
    let server = Machine::children(client.running.pid.as_raw());
    until("only children that wait are left", || {
        Machine::below(server[0]).iter().all(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // None runs, and none has ended without being waited for.
            stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with('S') || rest.is_empty())
        })
    });
    assert!(!folder.path("out/late").exists());
    all_were_forked(&mut client);
    client.end();
}

#[test]
fn much_goes_in_and_comes_out_whole() {
    let (_folder, mut client) =
        limited(&json!({ "memory_mb": 400, "output_kb": 2048, "cpu_ms": 5000, "wall_ms": 20_000 }));
    let prints = "import { writeSync } from 'node:fs';
        const all = Buffer.alloc(1 << 20, 'o');
        export default () => {
            for (let written = 0; written < all.length; ) written += writeSync(1, all, written, all.length - written);
            return 'printed';
        };";
    let printed = client.call(source(prints, json!([])));
    assert_eq!(printed["result"], "printed", "{}", printed["error"]);
    assert_eq!(
        [&printed["stdout"].as_str().unwrap().len().into(), &printed["truncated"]],
        [&json!(1 << 20), &json!(false)]
    );
    let twenty = 20 << 20;
    let large =
        client.result(json!({ "source": "export default (length: number) => 'x'.repeat(length)", "args": [twenty] }));
    assert_eq!(large.as_str().map(str::len), Some(twenty));
    let length = json!({ "source": "export default (text: string) => text.length", "args": ["y".repeat(twenty)] });
    assert_eq!(client.result(length), twenty);
    all_were_forked(&mut client);
    client.end();
}

#[test]
fn workers_start_in_a_child_with_the_guards() {
    let (_folder, mut client) = limited(&json!({}));
    let code = "const work = `
            let seen;
            try { seen = require('node:fs').readFileSync('/etc/passwd', 'utf8'); } catch (error) { seen = error.code; }
            postMessage([seen, Math.random()]);`;
        const one = () => new Promise((done, failed) => {
            const worker = new Worker(URL.createObjectURL(new Blob([work])));
            worker.onmessage = ({ data }) => done(data);
            worker.onerror = ({ message }) => failed(new Error(message));
        });
        export default async () => [await one(), await one()];";
    let mut seen = std::collections::HashSet::new();
    for _ in 0..5 {
        for worker in client.result(source(code, json!([]))).as_array().expect("two") {
            assert_eq!(worker[0], "ERR_ACCESS_DENIED");
            assert!(seen.insert(worker[1].to_string()), "{worker} twice");
        }
    }
    all_were_forked(&mut client);
    client.end();
}

#[test]
fn a_call_that_is_cancelled_ends_at_once() {
    let (_folder, mut client) = limited(&json!({ "wall_ms": 60_000, "cpu_ms": 60_000 }));
    let told = format!("told-{}", fastrand::u64(1 << 60..));
    for code in
        ["export default () => { for (;;); }", "export default () => new Promise(() => setInterval(() => {}, 1000))"]
    {
        let call = client.send("call", source(code, json!([told])));
        let pid = who_knows(&client, &told);
        client.notify("$/cancel", json!({ "id": call }));
        assert_eq!(client.answer(&call)["error"]["code"], -32002);
        until("its process is gone", || !Path::new(&format!("/proc/{pid}")).exists());
    }
    all_were_forked(&mut client);
    client.end();
}

/// The process that was told something.
#[track_caller]
fn who_knows(client: &Client, told: &str) -> i32 {
    let mut knows = None;
    until("a child has been told", || {
        let below = Machine::below(client.running.pid.as_raw());
        knows = below.into_iter().find(|pid| count_in_memory(*pid, told).unwrap_or(0) > 0);
        knows.is_some()
    });
    knows.expect("it was found")
}

#[test]
fn calls_outlive_their_server() {
    let (folder, mut client) = limited(&json!({ "wall_ms": 60_000 }));
    let waits = "import { existsSync } from 'node:fs';
        export default async (told: string, go: string) => {
            while (!existsSync(go)) await Bun.sleep(5);
            return told;
        };";
    let call = |told: &str| source(waits, json!([told, folder.text("out/go")]));
    let told: Vec<String> = (0..3).map(|_| format!("told-{}", fastrand::u64(1 << 60..))).collect();
    let ids: Vec<Value> = told.iter().map(|told| client.send("call", call(told))).collect();
    let pids: Vec<i32> = told.iter().map(|told| who_knows(&client, told)).collect();
    let server = parent(pids[0]);
    kill(Pid::from_raw(server), Signal::SIGKILL).expect("it is ours");
    until("another has adopted them", || pids.iter().all(|pid| parent(*pid) != server));
    // The next call finds no server, and gets another.
    assert_eq!(client.result(source("export default () => 'next'", json!([]))), "next");
    fs::write(folder.path("out/go"), "").expect("it is ours");
    for (id, told) in ids.iter().zip(&told) {
        let answer = client.answer(id);
        assert_eq!(answer["result"]["result"], *told, "{answer}");
    }
    assert_eq!(client.result(source("export default () => 'after'", json!([]))), "after");
    until("their children are gone", || pids.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
    client.end();
}

fn parent(pid: i32) -> i32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok()).unwrap_or(0)
}

/// What a service says by itself, until it says this method of this function.
#[track_caller]
fn notified(client: &mut Client, method: &str, function: Option<&str>) -> Value {
    loop {
        let line = client.running.next_line().unwrap_or_else(|| panic!("no {method} of {function:?}"));
        let said: Value = line.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
        if said["method"] == method && said["params"]["function"].as_str() == function {
            return said["params"].clone();
        }
    }
}

#[test]
fn what_is_not_forked_says_why() {
    let folder = Folder::new().folder("temporary").open_to_all();
    let policy = r#"{
        "extends": "function",
        "allow": { "net": ["127.0.0.1:9"], "run": ["/bin/sh"], "write": ["/tmp"], "read": ["/tmp"], "ffi": true }
    }"#;
    let folder = folder.file("p.json", policy);
    let command = folder.secure_bun(["serve", "--policy", "p.json", "--engine", "fork"]);
    let mut client = Client::of(command.env("TMPDIR", folder.path("temporary")));
    for (name, own, because) in [
        (
            "net",
            json!({ "allow": { "net": ["127.0.0.1:9"] } }),
            "grants of a network: the calls would be in one network namespace",
        ),
        (
            "run",
            json!({ "allow": { "run": ["/bin/sh"] } }),
            "grants of run: the calls would see each other's processes",
        ),
        (
            "tmp",
            json!({ "allow": { "write": ["/tmp"] } }),
            "a temporary folder that may be written to: the calls would have one together",
        ),
        ("ffi", json!({ "allow": { "ffi": true } }), "grants of native code: it may start threads before the fork"),
        ("jit", json!({ "js": { "jit": false } }), "\"jit\": false: forking needs bun:ffi, which makes machine code"),
    ] {
        let function = json!({ "name": name, "source": "export default () => 'answered'", "policy": own });
        client.send("function.register", function);
        let said = notified(&mut client, "engine", Some(name));
        assert_eq!(said["engine"], "pool", "{said}");
        let found = said["because"].as_str().unwrap_or_default();
        assert!(found.contains(because), "{name}: {found}");
        assert_eq!(client.result(json!({ "function": name })), "answered");
    }
    client.end();
}

#[test]
fn a_module_that_is_not_loaded_before_the_fork_says_why() {
    let folder = Folder::with("data.txt", "data").open_to_all();
    let flag = format!("--allow-read={}", folder.text("data.txt"));
    let mut client = Client::start(&folder, &["--policy", "function", "--engine", "fork", &flag]);
    let open = format!(
        "import {{ openSync }} from 'node:fs'; openSync('{}'); export default () => 'answered';",
        folder.text("data.txt")
    );
    let answered = |before: &str| format!("{before}; export default () => 'answered';");
    for (name, code, because) in [
        ("throws", answered("throw new Error('no')"), "it fails to load"),
        ("exits", answered("process.exit(0)"), "it ends the process"),
        ("opens", open, "it opens a file or a connection"),
        ("math", answered("export const drawn = Math.random()"), "it draws from Math.random"),
        ("random", answered("export const drawn = crypto.randomUUID()"), "it draws random numbers"),
        ("timer", answered("setInterval(() => {}, 1000)"), "it starts a timer"),
        ("thread", answered("await crypto.subtle.digest('SHA-256', new Uint8Array(1 << 20))"), "it starts a thread"),
    ] {
        let function = json!({ "name": name, "source": code, "preload": { "calls": [] } });
        client.send("function.register", function);
        let said = notified(&mut client, "preload", Some(name));
        assert_eq!(said["because"], because, "{name}");
    }
    for name in ["opens", "math", "random", "timer", "thread"] {
        assert_eq!(client.result(json!({ "function": name })), "answered");
    }
    client.end();
}

/// A host without namespaces.
fn without_namespaces(folder: &Folder, engine: &str) -> Command {
    let policy = r#"{ "extends": "function", "kernel": { "require": ["landlock"] } }"#;
    fs::write(folder.path("p.json"), policy).expect("it is ours");
    let command = folder.secure_bun(["serve", "--policy", "p.json", "--engine", engine]);
    command.started_by(Path::new(WITHOUT), &["namespaces"]).open_input()
}

#[test]
fn without_namespaces_nothing_is_forked() {
    let folder = Folder::new().open_to_all();
    // Who wants that alone is told, and nothing is served.
    let refused = without_namespaces(&folder, "fork").start().end();
    assert_ne!(refused.code(), 0, "{refused}");
    assert!(refused.stderr().contains("without namespaces"), "{refused}");

    // Who leaves it open is served in another way, and told once.
    let mut service = without_namespaces(&folder, "auto").start();
    service.tell(r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocol":1}}"#);
    let call = json!({ "source": "export default () => 'answered'" });
    for id in 2..5 {
        service.tell(&json!({ "jsonrpc": "2.0", "id": id, "method": "call", "params": call }).to_string());
    }
    let (mut told, mut answered) = (Vec::new(), 0);
    while answered < 4 {
        let line = service.next_line().expect("an answer");
        let said: Value = line.parse().expect("JSON");
        if said["method"] == "engine" {
            told.push(said["params"].clone());
            continue;
        }
        answered += 1;
        match said["id"].as_i64() {
            Some(1) => assert_eq!(said["result"]["engine"], "pool", "{said}"),
            _ => assert_eq!(said["result"]["result"], "answered", "{said}"),
        }
    }
    let [once] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!([&once["engine"], &once["function"]], [&json!("pool"), &Value::Null], "{once}");
    assert!(once["because"].as_str().unwrap_or_default().contains("without namespaces"), "{once}");
    assert_eq!(service.end().code(), 0);
}
