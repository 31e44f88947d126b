//! Threads with an engine of their own, which could be without guards or limits.

use secure_bun_tests::Folder;
use serde_json::json;

use super::{Attack, is_success, secret};

/// A worker that reads the secret by `read` and posts it.
fn worker(read: &str) -> Folder {
    let post = format!("const {{ parentPort }} = require('worker_threads'); const post = text => parentPort ? parentPort.postMessage(text) : postMessage(text);
        try {{ post({read}); }} catch (error) {{ post('!' + (error.code ?? error.name)); }}");
    Folder::with("worker.ts", post)
}

#[track_caller]
fn gains_nothing(start: &str, read: &str) {
    let target = secret();
    let read = read.replace("SECRET", &format!("'{}'", target.text("secret.txt")));
    let start = format!("new Promise((good, bad) => {{ const worker = {start}; const take = message => {{ worker.terminate(); good(message.data ?? message); }};
        worker.on ? worker.on('message', take) : worker.onmessage = take; worker.onerror = bad; }})");
    let attack = Attack::new(worker(&read), &start).under(r#"{"workers": 2}"#);
    let outside = attack.outside();
    assert!(is_success(&outside), "{outside}");
    let (_, envelope) = attack.inside();
    let inside = envelope.result();
    assert!(["!ERR_ACCESS_DENIED", "!ENOENT"].iter().any(|refusal| inside == refusal), "{inside}");
}

const FILE: &str = "new URL('./worker.ts', import.meta.url)";

#[test]
fn without_the_preloads() {
    gains_nothing(&format!("new Worker({FILE}, {{ preload: [] }})"), "require('fs').readFileSync(SECRET, 'utf8')");
}

#[test]
fn with_options_out_of_the_prototype() {
    let start =
        format!("(Object.prototype.execArgv = ['--no-preload'], Object.prototype.preload = [], new Worker({FILE}))");
    gains_nothing(&start, "require('fs').readFileSync(SECRET, 'utf8')");
}

#[test]
fn of_nodes_module() {
    let start = format!("new (require('worker_threads').Worker)({FILE})");
    gains_nothing(&start, "require('fs').readFileSync(SECRET, 'utf8')");
}

#[test]
fn with_an_environment_that_commands_bun() {
    let start =
        format!("new Worker({FILE}, {{ env: {{ BUN_OPTIONS: '--preload=./evil.ts', BUN_JSC_useShadowRealm: '1' }} }})");
    gains_nothing(&start, "require('fs').readFileSync(SECRET, 'utf8')");
}

#[test]
fn that_takes_the_guards_apart() {
    gains_nothing(
        &format!("new Worker({FILE})"),
        "(delete require.cache.fs, process.getBuiltinModule('fs').readFileSync(SECRET, 'utf8'))",
    );
}

#[test]
fn with_a_realm_of_its_own() {
    let post = "postMessage(typeof ShadowRealm === 'undefined' ? '!none' : 'there is one');";
    let start = format!(
        "new Promise(good => {{ const worker = new Worker({FILE}); worker.onmessage = message => {{ worker.terminate(); good(message.data); }}; }})"
    );
    let attack = Attack::new(Folder::with("worker.ts", post), &start).under(r#"{"workers": 1}"#);
    attack.comes_to(|_| (), &json!("!none"));
}
