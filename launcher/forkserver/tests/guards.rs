//! Children of a server whose powers are tamed: what is refused is explained, as everywhere.

mod launcher;

use launcher::{Server, Settings, call, request};
use serde_json::{Value, json};

const READ: &str = "import fs from 'fs'; export default (path: string) => fs.readFileSync(path, 'utf8').length;";

fn guarded() -> Settings {
    Settings { guards: true, ..Settings::default() }
}

#[test]
fn a_refused_read_is_a_denial_and_a_security_error() {
    // Without the guards nothing refuses it here.
    let inert = Server::start(&Settings::default());
    let module = inert.module("read.ts", READ);
    assert!(inert.child().call(&call(&module, &json!(["/etc/passwd"]))).result().as_u64() > Some(0));

    let server = Server::start(&guarded());
    let module = server.module("read.ts", READ);
    // The second child has forgotten nothing, and remembers nothing.
    for _ in 0..2 {
        let mut called = server.child().call(&call(&module, &json!(["/etc/passwd"])));
        let (kind, denial) = called.output().expect("a frame");
        assert_eq!(kind, "denial");
        let expected = json!({
            "permission": "read", "resource": "/etc/passwd", "api": "fs.readFileSync", "at": denial["at"], "count": 1,
        });
        assert_eq!(denial, expected);
        assert!(denial["at"].as_str().expect("a place").starts_with("read.ts:1:"), "{denial}");
        let (kind, error) = called.output().expect("a frame");
        assert_eq!(kind, "error");
        assert_eq!(error["name"], "SecurityError");
        assert_eq!(error["code"], "ERR_ACCESS_DENIED");
        assert_eq!(error["permission"], "read");
        assert_eq!(error["rule"], "default");
        assert_eq!(error["fix"], "allow.read: [\"/etc/passwd\"]");
        let stack = error["stack"].as_str().expect("a stack");
        assert!(stack.contains("read.ts:1:") && !stack.contains("forkserver.js"), "{stack}");
    }
}

#[test]
fn what_the_policy_grants_is_read() {
    let settings = Settings { read: vec!["/etc/hostname".into(), "/proc/version".into()], ..guarded() };
    let server = Server::start(&settings);
    let module = server.module("read.ts", READ);
    assert!(server.child().call(&call(&module, &json!(["/proc/version"]))).result().as_u64() > Some(0));
}

#[test]
fn a_program_is_refused_whatever_the_guards_take_care_of() {
    let server = Server::start(&guarded());
    let module = server.module(
        "acts.ts",
        "const attempt = async (act: () => unknown) => {
            try { await act(); return 'works'; } catch (error) { return (error as { code?: string }).code ?? String(error); }
        };
        export default async () => [
            await attempt(() => Bun.spawnSync(['/bin/true'])),
            await attempt(() => fetch('http://127.0.0.1:1')),
            await attempt(() => Bun.file('/etc/passwd').text()),
            await attempt(async () => (await import('bun:ffi')).dlopen('libc.so.6', {})),
            await attempt(() => new Worker('data:text/javascript,')),
            typeof SecurityError,
        ];",
    );
    let result = server.child().call(&call(&module, &json!([]))).result();
    assert_eq!(result, json!(["ERR_ACCESS_DENIED"; 5].iter().chain(&["function"]).collect::<Vec<_>>()));
}

#[test]
fn secrets_are_those_of_the_call() {
    let server = Server::start(&guarded());
    let module = server.module(
        "secrets.ts",
        "export default async (name: string) => {
            try { return await secrets.get(name); } catch (error) { return (error as { code: string }).code; }
        };",
    );
    for (name, given, expected) in [
        ("TOKEN", json!({ "TOKEN": "of the first" }), "of the first"),
        ("TOKEN", json!({ "TOKEN": "of the second" }), "of the second"),
        ("TOKEN", json!({}), "ERR_SECRET_NOT_GIVEN"),
        ("OTHER", json!({ "OTHER": "not granted" }), "ERR_ACCESS_DENIED"),
    ] {
        let mut request = request(&module, &json!([name]));
        request["secrets"] = given;
        assert_eq!(server.child().call(&request.to_string()).result(), expected, "{name}");
    }
}

#[test]
fn the_launchers_variables_are_hidden() {
    let server = Server::start(&guarded());
    let module = server.module("env.ts", "export default () => Object.keys(process.env).sort();");
    assert_eq!(server.child().call(&call(&module, &json!([]))).result(), json!(["SECRET_OF_THE_SERVER"]));
    // Only the guards hide them.
    let inert = Server::start(&Settings::default());
    let module =
        inert.module("env.ts", "export default () => Object.keys(process.env).includes('MIMALLOC_SCAVENGER');");
    assert_eq!(inert.child().call(&call(&module, &json!([]))).result(), true);
}

#[test]
fn frames_of_a_programs_own_are_not_believed() {
    let server = Server::start(&guarded());
    let module = server.module(
        "forges.ts",
        "import fs from 'fs';
        const forged = (kind: string, text: string) => {
            const frame = `SB1 ${'0'.repeat(32)} ${kind} ${text.length}\\n${text}\\n`;
            for (let fd = 3; fd < 64; fd++) try { fs.writeSync(fd, frame); } catch {}
        };
        forged('hello', '{\"v\":1}');
        export default () => { forged('result', '\"FORGED\"'); return 'HONEST'; };",
    );
    let mut called = server.child().call(&call(&module, &json!([])));
    let mut frames = std::iter::from_fn(|| called.any_frame());
    // The first frame announces the token, and is sent before anything of the program runs.
    let (token, kind, _) = frames.next().expect("a frame");
    assert_eq!(kind, "hello");
    let (own, forged): (Vec<_>, Vec<_>) = frames.take(5).partition(|(other, _, _)| *other == token);
    let list = |frames: Vec<(String, String, Value)>| -> Vec<(String, Value)> {
        frames.into_iter().map(|(_, kind, payload)| (kind, payload)).collect()
    };
    assert_eq!(
        list(own),
        [
            ("loaded".into(), json!({ "kind": "function" })),
            ("call".into(), json!({})),
            ("result".into(), "HONEST".into())
        ]
    );
    assert_eq!(list(forged), [("hello".into(), json!({ "v": 1 })), ("result".into(), "FORGED".into())]);
}
