use super::*;
use bytes::Bytes;
use http_body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A body of some bytes whose end never comes.
struct Endless(Option<Bytes>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(Frame::data(piece)))))
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_is_not_waited_for_for_ever() {
    let endless = axum::body::Body::new(Endless(Some(Bytes::from_static(b"a beginning"))));
    let refused = body_within(endless, 100, Duration::from_millis(20)).await.expect_err("refused");
    assert_eq!((refused.status, refused.reason), (408, None), "{refused}");
}

#[tokio::test]
async fn a_body_past_its_limit_is_refused_before_it_has_come() {
    let endless = axum::body::Body::new(Endless(Some(Bytes::from_static(b"a beginning"))));
    let refused = body_within(endless, 10, Duration::from_secs(3600)).await.expect_err("refused");
    assert_eq!((refused.status, refused.reason), (413, Some(Reason::LimitsExceeded)), "{refused}");
    let whole = body(axum::body::Body::from("whole"), 5).await.expect("within the limit");
    assert_eq!(whole, "whole");
}
