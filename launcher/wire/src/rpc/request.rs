//! What the service asks for.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Code, Fault, Id, MAX_LINE_BYTES, MAX_NAME_BYTES, PROTOCOL};
use crate::byte_arrays::{self, ByteArray};
use crate::rpc::Line;
use crate::trace::TraceParent;

/// The largest integer of which a double holds every smaller one.
const MAX_INTEGER: i64 = (1 << 53) - 1;

/// A message that can be understood.
#[derive(Debug)]
pub enum Message {
    /// Has to be answered.
    Request(Id, Request),
    /// `$/cancel`.
    Cancel(Id),
    /// Another notification, which means nothing here.
    Ignored,
}

/// A request.
#[derive(Debug)]
pub enum Request {
    /// `initialize`.
    Initialize(Initialize),
    /// `function.register`.
    Register(Box<Register>),
    /// `function.remove`.
    Remove(Remove),
    /// `call`.
    Call(Box<Call>),
    /// `stats`.
    Stats(Stats),
    /// `shutdown`.
    Shutdown(Shutdown),
}

/// The first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Initialize {
    /// The version that the service speaks.
    pub protocol: u64,
}

/// Where a function's code is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Function {
    /// Registered by this name.
    Named(String),
    /// TypeScript or JavaScript.
    Source(String),
    /// In this file.
    File(String),
}

/// `function.register`.
#[derive(Debug)]
pub struct Register {
    /// By which calls name it.
    pub name: String,
    /// Its code; not a name.
    pub code: Function,
    /// The name of its export.
    pub export: Option<String>,
    /// What it may do, as the text of a policy file.
    pub policy: Option<Box<RawValue>>,
    /// Its limits, as in a policy file.
    pub limits: Option<Box<RawValue>>,
    /// It is loaded before the fork, where calls are forked.
    pub preload: Option<Preload>,
}

/// What is done before a fork, so that each call finds it done.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preload {
    /// Calls that are made besides: the arguments of each. Their answers are dropped.
    #[serde(default)]
    pub calls: Vec<Vec<Box<RawValue>>>,
}

/// `function.remove`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    /// Of the function.
    pub name: String,
}

/// `call`.
#[derive(Debug)]
pub struct Call {
    /// What is called.
    pub function: Function,
    /// The name of its export; of a registered function that is known.
    pub export: Option<String>,
    /// Its arguments as the text of a JSON array.
    pub args: String,
    /// Byte arrays among them: `args` has `null` at their places.
    pub bytes: Vec<ByteArray>,
    /// Byte arrays of the result are wanted as such, beside it.
    pub returns_bytes: bool,
    /// What narrows it further, as the text of a policy file.
    pub policy: Option<Box<RawValue>>,
    /// Its limits, as in a policy file.
    pub limits: Option<Box<RawValue>>,
    /// Who calls.
    pub context: Context,
    /// Secrets with their values.
    pub secrets: BTreeMap<String, String>,
    /// Variables with their values.
    pub env: BTreeMap<String, String>,
}

impl Call {
    /// A call with these arguments, the text of a JSON array, and nothing else.
    pub fn of(function: Function, args: impl Into<String>) -> Self {
        Self {
            function,
            export: None,
            args: args.into(),
            bytes: Vec::new(),
            returns_bytes: false,
            policy: None,
            limits: None,
            context: Context::default(),
            secrets: BTreeMap::new(),
            env: BTreeMap::new(),
        }
    }
}

impl Register {
    /// A function by its name, and nothing else.
    pub fn of(name: impl Into<String>, code: Function) -> Self {
        Self { name: name.into(), code, export: None, policy: None, limits: None, preload: None }
    }
}

/// Who calls, as far as the service says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Context {
    /// The function, to the service.
    pub function_id: Option<String>,
    /// The user in whose name it is called.
    pub user_id: Option<String>,
    /// This call.
    pub execution_id: Option<String>,
    /// The trace that it belongs to (W3C Trace Context).
    pub traceparent: Option<TraceParent>,
}

