//! A body that is read whole takes what its bytes take, in however many pieces it comes: who sends it chooses how long they are, and
//! each that is kept by itself takes some forty bytes more.

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::{BodyExt as _, Limited};
use std::error::Error;
use std::pin::pin;

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// [`http_body_util::LengthLimitError`] where it has more, and whatever the body's own is.
pub async fn whole<B>(body: B, limit: usize) -> Result<Bytes, Box<dyn Error + Send + Sync>>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    let mut body = pin!(Limited::new(body, limit));
    // What comes in one piece is not copied.
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else { continue };
        if first.is_empty() && all.is_empty() {
            first = piece;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&piece);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Frame;
    use http_body_util::LengthLimitError;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    /// A body of so many pieces of one byte, of which no more than two are kept at any time.
    struct Pieces {
        left: usize,
        kept: Arc<()>,
    }

    struct Piece {
        _kept: Arc<()>,
    }

    impl AsRef<[u8]> for Piece {
        fn as_ref(&self) -> &[u8] {
            b"x"
        }
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            assert!(Arc::strong_count(&self.kept) <= 2, "what came is kept piece by piece");
            let Some(left) = self.left.checked_sub(1) else { return Poll::Ready(None) };
            self.left = left;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(Piece { _kept: Arc::clone(&self.kept) })))))
        }
    }

    fn pieces(left: usize) -> Pieces {
        Pieces { left, kept: Arc::default() }
    }

    #[tokio::test]
    async fn of_a_body_in_many_pieces_none_is_kept_and_one_in_one_piece_is_no_copy() {
        for length in [0, 1, 2, 1000] {
            assert_eq!(whole(pieces(length), 1000).await.expect("within the limit"), "x".repeat(length));
        }
        let more = whole(pieces(1001), 1000).await.expect_err("one more");
        assert!(more.is::<LengthLimitError>(), "{more}");
        let alone = Bytes::from("one piece".to_owned());
        let read = whole(http_body_util::Full::new(alone.clone()), 9).await.expect("within the limit");
        assert_eq!((read.as_ptr(), &read), (alone.as_ptr(), &alone));
    }
}
