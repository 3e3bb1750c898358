use super::*;
use eleven_core::limits::{DEFAULT_REQUEST_BODY, MAX_CALLS_HELD};
use std::convert::Infallible;

const LIMIT: usize = 1 << 20;

/// A body in pieces, which says its length or does not.
struct Pieces {
    left: usize,
    says: bool,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        assert!(!self.says || self.left <= UNCOUNTED, "read although there was no room");
        let piece = self.left.min(10_000);
        self.left -= piece;
        Poll::Ready((piece > 0).then(|| Ok(Frame::data(vec![b'x'; piece].into()))))
    }

    fn size_hint(&self) -> SizeHint {
        if self.says { SizeHint::with_exact(self.left as u64) } else { SizeHint::default() }
    }
}

fn silent(left: usize) -> Body {
    Body::new(Pieces { left, says: false })
}

#[tokio::test]
async fn bodies_take_of_the_budget_while_they_are_held_and_small_ones_nothing() {
    let budget = Budget::new(300_000);
    let first = budget.body(silent(200_000), LIMIT).await.expect("room");
    assert_eq!(first.len(), 200_000);
    let clone = first.clone();
    drop(first);
    let said = Body::new(Pieces { left: 300_000, says: true });
    for large in [silent(300_000), said] {
        let refused = budget.body(large, LIMIT).await.expect_err("no room");
        assert_eq!((refused.status, refused.reason), (503, None), "{refused}");
    }
    let small = budget.body(Body::new(Pieces { left: UNCOUNTED, says: true }), LIMIT).await.expect("always room");
    assert_eq!(small.len(), UNCOUNTED);
    drop(clone);
    assert_eq!(budget.0.available_permits(), 300_000, "what was refused took nothing");
    assert_eq!(budget.body(silent(300_000), LIMIT).await.expect("room").len(), 300_000);
    let refused = budget.body(silent(LIMIT + 1), LIMIT).await.expect_err("no room comes before too large");
    assert_eq!(refused.status, 503, "{refused}");
    let refused = budget.body(silent(100_001), 100_000).await.expect_err("too large");
    assert_eq!(refused.status, 413, "{refused}");
}

/// A body that says its length, and nothing else.
struct Says(usize);

impl HttpBody for Says {
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
    let several = 4 * MAX_CALLS_HELD;
    for (largest, held) in
        [(1024, MAX_CALLS_HELD), (DEFAULT_REQUEST_BODY, 16 * DEFAULT_REQUEST_BODY), (MAX_CALLS_HELD, several)]
    {
        let (budget, most) = (Budget::shared(MAX_CALLS_HELD, largest), held + UNCOUNTED);
        assert!(budget.body(Body::new(Says(most)), usize::MAX).await.is_ok(), "{largest}");
        let refused = budget.body(Body::new(Says(most + 1)), usize::MAX).await.expect_err("no room");
        assert_eq!((refused.status, refused.reason), (503, None), "{largest}");
    }
}
