//! Byte arrays as arguments and results of calls.
#![allow(clippy::needless_pass_by_value, reason = "what is sent is written where it is sent")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secure_bun_tests::Folder;
use serde_json::{Value, json};

use super::client::{Client, ENGINES, source, until};

/// What is neither text nor the same everywhere.
fn contents(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect()
}

fn array(at: Value, bytes: &[u8]) -> Value {
    json!({ "at": at, "base64": BASE64.encode(bytes) })
}

/// The byte arrays of an envelope, with their places.
#[track_caller]
fn returned(envelope: &Value) -> Vec<(Value, Vec<u8>)> {
    assert_eq!(envelope["ok"], true, "{}", envelope["error"]);
    let arrays = envelope["bytes"].as_array().expect("byte arrays");
    let bytes = |array: &Value| BASE64.decode(array["base64"].as_str().expect("a text")).expect("base64");
    arrays.iter().map(|array| (array["at"].clone(), bytes(array))).collect()
}

/// With a function that can be called by this engine, and not by another one meanwhile.
fn ready(folder: &Folder, engine: &str, code: &str) -> Client {
    let mut client = Client::of_engine(folder, engine);
    client.ask("function.register", json!({ "name": "f", "source": code }));
    await_ahead(&mut client, engine);
    client
}

fn await_ahead(client: &mut Client, engine: &str) {
    if engine != "spawn" {
        let mut warm = || client.ask("stats", json!({}))["result"]["programs"][engine]["warm"].as_u64() > Some(0);
        until("something waits for a call", &mut warm);
    }
}

#[test]
fn there_and_back_by_each_engine() {
    let code = "export default (bytes: Uint8Array, more: any) => ({
        what: [bytes.constructor.name, bytes.length, more.list[0] instanceof Uint8Array, more.left],
        back: [bytes, { buffer: more.list[0].buffer }, Buffer.from('hi')],
    })";
    let small = contents(3);
    for engine in ENGINES {
        let folder = Folder::new();
        let mut client = ready(&folder, engine, code);
        for length in [0, 1, 1000, 65_535, 65_536, 1 << 20] {
            let bytes = contents(length);
            await_ahead(&mut client, engine);
            let envelope = client.call(json!({
                "function": "f",
                "args": [null, { "list": [null], "left": null }],
                "bytes": [array(json!(["1", "list", "0"]), &small), array(json!(["0"]), &bytes)],
                "returns_bytes": true,
            }));
            let found = returned(&envelope);
            assert_eq!(envelope["result"]["what"], json!(["Uint8Array", length, true, null]), "{engine}");
            assert_eq!(envelope["result"]["back"], json!([null, { "buffer": null }, null]), "{engine}");
            assert_eq!(found.len(), 3, "{engine}");
            assert!(found[0] == (json!(["back", "0"]), bytes), "{engine}: {length} bytes do not come back");
            assert_eq!(found[1], (json!(["back", "1", "buffer"]), small.clone()), "{engine}");
            assert_eq!(found[2], (json!(["back", "2"]), b"hi".to_vec()), "{engine}");
        }
        client.end();
    }
}

#[test]
fn the_most_that_there_may_be() {
    let bytes = contents(16 << 20);
    for engine in ENGINES {
        let folder = Folder::new();
        let mut client = ready(&folder, engine, "export default (bytes: Uint8Array) => bytes");
        let params = json!({
            "function": "f", "args": [null], "bytes": [array(json!(["0"]), &bytes)], "returns_bytes": true,
        });
        let envelope = client.call(params);
        let found = returned(&envelope);
        assert!(found == [(json!([]), bytes.clone())], "{engine}: they do not come back");
        assert_eq!(envelope["result"], Value::Null);
        client.end();
    }
}

#[test]
fn only_who_asks_for_them_gets_them() {
    for engine in ENGINES {
        let folder = Folder::new();
        let mut client = ready(&folder, engine, "export default (bytes: Uint8Array) => bytes");
        let envelope = client.call(json!({ "function": "f", "args": [null], "bytes": [array(json!(["0"]), &[7, 8])] }));
        assert_eq!((&envelope["result"], envelope.get("bytes")), (&json!({ "0": 7, "1": 8 }), None), "{engine}");
        let envelope = client.call(json!({ "function": "f", "args": [3], "returns_bytes": true }));
        assert_eq!((&envelope["result"], envelope.get("bytes")), (&json!(3), None), "{engine}");
        client.end();
    }
}