/// `stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stats {
    /// How they are written.
    pub format: StatsFormat,
    /// Whether memory is among them, which takes a while to look at.
    pub memory: bool,
}

/// How `stats` are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatsFormat {
    /// An object.
    #[default]
    Json,
    /// The text format of Prometheus.
    Prometheus,
}

/// `shutdown`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shutdown {
    /// After how long calls that still run are ended; `None`: never.
    pub wait_ms: Option<u64>,
}

/// `$/cancel`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    id: Value,
}

/// A line that is no message, or asks for what there is not. It has to be answered with the fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Of the request, as far as it can be read.
    pub id: Option<Id>,
    /// What is wrong.
    pub fault: Fault,
}

/// Reads a line.
pub fn read(line: &Line) -> Result<Message, Refused> {
    let refused = |code, message: String| Refused { id: None, fault: Fault::new(code, message) };
    let Line::Bytes(bytes) = line else {
        return Err(refused(Code::NotJson, format!("the line is longer than {MAX_LINE_BYTES} bytes")));
    };
    let text = std::str::from_utf8(bytes).map_err(|error| refused(Code::NotJson, format!("not UTF-8: {error}")))?;
    let raw: &RawValue =
        serde_json::from_str(text).map_err(|error| refused(Code::NotJson, format!("not JSON: {error}")))?;
    let not_a_request = |why: String| refused(Code::NotARequest, format!("not a request: {why}"));
    if raw.get().starts_with('[') {
        return Err(not_a_request("batches are not taken, send one request per line".to_owned()));
    }
    let Envelope { jsonrpc, id, method, params } =
        serde_json::from_str(raw.get()).map_err(|error| not_a_request(plain(&error)))?;
    if jsonrpc != "2.0" {
        return Err(not_a_request("jsonrpc is not \"2.0\"".to_owned()));
    }
    let Some(id) = id else {
        return match &*method {
            "$/cancel" => {
                let cancel: Cancel = parameters(params).map_err(|fault| Refused { id: None, fault })?;
                Ok(Message::Cancel(parse_id(&cancel.id).map_err(not_a_request)?))
            }
            _ => Ok(Message::Ignored),
        };
    };
    let id = parse_id(&id).map_err(not_a_request)?;
    let refuse = |fault| Refused { id: Some(id.clone()), fault };
    let request = match &*method {
        "initialize" => initialize(parameters(params).map_err(refuse)?).map_err(refuse)?,
        "function.register" => Request::Register(Box::new(register(params).map_err(refuse)?)),
        "function.remove" => Request::Remove(parameters(params).map_err(refuse)?),
        "call" => Request::Call(Box::new(call(params).map_err(refuse)?)),
        "stats" => Request::Stats(parameters(params).map_err(refuse)?),
        "shutdown" => Request::Shutdown(parameters(params).map_err(refuse)?),
        _ => return Err(refuse(Fault::new(Code::NoMethod, format!("there is no method {}", quoted(&method))))),
    };
    Ok(Message::Request(id, request))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    jsonrpc: String,
    #[serde(default, deserialize_with = "present")]
    id: Option<Value>,
    method: String,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// `null` is a value that an `id` may not have, not one that is absent.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn parse_id(id: &Value) -> Result<Id, String> {
    let bad = || format!("an id is a text of at most {MAX_NAME_BYTES} bytes or an integer");
    match id {
        Value::String(text) if text.len() <= MAX_NAME_BYTES => Ok(Id::Text(text.clone())),
        Value::Number(number) => {
            let number = number.as_i64().filter(|number| (-MAX_INTEGER..=MAX_INTEGER).contains(number));
            number.map(Id::Number).ok_or_else(bad)
        }
        _ => Err(bad()),
    }
}

