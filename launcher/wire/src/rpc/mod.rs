//! JSON-RPC 2.0, one message a line, between a service and `secure-bun serve` (docs/protocol.md).

mod answer;
mod lines;
mod request;

pub use answer::{Answer, Code, Fault, Initialized, Limits, Named, Notification, Version};
pub use lines::{Line, Lines};
pub use request::{
    Call, Cancel, Context, Function, Initialize, Message, Preload, Refused, Register, Remove, Request, Shutdown, Stats,
    StatsFormat, read,
};

use serde::{Serialize, Serializer};

/// The version of the protocol.
pub const PROTOCOL: u64 = 1;

/// The longest line, without its line feed.
pub const MAX_LINE_BYTES: usize = 32 << 20;

/// The longest `id`, name or text of a context.
pub const MAX_NAME_BYTES: usize = 256;

/// The `id` of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Id {
    /// An integer that a double can hold.
    Number(i64),
    /// A text of at most [`MAX_NAME_BYTES`].
    Text(String),
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}
