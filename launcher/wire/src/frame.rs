//! Frames of the sandbox channel: the preload tells the launcher what happens inside.
//!
//! A frame is a header line `SB1 TOKEN KIND LENGTH`, LENGTH bytes, and a newline. The bytes are JSON; those of the kind
//! `bytes` are a place in the result as JSON, a newline, and what is there. The preload draws TOKEN, a
//! long random number, and announces it with its first frame, before any code of the program runs: from then on only who knows
//! it can speak. The program can write to the descriptor too, but not a frame: anything else ends the sandbox.
//!
//! All frames are *program-origin*: authentic in the sense that the preload sent them, never to be trusted beyond that.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::byte_arrays::{self, ByteArray, Bytes};
use crate::surrogates;

/// The longest payload, in bytes: a result and its escapes.
pub const MAX_PAYLOAD_BYTES: usize = 32 << 20;
/// The longest place of a byte array, with its newline.
const MAX_PLACE_BYTES: usize = 64 << 10;
/// The longest header line, in bytes.
const MAX_HEADER_BYTES: usize = 80;
const MAGIC: &str = "SB1";
/// How long a token may be: long enough not to be guessed, short enough for a header.
const TOKEN_LENGTHS: std::ops::RangeInclusive<usize> = 32..=36;

/// One message of the preload.
#[derive(Debug)]
pub enum Frame {
    /// The preload runs.
    Hello,
    /// The program's file is loaded.
    Loaded(Loaded),
    /// The function is being called.
    Call,
    /// A line of console output during the call.
    Log(Log),
    /// Something was refused.
    Denial(Denial),
    /// A byte array of the result, which comes next.
    Bytes(ByteArray),
    /// The function returned this.
    Result(Box<RawValue>),
    /// The function threw, or could not be called.
    Error(Error),
    /// An exception that nobody caught is about to end the program.
    Uncaught(Error),
}

/// What the program's file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Loaded {
    /// Function file or script.
    pub kind: Kind,
}

/// What kind of program a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Its default export, or the named one, is called.
    Function,
    /// It runs by being loaded.
    Script,
}

/// A line of console output.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Log {
    /// Milliseconds since the call began.
    pub t_ms: f64,
    /// The console method: log, info, debug, warn, error, …
    pub level: String,
    /// The formatted text.
    pub text: String,
}

/// Something was refused, as the preload saw it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Denial {
    /// One act.
    Act {
        /// The permission that was missing.
        permission: String,
        /// What it was about.
        resource: Option<String>,
        /// The function that was called.
        api: String,
        /// The place in the program.
        at: Option<String>,
        /// How often so far.
        count: u64,
    },
    /// More different acts were refused than are reported one by one.
    More {
        /// Always true.
        dropped: bool,
        /// How many.
        count: u64,
    },
}

/// What the function threw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Error {
    /// Name of the error's class.
    pub name: String,
    /// Its code, where it has one.
    pub code: Option<String>,
    /// Its message.
    pub message: String,
    /// Its stack, with the program's own lines.
    pub stack: Option<String>,
    /// Of a refusal, by the preload or by the kernel: the permission that was missing.
    pub permission: Option<String>,
    /// Of a refusal: what it was about.
    pub resource: Option<String>,
    /// The key of the limit that the kernel kept by an error.
    pub limit: Option<String>,
    /// The system call that no policy grants.
    pub call: Option<String>,
}

/// Why the bytes on the channel are not frames. The sandbox is ended then: it is broken or hostile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFrame(&'static str);

impl fmt::Display for BadFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a frame on the sandbox channel: {}", self.0)
    }
}

impl std::error::Error for BadFrame {}

/// Takes bytes as they come and gives frames.
#[derive(Debug, Default)]
pub struct Decoder {
    pending: Vec<u8>,
    missing: usize,
    token: Option<String>,
}