#[test]
fn with_secrets_limits_and_a_context() {
    for engine in ENGINES {
        let folder = Folder::new();
        let code = "export default async (bytes: Uint8Array) =>
            [bytes[0], process.env.A, executionContext.userID, executionContext.deadline !== null, await secrets.get('KEY')]";
        let mut client = Client::start(&folder, &["--policy", "function", "--engine", engine, "--allow-secrets=KEY"]);
        let mut call = source(code, json!([null]));
        call["bytes"] = json!([array(json!(["0"]), &[7])]);
        call["context"] = json!({ "user_id": "u" });
        call["secrets"] = json!({ "KEY": "opensesame" });
        call["env"] = json!({ "A": "a" });
        call["limits"] = json!({ "wall_ms": 20_000 });
        assert_eq!(client.result(call), json!([7, "a", "u", true, "opensesame"]), "{engine}");
        client.end();
    }
}

#[test]
fn wrong_ones_are_refused_before_anything_runs() {
    let folder = Folder::new();
    let mut client = Client::of_functions(&folder);
    let call = |args: Value, bytes: Value| json!({ "source": "export default (a: any) => a[0]", "args": args, "bytes": bytes });
    assert_eq!(client.result(call(json!([null]), json!([array(json!(["0"]), &[9])]))), 9);
    let half = contents(9 << 20);
    for (args, bytes, path, words) in [
        (json!([null]), json!([{ "at": ["0"], "base64": "=" }]), "bytes[0].base64", "not base64"),
        (json!([null]), json!([{ "at": ["0"], "base64": "AA" }]), "bytes[0].base64", "not base64"),
        (json!([null]), json!([{ "at": ["0"] }]), "bytes[0]", "base64"),
        (json!([null]), json!([array(json!(["0"]), &[1]), array(json!(["1"]), &[1])]), "bytes[1]", "no such place"),
        (json!([null]), json!([array(json!(["0", "a"]), &[1])]), "bytes[0]", "no such place"),
        (json!([[]]), json!([array(json!(["0", "length"]), &[1])]), "bytes[0]", "no such place"),
        (json!([{}]), json!([array(json!(["0", "__proto__"]), &[1])]), "bytes[0]", "no such place"),
        (json!([0]), json!([array(json!(["0"]), &[1])]), "bytes[0]", "something else than null"),
        (json!([null]), json!([array(json!([]), &[1])]), "bytes[0]", "something else than null"),
        (json!([null]), json!([array(json!(["0"]), &[1]), array(json!(["0"]), &[1])]), "bytes[1]", "two byte arrays"),
        (
            json!([null, null]),
            json!([array(json!(["0"]), &half), array(json!(["1"]), &half)]),
            "bytes",
            "more than 16777216 bytes",
        ),
        (
            json!(vec![Value::Null; 17]),
            json!((0..17).map(|at| array(json!([at.to_string()]), &[])).collect::<Vec<_>>()),
            "bytes",
            "more than 16 byte arrays",
        ),
    ] {
        let answer = client.ask("call", call(args, bytes));
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        assert_eq!(answer["error"]["data"]["path"], path, "{answer}");
        assert!(answer["error"]["message"].as_str().expect("a text").contains(words), "{answer}");
    }
    assert_eq!(client.result(call(json!([null]), json!([array(json!(["0"]), &[9])]))), 9);
    client.end();
}

