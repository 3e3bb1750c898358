//! Over a pipe, on a clock that moves when nothing else does.

use super::*;
use crate::serve::tests::Endless;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use rustls::server::ResolvesServerCertUsingSni;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const LARGE: usize = 1 << 20;
const THINKS: Duration = Duration::from_secs(3);

fn router() -> Router {
    let read = async |body: Body| crate::serve::body(body, LARGE).await.map(|_| "whole");
    let thinks = async || {
        sleep(THINKS).await;
        "thought"
    };
    let later = async |body: Body| {
        sleep(THINKS).await;
        drop(body);
        "later"
    };
    Router::new()
        .route("/", get(async || "here"))
        .route("/kept", get(async || ([(CACHE_CONTROL, "max-age=1")], "kept")))
        .route("/large", get(async || vec![b'x'; LARGE]))
        .route("/quiet", get(async || Body::new(Endless(Some(Bytes::from_static(b"event"))))))
        .route("/thinks", get(thinks))
        .route("/read", post(read))
        .route("/later", post(later))
}

/// A caller, and the connection that serves it.
struct Called {
    caller: DuplexStream,
    stop: watch::Sender<bool>,
    served: JoinHandle<()>,
    began: Instant,
}

impl Called {
    /// Sends this, over a pipe that holds `room` bytes each way.
    async fn with(sent: &str, room: usize) -> Self {
        Self::over(None, sent, room).await
    }

    async fn over(tls: Option<Tls>, sent: &str, room: usize) -> Self {
        let (mut caller, stream) = tokio::io::duplex(room);
        let (stop, stopping) = watch::channel(false);
        let peer = Peer("127.0.0.1:1".parse().expect("an address"));
        let served = tokio::spawn(connection(stream, peer, tls, router(), stopping));
        caller.write_all(sent.as_bytes()).await.expect("it is read");
        Self { caller, stop, served, began: Instant::now() }
    }

