use super::*;
use bytes::Bytes;
use http_body::Frame;
use std::convert::Infallible;
use std::fmt::{Debug, Write as _};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tracing::field::{Field, Visit};

/// A body of some bytes whose end never comes.
pub(super) struct Endless(pub(super) Option<Bytes>);

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
async fn what_no_service_has_is_not_there_and_what_it_has_not_by_that_method_is_not_taken() {
    let router = Router::new().route("/here", axum::routing::get(async || "here"));
    let router = router.fallback(not_there).method_not_allowed_fallback(not_taken);
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("a listener");
    let at = listener.local_addr().expect("an address");
    let (_stop, stopping) = watch::channel(false);
    tokio::spawn(listener.serve(router, stopping, Duration::ZERO));
    for (asked, status) in [("GET /there", "404"), ("POST /here", "405")] {
        let mut caller = TcpStream::connect(at).await.expect("it listens");
        let request = format!("{asked} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        caller.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        caller.read_to_string(&mut answer).await.expect("answered");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{asked}: {answer}");
        assert!(answer.contains("content-type: application/problem+json"), "{asked}: {answer}");
    }
}

#[tokio::test]
async fn a_body_past_its_limit_is_refused_before_it_has_come() {
    let endless = axum::body::Body::new(Endless(Some(Bytes::from_static(b"a beginning"))));
    let refused = body_within(endless, 10, Duration::from_secs(3600)).await.expect_err("refused");
    assert_eq!((refused.status, refused.reason), (413, Some(Reason::LimitsExceeded)), "{refused}");
    let whole = body(axum::body::Body::from("whole"), 5).await.expect("within the limit");
    assert_eq!(whole, "whole");
}

#[tokio::test]
async fn a_corner_whose_places_are_all_taken_hears_that_it_is_to_stop() {
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("a listener");
    let at = listener.local_addr().expect("an address");
    let (stop, stopping) = watch::channel(false);
    let router = Router::new().route("/", axum::routing::get(async || "here"));
    let serving = tokio::spawn(listener.serve_at_most(2, router, stopping, Duration::from_secs(3600)));
    let mut taken = Vec::new();
    for _ in 0..2 {
        let mut caller = TcpStream::connect(at).await.expect("it listens");
        caller.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\nG").await.expect("sent");
        let mut answer = [0; 15];
        caller.read_exact(&mut answer).await.expect("answered");
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        taken.push(caller);
    }
    let _waits = TcpStream::connect(at).await.expect("in the queue");
    stop.send_replace(true);
    tokio::time::timeout(Duration::from_secs(60), serving).await.expect("at once").expect("ended well");
}

/// Keeps what is logged as a warning.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// The fields of an event.
#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).expect("a text takes all");
    }
}

#[tokio::test]
async fn a_corner_whose_places_are_all_taken_says_so_and_not_at_each_newcomer() {
    let warnings = Warnings::default();
    let _heard = tracing::subscriber::set_default(warnings.clone());
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("a listener");
    let at = listener.local_addr().expect("an address");
    let (_stop, stopping) = watch::channel(false);
    let router = Router::new().route("/", axum::routing::get(async || "here"));
    tokio::spawn(listener.serve_at_most(2, router, stopping, Duration::ZERO));
    let served = async || {
        let mut caller = TcpStream::connect(at).await.expect("it listens");
        caller.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sent");
        let mut answer = [0; 15];
        caller.read_exact(&mut answer).await.expect("answered");
        caller
    };
    let first = served().await;
    assert_eq!(warnings.all(), Vec::<String>::new(), "there is room for one more");
    let _second = served().await;
    // Whoever comes next takes the place of one that left, and then all are taken again.
    drop(first);
    let _third = served().await;
    let said = warnings.all();
    let [line] = &said[..] else { panic!("{said:?}") };
    assert!(
        line.contains("every connection that is served at once is taken") && line.contains("connections=2"),
        "{line}"
    );
}
