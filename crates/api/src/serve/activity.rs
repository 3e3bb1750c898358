//! What a connection is doing: its request, the body of that, and its answer. When the corner is told to stop, this says whether the
//! connection is still waited for.

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::sync::{mpsc, watch};

/// What one connection is doing.
pub(super) struct Activity {
    stop: watch::Receiver<bool>,
    /// A clone is held for each request, from its head to the end of its answer.
    requests: Arc<()>,
    /// A clone is held for each request's body that is on its way.
    bodies: Arc<()>,
    /// Whether the other side does not take what is written.
    blocked: AtomicBool,
}

impl Activity {
    pub(super) fn new(stop: watch::Receiver<bool>) -> Arc<Self> {
        let (requests, bodies) = (Arc::default(), Arc::default());
        Arc::new(Self { stop, requests, bodies, blocked: AtomicBool::new(false) })
    }

    /// Whether the corner is told to stop.
    pub(super) fn is_told(&self) -> bool {
        *self.stop.borrow()
    }

    /// Held from a request's head to the end of its answer.
    pub(super) fn request(&self) -> Arc<()> {
        Arc::clone(&self.requests)
    }

    /// A request's body, which is known to be on its way until it is there or not wanted. What is left of it then goes to
    /// `unwanted`; not where its sender `waits` until somebody asks for it, and nobody did.
    pub(super) fn receiving(&self, body: Incoming, waits: bool, unwanted: Unwanted) -> Receiving {
        let coming = (!body.is_end_stream()).then(|| Arc::clone(&self.bodies));
        Receiving { body: Some(body), coming, waits, unwanted }
    }

    /// Says whether what is written waits for the other side.
    pub(super) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::Relaxed);
    }

    /// Whether there is no request, and nothing of an answer left to take: at most a head that has begun.
    pub(super) fn is_idle(&self) -> bool {
        Arc::strong_count(&self.requests) == 1 && !self.blocked.load(Ordering::Relaxed)
    }

    /// Whether a request's body is on its way.
    pub(super) fn is_receiving(&self) -> bool {
        Arc::strong_count(&self.bodies) > 1
    }
}

/// Where what is left of bodies goes that nobody wants.
pub(super) type Unwanted = mpsc::UnboundedSender<Incoming>;

/// The body of a request.
pub(super) struct Receiving {
    /// There until it is dropped.
    body: Option<Incoming>,
    coming: Option<Arc<()>>,
    waits: bool,
    unwanted: Unwanted,
}

impl HttpBody for Receiving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let Some(body) = this.body.as_mut() else { return Poll::Ready(None) };
        this.waits = false;
        let frame = Pin::new(&mut *body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) || body.is_end_stream() {
            this.coming = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        let rest = self.body.take().filter(|_| self.coming.is_some() && !self.waits);
        if let Some(rest) = rest {
            // Where the connection has ended nothing is left to read.
            let _ = self.unwanted.send(rest);
        }
    }
}

/// The body of an answer, whose request is not done before it.
pub(super) struct Answering {
    body: Body,
    _request: Arc<()>,
}

impl Answering {
    pub(super) const fn new(body: Body, request: Arc<()>) -> Self {
        Self { body, _request: request }
    }
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
