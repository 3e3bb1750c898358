//! Server-sent events that say that they are done, on a connection that stays open.
//!
//! To an OpenAI client an answer ends with `[DONE]`: it reads nothing behind that. So the answer is whole there, whatever becomes of its
//! connection: one that breaks behind it takes nothing from it, and an end is waited for only for a moment, so that a connection that
//! came to it can be used again.

use bytes::Bytes;
use http_body::{Body, Frame};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// For so long the end is waited for behind `[DONE]`.
const MOMENT: Duration = Duration::from_millis(250);
/// So much of a line is looked at: what is longer does not say this.
const LINE: usize = 64;

/// A body that ends a moment after it said that it is done, where it does not end before.
pub(super) struct UntilDone<B> {
    body: B,
    /// What was seen of its events; none where it has none that can be read.
    events: Option<Events>,
    /// When it is over, once it said so.
    over: Option<Pin<Box<Sleep>>>,
}

impl<B> UntilDone<B> {
    /// The body of an answer; `events` where it is server-sent events as they are read.
    pub(super) fn new(body: B, events: bool) -> Self {
        Self { body, events: events.then(Events::default), over: None }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for UntilDone<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Self { body, events, over } = self.get_mut();
        // First: of one that goes on and on no end is waited for either.
        if over.as_mut().is_some_and(|over| over.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if over.is_some() && matches!(frame, Some(Err(_))) {
            return Poll::Ready(None);
        }
        let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()).and_then(Frame::data_ref);
        if over.is_none()
            && let (Some(data), Some(events)) = (data, events)
            && events.are_done(data)
        {
            *over = Some(Box::pin(sleep(MOMENT)));
        }
        Poll::Ready(frame)
    }
}

/// What the data of an event is, as far as it was read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Data {
    #[default]
    None,
    Done,
    Other,
}

/// Events, read as they come.
#[derive(Default)]
struct Events {
    /// The beginning of the line that has not ended yet.
    line: Vec<u8>,
    /// Whether the byte before is a carriage return.
    returned: bool,
    data: Data,
}

impl Events {
    /// Whether an event whose data is `[DONE]` ends in the bytes that come next.
    fn are_done(&mut self, bytes: &[u8]) -> bool {
        let mut done = false;
        for byte in bytes {
            let behind = std::mem::replace(&mut self.returned, *byte == b'\r');
            match byte {
                // Its line has ended already.
                b'\n' if behind => {}
                b'\n' | b'\r' => done |= self.end_line(),
                _ if self.line.len() < LINE => self.line.push(*byte),
                _ => {}
            }
        }
        done
    }

    /// Ends a line, and with an empty one an event: whether it says this.
    fn end_line(&mut self) -> bool {
        if self.line.is_empty() {
            return std::mem::take(&mut self.data) == Data::Done;
        }
        let done = self.line.strip_prefix(b"data:").map(|data| data.trim_ascii() == b"[DONE]");
        self.data = match (self.data, done) {
            (data, None) => data,
            (Data::None, Some(true)) => Data::Done,
            (_, Some(_)) => Data::Other,
        };
        self.line.clear();
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt as _, Collected};
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::io;
    use tokio::time::Instant;

    /// These events, and then a connection that breaks.
    struct Cut(Option<Bytes>);

    impl Body for Cut {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            let cut = || io::Error::other("it broke");
            Poll::Ready(Some(self.get_mut().0.take().map(Frame::data).ok_or_else(cut)))
        }
    }

    #[tokio::test]
    async fn a_connection_that_breaks_takes_nothing_from_an_answer_that_said_that_it_is_done() {
        let content = "data: {\"choices\":[]}\n\n";
        for (events, is_whole) in [(format!("{content}data: [DONE]\n\n"), true), (content.to_owned(), false)] {
            let all = UntilDone::new(Cut(Some(Bytes::from(events.clone()))), true).collect().await;
            let all = all.ok().map(Collected::to_bytes);
            assert_eq!(all, is_whole.then(|| Bytes::from(events)));
        }
        // Where nothing of it is read as events, nothing in it is an end.
        let coded = UntilDone::new(Cut(Some(Bytes::from_static(b"data: [DONE]\n\n"))), false);
        assert!(coded.collect().await.is_err());
    }

    /// These pieces, and then the end.
    struct Pieces(VecDeque<&'static str>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.get_mut().0.pop_front().map(|piece| Ok(Frame::data(Bytes::from(piece)))))
        }
    }

    #[tokio::test]
    async fn what_comes_in_the_moment_behind_that_is_of_the_answer() {
        let pieces = ["data: 7\n\n", "data: [DONE]\n", "\n", ": and this\n\n"];
        let all = UntilDone::new(Pieces(VecDeque::from(pieces)), true).collect().await;
        assert_eq!(all.map(Collected::to_bytes), Ok(Bytes::from(pieces.concat())));
    }

    const DONE: &str = "data: [DONE]\n\n";
    const MORE: &str = ": and on\n\n";

    /// Says that it is done, and then more whenever that time has passed.
    struct Endless {
        said: bool,
        every: Duration,
        next: Pin<Box<Sleep>>,
    }

    impl Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let Self { said, every, next } = self.get_mut();
            if !std::mem::replace(said, true) {
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from(DONE)))));
            }
            ready!(next.as_mut().poll(cx));
            next.as_mut().reset(Instant::now() + *every);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(MORE)))))
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_done_is_over_in_a_moment_though_more_comes_without_end() {
        let every = Duration::from_millis(1);
        let endless = Endless { said: false, every, next: Box::pin(sleep(every)) };
        let all = tokio::time::timeout(MOMENT * 100, UntilDone::new(endless, true).collect()).await;
        let all = all.expect("it is not waited for").map(Collected::to_bytes).unwrap_or_default();
        assert!(all.starts_with(DONE.as_bytes()), "{all:?}");
    }

    #[test]
    fn events_are_done_behind_one_that_says_so_and_nothing_else_however_the_bytes_come() {
        let content = "data: {\"choices\":[]}\n\n";
        for (events, done) in [
            ("data: [DONE]\n\n", true),
            ("data:[DONE]\n\n", true),
            ("data: [DONE]\r\n\r\n", true),
            ("data: [DONE]\r\r", true),
            ("event: message\rdata: [DONE]\n\n", true),
            ("id: 7\ndata: [DONE]\n: and\n\n", true),
            ("data: [DONE]\n\n: keep-alive\n\n", true),
            ("data: [DONE]\n", false),
            ("data: [DONE]\r\n", false),
            ("data: [DONE]", false),
            ("data: [DONE] and more\n\n", false),
            ("data: {\"content\":\"data: [DONE]\"}\n\n", false),
            ("data: 7\ndata: [DONE]\n\n", false),
            ("data: [DONE]\ndata: 7\n\n", false),
            (": data: [DONE]\n\n", false),
            ("\n\n", false),
        ] {
            let stream = [content, events].concat();
            for size in 1..=stream.len() {
                let mut seen = Events::default();
                let found = stream.as_bytes().chunks(size).filter(|piece| seen.are_done(piece)).count();
                assert_eq!(found, usize::from(done), "{events:?} in pieces of {size}");
            }
        }
    }
}
