use super::*;
use crate::serve::{Listener, Tls};
use axum::Router;
use axum::routing::get;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

const DEADLINE: Duration = Duration::from_secs(10);

/// A server with a certificate of its own making.
async fn serving() -> (String, watch::Sender<bool>) {
    let file = |name: &str| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/client").join(name);
    let tls = Tls::load(&file("untrusted.pem"), &file("untrusted.key.pem")).expect("a certificate and its key");
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), Some(tls)).await.expect("it listens");
    let at = listener.local_addr().expect("an address");
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(listener.serve(Router::new(), stopping, Duration::ZERO));
    (format!("https://{at}"), stop)
}

#[test]
fn what_is_wrong_with_a_listeners_files_is_told_with_the_file() {
    let file = |name: &str| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/client").join(name);
    let (certificate, key) = (file("untrusted.pem"), file("untrusted.key.pem"));
    let told = |certificate: &PathBuf, key: &PathBuf| Tls::load(certificate, key).err().map(|error| error.to_string());
    assert_eq!(told(&certificate, &key), None);
    for (told, of, why) in [
        (told(&certificate, &certificate), &certificate, "it holds no private key in clear"),
        (told(&key, &key), &key, "it holds no certificate"),
    ] {
        let told = told.expect("nothing can be served by them");
        assert!(told.contains(&format!("{}: {why}", of.display())), "{told}");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_told_from_a_server_that_is_not_there() {
    let (at, _stop) = serving().await;
    let refused = Client::new().get(&at, "/health", DEADLINE).await.expect_err("it is not trusted");
    assert!(matches!(refused, CallError::Untrusted(_)), "{refused:?}");
    let told = refused.to_string();
    assert!(told.contains(&format!("the certificate of {at}/health")) && told.contains("SSL_CERT_FILE"), "{told}");
    // Also where nothing is asked.
    let refused = handshake(&at, DEADLINE).await.expect_err("it is not trusted");
    assert!(matches!(refused, CallError::Untrusted(_)), "{refused:?}");
    let told = refused.to_string();
    assert!(told.contains(&format!("the certificate of {at} ")) && told.contains("SSL_CERT_FILE"), "{told}");

    // One that speaks no TLS has no certificate that could be trusted.
    let plain = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("it listens");
    let at = plain.local_addr().expect("an address");
    let (_plain, stopping) = watch::channel(false);
    tokio::spawn(plain.serve(Router::new(), stopping, Duration::ZERO));
    let refused = Client::new().get(&format!("https://{at}"), "/health", DEADLINE).await.expect_err("no TLS");
    assert!(!matches!(refused, CallError::Untrusted(_)), "{refused:?}");
    let refused = handshake(&format!("https://{at}"), DEADLINE).await.expect_err("no TLS");
    assert!(matches!(refused, CallError::Unreachable(_)), "{refused:?}");
    handshake(&format!("http://{at}"), DEADLINE).await.expect("it takes connections");

    let free =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address");
    let refused = Client::new().get(&format!("https://{free}"), "/health", DEADLINE).await.expect_err("nobody");
    assert!(matches!(refused, CallError::Unreachable(_)), "{refused:?}");
    let refused = handshake(&format!("http://{free}"), DEADLINE).await.expect_err("nobody");
    assert!(matches!(refused, CallError::Unreachable(_)), "{refused:?}");
}

#[test]
fn what_is_done_about_a_certificate_is_told_by_what_is_wrong_with_it() {
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let told = |why: &CertificateError| untrusted(&"https://ledger.example", why);
    let ended = |now| told(&CertificateError::ExpiredContext { time: at(now), not_after: at(1_793_174_879) });
    assert!(ended(1_795_766_880).contains("(it ends 2026-10-28T08:07:59Z): renew it"), "{}", ended(1_795_766_880));
    assert_eq!(ended(1_795_766_880), ended(1_795_766_885), "whoever asks again and again is told once");
    let begins = told(&CertificateError::NotValidYetContext { time: at(1), not_before: at(2) });
    assert!(begins.contains("it begins 1970-01-01T00:00:02Z") && begins.contains("clock"), "{begins}");
    let expected = ServerName::try_from("ledger.example").expect("a name");
    let other = CertificateError::NotValidForNameContext { expected, presented: vec!["other.example".to_owned()] };
    let other = told(&other);
    assert!(other.contains("other.example") && other.contains("`url`"), "{other}");
    for told in [ended(1_795_766_880), begins, other] {
        assert!(!told.contains("SSL_CERT_FILE"), "no certificate authority is missing: {told}");
    }
    let unknown = told(&CertificateError::UnknownIssuer);
    assert!(unknown.contains("SSL_CERT_FILE names, which takes their place"), "{unknown}");
}

#[test]
fn certificates_are_judged_by_the_moment_that_is_asked_for() {
    let at = |ahead| Ahead(ahead).current_time().expect("a time").as_secs();
    let week = Duration::from_secs(7 * 24 * 3600);
    let (now, then) = (at(Duration::ZERO), at(week));
    assert!((week.as_secs()..week.as_secs() + 60).contains(&(then - now)), "{now}, {then}");
}

#[tokio::test]
async fn a_certificate_says_since_when_it_counts_whether_it_is_trusted_or_not() {
    let (at, _stop) = serving().await;
    let since = counts_since(&at, DEADLINE).await.map(Time::seconds);
    assert_eq!(since.as_deref(), Some("2026-11-26T14:42:06Z"));
    assert_eq!(counts_since("https://127.0.0.1:1", DEADLINE).await, None, "nobody is there");
}

#[tokio::test]
async fn a_certificate_that_nobody_shows_yet_is_looked_at_as_one_that_is_shown() {
    let file = |name: &str| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/client").join(name);
    let tls = Tls::load(&file("untrusted.pem"), &file("untrusted.key.pem")).expect("a certificate and its key");
    for base in ["https://127.0.0.1:1", "https://[::1]", "https://127.1", "no address"] {
        assert!(!trusts(base, &tls).await, "{base}");
    }
}

#[tokio::test]
async fn an_address_that_names_no_host_is_told_from_a_server_that_is_not_trusted() {
    let (at, _stop) = serving().await;
    // The system knows the machine by it, and it is neither a name nor an address that a certificate could have.
    let short = at.replace("127.0.0.1", "127.1");
    let refused = handshake(&short, DEADLINE).await.expect_err("no certificate is of that name");
    assert!(matches!(refused, CallError::Malformed(_)), "{refused:?}");
    assert!(refused.to_string().starts_with(&format!("{short} names no host: ")), "{refused}");
    let none = "https://a b";
    let handshaken = handshake(none, DEADLINE).await;
    let got = Client::new().get(none, "", DEADLINE).await.map(drop);
    let healthy = Client::new().health(none, DEADLINE).await.map(drop);
    for refused in [handshaken, got, healthy] {
        let refused = refused.expect_err("it is no address");
        assert!(matches!(refused, CallError::Malformed(_)), "{refused:?}");
        assert!(refused.to_string().contains("is not an address: "), "{refused}");
    }
}

#[tokio::test]
async fn a_corner_says_how_it_is_below_an_address_that_ends_in_a_slash_too() {
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("it listens");
    let at = format!("http://{}", listener.local_addr().expect("an address"));
    let (_stop, stopping) = watch::channel(false);
    let router = Router::new()
        .route("/health", get(|| async { (http::StatusCode::SERVICE_UNAVAILABLE, r#"{"ok":false}"#) }))
        .route("/page/health", get(|| async { "<html>" }))
        .route("/long/health", get(|| async { " ".repeat(MAX_SAID - 1) + "[]" }));
    tokio::spawn(listener.serve(router, stopping, Duration::ZERO));
    for base in [at.clone(), format!("{at}/")] {
        let (ready, said) = Client::new().health(&base, DEADLINE).await.expect("it says how it is");
        assert!(!ready, "{base}");
        assert_eq!(said.get("ok"), Some(&Value::Bool(false)), "{base}");
    }
    for base in [format!("{at}/page"), format!("{at}/long")] {
        let refused = Client::new().health(&base, DEADLINE).await.expect_err("it is no corner");
        assert!(matches!(refused, CallError::Malformed(_)), "{base}: {refused:?}");
    }
}

/// A server that takes one request, says this and hangs up.
async fn saying(answer: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let read = stream.read(&mut [0; 4096]).await.expect("a request");
        assert!(read > 0, "it asks before it is answered");
        stream.write_all(answer.as_bytes()).await.expect("taken");
    });
    format!("http://{at}")
}

#[tokio::test]
async fn what_a_corner_says_of_itself_is_nothing_where_it_breaks_off() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"ok\":true}",
        "HTTP/1.1 503 Service Unavailable\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
    ] {
        let base = saying(answer).await;
        let error = Client::new().health(&base, DEADLINE).await.expect_err("it is not whole");
        assert!(matches!(error, CallError::Malformed(_)), "{error:?}");
        assert!(error.to_string().starts_with(&format!("{base} broke off its answer")), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_at_the_deadline() {
    // The kernel takes the connection, and nobody else does.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = silent.local_addr().expect("an address");
    let soon = Duration::from_millis(50);
    let late = |base: &str| format!("{base} did not answer within 50 ms");
    let secure = format!("https://{at}");
    let error = handshake(&secure, soon).await.expect_err("nobody shakes hands");
    assert!(matches!(error, CallError::Late(_)), "{error:?}");
    assert_eq!(error.to_string(), late(&secure));
    let plain = format!("http://{at}");
    let error = Client::new().health(&plain, soon).await.expect_err("nobody says anything");
    assert!(matches!(error, CallError::Late(_)), "{error:?}");
    assert_eq!(error.to_string(), late(&plain));
    // What was posted has left, and may be read yet.
    let error = Client::new().post(&plain, "/act", &[], "{}", soon).await.expect_err("nobody says anything");
    assert!(matches!(error, CallError::Late(_)), "{error:?}");
    assert_eq!(error.to_string(), late(&format!("{plain}/act")));
}

#[tokio::test]
async fn of_many_connections_that_are_done_with_a_bounded_number_is_kept() {
    let most = IDLE + 16;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let (client, mut calls, mut streams) = (Client::new(), tokio::task::JoinSet::new(), Vec::new());
    for _ in 0..most {
        let (client, base) = (client.clone(), base.clone());
        calls.spawn(async move { client.get(&base, "/", DEADLINE).await });
    }
    // Each has one of its own, for none is answered yet.
    for _ in 0..most {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let read = stream.read(&mut [0; 4096]).await.expect("a request");
        assert!(read > 0, "it asks before it is answered");
        streams.push(stream);
    }
    for stream in &mut streams {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("taken");
    }
    while let Some(called) = calls.join_next().await {
        called.expect("no panic").expect("answered");
    }
    let mut ends = tokio::task::JoinSet::new();
    for mut stream in streams {
        ends.spawn(async move { stream.read(&mut [0; 1]).await });
    }
    for _ in IDLE..most {
        let end = tokio::time::timeout(DEADLINE, ends.join_next()).await.expect("it is closed");
        assert_eq!(end.expect("one of them").expect("no panic").expect("in order"), 0);
    }
    let kept = tokio::time::timeout(Duration::from_millis(100), ends.join_next()).await;
    assert!(kept.is_err(), "the others are kept");
}

#[tokio::test]
async fn a_connection_is_let_go_of_before_a_server_ends_it_after_five_seconds() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let client = Client::new();
    let called = async || client.get(&base, "/", DEADLINE).await.expect("answered");
    let answered = async |stream: &mut TcpStream| {
        let read = stream.read(&mut [0; 4096]).await.expect("a request");
        assert!(read > 0, "it asks before it is answered");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("taken");
    };
    let accepted = async || {
        let accepted = tokio::time::timeout(DEADLINE, listener.accept()).await.expect("another connection");
        let (mut stream, _) = accepted.expect("a connection");
        answered(&mut stream).await;
        stream
    };
    let ((), mut first) = tokio::join!(async { drop(called().await) }, accepted());
    let ((), ()) = tokio::join!(async { drop(called().await) }, answered(&mut first));
    tokio::time::pause();
    tokio::time::advance(Duration::from_millis(4_900)).await;
    tokio::time::resume();
    let ((), _second) = tokio::join!(async { drop(called().await) }, accepted());
}

#[tokio::test]
async fn a_request_whose_answer_breaks_off_goes_again_ever_more_seldom() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("it listens");
    let at = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut caller, _) = listener.accept().await.expect("a caller");
            let mut some = [0; 4096];
            // Whoever asked does not know that it was done.
            if caller.read(&mut some).await.is_ok_and(|read| read > 0) {
                counts.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let deadline = Duration::from_secs(1);
    let failed = Client::new().insist(&at, "/done", &[], "{}", deadline).await.expect_err("nobody answers");
    assert!(matches!(failed, CallError::Broken(_) | CallError::Late(_)), "{failed:?}");
    // The pauses of eight are 5, 10, … 320 ms, and another would be longer than what is left.
    let asked = asked.load(Ordering::SeqCst);
    assert!((2..=8).contains(&asked), "{asked} times");
}
