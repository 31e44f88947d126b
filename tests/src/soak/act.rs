//! What calls do in a soak, and how each has to be answered.

use fastrand::Rng;
use serde_json::{Value, json};

/// What the service grants: a temporary folder, sockets of the sandbox's own, a secret.
pub(super) const POLICY: &str = r#"{
  "extends": "function",
  "allow": { "read": ["${TMP}"], "write": ["${TMP}"], "net": ["127.0.0.1:9"], "secrets": ["SALT"] }
}"#;

/// What a call or a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// A registered function that returns what it was told.
    Returns,
    /// The same as a source of the call's own.
    Source,
    /// With a secret.
    Secret,
    /// Throws.
    Throws,
    /// Fills standard output and standard error.
    FloodsOutput,
    /// Writes to the console without end.
    FloodsLogs,
    /// `process.exit` in the middle.
    Exits,
    /// Crashes as native code does.
    Crashes,
    /// Ends itself by a signal that cannot be caught.
    KillsItself,
    /// Runs for ever.
    Loops,
    /// Takes ever more memory.
    Leaks,
    /// Waits for ever, and is cancelled.
    Hangs,
    /// Returns a megabyte.
    Large,
    /// Leaves timers, sockets and files behind.
    Leaves,
    /// No request at all, or one that makes no sense.
    Nonsense,
}

/// How often each is done among ten thousand.
const SHARES: [(Act, u32); 15] = [
    (Act::Returns, 8000),
    (Act::Source, 300),
    (Act::Secret, 200),
    (Act::Throws, 500),
    (Act::FloodsOutput, 15),
    (Act::FloodsLogs, 5),
    (Act::Exits, 150),
    (Act::Crashes, 50),
    (Act::KillsItself, 50),
    (Act::Loops, 20),
    (Act::Leaks, 10),
    (Act::Hangs, 60),
    (Act::Large, 40),
    (Act::Leaves, 100),
    (Act::Nonsense, 500),
];

/// All that there are.
pub(super) fn all() -> impl Iterator<Item = Act> {
    SHARES.into_iter().map(|(act, _)| act)
}

/// One of them, by their shares.
pub(super) fn draw(chance: &mut Rng) -> Act {
    let all: u32 = SHARES.iter().map(|(_, share)| share).sum();
    let mut left = chance.u32(..all);
    for (act, share) in SHARES {
        if left < share {
            return act;
        }
        left -= share;
    }
    unreachable!("the shares add up")
}

const RETURNS: &str = "
    export default async (token: string) => {
        globalThis.kept ??= [];
        globalThis.kept.push(token);
        Array.prototype.left = token;
        console.log(token);
        if (token.length % 3 === 0) await Bun.sleep(1);
        return [globalThis.kept, executionContext.userID, executionContext.executionID, process.env.TOKEN];
    };";
