//! What editors show over a key of a policy, besides what the key is for: what holds without it, and an example.

use serde_json::{Map, Value, json};

use crate::limits::Limit;

/// Each permission: what holds without it, and an example as JSON.
const PERMISSIONS: [(&str, &str, &str); 16] = [
    ("read", "nothing", r#"["./data", "/etc/hosts"]"#),
    ("write", "nothing", r#"["./out", "${TMP}"]"#),
    ("import", r#"["${PROJECT}"]"#, r#"["${PROJECT}", "../shared"]"#),
    ("net", "nothing", r#"["api.example.com:443", "10.1.0.0/16:5432", "udp://stats.example.com:8125"]"#),
    ("listen", "nothing", r#"[3000, "127.0.0.1:8000-8010"]"#),
    ("fetch", "nothing", r#"["https://api.example.com/v1/*"]"#),
    ("env", "none", r#"["NODE_ENV", "APP_*"]"#),
    ("run", "none", r#"["git", "./tools/build.sh"]"#),
    ("exec", "none", r#"["git"]"#),
    ("sys", "none", r#"["cpus", "hostname"]"#),
    ("workers", "none", "4"),
    ("ffi", "none", r#"["./native/image.so"]"#),
    ("eval", "false", "true"),
    ("wasm", "true", "false"),
    ("host", "none", r#"["db.*"]"#),
    ("secrets", "none", r#"["SIGNING_SALT"]"#),
];

/// The sections of the document.
const SECTIONS: [(&str, &str, &str); 9] = [
    ("$schema", "none", r#""./policy.schema.json""#),
    ("version", "1", "1"),
    ("extends", "nothing", r#""function""#),
    ("allow", "nothing", r#"{ "read": ["./data"] }"#),
    ("deny", "nothing", r#"{ "read": ["./data/private"] }"#),
    ("kernel", "every layer is required", r#"{ "namespaces": ["pid"] }"#),
    ("limits", "no limits", r#"{ "wall_ms": 5000, "memory_mb": 128 }"#),
    ("js", "the engine as it is", r#"{ "freeze": "object-prototype" }"#),
    ("trust", "no signatures", r#"{ "required": false }"#),
];

const KERNEL: [(&str, &str, &str); 5] = [
    ("namespaces", "what the grants need", r#"["pid"]"#),
    ("seccomp", r#""default-deny""#, r#""default-deny""#),
    ("landlock", "true", "true"),
    ("require", r#""all""#, r#"["user", "mnt", "landlock", "seccomp"]"#),
    ("audit", r#""off""#, r#""off""#),
];

const JS: [(&str, &str, &str); 4] = [
    ("freeze", r#""none""#, r#""object-prototype""#),
    ("globals", r#""default""#, r#""default""#),
    ("jit", "true", "false"),
    ("codegen", "true", "false"),
];

const TRUST: [(&str, &str, &str); 2] = [
    ("signers", "none", r#"["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE1fbGqNhQIJvLuLNeJGLLOrfNwjHeEg3wjMLy3CGjHz"]"#),
    ("required", "false", "true"),
];

const FETCH: [(&str, &str, &str); 6] = [
    ("url", "none; every rule has one", r#""https://api.example.com/v1/*""#),
    ("methods", r#"["GET", "HEAD"]"#, r#"["GET", "POST"]"#),
    ("headers", "none", r#"{ "authorization": "Bearer ${secret:API_KEY}" }"#),
    ("redirect", "as the program says", r#""error""#),
    ("max_request_kb", "no limit", "64"),
    ("max_response_kb", "no limit", "1024"),
];

/// Completes the descriptions of a schema.
pub(crate) fn complete(schema: &mut Map<String, Value>) {
    let permissions = schema["definitions"]["Permissions"]["properties"].clone();
    for (key, default, example) in PERMISSIONS {
        let about = permissions[key]["description"].as_str().unwrap_or_default();
        let short = &mut schema["properties"][key];
        short["description"] = format!("Short for allow.{key}. {about}").into();
        describe(short, key, default, example);
        describe_both(short, default, example);
        describe(&mut schema["definitions"]["Permissions"]["properties"][key], key, default, example);
    }
    for (key, default, example) in SECTIONS {
        describe(&mut schema["properties"][key], key, default, example);
    }
    for limit in Limit::ALL {
        let default = if limit == Limit::Tmp { "64" } else { "no limit" };
        let property = &mut schema["properties"]["limits"]["properties"][limit.name()];
        describe(property, limit.name(), default, &limit.example().to_string());
    }
    for (name, keys) in [("Kernel", &KERNEL[..]), ("Js", &JS), ("Trust", &TRUST), ("FetchRule", &FETCH)] {
        for (key, default, example) in keys {
            describe(&mut schema["definitions"][name]["properties"][*key], key, default, example);
        }
    }
}

/// The two sides of a permission, somewhere inside the schema of its short form.
fn describe_both(short: &mut Value, default: &str, example: &str) {
    match short {
        Value::Object(object) => {
            if let Some(Value::Object(sides)) = object.get_mut("properties") {
                // Of a single value, all is denied.
                let denied = if example.starts_with('[') { example } else { "true" };
                for (key, default, example) in [("allow", default, example), ("deny", "nothing", denied)] {
                    if let Some(side) = sides.get_mut(key) {
                        describe(side, key, default, example);
                    }
                }
            }
            object.values_mut().for_each(|inner| describe_both(inner, default, example));
        }
        Value::Array(choices) => choices.iter_mut().for_each(|inner| describe_both(inner, default, example)),
        _ => {}
    }
}

/// Once as plain text and once as Markdown, which some editors understand.
fn describe(property: &mut Value, key: &str, default: &str, example: &str) {
    let about = property["description"].as_str().unwrap_or_default().to_owned();
    property["description"] = format!("{about} Default: {default}. Example: \"{key}\": {example}").into();
    property["markdownDescription"] =
        format!("{about}\n\nDefault: {default}\n\n```json\n\"{key}\": {example}\n```").into();
    property["examples"] = json!([serde_json::from_str::<Value>(example).unwrap_or_default()]);
}
