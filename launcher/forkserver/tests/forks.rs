//! Children of one Bun: each is a Bun that works, and none is like another.

mod launcher;

use std::collections::HashSet;

use launcher::{PROBE, Preloaded, Server, Settings, call};
use secure_bun_forkserver::messages::Refusal;
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

#[test]
fn a_module_loaded_before_the_fork_is_each_childs_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = folder.path().join("count.ts");
    std::fs::write(&module, "let calls = 0; export default (): number => ++calls;").expect("written");
    let called = Preloaded { path: module.clone(), calls: vec![json!([]); 2] };
    let server = Server::start(&Settings { module: Some(called), ..Settings::default() });
    for _ in 0..3 {
        assert_eq!(server.child().call(&call(&module, &json!([]))).result(), 3);
    }
}

#[test]
fn a_module_that_leaves_something_behind_is_not_loaded_before_the_fork() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = [
        ("export const id = crypto.randomUUID();", Refusal::DrawsRandomNumbers),
        ("export const id = process.getBuiltinModule('crypto').randomBytes(4);", Refusal::DrawsRandomNumbers),
        ("export const id = Math.random();", Refusal::DrawsFromMathRandom),
        ("export const timer = setInterval(() => {}, 1000).unref();", Refusal::StartsTimer),
        ("export const server = Bun.serve({ port: 0, fetch: () => new Response() });", Refusal::Opens),
        ("export const text = await Bun.file('/proc/self/comm').text();", Refusal::StartsThread),
        ("throw new RangeError('not today');", Refusal::FailsToLoad),
        ("process.exit(0);", Refusal::EndsProcess),
        ("await new Promise(() => {});", Refusal::EndsProcess),
    ];
    for (index, (text, reason)) in refused.into_iter().enumerate() {
        let module = folder.path().join(format!("module-{index}.ts"));
        std::fs::write(&module, format!("{text}\nexport default (): number => 42;")).expect("written");
        let settings = Settings { module: Some(Preloaded::uncalled(&module)), ..Settings::default() };
        let server = Server::start(&settings);
        assert_eq!(server.refused, Some(reason), "{text}");
        // It serves all the same.
        let add = server.module("add.ts", "export default (a: number, b: number): number => a + b;");
        assert_eq!(server.child().call(&call(&add, &json!([20, 22]))).result(), 42, "{text}");
    }
}
