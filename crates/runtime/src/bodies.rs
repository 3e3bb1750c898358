//! How much of its callers' bodies a point holds at once.

use eleven_api::serve::Budget;
use eleven_core::limits::MAX_CALLS_HELD;

/// What the bodies of calls share while they are read, decided about and sent on, where one is of at most `limit` bytes.
pub(crate) fn room(limit: usize) -> Budget {
    Budget::new(MAX_CALLS_HELD.max(limit.saturating_mul(4)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use bytes::Bytes;
    use eleven_core::limits::DEFAULT_REQUEST_BODY;
    use http_body::{Frame, SizeHint};
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// A body that says its length, and nothing else.
    struct Says(usize);

    impl http_body::Body for Says {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(None)
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0 as u64)
        }
    }

    #[tokio::test]
    async fn there_is_room_for_several_of_the_largest_bodies_and_not_for_any_number() {
        for (limit, held) in [
            (1024, MAX_CALLS_HELD),
            (DEFAULT_REQUEST_BODY, 16 * DEFAULT_REQUEST_BODY),
            (MAX_CALLS_HELD, 4 * MAX_CALLS_HELD),
        ] {
            // What of each body is not counted.
            let most = held + 64 * 1024;
            assert!(room(limit).body(Body::new(Says(most)), usize::MAX).await.is_ok(), "{limit}");
            let refused = room(limit).body(Body::new(Says(most + 1)), usize::MAX).await.expect_err("no room");
            assert_eq!((refused.status, refused.reason), (503, None), "{limit}");
        }
    }
}
