//! What a policy may do without, by `kernel.require`: the rest is used, what is missing is said, and nothing else gets
//! weaker.

use std::path::Path;

use secure_bun_tests::{Command, Envelope, Folder, JSON, str};

use serde_json::{Value, json};

use super::WITHOUT;

/// A run of a program that grants itself nothing, under `kernel.require`, on a machine that lacks `what`.
fn run(words: &[&str], require: &str, what: &str) -> Command {
    let policy = format!(r#"{{"kernel": {{"require": {require}}}}}"#);
    let folder = Folder::with("main.ts", "console.log('it ran')").open_to_all().file("p.json", policy);
    let words = ["run", "--policy", "p.json"].iter().chain(words).chain(&["main.ts"]);
    folder.secure_bun(words).started_by(Path::new(WITHOUT), &[what]).keep(folder)
}

#[test]
fn namespaces_are_left_out() {
    run(&[], r#"["landlock"]"#, "namespaces").shows(str![[r"
exit code 0
--- stdout
it ran
--- stderr
secure-bun: warning: the sandbox is partial, as kernel.require allows: without namespaces (the program sees names and attributes of the host's files, not their contents)

"]]);
}

#[test]
fn landlock_is_left_out() {
    run(&[], r#"["user", "mnt", "ipc", "uts"]"#, "landlock").shows(str![[r"
exit code 0
--- stdout
it ran
--- stderr
secure-bun: warning: the sandbox is partial, as kernel.require allows: without Landlock

"]]);
}

/// Nothing else holds a child to less than its program.
#[test]
fn without_landlock_no_child_is_narrowed_and_none_is_started() {
    let source = "
        for (const options of [{}, { sandbox: {} }]) {
            try { console.log(Bun.spawnSync(['sh', '-c', 'echo started'], options).stdout.toString().trim()) }
            catch (error) { console.log(error.message) }
        }";
    let policy = r#"{"run": "sh", "kernel": {"require": ["user", "mnt", "ipc", "uts"]}}"#;
    let folder = Folder::with("main.ts", source).open_to_all().file("p.json", policy);
    let run = || folder.secure_bun(["run", "--quiet", "--policy", "p.json", "main.ts"]);
    assert_eq!(run().prints(), "started\nstarted\n");
    let said = run().started_by(Path::new(WITHOUT), &["landlock"]).prints();
    assert!(
        said.starts_with("started\nBun.spawnSync: ") && said.contains("asking the kernel for Landlock failed"),
        "{said}"
    );
}

#[test]
fn a_policy_that_came_with_the_program_relaxes_nothing_until_it_is_approved() {
    let folder = Folder::with("main.ts", "console.log('it ran')").open_to_all();
    let folder = folder.file("secure-bun.json", r#"{"kernel": {"require": ["landlock"]}}"#);
    let run = || folder.secure_bun(["run", "--quiet", "main.ts"]).started_by(Path::new(WITHOUT), &["namespaces"]);
    let ended = run().end();
    assert_eq!((ended.code(), ended.stdout()), (125, String::new()), "{ended}");
    folder.secure_bun(["policy", "trust", "secure-bun.json"]).prints();
    assert_eq!(run().end().stdout(), "it ran\n");
}

#[test]
fn a_quiet_run_says_it_in_the_envelope_alone() {
    let ended = run(&["--quiet"], r#"["landlock"]"#, "namespaces").end();
    assert_eq!((ended.code(), ended.stderr()), (0, String::new()));
    let envelope = run(&["--quiet", JSON], r#"["landlock"]"#, "namespaces").envelope();
    assert_eq!(envelope.text("/sandbox/status"), "partial");
    assert_eq!(envelope.at("/sandbox/layers/namespaces"), &serde_json::json!([]));
    assert!(envelope.text("/sandbox/layers/landlock").starts_with("abi"));
    let envelope = run(&["--quiet", JSON], r#"["user", "mnt", "ipc", "uts"]"#, "landlock").envelope();
    assert_eq!(envelope.text("/sandbox/status"), "partial");
    assert_eq!(envelope.at("/sandbox/layers/namespaces"), &serde_json::json!(["user", "mnt", "ipc", "uts"]));
    assert_eq!(envelope.text("/sandbox/layers/landlock"), "none");
}

/// Calls of a service without namespaces, which its policy does without; the answers.
fn served(calls: &[Value]) -> Vec<Value> {
    let folder = Folder::new().open_to_all().file("p.json", r#"{"kernel": {"require": ["landlock"]}}"#);
    let serve = folder.secure_bun(["serve", "--policy", "p.json"]).started_by(Path::new(WITHOUT), &["namespaces"]);
    let mut running = serve.open_input().start();
    let mut ask = |method: &str, params: &Value| -> Value {
        running.tell(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string());
        loop {
            let line: Value = serde_json::from_str(&running.next_line().expect("an answer")).unwrap();
            // What it says by itself, such as that nothing is forked here, has no id.
            if line.get("id").is_some() {
                return line;
            }
        }
    };
    ask("initialize", &json!({ "protocol": 1 }));
    let own = json!({ "name": "own", "source": "export default () => 1", "policy": { "read": [] } });
    assert_eq!(ask("function.register", &own)["result"]["name"], "own");
    let strict =
        json!({ "name": "strict", "source": "export default () => 1", "policy": { "kernel": { "require": "all" } } });
    assert_eq!(ask("function.register", &strict)["result"]["name"], "strict");
    let answers = calls.iter().map(|call| ask("call", call)).collect();
    assert_eq!(running.end().code(), 0);
    answers
}

#[test]
fn calls_that_say_nothing_of_layers_do_without_what_serve_does_without() {
    let source = "export default () => 1";
    for answer in served(&[
        json!({ "source": source }),
        json!({ "source": source, "policy": { "read": [] } }),
        json!({ "source": source, "policy": { "extends": "function" } }),
        json!({ "source": source, "limits": { "wall_ms": 4000 } }),
        json!({ "function": "own" }),
        json!({ "function": "own", "policy": { "read": [] } }),
    ]) {
        assert_eq!(answer["result"]["result"], 1, "{answer}");
        assert_eq!(answer["result"]["sandbox"]["status"], "partial", "{answer}");
    }
}

#[test]
fn calls_that_require_more_than_serve_get_it_or_do_not_run() {
    let source = "export default () => 1";
    for answer in served(&[
        json!({ "source": source, "policy": { "kernel": { "require": "all" } } }),
        json!({ "source": source, "policy": { "kernel": { "require": ["mnt"] } } }),
        json!({ "source": source, "policy": { "kernel": { "namespaces": ["user"] } } }),
        json!({ "function": "strict" }),
        // It says nothing; its function does.
        json!({ "function": "strict", "policy": { "read": [] } }),
    ]) {
        assert_eq!(answer["error"]["code"], -32006, "{answer}");
        assert_eq!(answer["error"]["data"]["kind"], "sandbox", "{answer}");
    }
}

#[test]
fn what_is_not_required_is_used_where_it_is_there() {
    let folder = Folder::with("main.ts", "").file("p.json", r#"{"kernel": {"require": []}}"#);
    let envelope = folder.secure_bun(["run", JSON, "--policy", "p.json", "main.ts"]).envelope();
    assert_eq!(envelope.text("/sandbox/status"), "full");
}

#[test]
fn whatever_keeps_namespaces_away_they_are_done_without() {
    for what in
        ["user-namespaces", "more-user-namespaces", "open-tree", "mounting", "mount-setattr", "pivot-root", "host-name"]
    {
        let ended = run(&["--quiet", JSON], r#"["landlock"]"#, what).end();
        assert_eq!(ended.code(), 0, "{what}: {ended}");
        let envelope = Envelope::of(&ended);
        assert_eq!(envelope.text("/sandbox/status"), "partial", "{what}");
    }
}

#[test]
fn what_is_listed_is_required() {
    for (require, what) in
        [(r#"["mnt"]"#, "namespaces"), (r#"["landlock", "user"]"#, "namespaces"), (r#"["landlock"]"#, "landlock")]
    {
        let ended = run(&[], require, what).end();
        assert_eq!((ended.code(), ended.stdout()), (125, String::new()), "{require} without {what}: {ended}");
    }
}

#[test]
fn files_are_guarded_by_one_of_the_two_whatever_a_policy_says() {
    run(&[], "[]", "namespaces-and-landlock").shows(str![[r#"
exit code 125
--- stderr
secure-bun: error: the sandbox cannot be established: asking the kernel for Landlock failed: Function not implemented (os error 38)
secure-bun: help: the kernel has no Landlock, or it is off: use Linux 6.2 or newer with `landlock` in CONFIG_LSM or in the boot parameter `lsm=`; in a container, allow the landlock_* system calls in its seccomp profile; `secure-bun doctor` tries each layer

"#]]);
}

#[test]
fn the_filter_and_limits_are_required_whatever_a_policy_says() {
    for what in ["seccomp", "no-new-privileges", "resource-limits"] {
        let ended = run(&[], "[]", what).end();
        assert_eq!((ended.code(), ended.stdout()), (125, String::new()), "{what}: {ended}");
    }
}
