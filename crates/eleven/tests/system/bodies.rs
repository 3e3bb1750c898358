//! What the bodies of calls take of a gateway together.

use crate::harness::{Domain, Plan, request};
use eleven_core::encoding::{Value, parse};
use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Bytes of the largest body.
const LARGEST: usize = 1 << 20;
/// With which the gateway asks for a body.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A call of the largest body, of which its head was sent.
async fn announced(domain: &Domain) -> TcpStream {
    let mut stream = TcpStream::connect(domain.gateway_at).await.expect("it listens");
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {LARGEST}\r\nexpect: 100-continue\r\n\r\n",
        domain.secret
    );
    stream.write_all(head.as_bytes()).await.expect("it is taken");
    stream
}

/// Whether its body is asked for.
async fn is_asked_for(stream: &mut TcpStream) -> bool {
    let mut answer = [0; CONTINUE.len()];
    stream.read_exact(&mut answer).await.expect("an answer");
    answer == CONTINUE
}

/// The answer, from its first byte that was not read.
async fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_for_which_there_is_no_room_is_refused_unread_and_taken_once_there_is() {
    let domain = Domain::start(Plan { bodies: Some((LARGEST, 0)), ..Plan::default() }).await;
    let body = request(&"x".repeat(LARGEST - request("").len()));
    let (all_but_one, last) = body.as_bytes().split_at(LARGEST - 1);
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut stream = announced(&domain).await;
        assert!(is_asked_for(&mut stream).await, "there is room for four");
        stream.write_all(all_but_one).await.expect("it is taken");
        held.push(stream);
    }
    // What was sent last may be on its way yet.
    domain
        .until("all the room is taken", |domain| async move { !is_asked_for(&mut announced(domain).await).await })
        .await;
    let (calls, records) = (domain.calls(), domain.journal_records().await);
    let refused = answer(announced(&domain).await).await;
    let (head, said) = refused.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("\r\nretry-after: 1"), "{head}");
    assert!(!head.contains("eleven-"), "nothing was decided, and nothing recorded: {head}");
    let said = parse(said.as_bytes()).expect("I-JSON");
    let text = |pointer: &str| said.pointer(pointer).and_then(Value::as_str);
    let why = "the requests that are being read take all the room there is: send this one again in a moment";
    assert_eq!((text("/detail"), text("/error/message")), (Some(why), Some(why)));
    assert_eq!((text("/error/type"), text("/error/code")), (Some("server_error"), Some("eleven_error")));
    assert_eq!((text("/reason"), text("/decision"), text("/lineage")), (None, None, None), "{said}");
    assert_eq!((domain.calls(), domain.journal_records().await), (calls, records));
    assert_eq!(domain.chat(&request("small")).await.status, StatusCode::OK, "there is always room for a small one");

    // One of the four goes its way, and another has its place.
    let mut first = held.remove(0);
    first.write_all(last).await.expect("it is taken");
    let answered = answer(first).await;
    assert!(answered.starts_with("HTTP/1.1 200 "), "{}", &answered[..200.min(answered.len())]);
    domain.until("there is room again", |domain| async move { is_asked_for(&mut announced(domain).await).await }).await;
    let mut next = announced(&domain).await;
    assert!(is_asked_for(&mut next).await);
    next.write_all(body.as_bytes()).await.expect("it is taken");
    let answered = answer(next).await;
    assert!(answered.starts_with("HTTP/1.1 200 "), "{}", &answered[..200.min(answered.len())]);
}
