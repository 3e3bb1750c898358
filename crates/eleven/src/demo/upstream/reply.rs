//! Answers: whole, streamed, and broken off where a test asks for that.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Response as HttpResponse, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::collections::VecDeque;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// A JSON document.
pub(super) fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    whole(status, value.to_string().into(), false)
}

/// A body at once; `broken` announces its length and sends half.
pub(super) fn whole(status: StatusCode, body: Bytes, broken: bool) -> Response {
    let length = body.len();
    let body = if broken {
        let half = body.slice(..length / 2);
        Body::new(Pieces { rest: VecDeque::from([half]), pause: Duration::ZERO, breaks: Some(1), waits: None })
    } else {
        Body::from(body)
    };
    let mut response = with_body(status, body, "application/json");
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// Server-sent events, `pause` between them, broken off after `breaks` of them.
pub(super) fn stream(events: Vec<String>, pause: Duration, breaks: Option<usize>) -> Response {
    let rest = events.into_iter().map(Bytes::from).collect();
    let mut response =
        with_body(StatusCode::OK, Body::new(Pieces { rest, pause, breaks, waits: None }), "text/event-stream");
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn with_body(status: StatusCode, body: Body, kind: &'static str) -> Response {
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A body in pieces.
struct Pieces {
    rest: VecDeque<Bytes>,
    pause: Duration,
    /// How many more pieces until the connection breaks.
    breaks: Option<usize>,
    waits: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(waits) = &mut self.waits {
            std::task::ready!(waits.as_mut().poll(cx));
            self.waits = None;
        }
        if self.breaks == Some(0) {
            return Poll::Ready(Some(Err(io::Error::other("broken off as asked"))));
        }
        let Some(piece) = self.rest.pop_front() else { return Poll::Ready(None) };
        self.breaks = self.breaks.map(|left| left - 1);
        // Without a pause a break waits a moment, so that what came before it leaves first.
        let pause = if self.breaks == Some(0) { self.pause.max(Duration::from_millis(20)) } else { self.pause };
        if !pause.is_zero() && (!self.rest.is_empty() || self.breaks == Some(0)) {
            self.waits = Some(Box::pin(tokio::time::sleep(pause)));
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
