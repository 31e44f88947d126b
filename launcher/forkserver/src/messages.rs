//! The messages of the control socket (`SOCK_SEQPACKET`: one message is one packet), between the launcher and the server.
//!
//! | from | message | descriptors |
//! |---|---|---|
//! | server | [`Answer::Ready`], once | |
//! | launcher | [`Request::Fork`] | one end of the child's *gate*, a `SOCK_SEQPACKET` pair |
//! | server | [`Answer::Forked`] or [`Answer::Failed`] | the child's pidfd |
//! | launcher | [`Request::Reap`], when the pidfd is readable | |
//! | server | [`Answer::Reaped`] or [`Answer::Failed`] | |
//!
//! On its gate a child sends [`READY`] when it is confined and mended, and the launcher answers with one message,
//! [`JOIN`], that carries the call's channel and, if it is to have its own, standard output and standard error.
//! The server and the child end at a message that they do not understand, and when the other end is closed.
//!
//! Numbers are of the machine's own order of bytes.

/// What [`Answer::Ready`] announces.
pub const VERSION: u32 = 2;
/// A child's word that it waits for its channel.
pub const READY: &[u8] = b"ready";
/// The launcher's, with the descriptors.
pub const JOIN: &[u8] = b"join";
/// How many limits a request may set: as many as there are (getrlimit(2)).
pub const MOST_LIMITS: usize = 16;
/// The longest request, in bytes.
pub const MOST_REQUEST_BYTES: usize = REQUEST_HEADER_BYTES + MOST_LIMITS * LIMIT_BYTES;
/// The length of every answer, in bytes.
pub const ANSWER_BYTES: usize = 40;

const REQUEST_HEADER_BYTES: usize = 8;
const LIMIT_BYTES: usize = 24;

const FORK: u32 = 1;
const REAP: u32 = 2;
const ANSWER_READY: u32 = 16;
const FORKED: u32 = 17;
const REAPED: u32 = 18;
const FAILED: u32 = 19;

/// A limit of the child (prlimit(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// One of the `RLIMIT_` numbers.
    pub resource: u32,
    /// What is in force.
    pub soft: u64,
    /// How far the child may raise it.
    pub hard: u64,
}

/// The limits of one child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    limits: [Limit; MOST_LIMITS],
    count: usize,
}

impl Limits {
    /// Adds one; `None` if there are too many.
    #[must_use]
    pub fn and(mut self, limit: Limit) -> Option<Self> {
        *self.limits.get_mut(self.count)? = limit;
        self.count += 1;
        Some(self)
    }

    /// All of them.
    pub fn as_slice(&self) -> &[Limit] {
        self.limits.get(..self.count).unwrap_or_default()
    }
}

/// What the launcher asks of the server.
#[allow(clippy::large_enum_variant, reason = "there is no allocator, and one request at a time")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A child with these limits.
    Fork(Limits),
    /// Forget the child with this number, which has ended, and say how.
    Reap(u32),
}

/// What the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It serves.
    Ready {
        /// The [`VERSION`] that it speaks.
        version: u32,
        /// Why the module that was wanted before the fork is not loaded: the number of a [`Refusal`], or 0 where it is
        /// loaded or none was wanted.
        refused: u32,
    },
    /// The child's number, as the server sees it.
    Forked(u32),
    /// How a child ended.
    Reaped(Reaped),
    /// The error number that kept it from doing what was asked; for `Reap`, `EAGAIN`: the child has not ended.
    Failed(i32),
}

/// Why a module is not loaded before the fork: what it leaves behind there, every call would share. The number of each
/// is what the harness says; preload/src/forkserver/preload.ts has the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Refusal {
    /// It throws, or there is no such file.
    FailsToLoad = 1,
    /// It starts a thread.
    StartsThread = 2,
    /// It opens a file or a connection.
    Opens = 3,
    /// It draws from `Math.random`.
    DrawsFromMathRandom = 4,
    /// It starts a timer.
    StartsTimer = 5,
    /// It draws other random numbers.
    DrawsRandomNumbers = 6,
    /// The process ended while it was loaded.
    EndsProcess = 7,
}

impl Refusal {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::FailsToLoad,
        Self::StartsThread,
        Self::Opens,
        Self::DrawsFromMathRandom,
        Self::StartsTimer,
        Self::DrawsRandomNumbers,
        Self::EndsProcess,
    ];

    /// The one with this number.
    #[must_use]
    pub fn of_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| *refusal as u32 == number)
    }

    /// What the module does, as the end of a sentence.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::FailsToLoad => "it fails to load",
            Self::StartsThread => "it starts a thread",
            Self::Opens => "it opens a file or a connection",
            Self::DrawsFromMathRandom => "it draws from Math.random",
            Self::StartsTimer => "it starts a timer",
            Self::DrawsRandomNumbers => "it draws random numbers",
            Self::EndsProcess => "it ends the process",
        }
    }
}

/// How a child ended, and what it used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Its number, as the server sees it.
    pub pid: u32,
    /// As wait(2) has it.
    pub status: i32,
    /// Processor time of its own code, in microseconds.
    pub user_us: u64,
    /// Processor time of the kernel on its behalf, in microseconds.
    pub system_us: u64,
    /// The most memory it had at a time, pages shared with the server included, in KiB.
    pub peak_memory_kib: u64,
}

