//! A streamed answer (PROTOCOL 5.1, `release: stream`): its pieces on their way from the upstream to the connection, counted
//! where the connection takes them. Only one that was ended looks whole; left alone, it is broken off, behind an event that says why
//! where there is one.

use super::Break;
use crate::opening::Sent;
use crate::release::Holdback;
use bytes::Bytes;
use eleven_api::edge;
use eleven_core::hash::Sha3Stream;
use http::StatusCode;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long the connection may take for what came before the upstream failed, so that why it did is said behind that.
const SETTLES: Duration = Duration::from_secs(5);

/// The two ends of a streamed answer.
pub(super) fn channel() -> (Inlet, Passing) {
    let (send, pieces) = mpsc::channel(1);
    let delivered = Arc::new(Mutex::new(Delivered::default()));
    (Inlet { send, delivered: Arc::clone(&delivered) }, Passing { pieces, delivered, breaking: false })
}

/// Where the pieces go in.
pub(super) struct Inlet {
    send: mpsc::Sender<Bytes>,
    delivered: Arc<Mutex<Delivered>>,
}

/// Room for the last piece: the connection took everything before it.
pub(super) struct Place<'a>(mpsc::Permit<'a, Bytes>);

impl Inlet {
    /// Passes a body on piece by piece, and waits at its end for room for what is held.
    pub(super) async fn pass<B>(&self, body: &mut B, holdback: &mut Holdback) -> Result<Place<'_>, Break>
    where
        B: Body<Data = Bytes, Error: fmt::Display> + Unpin,
    {
        // Without a receiver the caller left.
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                () = self.send.closed() => return Err(Break::CallerLeft),
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| Break::Upstream(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            for piece in holdback.push(data).map_err(|_| Break::TooLarge)? {
                self.send.send(piece).await.map_err(|_| Break::CallerLeft)?;
            }
        }
        self.send.reserve().await.map(Place).map_err(|_| Break::CallerLeft)
    }

    /// Waits a moment until the connection took what came before the upstream failed, or is gone.
    pub(super) async fn settled(&self) {
        let _ = tokio::time::timeout(SETTLES, self.send.reserve()).await;
    }

    /// Whether the connection took all that it was given, and is there for more.
    pub(super) fn is_taken(&self) -> bool {
        !self.send.is_closed() && self.send.capacity() == self.send.max_capacity()
    }

    /// What the connection has taken.
    pub(super) fn delivered(&self) -> Delivered {
        lock(&self.delivered).clone()
    }

    /// The same, to which nothing is added: a piece that still waits is not taken after it was left out.
    pub(super) fn break_off(&self) -> Delivered {
        let mut delivered = lock(&self.delivered);
        delivered.end = End::Broken;
        delivered.clone()
    }

    /// Gives out what is said of a break, which the connection finds behind all else once this is gone.
    pub(super) fn say(&self, word: Bytes) {
        lock(&self.delivered).word = word;
    }

    /// Gives out the last piece, and with it the end.
    pub(super) fn end(&self, place: Place<'_>, tail: Bytes) {
        lock(&self.delivered).end = End::Whole;
        place.0.send(tail);
    }
}

/// What the connection has taken so far.
#[derive(Clone, Default)]
pub(super) struct Delivered {
    hash: Sha3Stream,
    bytes: u64,
    end: End,
    /// What is said of a break, where anything is. The evidence has counted it.
    word: Bytes,
}

#[derive(Clone, Copy, Default)]
enum End {
    /// More may come. Where it does not, something failed here.
    #[default]
    Open,
    /// Nothing more is taken: what was, is on its way into the evidence.
    Broken,
    /// The evidence is as durable as it has to be.
    Whole,
}

impl Delivered {
    fn take(&mut self, piece: &Bytes) {
        self.hash.update(piece);
        self.bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
    }

    /// The next piece, counted, or the end.
    fn next(&mut self, next: Option<Bytes>) -> io::Result<Option<Bytes>> {
        match (next, self.end) {
            (Some(piece), End::Open | End::Whole) => {
                self.take(&piece);
                Ok(Some(piece))
            }
            (None, End::Whole) => Ok(None),
            (None, End::Broken) if !self.word.is_empty() => Ok(Some(std::mem::take(&mut self.word))),
            // An end that looks whole would say what is not so.
            (Some(_), End::Broken) | (None, End::Open | End::Broken) => Err(broken_off()),
        }
    }

    /// What was sent, with `tail` behind it.
    pub(super) fn with(mut self, tail: &Bytes, status: StatusCode) -> Sent {
        edge::at_length(tail.len(), || self.take(tail));
        Sent { body: self.hash.finish(), bytes: self.bytes, status: status.as_u16() }
    }
}

/// The body of a streamed answer, as the connection takes it.
pub(super) struct Passing {
    pieces: mpsc::Receiver<Bytes>,
    delivered: Arc<Mutex<Delivered>>,
    /// Whether it breaks off, once the connection has written what it took.
    breaking: bool,
}

impl Body for Passing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Self { pieces, delivered, breaking } = self.get_mut();
        if *breaking {
            return Poll::Ready(Some(Err(broken_off())));
        }
        // A piece makes room the moment it is received: whoever sees that room, and asks what was delivered, waits here
        // until it is counted.
        let mut counting = lock(delivered);
        let next = std::task::ready!(pieces.poll_recv(cx));
        let next = counting.next(next);
        drop(counting);
        match next {
            Ok(piece) => Poll::Ready(piece.map(|piece| Ok(Frame::data(piece)))),
            // A connection whose body fails drops what it took and has not written, its head too: it gets a turn to write.
            Err(_) => {
                *breaking = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

fn broken_off() -> io::Error {
    io::Error::other("the stream was broken off")
}

fn lock(delivered: &Mutex<Delivered>) -> MutexGuard<'_, Delivered> {
    delivered.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
