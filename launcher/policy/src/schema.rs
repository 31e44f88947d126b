//! The JSON Schema of a policy file, which editors complete and explain it by.
//!
//! The types here describe the document for `schemars` and are never made; a test holds them to the parser's keys.

#![allow(dead_code, reason = "schemars reads these types, nobody makes them")]

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use crate::fetch::Redirect;
use crate::grants::SYS_NAMES;
use crate::limits::Limit;
use crate::preset::Preset;
use crate::settings::{Audit, Freeze, Namespace, Protection};

/// Where the schema is checked in, from the root of the repository.
pub const SCHEMA_FILE: &str = "policies/policy.schema.json";

/// The schema as text.
pub fn json_schema() -> String {
    // The draft that editors know best.
    let settings =
        SchemaSettings::draft07().with_transform(RecursiveTransform(|schema: &mut Schema| without_null(schema)));
    let mut schema = settings.into_generator().into_root_schema_for::<Document>();
    schema.insert("title".to_owned(), "secure-bun policy".into());
    // Editors that know these words accept what the parser accepts.
    schema.insert("allowComments".to_owned(), true.into());
    schema.insert("allowTrailingCommas".to_owned(), true.into());
    crate::hover::complete(schema.ensure_object());
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// `schemars` takes an optional field for one that can be null; here it can only be left out.
fn without_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
    }
    // Of everything that a policy can say, the URL of a fetch rule alone cannot be left out.
    if let Some(Value::Array(required)) = object.get_mut("required") {
        required.retain(|name| name == "url");
        if required.is_empty() {
            object.remove("required");
        }
    }
}

/// What a program may do. Everything that is not allowed here is denied, and denying wins over allowing.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Document {
    /// The schema of this file, for editors.
    #[schemars(rename = "$schema")]
    schema: Option<String>,
    /// The version of the format.
    #[schemars(range(min = 1, max = 1))]
    version: Option<u32>,
    #[schemars(schema_with = "extends")]
    extends: Option<()>,
    /// What the program may do.
    allow: Option<Permissions>,
    /// What it may not do, whatever else is allowed.
    deny: Option<Permissions>,
    /// The layers of the kernel that hold the program.
    kernel: Option<Kernel>,
    #[schemars(schema_with = "limits")]
    limits: Option<()>,
    /// The JavaScript engine.
    js: Option<Js>,
    /// Signed programs.
    trust: Option<Trust>,
    #[schemars(flatten)]
    short: ShortForms,
}

/// Each takes true (everything), false (nothing), one value or a list of values.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Permissions {
    /// Files and folders that may be read: a folder covers everything below it. Relative to this file; ${PROGRAM}, ${PROJECT}, ${TMP} and ${HOME} may start a path.
    read: Option<List>,
    /// Files and folders that may be written, and read. Configuration that trusted tools obey (.git/hooks, .vscode, .npmrc, …) has to be named itself.
    write: Option<List>,
    /// Files and folders that modules may be loaded from. Secrets at the top of such a folder (.env*, .git, .npmrc, .ssh, *.pem, *.key) are left out.
    import: Option<List>,
    /// Hosts and ports to connect to: "api.example.com:443", "*.example.org:443", "10.1.0.0/16:5432", "[::1]:8000-8010"; for datagrams "udp://stats.example.com:8125". Denying without udp:// denies both.
    net: Option<List>,
    /// Ports to accept connections on: 3000, "127.0.0.1:3000", "8000-8010".
    listen: Option<Ports>,
    /// URLs that the launcher requests for the program.
    fetch: Option<Fetches>,
    /// Environment variables that may be read; * stands for any text.
    env: Option<List>,
    /// Programs that may be started, by name or path.
    run: Option<List>,
    /// Another name of run.
    exec: Option<List>,
    #[schemars(schema_with = "sys")]
    sys: Option<()>,
    /// How many workers may run at a time.
    workers: Option<Workers>,
    /// Native libraries that may be loaded; true stands for those of the import roots.
    ffi: Option<List>,
    /// Compiling code from strings: eval, new Function.
    eval: Option<bool>,
    /// Compiling WebAssembly, which reaches nothing by itself.
    wasm: Option<bool>,
    /// Methods of the embedding service that may be called; * stands for any text.
    host: Option<List>,
    /// Secrets that may be read.
    secrets: Option<List>,
}

/// Permissions at the top of the file: short for allow, or { "allow": …, "deny": … }.
#[derive(JsonSchema)]
struct ShortForms {
    read: Option<Short<List>>,
    write: Option<Short<List>>,
    import: Option<Short<List>>,
    net: Option<Short<List>>,
    listen: Option<Short<Ports>>,
    fetch: Option<Short<Fetches>>,
    env: Option<Short<List>>,
    run: Option<Short<List>>,
    exec: Option<Short<List>>,
    sys: Option<Short<List>>,
    workers: Option<Short<Workers>>,
    ffi: Option<Short<List>>,
    eval: Option<Short<bool>>,
    wasm: Option<Short<bool>>,
    host: Option<Short<List>>,
    secrets: Option<Short<List>>,
}