impl Request {
    /// Writes it, and says how many bytes it is.
    #[must_use]
    pub fn encode(&self, into: &mut [u8; MOST_REQUEST_BYTES]) -> usize {
        let mut writer = Writer { bytes: into, at: 0 };
        match self {
            Self::Fork(limits) => {
                writer.u32(FORK);
                writer.u32(u32::try_from(limits.count).unwrap_or(u32::MAX));
                for Limit { resource, soft, hard } in limits.as_slice() {
                    writer.u64(u64::from(*resource));
                    writer.u64(*soft);
                    writer.u64(*hard);
                }
            }
            Self::Reap(pid) => {
                writer.u32(REAP);
                writer.u32(*pid);
            }
        }
        writer.at
    }

    /// Reads one; `None` if it is anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let (kind, number) = (reader.u32()?, reader.u32()?);
        let request = match kind {
            FORK => {
                let mut limits = Limits::default();
                for _ in 0..number {
                    let resource = u32::try_from(reader.u64()?).ok()?;
                    limits = limits.and(Limit { resource, soft: reader.u64()?, hard: reader.u64()? })?;
                }
                Self::Fork(limits)
            }
            REAP => Self::Reap(number),
            _ => return None,
        };
        reader.0.is_empty().then_some(request)
    }
}

impl Answer {
    /// Writes it.
    #[must_use]
    pub fn encode(&self) -> [u8; ANSWER_BYTES] {
        let mut bytes = [0; ANSWER_BYTES];
        let mut writer = Writer { bytes: &mut bytes, at: 0 };
        match *self {
            Self::Ready { version, refused } => {
                writer.u32(ANSWER_READY);
                writer.u32(version);
                writer.u32(refused);
            }
            Self::Forked(pid) => {
                writer.u32(FORKED);
                writer.u32(pid);
            }
            Self::Failed(errno) => {
                writer.u32(FAILED);
                writer.u32(errno.cast_unsigned());
            }
            Self::Reaped(Reaped { pid, status, user_us, system_us, peak_memory_kib }) => {
                writer.u32(REAPED);
                writer.u32(pid);
                writer.u64(u64::from(status.cast_unsigned()));
                writer.u64(user_us);
                writer.u64(system_us);
                writer.u64(peak_memory_kib);
            }
        }
        bytes
    }

    /// Reads one; `None` if it is anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != ANSWER_BYTES {
            return None;
        }
        let mut reader = Reader(bytes);
        let (kind, number) = (reader.u32()?, reader.u32()?);
        match kind {
            ANSWER_READY => Some(Self::Ready { version: number, refused: reader.u32()? }),
            FORKED => Some(Self::Forked(number)),
            FAILED => Some(Self::Failed(number.cast_signed())),
            REAPED => Some(Self::Reaped(Reaped {
                pid: number,
                status: u32::try_from(reader.u64()?).ok()?.cast_signed(),
                user_us: reader.u64()?,
                system_us: reader.u64()?,
                peak_memory_kib: reader.u64()?,
            })),
            _ => None,
        }
    }
}

struct Writer<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn u32(&mut self, value: u32) {
        self.put(&value.to_ne_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.put(&value.to_ne_bytes());
    }

    /// The buffers are as long as the longest message.
    fn put(&mut self, value: &[u8]) {
        if let Some(place) = self.bytes.get_mut(self.at..self.at + value.len()) {
            place.copy_from_slice(value);
            self.at += value.len();
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_ne_bytes)
    }

    fn take<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        let (value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(count: u32) -> Limits {
        (0..count).fold(Limits::default(), |limits, resource| {
            limits.and(Limit { resource, soft: 1, hard: u64::MAX }).expect("not too many")
        })
    }

    #[test]
    fn requests_survive_the_way() {
        for request in [Request::Fork(limits(0)), Request::Fork(limits(16)), Request::Reap(7)] {
            let mut bytes = [0; MOST_REQUEST_BYTES];
            let length = request.encode(&mut bytes);
            assert_eq!(Request::decode(&bytes[..length]), Some(request));
        }
    }

    #[test]
    fn anything_else_is_no_request() {
        let mut bytes = [0; MOST_REQUEST_BYTES];
        let length = Request::Fork(limits(2)).encode(&mut bytes);
        assert_eq!(Request::decode(&bytes[..length - 1]), None, "too short");
        assert_eq!(Request::decode(&bytes[..=length]), None, "too long");
        assert_eq!(Request::decode(&[]), None);
        assert_eq!(Request::decode(&[9; 8]), None, "unknown");
        bytes[4] = 17;
        assert_eq!(Request::decode(&bytes), None, "more limits than there are");
        assert_eq!(limits(16).and(Limit::default()), None);
    }

    #[test]
    fn answers_survive_the_way() {
        let reaped = Reaped { pid: 5, status: 9, user_us: 1, system_us: 2, peak_memory_kib: 3 };
        let ready = Answer::Ready { version: VERSION, refused: 3 };
        for answer in [ready, Answer::Forked(5), Answer::Reaped(reaped), Answer::Failed(11)] {
            assert_eq!(Answer::decode(&answer.encode()), Some(answer));
        }
        assert_eq!(Answer::decode(&[0; ANSWER_BYTES]), None);
        assert_eq!(Answer::decode(&[0; 8]), None);
    }

    #[test]
    fn the_harness_numbers_refusals_alike() {
        let harness = include_str!("../../../preload/src/forkserver/preload.ts");
        for (number, refusal) in (1..).zip(Refusal::ALL) {
            assert_eq!(Refusal::of_number(number), Some(refusal));
            let line = format!("  {refusal:?}: {number},\n");
            assert!(harness.contains(&line), "no {line}");
        }
        assert_eq!([0, 8].map(Refusal::of_number), [None; 2]);
    }
}
