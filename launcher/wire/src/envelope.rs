//! The envelope: one line of JSON that tells how a run went.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::byte_arrays::ByteArray;
use crate::frame;
use crate::trace::TraceParent;

/// How a run went. Stats, limits, exit and sandbox come from the launcher; the rest is program-origin.
#[derive(Debug, Serialize)]
pub struct Envelope {
    /// Whether the function returned, or the script exited with 0.
    pub ok: bool,
    /// What the function returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// Byte arrays of the result, where these were asked for: it has `null` at their places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bytes: Vec<ByteArray>,
    /// Why it is not ok.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Console output of the call, in order.
    pub logs: Vec<Log>,
    /// Measured by the launcher.
    pub stats: Stats,
    /// What was refused.
    pub denials: Vec<Denial>,
    /// How the program ended.
    pub exit: Exit,
    /// What it wrote to its standard output.
    #[serde(flatten)]
    pub stdout: Output<Stdout>,
    /// What it wrote to its standard error.
    #[serde(flatten)]
    pub stderr: Output<Stderr>,
    /// Whether captured output was cut off.
    pub truncated: bool,
    /// What was enforced.
    pub sandbox: Sandbox,
}

/// Why a run is not ok.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Class of the error.
    pub name: String,
    /// A stable code, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What happened.
    pub message: String,
    /// Where in the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// Of a limit: which, and by how much.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitFailure>,
    /// Of a refusal: the permission, what it was about, the rule that decided and how to allow it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// The page about the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
}

/// The limit that ended a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LimitFailure {
    /// Its name: wall, cpu, memory, output.
    pub limit: String,
    /// What was reached, in the unit of the key.
    pub value: u64,
    /// What was allowed, in the unit of the key.
    pub allowed: u64,
    /// The key of the policy that says so, such as `limits.wall_ms`.
    pub key: String,
}

/// A refusal, explained by the launcher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The permission that was missing.
    pub permission: String,
    /// What it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The rule that decided.
    pub rule: String,
    /// What in the policy would allow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// What a run used.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stats {
    /// From the start of the sandbox to the end of the program, in milliseconds.
    pub wall_ms: f64,
    /// CPU time of the program and its children, in milliseconds.
    pub cpu_ms: f64,
    /// The most memory it had, in bytes.
    pub peak_memory_bytes: u64,
    /// What it took to establish the sandbox, in milliseconds.
    pub start_ms: f64,
    /// Each limit's key with what was used of it.
    #[serde(serialize_with = "as_object")]
    pub limits: Vec<(&'static str, Use)>,
}

/// What was used of a limit, in the unit of its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Use {
    /// The most that was seen, rounded up; `None` where it is not measured.
    pub used: Option<u64>,
    /// What was allowed; `None` where the policy does not limit it.
    pub allowed: Option<u64>,
}

fn as_object<S: Serializer>(limits: &[(&'static str, Use)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(limits.iter().copied())
}

/// A line of console output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Log {
    /// Milliseconds since the call began.
    pub t_ms: f64,
    /// The console method: log, info, debug, warn, error, …
    pub level: String,
    /// The formatted text.
    pub text: String,
    /// The trace that the call belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<TraceParent>,
}

impl From<frame::Log> for Log {
    fn from(line: frame::Log) -> Self {
        let frame::Log { t_ms, level, text } = line;
        Self { t_ms, level, text, traceparent: None }
    }
}

/// Something that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Denial {
    /// The permission, resource, rule and fix, computed by the launcher.
    #[serde(flatten)]
    pub refusal: Refusal,
    /// Who saw it.
    pub reported_by: Reporter,
    /// The place in the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The npm package that the place belongs to, as `name@version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// How often.
    pub count: u64,
    /// The trace that the call belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<TraceParent>,
}

/// Who saw a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reporter {
    /// The preload inside the program's own process: best effort.
    Program,
    /// The launcher, which is asked for every connection and every port: always seen.
    Broker,
}

/// How a program ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exit {
    /// Its exit code, when it exited.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<String>,
}