impl Decoder {
    /// Adds bytes read from the channel.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// How much of a byte array is still to come.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// The token, once the preload has announced it.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The next complete frame, if there is one.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, BadFrame> {
        let window = self.pending.get(..MAX_HEADER_BYTES).unwrap_or(&self.pending);
        let Some(end) = window.iter().position(|byte| *byte == b'\n') else {
            let plausible = window.len() < MAX_HEADER_BYTES && is_start_of(window, MAGIC.as_bytes());
            return if plausible { Ok(None) } else { Err(BadFrame("no header")) };
        };
        let header = Header::parse(window.get(..end).unwrap_or_default())?;
        self.authenticate(&header)?;
        let (length, kind) = (header.length, header.kind);
        let start = end + 1;
        if kind == Tag::Bytes {
            return self.bytes(start, length);
        }
        let Some(closing) = self.pending.get(start + length) else { return Ok(None) };
        if *closing != b'\n' {
            return Err(BadFrame("the length is wrong"));
        }
        let frame = decode(kind, self.pending.get(start..start + length).unwrap_or_default())?;
        self.pending.drain(..=start + length);
        Ok(Some(frame))
    }

    /// A byte array. Its bytes stay where they are, since they may be many.
    fn bytes(&mut self, start: usize, length: usize) -> Result<Option<Frame>, BadFrame> {
        let whole = start + length + 1;
        if self.pending.len() < whole {
            self.missing = whole - self.pending.len();
            self.pending.reserve_exact(self.missing);
            return Ok(None);
        }
        self.missing = 0;
        let rest = self.pending.split_off(whole);
        let frame = Bytes::from(std::mem::replace(&mut self.pending, rest));
        if frame.last() != Some(&b'\n') {
            return Err(BadFrame("the length is wrong"));
        }
        let payload = frame.slice(start..whole - 1);
        let end = payload.iter().position(|byte| *byte == b'\n').ok_or(BadFrame("bytes without a place"))?;
        let place = surrogates::replaced(payload.get(..end).unwrap_or_default());
        let at = serde_json::from_slice(&place).map_err(|_| BadFrame("malformed payload"))?;
        Ok(Some(Frame::Bytes(ByteArray { at, bytes: payload.slice(end + 1..) })))
    }

    fn authenticate(&mut self, header: &Header) -> Result<(), BadFrame> {
        match (&self.token, header.kind) {
            (None, Tag::Hello) => self.token = Some(header.token.clone()),
            (None, _) => return Err(BadFrame("the first one is not a hello")),
            (Some(token), _) if *token != header.token => return Err(BadFrame("wrong token")),
            (Some(_), _) => {}
        }
        Ok(())
    }
}

fn is_start_of(bytes: &[u8], whole: &[u8]) -> bool {
    bytes.iter().zip(whole).all(|(byte, expected)| byte == expected)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Hello,
    Loaded,
    Call,
    Log,
    Denial,
    Bytes,
    Result,
    Error,
    Uncaught,
}

struct Header {
    token: String,
    kind: Tag,
    length: usize,
}

impl Header {
    fn parse(line: &[u8]) -> Result<Self, BadFrame> {
        let line = std::str::from_utf8(line).map_err(|_| BadFrame("the header is not text"))?;
        let mut words = line.split(' ');
        let mut word = || words.next().ok_or(BadFrame("the header is too short"));
        if word()? != MAGIC {
            return Err(BadFrame("unknown version"));
        }
        let token = word()?;
        let is_plain = token.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if !TOKEN_LENGTHS.contains(&token.len()) || !is_plain {
            return Err(BadFrame("malformed token"));
        }
        let kind = match word()? {
            "hello" => Tag::Hello,
            "loaded" => Tag::Loaded,
            "call" => Tag::Call,
            "log" => Tag::Log,
            "denial" => Tag::Denial,
            "bytes" => Tag::Bytes,
            "result" => Tag::Result,
            "error" => Tag::Error,
            "uncaught" => Tag::Uncaught,
            _ => return Err(BadFrame("unknown kind")),
        };
        let length = word()?.parse().map_err(|_| BadFrame("malformed length"))?;
        let most = if kind == Tag::Bytes { MAX_PLACE_BYTES + byte_arrays::MOST_BYTES } else { MAX_PAYLOAD_BYTES };
        if length > most {
            return Err(BadFrame("the payload is too long"));
        }
        if words.next().is_some() {
            return Err(BadFrame("malformed header"));
        }
        Ok(Self { token: token.to_owned(), kind, length })
    }
}

