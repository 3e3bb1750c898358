//! How many bytes of requests' bodies, or of answers, a corner holds at once.

use super::{BODY_TIMEOUT, body_within};
use crate::problem::Problem;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What of each body is not counted: who fills the budget keeps out large bodies, and none that is small.
pub const UNCOUNTED: usize = 64 * 1024;

/// A budget that the requests of a corner share.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Semaphore>);

impl Budget {
    /// What bodies of at most `largest` bytes share: so many bytes, or four of that size where that is more.
    #[must_use]
    pub fn shared(bytes: usize, largest: usize) -> Self {
        Self::new(bytes.max(largest.saturating_mul(4)))
    }

    fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// Reads a request's body up to `limit` bytes, which count for as long as they or a clone of them are held.
    ///
    /// # Errors
    /// As [`super::body`]; 503 where there is no room for it beside what others sent, before anything is read of a body that
    /// says how long it is.
    pub async fn body(&self, body: Body, limit: usize) -> Result<Bytes, Problem> {
        let said = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if said.min(limit).saturating_sub(UNCOUNTED) > self.0.available_permits() {
            return Err(Exhausted.into());
        }
        let mut held = Held { budget: Arc::clone(&self.0), bytes: 0, permit: None };
        let bytes = body_within(Counted { body, held: &mut held }, limit, BODY_TIMEOUT).await?;
        Ok(Bytes::from_owner(Whole { bytes, _held: held }))
    }

    /// An answer, whose bytes count until the other side has taken all but the last of them. One that says no length is a stream, and
    /// takes nothing of the budget.
    ///
    /// # Errors
    /// 503 where there is no room for it beside the answers that others take their time for.
    pub fn answer(&self, answer: Response) -> Result<Response, Problem> {
        let length = answer.body().size_hint().exact().unwrap_or_default();
        let mut held = Held { budget: Arc::clone(&self.0), bytes: 0, permit: None };
        held.more(usize::try_from(length).unwrap_or(usize::MAX)).map_err(|Exhausted| {
            Problem::with_status(
                503,
                "answers that nobody has taken yet take all the room there is: ask again in a moment",
            )
        })?;
        if held.permit.is_none() {
            return Ok(answer);
        }
        Ok(answer.map(|body| Body::new(Taken { body, rest: Bytes::new(), _held: held })))
    }
}

/// There is no room for a body.
#[derive(Debug)]
pub(super) struct Exhausted;

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the requests that are being read take all the room there is: send this one again in a moment")
    }
}

impl Error for Exhausted {}

impl From<Exhausted> for Problem {
    fn from(exhausted: Exhausted) -> Self {
        Self::with_status(503, exhausted.to_string())
    }
}

/// What a body takes of the budget.
struct Held {
    budget: Arc<Semaphore>,
    bytes: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Held {
    fn more(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let counted = |bytes: usize| bytes.saturating_sub(UNCOUNTED);
        let before = counted(self.bytes);
        self.bytes = self.bytes.saturating_add(bytes);
        let more = u32::try_from(counted(self.bytes) - before).map_err(|_| Exhausted)?;
        if more == 0 {
            return Ok(());
        }
        let more = Arc::clone(&self.budget).try_acquire_many_owned(more).map_err(|_| Exhausted)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

/// A body that counts as it comes.
struct Counted<'a> {
    body: Body,
    held: &'a mut Held,
}

impl HttpBody for Counted<'_> {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx).map(|frame| {
            let frame = match frame? {
                Ok(frame) => frame,
                Err(error) => return Some(Err(error.into())),
            };
            let counted = self.held.more(frame.data_ref().map_or(0, Bytes::len));
            Some(counted.map(|()| frame).map_err(Into::into))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer that is taken piece by piece. Each is a copy: of the whole nothing is left when it is written to its end, whoever takes the
/// last piece or does not.
struct Taken {
    body: Body,
    rest: Bytes,
    _held: Held,
}

impl HttpBody for Taken {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => self.rest = bytes,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                ended => return Poll::Ready(ended),
            }
        }
        let length = self.rest.len().min(UNCOUNTED);
        let piece = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(&piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.size_hint().lower() + self.rest.len() as u64)
    }
}

/// A body that came whole, and what it takes.
struct Whole {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests;