const SECRET: &str = "export default async () => [...(await secrets.get('SALT'))].reverse().join('')";
const LEAVES: &str = "
    import { writeFileSync, readdirSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    export default async (token: string) => {
        const before = readdirSync(tmpdir()).length;
        for (let n = 0; n < 5; n++) writeFileSync(`${tmpdir()}/left-${n}`, token.repeat(1000));
        const server = Bun.listen({ port: 0, hostname: '127.0.0.1', socket: { data() {} } });
        await Bun.connect({ hostname: '127.0.0.1', port: server.port, socket: { data() {} } });
        setInterval(() => {}, 1);
        setTimeout(() => { throw new Error('too late'); }, 60_000);
        new Promise(() => {});
        return [token, before];
    };";

/// The functions that are registered before, each with its source and limits. All but the last are granted nothing.
pub(super) fn functions() -> Vec<Value> {
    let nothing = json!({ "extends": "function" });
    let function = |name, source| json!({ "name": name, "source": source, "policy": nothing });
    let mut loops = function("loops", "export default () => { for (;;); }");
    loops["limits"] = json!({ "wall_ms": 300 });
    vec![
        function("returns", RETURNS),
        function("throws", "export default (token: string) => { throw new TypeError(token); }"),
        function(
            "exits",
            "export default async () => { setTimeout(() => process.exit(7), 1); await Bun.sleep(5_000); }",
        ),
        function("crashes", "export default () => process.abort()"),
        function(
            "leaks",
            "export default () => { const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1)); }",
        ),
        function("large", "export default (token: string) => token + 'x'.repeat(1 << 20)"),
        loops,
        json!({ "name": "leaves", "source": LEAVES }),
    ]
}

/// A call's own data: nobody else's may be in its answer.
#[derive(Clone, Debug)]
pub(super) struct Own {
    token: String,
    user: String,
    execution: String,
}

impl Own {
    /// Of a call by its number.
    pub(super) fn of(number: u64, seed: u64) -> Self {
        let token = format!("token of {number} in {seed}{}", "+".repeat((number % 7) as usize));
        Self { token, user: format!("user {}", number % 31), execution: format!("execution {number}") }
    }
}

/// What a call has for parameters.
pub(super) fn call(act: Act, own: &Own) -> Value {
    let source = |text: &str| json!({ "source": text, "policy": { "extends": "function" } });
    let mut call = match act {
        Act::Returns => json!({ "function": "returns" }),
        Act::Source => source(RETURNS),
        Act::Secret => json!({ "source": SECRET, "secrets": { "SALT": own.token } }),
        Act::Throws => json!({ "function": "throws" }),
        Act::FloodsOutput => source(
            "export default async () => {
                for (;;) await new Promise((done) => process.stdout.write('o'.repeat(1 << 16), done));
            }",
        ),
        Act::FloodsLogs => {
            let mut call = source("export default () => { for (;;) console.log('l'.repeat(1 << 12)); }");
            call["limits"] = json!({ "cpu_ms": 300 });
            call
        }
        Act::Exits => json!({ "function": "exits" }),
        Act::Crashes => json!({ "function": "crashes" }),
        Act::KillsItself => source("export default () => { process.kill(process.pid, 'SIGKILL'); for (;;); }"),
        Act::Loops => json!({ "function": "loops" }),
        Act::Leaks => json!({ "function": "leaks" }),
        Act::Hangs => source("export default () => new Promise(() => setInterval(() => {}, 1000))"),
        Act::Large => json!({ "function": "large" }),
        Act::Leaves => json!({ "function": "leaves" }),
        Act::Nonsense => json!({ "function": "nobody" }),
    };
    call["args"] = json!([own.token]);
    call["context"] = json!({ "user_id": own.user, "execution_id": own.execution });
    call["env"] = json!({ "TOKEN": own.token });
    call
}

/// What is wrong with an answer, if anything is.
pub(super) fn check(act: Act, own: &Own, answer: &Value) -> Result<(), String> {
    let envelope = &answer["result"];
    let is = |pointer: &str, expected: Value| {
        let found = answer.pointer(pointer).unwrap_or(&Value::Null);
        if *found == expected { Ok(()) } else { Err(format!("{pointer} is {}, not {expected}", short(found))) }
    };
    let failed = |code: &str| is("/result/error/code", json!(code));
    match act {
        Act::Returns | Act::Source => {
            is("/result/result", json!([[own.token], own.user, own.execution, own.token]))?;
            let logs: Vec<&Value> = envelope["logs"].as_array().into_iter().flatten().map(|log| &log["text"]).collect();
            if logs == [&json!(own.token)] { Ok(()) } else { Err(format!("its logs are {logs:?}")) }
        }
        Act::Secret => is("/result/result", json!(own.token.chars().rev().collect::<String>())),
        Act::Throws => is("/result/error/name", json!("TypeError")).and(is("/result/error/message", json!(own.token))),
        Act::FloodsOutput => is("/result/error/limit", json!("output")),
        // Most of the time it waits for the launcher to read.
        Act::FloodsLogs => is("/result/error/limit", json!("cpu")).or(is("/result/error/limit", json!("wall"))),
        Act::Exits => failed("ERR_FUNCTION_EXITED").and(is("/result/exit/code", json!(7))),
        Act::Crashes => failed("ERR_FUNCTION_EXITED").and(is("/result/exit/signal", json!("SIGABRT"))),
        Act::KillsItself => failed("ERR_FUNCTION_EXITED").and(is("/result/exit/signal", json!("SIGKILL"))),
        Act::Loops => is("/result/error/limit", json!("wall")),
        Act::Leaks => is("/result/error/limit", json!("memory")),
        Act::Hangs => is("/error/code", json!(-32002)),
        Act::Large => {
            let result = envelope["result"].as_str().unwrap_or_default();
            let is_whole = result.strip_prefix(&own.token).is_some_and(|rest| rest.len() == 1 << 20);
            if is_whole { Ok(()) } else { Err(format!("its result is {} bytes", result.len())) }
        }
        Act::Leaves => is("/result/result", json!([own.token, 0])),
        Act::Nonsense => is("/error/code", json!(-32004)),
    }
    .map_err(|why| format!("{why} in {}", short(answer)))
}

/// A value as far as one wants to read it.
pub(super) fn short(value: &Value) -> String {
    let text = value.to_string();
    let end = text.char_indices().nth(400).map_or(text.len(), |(at, _)| at);
    text[..end].to_owned()
}