#[test]
fn a_place_called_proto_is_a_place_like_any() {
    for engine in ENGINES {
        let folder = Folder::new();
        let code = "export default (a: any) =>
            [Object.getPrototypeOf(a) === Object.prototype, Object.getOwnPropertyDescriptor(a, '__proto__')!.value[0]]";
        let mut client = ready(&folder, engine, code);
        let args: Value = serde_json::from_str(r#"[{"__proto__":null}]"#).expect("JSON");
        let bytes = json!([array(json!(["0", "__proto__"]), &[5])]);
        assert_eq!(
            client.result(json!({ "function": "f", "args": args, "bytes": bytes })),
            json!([true, 5]),
            "{engine}"
        );
        client.end();
    }
}

#[test]
fn a_result_with_too_many_is_an_error_and_nothing_grows() {
    for (code, words) in [
        ("export default () => new Uint8Array((16 << 20) + 1)", "result has byte arrays of more than 16777216 bytes"),
        ("const a = new Uint8Array(9 << 20); export default () => [a, a]", "more than 16777216 bytes"),
        ("export default () => Array.from({ length: 17 }, () => new Uint8Array(1))", "more than 16 byte arrays"),
        (
            "const buffer = new ArrayBuffer(1, { maxByteLength: 20 << 20 });
             export default () => [new Uint8Array(buffer), { get a() { buffer.resize(20 << 20); return 1; } }]",
            "more than 16777216 bytes",
        ),
    ] {
        for engine in ENGINES {
            let folder = Folder::new();
            let mut client = ready(&folder, engine, code);
            let envelope = client.call(json!({ "function": "f", "returns_bytes": true }));
            assert_eq!(envelope["error"]["code"], "ERR_RESULT_NOT_SERIALIZABLE", "{engine}: {}", envelope["error"]);
            assert!(envelope["error"]["message"].as_str().expect("a text").contains(words), "{}", envelope["error"]);
            assert_eq!(envelope.get("bytes"), None);
            client.end();
        }
    }
}

#[test]
fn a_program_that_changes_the_language_changes_nothing_of_them() {
    let code = "
        const bytes = new Uint8Array([1, 2, 3, 4, 5, 6]).subarray(1, 4);
        const other = new Uint8Array(4);
        const buffer = new ArrayBuffer(8);
        const View = Object.getPrototypeOf(Uint8Array);
        for (const key of ['byteLength', 'byteOffset', 'buffer', 'length', Symbol.toStringTag])
            Object.defineProperty(View.prototype, key, { get() { throw new Error('asked'); } });
        for (const key of ['subarray', 'slice', 'set', 'toJSON'])
            Object.defineProperty(Uint8Array.prototype, key, { value() { throw new Error('asked'); } });
        Object.defineProperty(ArrayBuffer.prototype, 'byteLength', { get() { throw new Error('asked'); } });
        Object.defineProperty(View, Symbol.species, { get() { throw new Error('asked'); } });
        Object.defineProperty(bytes, 'toJSON', { value: () => 'forged' });
        (globalThis as any).Uint8Array = null;
        export default () => [bytes, other, buffer, {
            get last() { return { toJSON: () => bytes }; },
        }]";
    for engine in ENGINES {
        let folder = Folder::new();
        let mut client = ready(&folder, engine, code);
        let envelope = client.call(json!({ "function": "f", "returns_bytes": true }));
        let expected = [
            (json!(["0"]), vec![2, 3, 4]),
            (json!(["1"]), vec![0; 4]),
            (json!(["2"]), vec![0; 8]),
            (json!(["3", "last"]), vec![2, 3, 4]),
        ];
        assert_eq!(returned(&envelope), expected, "{engine}");
        client.end();
    }
}

#[test]
fn one_that_is_detached_on_the_way_is_empty() {
    let code = "const bytes = new Uint8Array(4);
        export default () => [bytes, { get a() { bytes.buffer.transfer(); return 1; } }]";
    for engine in ENGINES {
        let folder = Folder::new();
        let mut client = ready(&folder, engine, code);
        let envelope = client.call(json!({ "function": "f", "returns_bytes": true }));
        assert_eq!(returned(&envelope), [(json!(["0"]), Vec::new())], "{engine}");
        client.end();
    }
}

#[test]
fn what_a_program_writes_itself_is_none() {
    let token = "0123456789abcdef0123456789abcdef";
    let whole = format!("SB1 {token} bytes 4\\n[]\\nx\\n");
    let cut = format!("SB1 {token} bytes 16000000\\n[]\\nx");
    for frame in ["", &whole, &cut] {
        // Where the channel is, is the launcher's to say: each engine has it elsewhere.
        let code = format!(
            "import fs from 'node:fs';
             export default () => {{
                 if ('{frame}' !== '') {{
                     for (let fd = 3; fd < 40; fd++) try {{ fs.writeSync(fd, '{frame}'); }} catch {{}}
                     Bun.sleepSync(5000);
                 }}
                 return new Uint8Array(2);
             }}"
        );
        for engine in ENGINES {
            let folder = Folder::new();
            let mut client = ready(&folder, engine, &code);
            let envelope = client.call(json!({ "function": "f", "returns_bytes": true }));
            if frame.is_empty() {
                assert_eq!(returned(&envelope), [(json!([]), vec![0, 0])], "{engine}");
            } else {
                assert_eq!(envelope["error"]["code"], "ERR_CHANNEL_BROKEN", "{engine}: {}", envelope["error"]);
                assert_eq!(envelope.get("bytes"), None, "{engine}");
            }
            client.end();
        }
    }
}

#[test]
fn its_input_holds_nothing_else() {
    let folder = Folder::new();
    let code = "import { readFileSync } from 'node:fs'; export default () => readFileSync(0).length";
    for engine in ["spawn", "pool"] {
        let mut client = ready(&folder, engine, code);
        let bytes = contents(2 << 20);
        let params = json!({ "function": "f", "args": [null], "bytes": [array(json!(["0"]), &bytes)] });
        assert_eq!(client.result(params), 0, "{engine}");
        client.end();
    }
}