#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum Short<T> {
    Allowed(T),
    Both(Both<T>),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, inline)]
struct Both<T> {
    /// What is allowed.
    allow: Option<T>,
    /// What is denied, whatever is allowed.
    deny: Option<T>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum List {
    All(bool),
    One(String),
    Many(Vec<String>),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Ports {
    All(bool),
    One(Port),
    Many(Vec<Port>),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Port {
    Number(u16),
    Text(String),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Fetches {
    All(bool),
    One(Fetch),
    Many(Vec<Fetch>),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Fetch {
    Url(String),
    Rule(FetchRule),
}

/// Requests that the launcher makes for the program.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct FetchRule {
    /// The URLs; * in the path stands for any text.
    url: String,
    /// The methods.
    methods: Option<Vec<String>>,
    /// Headers that the launcher adds; ${secret:NAME} stands for a secret that the program never sees.
    headers: Option<BTreeMap<String, String>>,
    #[schemars(schema_with = "redirect")]
    redirect: Option<()>,
    /// The longest body that is sent, in KB.
    #[schemars(range(min = 0))]
    max_request_kb: Option<u64>,
    /// The longest body that is received, in KB.
    #[schemars(range(min = 0))]
    max_response_kb: Option<u64>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Workers {
    Any(bool),
    Most(#[schemars(range(min = 0, max = 1024))] u32),
}

/// The layers of the kernel that hold the program.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Kernel {
    #[schemars(schema_with = "namespaces")]
    namespaces: Option<()>,
    #[schemars(schema_with = "seccomp")]
    seccomp: Option<()>,
    #[schemars(schema_with = "landlock")]
    landlock: Option<()>,
    #[schemars(schema_with = "require")]
    require: Option<()>,
    #[schemars(schema_with = "audit")]
    audit: Option<()>,
}

/// The JavaScript engine.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Js {
    #[schemars(schema_with = "freeze")]
    freeze: Option<()>,
    #[schemars(schema_with = "globals")]
    globals: Option<()>,
    /// Whether machine code is generated. Without it loops are about nine times slower.
    jit: Option<bool>,
    /// false denies eval, whoever allows it. Advisory: a program that may write a module can import it.
    codegen: Option<bool>,
}

/// Signed programs.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Trust {
    /// Public keys whose signatures are accepted.
    signers: Option<Vec<String>>,
    /// Whether unsigned programs are refused.
    required: Option<bool>,
}

fn extends(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Preset::ALL.iter().map(|preset| preset.name()).collect();
    json_schema!({
        "description": "What this policy builds on: a preset, or another policy file relative to this one. Lists unite; of single values the one here holds.",
        "anyOf": [{ "enum": names }, { "type": "string" }],
    })
}

fn limits(_: &mut SchemaGenerator) -> Schema {
    let limit = |limit: Limit| {
        let (least, most) = limit.bounds();
        let schema = serde_json::json!({
            "description": limit.description(), "type": "integer", "minimum": least, "maximum": most,
        });
        (limit.name().to_owned(), schema)
    };
    let properties: serde_json::Map<String, Value> = Limit::ALL.into_iter().map(limit).collect();
    json_schema!({
        "description": "What a run may use up. What is left out is not limited.",
        "type": "object", "properties": properties, "additionalProperties": false,
    })
}

fn sys(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "Facts about the machine that may be read.",
        "anyOf": [{ "type": "boolean" }, { "enum": SYS_NAMES }, { "type": "array", "items": { "enum": SYS_NAMES } }],
    })
}

fn namespaces(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Namespace::ALL.iter().map(|namespace| namespace.name()).collect();
    json_schema!({
        "description": "Namespaces to use besides those that the grants need.",
        "type": "array", "items": { "enum": names },
    })
}

fn seccomp(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "description": "System calls that are not listed are refused.", "const": "default-deny" })
}

fn landlock(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "Landlock is always used; where the host may lack it, list the other layers in require.",
        "const": true,
    })
}

fn require(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Protection::ALL.iter().map(|protection| protection.name()).collect();
    json_schema!({
        "description": "The layers without which nothing runs.",
        "anyOf": [{ "const": "all" }, { "type": "array", "items": { "enum": names } }],
    })
}

fn audit(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Audit::ALL.iter().map(|audit| audit.name()).collect();
    json_schema!({ "description": "How what the program does is recorded; only \"off\" is available yet.", "enum": names })
}

fn redirect(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Redirect::ALL.iter().map(|redirect| redirect.name()).collect();
    json_schema!({
        "description": "What becomes of redirects: followed where the policy grants the next URL, too; an error; or given to the program as they are.",
        "enum": names,
    })
}

fn freeze(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Freeze::ALL.iter().map(|freeze| freeze.name()).collect();
    json_schema!({ "description": "Which built-in objects the program cannot change.", "enum": names })
}

fn globals(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "description": "Which globals the program sees.", "const": "default" })
}
