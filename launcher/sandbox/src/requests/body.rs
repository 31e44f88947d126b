//! Bodies on their way, in the pace of whoever reads them.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

/// How long a server may send nothing.
pub(super) const SILENCE: Duration = Duration::from_mins(5);

/// What is kept of a body, in bytes, for a redirect that asks for it again.
const MOST_KEPT_BYTES: usize = 256 << 10;

/// Why a body ends before its time.
#[derive(Debug)]
pub(crate) enum Broken {
    /// It is longer than the rule allows.
    TooLong,
    /// Nothing came for [`SILENCE`].
    Silent,
    /// The connection broke.
    Lost(hyper::Error),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLong => out.write_str("the body is longer than its rule allows"),
            Self::Silent => out.write_str("nothing came for too long"),
            Self::Lost(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for Broken {}

/// The next data of a body: trailers are dropped. `left` is what may still come.
fn data(body: &mut Incoming, left: &mut Option<u64>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
    loop {
        return Poll::Ready(match std::task::ready!(Pin::new(&mut *body).poll_frame(context)) {
            None => None,
            Some(Err(error)) => Some(Err(Broken::Lost(error))),
            Some(Ok(frame)) => {
                let Ok(bytes) = frame.into_data() else { continue };
                if let Some(most) = left {
                    let Some(rest) = most.checked_sub(bytes.len() as u64) else {
                        return Poll::Ready(Some(Err(Broken::TooLong)));
                    };
                    *most = rest;
                }
                Some(Ok(bytes))
            }
        });
    }
}

/// A body that goes to a server.
#[derive(Debug)]
pub(super) struct Sent {
    source: Option<Incoming>,
    /// What was sent before, and is sent again.
    again: Option<Bytes>,
    left: Option<u64>,
    watched: Watched,
}

/// What is known of a body that was sent.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    kept: Rc<RefCell<Kept>>,
    moved: Rc<Cell<Instant>>,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    is_whole: bool,
    is_too_long: bool,
    /// It was longer than the rule allows.
    is_refused: bool,
}

impl Watched {
    fn new(is_whole: bool) -> Self {
        let kept = Kept { is_whole, ..Kept::default() };
        Self { kept: Rc::new(RefCell::new(kept)), moved: Rc::new(Cell::new(Instant::now())) }
    }

    /// When something of it was last taken.
    pub(super) fn moved(&self) -> Instant {
        self.moved.get()
    }

    /// Whether it was longer than its rule allows.
    pub(super) fn is_refused(&self) -> bool {
        self.kept.borrow().is_refused
    }

    /// The same body once more; `None` where it was not kept.
    pub(super) fn again(&self) -> Option<Sent> {
        let kept = self.kept.borrow();
        (kept.is_whole && !kept.is_too_long).then(|| Sent {
            source: None,
            again: Some(Bytes::copy_from_slice(&kept.bytes)).filter(|bytes| !bytes.is_empty()),
            left: None,
            watched: self.clone(),
        })
    }
}

impl Sent {
    pub(super) fn new(source: Incoming, most: Option<u64>) -> Self {
        let watched = Watched::new(source.is_end_stream());
        Self { source: Some(source), again: None, left: most, watched }
    }

    /// No body.
    pub(super) fn nothing() -> Self {
        Self { source: None, again: None, left: None, watched: Watched::new(true) }
    }

    pub(super) fn watched(&self) -> Watched {
        self.watched.clone()
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let sent = self.get_mut();
        if let Some(bytes) = sent.again.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        let Some(source) = &mut sent.source else { return Poll::Ready(None) };
        let next = std::task::ready!(data(source, &mut sent.left, context));
        sent.watched.moved.set(Instant::now());
        let mut kept = sent.watched.kept.borrow_mut();
        match &next {
            None => kept.is_whole = true,
            Some(Err(error)) => kept.is_refused = matches!(error, Broken::TooLong),
            Some(Ok(bytes)) if !kept.is_too_long && kept.bytes.len() + bytes.len() <= MOST_KEPT_BYTES => {
                kept.bytes.extend_from_slice(bytes);
                // Whoever knows its length asks no further.
                kept.is_whole = source.is_end_stream();
            }
            Some(Ok(_)) => {
                kept.is_too_long = true;
                kept.bytes = Vec::new();
            }
        }
        Poll::Ready(next.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.again.is_none() && self.source.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.again, &self.source) {
            (Some(bytes), _) => SizeHint::with_exact(bytes.len() as u64),
            (None, Some(source)) => source.size_hint(),
            (None, None) => SizeHint::with_exact(0),
        }
    }
}

/// A body that comes from a server.
pub(crate) struct Received {
    source: Incoming,
    left: Option<u64>,
    silence: Pin<Box<Sleep>>,
}

impl Received {
    pub(super) fn new(source: Incoming, most: Option<u64>) -> Self {
        Self { source, left: most, silence: Box::pin(sleep(SILENCE)) }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let received = self.get_mut();
        let Poll::Ready(next) = data(&mut received.source, &mut received.left, context) else {
            return received.silence.as_mut().poll(context).map(|()| Some(Err(Broken::Silent)));
        };
        received.silence.as_mut().reset(tokio::time::Instant::now() + SILENCE);
        Poll::Ready(next.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.size_hint()
    }
}
