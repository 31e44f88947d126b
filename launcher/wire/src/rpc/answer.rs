//! What the service is told.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Id;

/// Why a request is not carried out (docs/protocol.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    /// The line is not JSON, not UTF-8 or too long.
    NotJson = -32700,
    /// JSON, but no request.
    NotARequest = -32600,
    /// No such method.
    NoMethod = -32601,
    /// Bad parameters.
    Parameters = -32602,
    /// The launcher failed.
    Internal = -32603,
    /// All places of the queue are taken.
    Overloaded = -32001,
    /// Cancelled by the service.
    Cancelled = -32002,
    /// `initialize` comes first, and once.
    NotInitialized = -32003,
    /// No such function.
    NoFunction = -32004,
    /// After `shutdown`.
    ShuttingDown = -32005,
    /// The call could not be started.
    NotStarted = -32006,
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(*self as i32)
    }
}

/// A JSON-RPC error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Its number.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// What programs may want to know of it.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

impl Fault {
    /// A fault without data.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: Value::Null }
    }

    /// The same with data.
    #[must_use]
    pub fn with(self, data: Value) -> Self {
        Self { data, ..self }
    }
}

/// One answer. Its `id` is null where the request has none that can be read.
#[derive(Debug)]
pub struct Answer {
    /// Of the request.
    pub id: Option<Id>,
    /// How it went.
    pub outcome: Result<Box<RawValue>, Fault>,
}

impl Answer {
    /// As a line, with its line feed.
    pub fn to_line(&self) -> String {
        #[derive(Serialize)]
        struct Message<'a> {
            jsonrpc: &'static str,
            id: Option<&'a Id>,
            #[serde(skip_serializing_if = "Option::is_none")]
            result: Option<&'a RawValue>,
            #[serde(skip_serializing_if = "Option::is_none")]
            error: Option<&'a Fault>,
        }
        let Self { id, outcome } = self;
        let (result, error) = (outcome.as_deref().ok(), outcome.as_ref().err());
        line(&Message { jsonrpc: "2.0", id: id.as_ref(), result, error })
    }
}

/// Something that the service has not asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "method", content = "params", rename_all = "lowercase")]
pub enum Notification {
    /// Calls run in another engine than was hoped for.
    Engine {
        /// Which.
        engine: String,
        /// Those of this function, or of all where it is absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        function: Option<String>,
        /// Why not the one before.
        because: String,
    },
    /// A function is not loaded before the fork, as it was registered to be: each call loads it.
    Preload {
        /// Which.
        function: String,
        /// What it does that calls would share.
        because: String,
    },
}

impl Notification {
    /// As a line, with its line feed.
    pub fn to_line(&self) -> String {
        #[derive(Serialize)]
        struct Message<'a> {
            jsonrpc: &'static str,
            #[serde(flatten)]
            notification: &'a Notification,
        }
        line(&Message { jsonrpc: "2.0", notification: self })
    }
}

fn line(message: &impl Serialize) -> String {
    // Keys are texts, and nothing of ours fails to serialise; if it did, an empty line would be no message.
    let mut line = serde_json::to_string(message).unwrap_or_default();
    line.push('\n');
    line
}

/// The answer to `initialize`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Initialized {
    /// The version of the protocol that is spoken.
    pub protocol: u64,
    /// secure-bun.
    pub server: Named,
    /// Bun.
    pub bun: Version,
    /// How calls are run.
    pub engine: String,
    /// What there is room for.
    pub limits: Limits,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// A version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    /// As it writes it.
    pub version: String,
}

/// What there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// The longest line.
    pub line_bytes: usize,
    /// Calls that run at a time.
    pub concurrency: usize,
    /// Calls that may wait.
    pub queue: usize,
}
