//! Random numbers of many calls, of which no two may be equal: children of one server begin as copies of it.

use std::collections::HashSet;
use std::fmt;

use serde_json::{Value, json};

use super::Service;
use crate::folder::Folder;

/// A global object of `node:vm` has a generator of its own, and needs code from strings.
const POLICY: &str = r#"{ "extends": "function", "allow": { "eval": true } }"#;

/// What one call draws, by where it comes from. Of a UUID of version 7 the last 48 bits are random.
const DRAW: &str = "
    import { randomBytes, randomInt } from 'node:crypto';
    import { runInNewContext } from 'node:vm';
    export default () => ({
        'Math.random': String(Math.random()),
        'Math.random of a context': String(runInNewContext('Math.random()')),
        'crypto.randomUUID': crypto.randomUUID(),
        'crypto.getRandomValues': crypto.getRandomValues(new Uint8Array(16)).toHex(),
        'Bun.randomUUIDv7': Bun.randomUUIDv7().slice(-12),
        'node:crypto.randomBytes': randomBytes(16).toString('hex'),
        'node:crypto.randomInt': String(randomInt(2 ** 47)),
    });";

/// Sources that every call draws from.
const SOURCES: usize = 7;

/// What was drawn.
#[derive(Debug)]
pub struct Report {
    /// Calls that drew.
    pub calls: u64,
    /// Values that they drew.
    pub values: usize,
    /// What went wrong: what was drawn twice, and from where, and answers that are none.
    pub wrongs: Vec<String>,
}

/// Makes `calls` calls, `at_once` at a time.
pub fn run(engine: &str, calls: u64, at_once: usize) -> Report {
    let folder = Folder::with("random.json", POLICY).folder("temporary");
    let mut service = Service::start(&folder, "random.json", engine, &[], &[]);
    let answer = service.ask("function.register", &json!({ "name": "draw", "source": DRAW }));
    assert!(answer.get("error").is_none(), "{answer}");
    let mut report = Report { calls, values: 0, wrongs: Vec::new() };
    let mut seen = HashSet::new();
    let (mut sent, mut answered) = (0, 0);
    while answered < calls {
        while sent < calls && sent - answered < at_once as u64 {
            // Every other one by its text: the children of another server.
            let call = if sent % 2 == 0 { json!({ "function": "draw" }) } else { json!({ "source": DRAW }) };
            service.send("call", &call);
            sent += 1;
        }
        report.take(&service.next_answer().expect("it answers"), &mut seen);
        answered += 1;
    }
    report.values = seen.len();
    let ended = service.end();
    if ended.code() != 0 {
        report.wrongs.push(ended.to_string());
    }
    report
}

impl Report {
    fn take(&mut self, answer: &Value, seen: &mut HashSet<String>) {
        let drawn = answer["result"]["result"].as_object().filter(|drawn| drawn.len() == SOURCES);
        let Some(drawn) = drawn else {
            return self.wrongs.push(super::act::short(answer));
        };
        for (source, value) in drawn {
            if !seen.insert(format!("{source}: {value}")) {
                self.wrongs.push(format!("{source} gave {value} twice"));
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} calls drew {} different values from {SOURCES} sources", self.calls, self.values)?;
        self.wrongs.iter().try_for_each(|wrong| writeln!(f, "wrong: {wrong}"))
    }
}