fn decode(kind: Tag, payload: &[u8]) -> Result<Frame, BadFrame> {
    // The preload writes no line ends. A result is passed on as it is, into what has to stay one line.
    if payload.iter().any(u8::is_ascii_control) {
        return Err(BadFrame("a control character in the payload"));
    }
    let malformed = |_| BadFrame("malformed payload");
    Ok(match kind {
        // Taken apart before.
        Tag::Bytes => return Err(BadFrame("bytes without a place")),
        Tag::Hello => Frame::Hello,
        Tag::Call => Frame::Call,
        Tag::Loaded => Frame::Loaded(serde_json::from_slice(payload).map_err(malformed)?),
        Tag::Log => Frame::Log(serde_json::from_slice(payload).map_err(malformed)?),
        Tag::Denial => Frame::Denial(serde_json::from_slice(payload).map_err(malformed)?),
        Tag::Result => Frame::Result(serde_json::from_slice(&surrogates::replaced(payload)).map_err(malformed)?),
        Tag::Error => Frame::Error(serde_json::from_slice(payload).map_err(malformed)?),
        Tag::Uncaught => Frame::Uncaught(serde_json::from_slice(payload).map_err(malformed)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "01a1fdd6-9d33-70b7-9fac-d559dd2e5cdc";

    fn frame(token: &str, kind: &str, payload: &str) -> String {
        format!("SB1 {token} {kind} {}\n{payload}\n", payload.len())
    }

    fn all(bytes: &[u8]) -> Result<Vec<Frame>, BadFrame> {
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        // Byte by byte, since a pipe may cut anywhere.
        for byte in bytes {
            decoder.push(&[*byte]);
            while let Some(frame) = decoder.next_frame()? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    #[test]
    fn a_call_from_hello_to_result() {
        let text = [
            frame(TOKEN, "hello", r#"{"v":1,"pid":7}"#),
            frame(TOKEN, "loaded", r#"{"kind":"function"}"#),
            frame(TOKEN, "call", "{}"),
            frame(TOKEN, "log", r#"{"t_ms":0.5,"level":"log","text":"a\nb"}"#),
            frame(
                TOKEN,
                "denial",
                r#"{"permission":"read","resource":"/x","api":"fs.readFileSync","at":null,"count":1}"#,
            ),
            frame(TOKEN, "result", r#"{"a":[1,2.50]}"#),
        ]
        .concat();
        let frames = all(text.as_bytes()).unwrap();
        assert!(matches!(frames[0], Frame::Hello));
        assert!(matches!(frames[1], Frame::Loaded(Loaded { kind: Kind::Function })));
        assert!(matches!(&frames[3], Frame::Log(log) if log.text == "a\nb"));
        assert!(matches!(&frames[4], Frame::Denial(Denial::Act { count: 1, .. })));
        assert!(matches!(&frames[5], Frame::Result(value) if value.get() == r#"{"a":[1,2.50]}"#));
    }

    #[test]
    fn only_the_first_hello_sets_the_token() {
        let other = "f".repeat(36);
        let text = frame(TOKEN, "hello", "{}") + &frame(&other, "hello", "{}");
        assert_eq!(all(text.as_bytes()).unwrap_err(), BadFrame("wrong token"));
    }

    #[test]
    fn whoever_does_not_know_the_token_cannot_speak() {
        let guess = frame(&"0".repeat(36), "result", "1");
        assert_eq!(all((frame(TOKEN, "hello", "{}") + &guess).as_bytes()).unwrap_err(), BadFrame("wrong token"));
        assert_eq!(all(guess.as_bytes()).unwrap_err(), BadFrame("the first one is not a hello"));
    }

    #[test]
    fn what_is_not_a_frame_is_an_error_at_once() {
        assert_eq!(all(b"{\"ok\":true}").unwrap_err(), BadFrame("no header"));
        assert_eq!(all(&[0; 4]).unwrap_err(), BadFrame("no header"));
        assert!(all(b"SB1 ").unwrap().is_empty());
        assert_eq!(all("SB1 ".repeat(40).as_bytes()).unwrap_err(), BadFrame("no header"));
        let two_lines = frame(TOKEN, "hello", "{}") + &frame(TOKEN, "result", "[1,\n{\"ok\":true}]");
        assert_eq!(all(two_lines.as_bytes()).unwrap_err(), BadFrame("a control character in the payload"));
        let long = format!("SB1 {TOKEN} hello {}\n", MAX_PAYLOAD_BYTES + 1);
        assert_eq!(all(long.as_bytes()).unwrap_err(), BadFrame("the payload is too long"));
        let short = format!("SB1 {TOKEN} hello 1\n{{}}\n");
        assert_eq!(all(short.as_bytes()).unwrap_err(), BadFrame("the length is wrong"));
        assert_eq!(
            all((frame(TOKEN, "hello", "{}") + &frame(TOKEN, "result", "{")).as_bytes()).unwrap_err(),
            BadFrame("malformed payload")
        );
    }

    #[test]
    fn byte_arrays_are_taken_as_they_are() {
        let hello = frame(TOKEN, "hello", "{}");
        let raw = [br#"["a","\ud800"]"#.as_slice(), &[b'\n', 0, b'\n', 0xff]].concat();
        let header = format!("SB1 {TOKEN} bytes {}\n", raw.len());
        let text = [hello.as_bytes(), header.as_bytes(), &raw, b"\n", frame(TOKEN, "result", "1").as_bytes()].concat();
        let frames = all(&text).unwrap();
        let Frame::Bytes(ByteArray { at, bytes }) = &frames[1] else { panic!("{frames:?}") };
        assert_eq!(
            (at.as_slice(), bytes.as_ref()),
            (["a".to_owned(), "\u{fffd}".to_owned()].as_slice(), [0, b'\n', 0xff].as_slice())
        );
        assert!(matches!(&frames[2], Frame::Result(_)));
    }

    #[test]
    fn a_byte_array_is_bounded_and_has_a_place() {
        let bad = |payload: &str| all((frame(TOKEN, "hello", "{}") + &frame(TOKEN, "bytes", payload)).as_bytes());
        assert_eq!(bad("no line").unwrap_err(), BadFrame("bytes without a place"));
        assert_eq!(bad("[1]\nx").unwrap_err(), BadFrame("malformed payload"));
        let cut = format!("SB1 {TOKEN} bytes 3\n[]\nx\n");
        assert_eq!(all((frame(TOKEN, "hello", "{}") + &cut).as_bytes()).unwrap_err(), BadFrame("the length is wrong"));
        let long = format!("SB1 {TOKEN} bytes {}\n", MAX_PLACE_BYTES + byte_arrays::MOST_BYTES + 1);
        assert_eq!(
            all((frame(TOKEN, "hello", "{}") + &long).as_bytes()).unwrap_err(),
            BadFrame("the payload is too long")
        );
        let mut decoder = Decoder::default();
        decoder.push((frame(TOKEN, "hello", "{}") + &format!("SB1 {TOKEN} bytes 1000\n[]")).as_bytes());
        assert!(matches!(decoder.next_frame(), Ok(Some(Frame::Hello))));
        assert!(matches!(decoder.next_frame(), Ok(None)));
        assert_eq!(decoder.missing(), 999);
    }
}