    async fn get(path: &str, room: usize) -> Self {
        Self::with(&format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"), room).await
    }

    /// Reads until this has come.
    async fn reads(&mut self, wanted: &str) -> String {
        let mut read = Vec::new();
        while !String::from_utf8_lossy(&read).contains(wanted) {
            assert_ne!(self.caller.read_buf(&mut read).await.expect("open"), 0, "{}", String::from_utf8_lossy(&read));
        }
        String::from_utf8(read).expect("text")
    }

    /// Tells the corner to stop, and from then on counts.
    async fn stop(&mut self) {
        // What was sent before has come.
        sleep(Duration::from_millis(1)).await;
        self.began = Instant::now();
        self.stop.send_replace(true);
    }

    /// After how many milliseconds it ended.
    async fn ended(self) -> u128 {
        self.served.await.expect("ended well");
        self.began.elapsed().as_millis()
    }

    /// The same where the caller takes a byte every so often.
    async fn ended_while_a_byte_is_taken_each(mut self, pause: Duration) -> u128 {
        loop {
            tokio::select! {
                served = &mut self.served => {
                    served.expect("ended well");
                    return self.began.elapsed().as_millis();
                }
                () = sleep(pause) => { self.caller.read_u8().await.expect("a byte"); }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_takes_nothing_of_its_answer_is_given_up_after_half_a_minute() {
    let took = Called::get("/large", 64).await.ended().await;
    assert!((30_000..30_100).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_takes_a_byte_before_every_timeout_is_given_up_all_the_same() {
    let called = Called::get("/large", 64).await;
    let took = called.ended_while_a_byte_is_taken_each(Duration::from_secs(20)).await;
    assert!((30_000..30_100).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_caller_gets_all_of_its_answer_and_the_next_is_judged_by_itself() {
    let mut called = Called::get("/large", 8 * 1024).await;
    for _ in 0..2 {
        let mut left =
            called.reads("\r\n\r\n").await.split_once("\r\n\r\n").map_or(LARGE, |(_, got)| LARGE - got.len());
        while left > 0 {
            sleep(Duration::from_millis(900)).await;
            let mut some = vec![0; left.min(8 * 1024)];
            called.caller.read_exact(&mut some).await.expect("it goes on");
            left -= some.len();
        }
        assert!(called.began.elapsed() > 3 * Duration::from_secs(30));
        sleep(Duration::from_secs(5)).await;
        called.caller.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("still there");
    }
    // Whatever the first answers took, this one has its half minute and no more.
    called.began = Instant::now();
    let took = called.ended().await;
    assert!((30_000..30_100).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_says_nothing_of_how_long_it_may_be_kept_is_kept_by_nobody() {
    for (path, kept) in [("/", "no-store"), ("/nothing", "no-store"), ("/kept", "max-age=1")] {
        let answer = Called::get(path, 4096).await.reads("\r\n\r\n").await;
        let told: Vec<&str> = answer.lines().filter_map(|line| line.strip_prefix("cache-control: ")).collect();
        assert_eq!(told, [kept], "{path}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_that_is_read_lives_on() {
    let mut called = Called::get("/quiet", 4096).await;
    called.reads("event").await;
    sleep(Duration::from_secs(3600)).await;
    assert!(!called.served.is_finished());
}

#[tokio::test(start_paused = true)]
async fn who_sent_nothing_or_half_a_head_is_not_waited_for() {
    for sent in ["", "G", "GET / HTTP/1.1\r\nhost"] {
        let mut called = Called::with(sent, 4096).await;
        called.stop().await;
        let took = called.ended().await;
        assert!((100..=200).contains(&took), "{sent:?}: {took}");
    }
    let mut kept = Called::get("/", 4096).await;
    kept.reads("here").await;
    kept.caller.write_all(b"GET / HTT").await.expect("sent");
    kept.stop().await;
    assert_eq!(kept.ended().await, 100);
}

#[tokio::test(start_paused = true)]
async fn half_a_handshake_is_not_waited_for() {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    // It never comes to the certificate.
    let config = config.expect("versions").with_no_client_auth();
    let config = config.with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
    let tls = Tls(tokio_rustls::TlsAcceptor::from(Arc::new(config)));
    let mut called = Called::over(Some(tls), "\x16\x03\x01", 4096).await;
    called.stop().await;
    assert_eq!(called.ended().await, 100);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_at_the_last_moment_still_finds_the_corner() {
    let mut called = Called::with("GET / HTTP/1.1\r\nho", 4096).await;
    called.stop().await;
    sleep(Duration::from_millis(90)).await;
    called.caller.write_all(b"st: a\r\n\r\n").await.expect("sent");
    let answer = called.reads("here").await;
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(called.ended().await, 90);
}

#[tokio::test(start_paused = true)]
async fn half_a_body_is_waited_for_a_second_and_a_request_that_came_whole_until_it_is_done() {
    let mut half = Called::with("POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf", 4096).await;
    half.stop().await;
    assert_eq!(half.ended().await, 1200);

    let mut whole = Called::get("/thinks", 4096).await;
    whole.stop().await;
    let answer = whole.reads("thought").await;
    assert!(answer.contains("connection: close"), "{answer}");
    let took = whole.ended().await;
    assert!((2900..=3000).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn who_is_answered_before_its_body_came_can_send_it_and_reads_the_answer() {
    // Nobody takes a body there. More than the pipe holds can be sent only while somebody reads.
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {LARGE}\r\n\r\n");
    let mut called = Called::with(&head, 4096).await;
    called.caller.write_all(&vec![b'x'; LARGE]).await.expect("it is read");
    let answer = called.reads("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    called.caller.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("the connection goes on");
    called.reads("here").await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_wants_and_that_does_not_come_is_read_for_two_seconds() {
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {LARGE}\r\n");
    let mut called = Called::with(&format!("{head}\r\nx"), 4096).await;
    called.reads("405 ").await;
    let took = called.ended().await;
    assert!((2000..2100).contains(&took), "{took}");
    // Who waits to be asked for its body is not asked, and has its answer and the end.
    let mut called = Called::with(&format!("{head}expect: 100-continue\r\n\r\n"), 4096).await;
    let answer = called.reads("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(called.ended().await < 100);
    // One that is told to stop meanwhile does not wait for that.
    let mut called = Called::with(&format!("{head}\r\nx"), 4096).await;
    called.reads("405 ").await;
    called.stop().await;
    let took = called.ended().await;
    assert!((100..=200).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_wants_after_the_stop_does_not_keep_its_connection() {
    // From its head on.
    let mut called = Called::with("GET /thinks HTTP/1.1\r\nhost: a\r\ncontent-le", 4096).await;
    called.stop().await;
    sleep(Duration::from_millis(150)).await;
    called.caller.write_all(b"ngth: 10\r\n\r\n").await.expect("it is read");
    called.reads("thought").await;
    let took = called.ended().await;
    assert!((3150..3200).contains(&took), "{took}");
    // From the byte on that is past the limit.
    let head = format!("POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", 2 * LARGE);
    let mut called = Called::with(&head, 4096).await;
    called.stop().await;
    sleep(Duration::from_millis(250)).await;
    called.caller.write_all(&vec![b'x'; LARGE + 1]).await.expect("it is read");
    called.reads("413 ").await;
    let took = called.ended().await;
    assert!((250..300).contains(&took), "{took}");
    // From some moment on, while nothing comes.
    let head = "POST /later HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf";
    let mut called = Called::with(head, 4096).await;
    sleep(THINKS - Duration::from_millis(500)).await;
    called.stop().await;
    called.reads("later").await;
    let took = called.ended().await;
    assert!((450..550).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_taken_is_waited_for_a_second() {
    for pause in [Duration::from_secs(3600), Duration::from_millis(70)] {
        let mut called = Called::get("/large", 64).await;
        called.stop().await;
        let took = called.ended_while_a_byte_is_taken_each(pause).await;
        assert!((1000..=1200).contains(&took), "{pause:?}: {took}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_tells_its_length_twice_is_the_last_of_its_connection() {
    let next = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let (long, chunked) = (format!("content-length: {}\r\n", 5 + next.len()), "transfer-encoding: chunked\r\n");
    for lengths in [format!("{long}{chunked}"), format!("{chunked}{long}")] {
        let sent = format!("POST /read HTTP/1.1\r\nhost: a\r\n{lengths}\r\n0\r\n\r\n{next}");
        let mut called = Called::with(&sent, 4096).await;
        let mut answered = String::new();
        called.caller.read_to_string(&mut answered).await.expect("until it ends");
        assert!(answered.starts_with("HTTP/1.1 200 ") && answered.ends_with("whole"), "{lengths:?}: {answered}");
    }
    // By its chunks alone it is one of many.
    let mut called = Called::with(&format!("POST /read HTTP/1.1\r\n{chunked}\r\n0\r\n\r\n{next}"), 4096).await;
    called.reads("here").await;
    for refused in ["content-length: 1\r\ncontent-length: 2\r\n", "transfer-encoding: chunked, gzip\r\n"] {
        let mut called = Called::with(&format!("POST /read HTTP/1.1\r\n{refused}\r\n"), 4096).await;
        called.reads("HTTP/1.1 400 ").await;
    }
}
