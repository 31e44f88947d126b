//! The table that `policy.js` leaves for the harness, with a policy that grants reading and importing alone.

use std::path::Path;

use serde_json::{Value, json};

use super::{Settings, VARIABLES};

const RULE: &str = "allow.read (test.json:1:1)";

pub fn of(cwd: &Path, settings: &Settings, fork: &Value) -> Value {
    let read: Value = settings.read.iter().map(|path| json!({ "path": path, "rule": RULE })).collect();
    let none = json!({ "allow": [], "deny": [] });
    let details = json!({
        "cwd": cwd,
        "policy": {
            "read": { "allow": read, "deny": [] }, "import": { "allow": read, "deny": [] }, "write": none, "env": none, "sys": none,
            "net": none, "listen": none, "fetch": none, "run": none, "host": none, "ffi": none,
            "secrets": { "allow": [{ "pattern": "TOKEN", "rule": "allow.secrets (test.json:2:2)" }], "deny": [] },
            "workers": { "most": 0, "rule": "default" },
            "eval": { "allowed": settings.eval, "rule": "default" },
            "wasm": { "allowed": true, "rule": "default" },
        },
        "report": true,
        "own_loopback": true,
        "secrets": {},
        "preload": [cwd.join("policy.js")],
    });
    json!({
        "v": 1,
        "channel": null,
        "hello": false,
        "call": null,
        "context": null,
        "fork": fork,
        "mentions": [],
        "asks": { "modules": true, "require": true, "promises": true, "bun": true, "web": true, "sockets": true },
        "freeze": false,
        "grants": { "net": false, "listen": false, "fetch": false, "run": false, "workers": false },
        "env_hide": VARIABLES.map(|(name, _)| name),
        "details": details.to_string(),
    })
}