/// A method's parameters; absent ones are `{}`.
fn parameters<T: DeserializeOwned>(params: Option<&RawValue>) -> Result<T, Fault> {
    let text = params.map_or("{}", RawValue::get);
    if !text.starts_with('{') {
        return Err(wrong("", "parameters are an object"));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { "" } else { &path };
        Fault::new(Code::Parameters, plain(error.inner())).with(json!({ "path": path }))
    })
}

/// An error's words without the place, which is that within the parameters.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(64).collect();
    Value::from(shown).to_string()
}

fn initialize(asked: Initialize) -> Result<Request, Fault> {
    if asked.protocol == PROTOCOL {
        return Ok(Request::Initialize(asked));
    }
    let message = format!("protocol {} is not spoken here", asked.protocol);
    Err(Fault::new(Code::Parameters, message).with(json!({ "path": "protocol", "protocols": [PROTOCOL] })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterParameters {
    name: Name,
    source: Option<String>,
    file: Option<Path>,
    export: Option<Name>,
    policy: Option<Box<RawValue>>,
    limits: Option<Box<RawValue>>,
    preload: Option<Preload>,
}

fn register(params: Option<&RawValue>) -> Result<Register, Fault> {
    let RegisterParameters { name, source, file, export, policy, limits, preload } = parameters(params)?;
    let code = code(None, source, file)?;
    Ok(Register { name: name.0, code, export: export.map(|export| export.0), policy, limits, preload })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallParameters {
    function: Option<Name>,
    source: Option<String>,
    file: Option<Path>,
    export: Option<Name>,
    #[serde(default)]
    args: Vec<Box<RawValue>>,
    #[serde(default)]
    bytes: Vec<Encoded>,
    #[serde(default)]
    returns_bytes: bool,
    policy: Option<Box<RawValue>>,
    limits: Option<Box<RawValue>>,
    #[serde(default)]
    context: Context,
    #[serde(default)]
    secrets: BTreeMap<Name, String>,
    #[serde(default)]
    env: BTreeMap<Name, String>,
}

fn call(params: Option<&RawValue>) -> Result<Call, Fault> {
    let given: CallParameters = parameters(params)?;
    let function = code(given.function, given.source, given.file)?;
    if let (Function::Named(_), Some(_)) = (&function, &given.export) {
        return Err(wrong("export", "a registered function has its export"));
    }
    let Context { function_id, user_id, execution_id, traceparent: _ } = &given.context;
    for (field, text) in [("function_id", function_id), ("user_id", user_id), ("execution_id", execution_id)] {
        if text.as_ref().is_some_and(|text| text.len() > MAX_NAME_BYTES) {
            return Err(wrong(&format!("context.{field}"), &format!("longer than {MAX_NAME_BYTES} bytes")));
        }
    }
    let bytes = decoded(given.bytes)?;
    let args: Vec<&str> = given.args.iter().map(|argument| argument.get()).collect();
    let plain = |map: BTreeMap<Name, String>| map.into_iter().map(|(name, value)| (name.0, value)).collect();
    Ok(Call {
        function,
        export: given.export.map(|export| export.0),
        args: format!("[{}]", args.join(",")),
        bytes,
        returns_bytes: given.returns_bytes,
        policy: given.policy,
        limits: given.limits,
        context: given.context,
        secrets: plain(given.secrets),
        env: plain(given.env),
    })
}

/// A byte array as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Encoded {
    at: Vec<String>,
    base64: String,
}

fn decoded(arrays: Vec<Encoded>) -> Result<Vec<ByteArray>, Fault> {
    use base64::Engine as _;
    let decode = |(index, Encoded { at, base64 }): (usize, Encoded)| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(base64);
        let bytes = bytes.map_err(|error| wrong(&format!("bytes[{index}].base64"), &format!("not base64: {error}")))?;
        Ok(ByteArray { at, bytes: bytes.into() })
    };
    // Those that are too many are an error without that.
    if arrays.len() > byte_arrays::MOST {
        return Err(wrong("bytes", &format!("more than {} byte arrays", byte_arrays::MOST)));
    }
    arrays.into_iter().enumerate().map(decode).collect()
}

/// The one place where the code is.
fn code(function: Option<Name>, source: Option<String>, file: Option<Path>) -> Result<Function, Fault> {
    match (function, source, file) {
        (Some(name), None, None) => Ok(Function::Named(name.0)),
        (None, Some(source), None) => Ok(Function::Source(source)),
        (None, None, Some(file)) => Ok(Function::File(file.0)),
        (None, None, None) => Err(wrong("", "neither source nor file says what the code is")),
        _ => Err(wrong("", "only one of function, source and file can say what the code is")),
    }
}

fn wrong(path: &str, message: &str) -> Fault {
    Fault::new(Code::Parameters, message).with(json!({ "path": path }))
}

/// A text of 1 to [`MAX_NAME_BYTES`] bytes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if (1..=MAX_NAME_BYTES).contains(&text.len()) {
            return Ok(Self(text));
        }
        Err(D::Error::custom(format_args!("a name has 1 to {MAX_NAME_BYTES} bytes")))
    }
}

