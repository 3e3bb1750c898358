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

#[tokio::test]
async fn an_answer_takes_of_the_budget_until_it_is_taken_and_a_small_one_nothing() {
    use http_body_util::BodyExt as _;
    let budget = Budget::new(300_000);
    let large = |length: usize| Response::new(Body::from(vec![b'x'; length]));
    let mut first = budget.answer(large(200_000 + UNCOUNTED)).expect("room").into_body();
    assert_eq!(budget.0.available_permits(), 100_000);
    let refused = budget.answer(large(100_001 + UNCOUNTED)).map(drop).expect_err("no room");
    assert_eq!((refused.status, refused.reason), (503, None), "{refused}");
    let small = budget.answer(large(UNCOUNTED)).expect("always room").into_body().collect().await.expect("whole");
    assert_eq!(small.to_bytes().len(), UNCOUNTED);
    let stream = budget.answer(Response::new(silent(LIMIT))).expect("it says no length").into_body();
    assert_eq!(stream.collect().await.expect("whole").to_bytes().len(), LIMIT);
    assert_eq!(budget.0.available_permits(), 100_000, "neither takes any");
    let (mut left, mut frames) = (200_000 + UNCOUNTED, 0);
    while left > 0 {
        assert_eq!((first.size_hint().exact(), first.is_end_stream()), (Some(left as u64), false));
        let frame = first.frame().await.expect("more").expect("whole").into_data().expect("bytes");
        assert!(frame.iter().all(|byte| *byte == b'x') && frame.len() <= UNCOUNTED);
        left -= frame.len();
        frames += 1;
    }
    assert!(first.is_end_stream() && first.frame().await.is_none());
    assert_eq!((frames, budget.0.available_permits()), (5, 100_000));
    drop(first);
    assert_eq!(budget.0.available_permits(), 300_000, "it has left");
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
