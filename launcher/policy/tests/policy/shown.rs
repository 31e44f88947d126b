//! A policy written back as JSON.

use policy::{Layer, Origins, Policy, Preset};

use crate::{file, layer, policy};

const FULL: &str = r#"{
  "read": ["./data", "${TMP}/x"], "write": "${PROGRAM}", "import": [],
  "net": ["api.example.com:443", "10.1.0.0/16:8000-8010", "[2001:db8::/32]:*"], "listen": [3000],
  "fetch": [{"url": "https://api.example.com/v1/*", "methods": ["post"], "headers": {"A": "${secret:B}"}}],
  "env": ["NODE_ENV", "APP_*"], "run": ["git", "/opt/x"], "sys": true, "workers": true, "ffi": "./lib.so", "eval": false,
  "host": "db.*", "secrets": true,
  "deny": {"read": "./data/x", "net": "169.254.0.0/16", "run": "/opt/x/y", "wasm": true},
  "kernel": {"namespaces": ["user", "pid"], "require": ["seccomp"], "audit": "off"},
  "limits": {"wall_ms": 5, "tmp_mb": 1}, "js": {"freeze": "object-prototype", "jit": true, "codegen": true},
  "trust": {"signers": ["key"], "required": false}
}"#;

#[test]
fn a_policy_is_shown_in_one_order() {
    let shown = policy(r#"{"limits": {"wall_ms": 5}, "env": "A", "deny": {"read": "./x"}, "read": ["./a", "${TMP}"]}"#);
    assert_eq!(
        shown.to_json(Origins::Hidden),
        r#"{
  "version": 1,
  "allow": {
    "read": [
      "/project/a",
      "${TMP}"
    ],
    "import": [
      "${PROJECT}"
    ],
    "env": [
      "A"
    ]
  },
  "deny": {
    "read": [
      "/project/x"
    ]
  },
  "limits": {
    "wall_ms": 5
  }
}
"#
    );
}

#[test]
fn a_policy_is_shown_with_the_places_that_say_so() {
    let shown = policy("{\n  \"extends\": \"function\",\n  \"limits\": { \"wall_ms\": 5 }\n}").to_json(Origins::Shown);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["limits"]["wall_ms"], serde_json::json!({ "value": 5, "from": "p.json:3:26" }));
    assert_eq!(shown["allow"]["eval"]["from"].as_str().unwrap().split(':').next(), Some("preset function"));
    assert_eq!(shown["allow"]["import"][0]["from"], "default");
}

/// What is shown says the same when it is read again.
fn assert_stable(policy: &Policy) {
    let shown = policy.to_json(Origins::Hidden);
    let again = Layer::parse(&file(), shown.as_bytes()).unwrap_or_else(|problems| panic!("{shown}\n{problems:?}"));
    assert_eq!(Policy::merge([&again]).to_json(Origins::Hidden), shown);
}

#[test]
fn what_is_shown_can_be_read_again() {
    assert_stable(&policy(FULL));
    for preset in Preset::ALL {
        assert_stable(&policy(&format!("{{\"extends\": \"{}\"}}", preset.name())));
    }
    assert_stable(&Policy::merge([&layer("{}")]));
    let everything = r#"{"read": true, "write": true, "net": true, "listen": true, "fetch": true, "env": true, "run": true,
        "ffi": true, "eval": true, "host": true, "deny": {"listen": [22], "fetch": "https://a.example/"}}"#;
    assert_stable(&policy(everything));
}

#[test]
fn nothing_that_was_said_is_left_out() {
    let shown = policy(FULL).to_json(Origins::Hidden);
    for word in [
        "/project/data",
        "${TMP}/x",
        "${PROGRAM}",
        "10.1.0.0/16:8000-8010",
        "[2001:db8::/32]:*",
        "*:3000",
        "POST",
        "${secret:B}",
        "APP_*",
        "/opt/x",
        "lib.so",
        "db.*",
        "169.254.0.0/16:*",
        "namespaces",
        "seccomp",
        "codegen",
        "signers",
        "tmp_mb",
    ] {
        assert!(shown.contains(word), "{word} is missing in {shown}");
    }
}