/// A path that the kernel would take.
struct Path(String);

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || text.contains('\0') {
            return Err(D::Error::custom("not the path of a file"));
        }
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Message, Refused> {
        read(&Line::Bytes(text.into()))
    }

    #[track_caller]
    fn refused(text: &str) -> (Option<Id>, i32, String, Value) {
        let Refused { id, fault } = read_text(text).unwrap_err();
        (id, fault.code as i32, fault.message, fault.data)
    }

    fn request(method: &str, params: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":"a","method":"{method}","params":{params}}}"#)
    }

    #[test]
    fn a_call() {
        let text = request(
            "call",
            r#"{"function":"add","args":[1, {"a": "\ud800"}],"limits":{"wall_ms":5},"context":{"user_id":"u"},
                "secrets":{"KEY":"v"},"env":{"A":""}}"#,
        );
        let Ok(Message::Request(id, Request::Call(call))) = read_text(&text) else { panic!() };
        assert_eq!(id, Id::Text("a".to_owned()));
        assert_eq!(call.function, Function::Named("add".to_owned()));
        assert_eq!(call.args, r#"[1,{"a": "\ud800"}]"#);
        assert_eq!(call.limits.unwrap().get(), r#"{"wall_ms":5}"#);
        assert_eq!(call.context.user_id.as_deref(), Some("u"));
        assert_eq!(call.secrets["KEY"], "v");
        assert_eq!(call.env["A"], "");
    }

    #[test]
    fn byte_arrays_come_as_base64() {
        let bytes = r#"[{"at":["0","a"],"base64":"/wA="},{"at":["1"],"base64":""}]"#;
        let text = request("call", &format!(r#"{{"function":"f","args":[{{"a":null}},null],"bytes":{bytes}}}"#));
        let Ok(Message::Request(_, Request::Call(call))) = read_text(&text) else { panic!() };
        assert_eq!(call.bytes[0], ByteArray { at: vec!["0".to_owned(), "a".to_owned()], bytes: vec![0xff, 0].into() });
        assert_eq!(call.bytes[1].bytes.len(), 0);
        assert!(!call.returns_bytes);
        let one = r#"{"at":["0"],"base64":""}"#;
        let many = format!(r#"{{"function":"f","bytes":[{}]}}"#, [one; byte_arrays::MOST + 1].join(","));
        let (_, code, message, data) = refused(&request("call", &many));
        assert_eq!((code, &data["path"]), (-32602, &json!("bytes")), "{message}");
    }

    #[test]
    fn what_is_no_request() {
        let no_id = |code| (None, code);
        for (text, expected, words) in [
            ("{", no_id(-32700), "not JSON"),
            ("{} x", no_id(-32700), "not JSON"),
            ("[]", no_id(-32600), "batches"),
            ("1", no_id(-32600), "invalid type"),
            ("{}", no_id(-32600), "missing field"),
            (r#"{"jsonrpc":"1.0","method":"stats"}"#, no_id(-32600), "jsonrpc"),
            (r#"{"jsonrpc":"2.0","id":null,"method":"stats"}"#, no_id(-32600), "an id is"),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"stats"}"#, no_id(-32600), "an id is"),
            (r#"{"jsonrpc":"2.0","id":9007199254740993,"method":"stats"}"#, no_id(-32600), "an id is"),
            (r#"{"jsonrpc":"2.0","id":[1],"method":"stats"}"#, no_id(-32600), "an id is"),
            (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"stats"}"#, no_id(-32600), "duplicate"),
            (r#"{"jsonrpc":"2.0","id":1,"method":"stats","extra":1}"#, no_id(-32600), "extra"),
            (r#"{"jsonrpc":"2.0","id":1,"method":"no\nway"}"#, (Some(Id::Number(1)), -32601), r#""no\nway""#),
        ] {
            let (id, code, message, _) = refused(text);
            assert_eq!((id, code), expected, "{text}");
            assert!(message.contains(words), "{message}");
        }
        let bad = read(&Line::Bytes(vec![b'"', 0xff, b'"'])).unwrap_err();
        assert_eq!(bad.fault.code, Code::NotJson);
        assert_eq!(read(&Line::TooLong).unwrap_err().fault.code, Code::NotJson);
    }

    #[test]
    fn bad_parameters_say_where() {
        for (method, params, path) in [
            ("initialize", "{}", ""),
            ("initialize", r#"{"protocol":2}"#, "protocol"),
            ("initialize", r#"{"protocol":"1"}"#, "protocol"),
            ("call", r#"{"function":"a","limit":{}}"#, "limit"),
            ("call", r#"{"function":"a","context":{"user":"u"}}"#, "context.user"),
            ("call", r#"{"function":"a","context":{"user_id":1}}"#, "context.user_id"),
            ("call", r#"{"function":"a","context":{"traceparent":"00-1-2-01"}}"#, "context.traceparent"),
            ("call", r#"{"function":"a","source":"b"}"#, ""),
            ("call", "{}", ""),
            ("call", r#"{"function":"a","export":"b"}"#, "export"),
            ("call", r#"{"function":""}"#, "function"),
            ("call", r#"{"file":"a\u0000b"}"#, "file"),
            ("call", r#"{"function":"a","args":{}}"#, "args"),
            ("call", r#"{"function":"a","bytes":{}}"#, "bytes"),
            ("call", r#"{"function":"a","bytes":[{"at":["0"],"base64":"?"}]}"#, "bytes[0].base64"),
            ("call", r#"{"function":"a","bytes":[{"at":["0"],"base64":"AA"}]}"#, "bytes[0].base64"),
            ("call", r#"{"function":"a","bytes":[{"at":[0],"base64":""}]}"#, "bytes[0].at[0]"),
            ("call", r#"{"function":"a","bytes":[{"base64":""}]}"#, "bytes[0]"),
            ("call", r#"{"function":"a","returns_bytes":1}"#, "returns_bytes"),
            ("function.register", r#"{"name":"a"}"#, ""),
            ("stats", r#"{"format":"xml"}"#, "format"),
            ("stats", r#"{"memory":1}"#, "memory"),
            ("shutdown", r#"{"wait_ms":-1}"#, "wait_ms"),
            ("shutdown", "[]", ""),
        ] {
            let (id, code, message, data) = refused(&request(method, params));
            assert_eq!((id, code), (Some(Id::Text("a".to_owned())), -32602), "{method} {params}: {message}");
            assert_eq!(data["path"], path, "{method} {params}: {message}");
        }
    }

    #[test]
    fn notifications_have_no_id() {
        let cancel = read_text(r#"{"jsonrpc":"2.0","method":"$/cancel","params":{"id":7}}"#);
        assert!(matches!(cancel, Ok(Message::Cancel(Id::Number(7)))));
        assert!(matches!(read_text(r#"{"jsonrpc":"2.0","method":"call","params":{}}"#), Ok(Message::Ignored)));
    }
}
