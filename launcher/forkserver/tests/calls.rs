//! What a call finds in its child, and what the launcher is told of it: the same as of a program that is started for its
//! call.

mod launcher;

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::fd::AsFd as _;

use launcher::{Called, Preloaded, Server, Settings, call, request};
use serde_json::{Value, json};

/// With the guards, and the harness alone.
fn both() -> [Server; 2] {
    [true, false].map(|guards| Server::start(&Settings { guards, ..Settings::default() }))
}

/// The frames up to the answer, or the end of the channel: their kinds and their payloads.
fn frames(called: &mut Called) -> Vec<(String, Value)> {
    let mut frames = Vec::new();
    while let Some((kind, payload)) = called.frame() {
        let is_answer = kind == "result" || kind == "error";
        frames.push((kind, payload));
        if is_answer {
            break;
        }
    }
    frames
}

fn kinds(frames: &[(String, Value)]) -> String {
    frames.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>().join(" ")
}

/// As wait(2) has it.
fn exited_with(code: i32) -> i32 {
    code << 8
}

fn text_of(mut file: File) -> String {
    let mut text = String::new();
    file.rewind().expect("a file");
    file.read_to_string(&mut text).expect("a text");
    text
}

#[test]
fn a_call_has_its_own_context_and_console() {
    for server in both() {
        let module = server.module(
            "context.ts",
            "export default (word: string) => {
                console.warn(word, { a: 1 });
                const context = (globalThis as any).executionContext;
                return [context.userID, Object.isFrozen(context), Reflect.deleteProperty(globalThis, 'executionContext')];
            };",
        );
        for user in ["ann", "bob"] {
            let mut request = request(&module, &json!(["hi"]));
            request["context"] = json!({ "userID": user });
            let mut called = server.child().call(&request.to_string());
            for expected in
                [("hello", json!({ "v": 1 })), ("loaded", json!({ "kind": "function" })), ("call", json!({}))]
            {
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
}

#[test]
fn what_goes_wrong_in_a_call_is_its_answer() {
    for server in both() {
        let module = |name: &str, text: &str| server.module(name, text);
        let answers = [
            (module("throws.ts", "export default () => { throw new RangeError('no'); };"), "RangeError", None, "no"),
            (
                module("empty.ts", "export const other = 1;"),
                "Error",
                Some("ERR_EXPORT_NOT_FOUND"),
                "the program does not export \"default\": its exports are \"other\"",
            ),
            (
                module("class.ts", "export default class {};"),
                "TypeError",
                Some("ERR_EXPORT_NOT_CALLABLE"),
                "the export \"default\" is not a function that can be called (a class, a server, or another value)",
            ),
            (
                module("serves.ts", "export default Object.assign(() => 1, { fetch() {} });"),
                "TypeError",
                Some("ERR_EXPORT_NOT_CALLABLE"),
                "the export \"default\" is not a function that can be called (a class, a server, or another value)",
            ),
            (
                module("bigint.ts", "export default () => [1n];"),
                "TypeError",
                Some("ERR_RESULT_NOT_SERIALIZABLE"),
                "result[0] is a BigInt, which JSON cannot express",
            ),
        ];
        for (path, name, code, message) in answers {
            let mut called = server.child().call(&call(&path, &json!([])));
            let Some((kind, error)) = called.output() else { panic!("no answer: {name}") };
            assert_eq!(kind, "error", "{error}");
            assert_eq!(
                [&error["name"], &error["code"], &error["message"]],
                [&json!(name), &json!(code), &json!(message)]
            );
            assert!(called.child.is_alive());
        }
        // What is no request at all.
        let mut called = server.child().call("{");
        assert_eq!(called.output().expect("an answer").1["name"], "SyntaxError");
    }
}

#[test]
fn a_module_that_does_not_load_is_told_and_printed_and_ends_the_child() {
    for server in both() {
        let broken = server.module("broken.ts", "export default = ;");
        let throws = server.module("throws.ts", "throw new RangeError('not today');");
        let missing = broken.with_file_name("missing.ts");
        for (path, name, message, told) in [
            (&broken, "BuildMessage", "Unexpected =", "hello error"),
            (&throws, "RangeError", "not today", "hello error"),
            // It may be there, where nothing is imported from: the launcher knows.
            (&missing, "ResolveMessage", "Cannot find module", "hello denial error"),
        ] {
            let errors = tempfile::tempfile().expect("a file");
            let output = tempfile::tempfile().expect("a file");
            let mut called = server.child().call_with(&call(path, &json!([])), &[output.as_fd(), errors.as_fd()]);
            let frames = frames(&mut called);
            assert_eq!(kinds(&frames), told);
            let error = &frames.last().expect("an error").1;
            assert_eq!(error["name"], name);
            assert!(error["message"].as_str().expect("a text").contains(message), "{error}");
            assert_eq!(called.frame(), None);
            assert_eq!(server.reap(&called.child).status, exited_with(1));
            let printed = text_of(errors);
            assert!(printed.contains(message), "{printed}");
        }
    }
}

#[test]
fn what_nobody_handles_is_told_and_printed_and_ends_the_child() {
    for server in both() {
        for (name, throwing) in
            [("exception.ts", "setTimeout(() => { throw error; })"), ("rejection.ts", "void Promise.reject(error)")]
        {
            let module = server.module(
                name,
                &format!(
                    "const error = new RangeError('nobody handles it');
                    export default () => {{ {throwing}; return new Promise((resolve) => setTimeout(resolve, 60_000)); }};"
                ),
            );
            let errors = tempfile::tempfile().expect("a file");
            let output = tempfile::tempfile().expect("a file");
            let mut called = server.child().call_with(&call(&module, &json!([])), &[output.as_fd(), errors.as_fd()]);
            let frames = frames(&mut called);
            assert_eq!(kinds(&frames), "hello loaded call uncaught", "{name}");
            assert_eq!(frames[3].1["message"], "nobody handles it");
            assert_eq!(server.reap(&called.child).status, exited_with(1));
            assert!(text_of(errors).contains("RangeError: nobody handles it"));
        }
    }
}

#[test]
fn a_child_that_leaves_ends_with_its_code_after_what_it_has_written() {
    for server in both() {
        let module = server.module(
            "leaves.ts",
            "console.log('loading');
            export default () => {
                console.log('calling');
                process.stdout.write('out');
                process.stderr.write('err');
                process.exit(3);
            };",
        );
        let (output, errors) = (tempfile::tempfile().expect("a file"), tempfile::tempfile().expect("a file"));
        let mut called = server.child().call_with(&call(&module, &json!([])), &[output.as_fd(), errors.as_fd()]);
        let frames = frames(&mut called);
        assert_eq!(kinds(&frames), "hello loaded call log");
        assert_eq!(frames[3].1["text"], "calling");
        assert_eq!(server.reap(&called.child).status, exited_with(3));
        // Console output becomes frames when the call begins, not before.
        assert_eq!([text_of(output), text_of(errors)], ["loading\nout", "err"]);
    }
}

#[test]
fn the_module_of_a_call_is_the_main_one() {
    for server in both() {
        let module = server.module(
            "main.ts",
            "export default () => [import.meta.main, Bun.main === import.meta.path, process.argv.slice(1), Bun.argv.slice(1)];",
        );
        let common = server.module(
            "main.cjs",
            "module.exports = () => [require.main === module, process.mainModule === module, process.argv.slice(1)];",
        );
        let result = |path| server.child().call(&call(path, &json!([]))).result();
        assert_eq!(result(&module), json!([true, true, [module], [module]]));
        assert_eq!(result(&common), json!([true, true, [common]]));
    }
}

#[test]
fn the_main_module_may_be_loaded_before_the_fork() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = folder.path().join("main.ts");
    let text = "const whole = import.meta.main;
        const { log } = console;
        export default (before: boolean) => {
            console.log('called');
            if (before) try { process.getBuiltinModule('fs').readFileSync('/etc/passwd'); } catch {}
            return [whole, import.meta.main, process.argv[1] === import.meta.path, console.log === log];
        };";
    std::fs::write(&module, text).expect("written");
    let module = Preloaded { path: module, calls: vec![json!([true]); 3] };
    let path = module.path.clone();
    let server = Server::start(&Settings { guards: true, module: Some(module), ..Settings::default() });
    assert_eq!(server.refused, None);
    let mut called = server.child().call(&call(&path, &json!([false])));
    let frames = frames(&mut called);
    // What calls before the fork have printed and were refused is nobody's.
    assert_eq!(kinds(&frames), "hello loaded call log result");
    assert_eq!(frames[4].1, json!([true, true, true, false]));
}

#[test]
fn variables_are_those_of_the_server_and_of_the_call() {
    for server in both() {
        let module =
            server.module("env.ts", "export default () => ({ ...process.env, again: Bun.env.FOR_THIS_CALL });");
        let mut request = request(&module, &json!([]));
        request["env"] = json!([["FOR_THIS_CALL", "1"]]);
        let result = server.child().call(&request.to_string()).result();
        let names: Vec<&str> = result.as_object().expect("an object").keys().map(String::as_str).collect();
        assert!(names.contains(&"FOR_THIS_CALL") && result["again"] == "1", "{names:?}");
        assert!(!server.child().call(&call(&module, &json!([]))).result().to_string().contains("FOR_THIS_CALL"));
    }
}

#[test]
fn a_program_that_replaces_the_language_changes_nothing_of_its_frames() {
    for server in both() {
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
}

#[test]
fn large_arguments_and_results_pass() {
    for server in both() {
        let module = server.module("echo.ts", "export default (text: string) => text;");
        let text = "ä€😀\u{0}\n".repeat(300_000);
        let mut called = server.child().call(&call(&module, &json!([text])));
        assert!(called.result() == text);
    }
}