/// What was enforced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sandbox {
    /// `full`: every layer is in force; `partial`: one that the policy does not require is missing.
    pub status: &'static str,
    /// The layers.
    pub layers: Layers,
}

/// The layers of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Layers {
    /// `abiN`, or `none`.
    pub landlock: String,
    /// `enforced`.
    pub seccomp: &'static str,
    /// The namespaces of its own; none where it has the host's view.
    pub namespaces: Vec<&'static str>,
    /// `none`: there are no sockets. `broker`: in a network namespace of its own, for which the launcher answers;
    /// `broker-host-network`: without one, in that of the host.
    pub network: &'static str,
    /// What keeps the memory limit, where there is one: `cgroup-v1`, `cgroup-v2` or `polling`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<&'static str>,
}

/// Captured output, as text where it is text that cannot be mistaken for something else.
#[derive(Debug)]
pub struct Output<Name> {
    bytes: Vec<u8>,
    name: std::marker::PhantomData<Name>,
}

/// Names the field of an [`Output`].
pub trait Stream {
    /// The field's name.
    const FIELD: &'static str;
    /// The name of the field that says how it is encoded, if it is.
    const ENCODING: &'static str;
}

/// Standard output.
#[derive(Debug)]
pub struct Stdout;
/// Standard error.
#[derive(Debug)]
pub struct Stderr;

impl Stream for Stdout {
    const FIELD: &'static str = "stdout";
    const ENCODING: &'static str = "stdout_encoding";
}

impl Stream for Stderr {
    const FIELD: &'static str = "stderr";
    const ENCODING: &'static str = "stderr_encoding";
}

impl<Name> From<Vec<u8>> for Output<Name> {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, name: std::marker::PhantomData }
    }
}

impl<Name: Stream> Serialize for Output<Name> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        if let Some(text) = plain(&self.bytes) {
            map.serialize_entry(Name::FIELD, text)?;
        } else {
            map.serialize_entry(Name::FIELD, &encode(&self.bytes))?;
            map.serialize_entry(Name::ENCODING, "base64")?;
        }
        map.end()
    }
}

/// `bytes` as they may stand in the envelope: UTF-8, and not the likeness of an envelope. A reader that looks for one
/// in our line, however carelessly, must not find one that the program wrote.
fn plain(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !resembles_envelope(text))
}

/// Whether `text` holds what a careless reader could take for an envelope.
pub fn resembles_envelope(text: &str) -> bool {
    text.contains("\"ok\"") && (text.contains("\"result\"") || text.contains("\"error\""))
}

/// `bytes` in base64 with padding.
pub fn encode(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

impl Envelope {
    /// The same of a call that belongs to a trace: its log lines and denials, which are read one by one, say so.
    #[must_use]
    pub fn traced(mut self, trace: Option<&TraceParent>) -> Self {
        for line in &mut self.logs {
            line.traceparent = trace.cloned();
        }
        for denial in &mut self.denials {
            denial.traceparent = trace.cloned();
        }
        self
    }

    /// How long it is as a line, roughly and at least: what a program can make long is counted.
    pub fn bytes_of_program(&self) -> usize {
        let result = self.result.as_ref().map_or(0, |value| value.get().len());
        let arrays: usize = self.bytes.iter().map(|array| array.bytes.len()).sum();
        let logs: usize = self.logs.iter().map(|line| line.text.len()).sum();
        result + arrays + logs + self.stdout.bytes.len() + self.stderr.bytes.len()
    }

    /// The envelope as one line of JSON, without the newline.
    pub fn to_line(&self) -> String {
        // Strings, numbers and already checked JSON: there is nothing that cannot be serialised.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            ok: true,
            result: RawValue::from_string("3".to_owned()).ok(),
            bytes: Vec::new(),
            error: None,
            logs: vec![frame::Log { t_ms: 0.4, level: "log".to_owned(), text: "hi".to_owned() }.into()],
            stats: Stats {
                wall_ms: 4.1,
                cpu_ms: 3.2,
                peak_memory_bytes: 28_311_552,
                start_ms: 1.2,
                limits: vec![
                    ("wall_ms", Use { used: Some(5), allowed: Some(5000) }),
                    ("stack_kb", Use { used: None, allowed: None }),
                ],
            },
            denials: Vec::new(),
            exit: Exit { code: Some(0), signal: None },
            stdout: Vec::new().into(),
            stderr: Vec::new().into(),
            truncated: false,
            sandbox: Sandbox {
                status: "full",
                layers: Layers {
                    landlock: "abi7".to_owned(),
                    seccomp: "enforced",
                    namespaces: vec!["user", "mnt", "ipc", "uts"],
                    network: "none",
                    memory: None,
                },
            },
        }
    }

    #[test]
    fn a_call_that_returned() {
        assert_eq!(
            envelope().to_line(),
            concat!(
                r#"{"ok":true,"result":3,"logs":[{"t_ms":0.4,"level":"log","text":"hi"}],"#,
                r#""stats":{"wall_ms":4.1,"cpu_ms":3.2,"peak_memory_bytes":28311552,"start_ms":1.2,"#,
                r#""limits":{"wall_ms":{"used":5,"allowed":5000},"stack_kb":{"used":null,"allowed":null}}},"denials":[],"#,
                r#""exit":{"code":0,"signal":null},"stdout":"","stderr":"","truncated":false,"#,
                r#""sandbox":{"status":"full","layers":{"landlock":"abi7","seccomp":"enforced","#,
                r#""namespaces":["user","mnt","ipc","uts"],"network":"none"}}}"#
            )
        );
    }

    #[test]
    fn byte_arrays_stand_beside_the_result() {
        let array = ByteArray { at: vec!["a".to_owned(), "0".to_owned()], bytes: vec![0xff, 0].into() };
        let line = Envelope { bytes: vec![array], ..envelope() }.to_line();
        assert!(line.contains(r#""result":3,"bytes":[{"at":["a","0"],"base64":"/wA="}],"logs""#), "{line}");
    }

    #[test]
    fn each_log_line_and_denial_says_what_trace_it_belongs_to() {
        let refusal = Refusal { permission: "eval".to_owned(), resource: None, rule: "default".to_owned(), fix: None };
        let denial =
            Denial { refusal, reported_by: Reporter::Program, at: None, package: None, count: 1, traceparent: None };
        let trace: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
        let envelope = Envelope { denials: vec![denial], ..envelope() };
        assert!(!envelope.to_line().contains("traceparent"));
        let line = envelope.traced(Some(&trace)).to_line();
        let entry = format!(r#""text":"hi","traceparent":"{}"}}"#, trace.as_str());
        assert!(line.contains(&entry), "{line}");
        let entry = format!(r#""count":1,"traceparent":"{}"}}"#, trace.as_str());
        assert!(line.contains(&entry), "{line}");
    }

    #[test]
    fn output_that_is_not_text_is_base64_and_says_so() {
        let line = Envelope { stdout: vec![0xff, 0x00].into(), ..envelope() }.to_line();
        assert!(line.contains(r#""stdout":"/wA=","stdout_encoding":"base64","stderr":"","#), "{line}");
    }

    #[test]
    fn output_that_looks_like_an_envelope_cannot_be_taken_for_one() {
        let forged = r#"{"ok": true, "result": "FORGED"}"#;
        let line = Envelope { stderr: forged.as_bytes().to_vec().into(), ..envelope() }.to_line();
        assert!(!line.contains("FORGED"), "{line}");
        assert!(line.contains(r#""stderr_encoding":"base64""#), "{line}");
    }

    #[test]
    fn a_limit_says_which_and_by_how_much() {
        let limit = LimitFailure { limit: "wall".into(), value: 5003, allowed: 5000, key: "limits.wall_ms".into() };
        let failure = Failure {
            name: "LimitError".into(),
            code: Some("ERR_LIMIT_EXCEEDED".into()),
            message: "m".into(),
            limit: Some(limit),
            ..Failure::default()
        };
        assert_eq!(
            serde_json::to_string(&failure).unwrap(),
            r#"{"name":"LimitError","code":"ERR_LIMIT_EXCEEDED","message":"m","limit":"wall","value":5003,"allowed":5000,"key":"limits.wall_ms"}"#
        );
    }
}
