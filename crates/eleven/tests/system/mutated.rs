//! Bodies as no client makes them, on their way in pieces as no client sends them: each is answered, by what it is.

use crate::harness::{Domain, IDENTITY, PATIENCE, POINT, Plan, RUNTIME, request, signer};
use eleven_api::audit::Append;
use eleven_api::identity::Exchange;
use eleven_api::routes;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::event::{About, Draft, Place};
use eleven_core::hash::{Sha3, base64};
use eleven_core::reason::Reason;
use eleven_fuzz_targets::http::corpus;
use eleven_fuzz_targets::mutate::{Mutator, Shape};
use http::StatusCode;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What the inputs are made from.
const SEED: u64 = 11;
/// Bodies that each path is sent.
const BODIES: usize = 300;

/// A request with this body, in the pieces in which it is written: one of four ways, by its number.
fn pieces(number: usize, path: &str, secret: Option<&str>, body: &[u8]) -> Vec<Vec<u8>> {
    let secret = secret.map_or_else(String::new, |secret| format!("Authorization:Bearer {secret}\r\n"));
    let head =
        |more: &str| format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{secret}{more}\r\n").into_bytes();
    let length = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    match number % 4 {
        0 => vec![[head(&length), body.to_vec()].concat()],
        1 => {
            let (first, rest) = body.split_at(body.len() / 3);
            vec![head(&length), first.to_vec(), rest.to_vec()]
        }
        // Chunks of a byte at first, and what may stand beside a chunk's size; of no type, and with a field behind the last.
        2 => {
            let (first, rest) = body.split_at(body.len().min(24));
            let chunks = first.chunks(1).chain(rest.chunks(4097));
            let chunks = chunks
                .flat_map(|chunk| [format!("{:05X};x=\"y\"\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
            let head = head("Transfer-Encoding: chunked\r\ntrailer: x\r\n");
            vec![head, chunks.chain(*b"0\r\nx: y\r\n\r\n").collect()]
        }
        // One chunk, cut where its size stands.
        _ => {
            let size = if body.is_empty() { Vec::new() } else { format!("{:x}\r\n", body.len()).into_bytes() };
            let (first, rest) = size.split_at(size.len() / 2);
            let end: &[u8] = if body.is_empty() { b"0\r\n\r\n" } else { b"\r\n0\r\n\r\n" };
            let head = head("transfer-encoding: chunked\r\ncontent-type: text/plain;charset=latin1\r\n");
            vec![[head.as_slice(), first].concat(), [rest, body, end].concat()]
        }
    }
}

/// The status of the answer, its head and its body.
async fn answer(at: SocketAddr, pieces: &[Vec<u8>]) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(at).await.expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    for piece in pieces {
        stream.write_all(piece).await.expect("it is taken");
        tokio::task::yield_now().await;
    }
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    read.expect("it is answered").expect("to its end");
    let end = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
    let body = answer.split_off(end);
    let head = String::from_utf8(answer).expect("text");
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|head| head.get(..3)).and_then(|status| status.parse().ok());
    (status.expect("a status"), head, body)
}

/// A request for an artifact, as a client makes it by itself.
fn ask() -> Vec<u8> {
    let request =
        Object::new().with("body", Sha3::of(&[b"body"])).with("method", "POST").with("path", "/v1/chat/completions");
    let ask = Object::new().with("identity", IDENTITY).with("op", Domain::operation());
    ask.with("env", Object::new().with("runtime", RUNTIME)).with("request", request).canonical()
}

/// An append of one record of the point's, under a number that its stream does not come to.
fn append(domain: &Domain) -> Vec<u8> {
    let about = About { reason: Some(Reason::PolicyNone), identity: Some(IDENTITY.into()), ..About::default() };
    let (ts, by) = (domain.clock.now(), POINT.to_owned());
    let data = Object::new().with("detail", "x");
    let draft = Draft { event: "execution.denied", place: Place::Alone, ts, by, src_seq: 1 << 40, data, about };
    let mut append = Append::default();
    append.record(&draft.sign(&*signer("gw-0")).expect("a record"));
    append.to_bytes().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_was_changed_and_cut_anyhow_is_answered_by_what_it_is() {
    let domain = Domain::start(Plan::default()).await;
    let exchange = Exchange { secret: domain.secret.clone() }.to_value().canonical();
    let secret = Some(domain.secret.as_str());
    for (at, path, secret, own) in [
        (domain.ledger_at, routes::AUDIT_EVENTS, None, append(&domain)),
        (domain.authority_at, routes::GOVERN_EXECUTE, secret, ask()),
        (domain.authority_at, routes::IDENTITY_TOKEN, None, exchange),
    ] {
        // As many as the others are of it alone, so that what is behind the first look is reached.
        let mut bodies = corpus();
        bodies.extend(std::iter::repeat_n(own.clone(), bodies.len()));
        let mut mutator = Mutator::new(SEED, Shape::Json, bodies);
        for number in 0..BODIES {
            let body = if number < 4 { own.clone() } else { mutator.input() };
            let (status, head, said) = answer(at, &pieces(number, path, secret, &body)).await;
            let about = || {
                format!(
                    "{path}, body {number} of seed {SEED}: {head}{} to {}",
                    String::from_utf8_lossy(&said),
                    base64(&body)
                )
            };
            assert!((200..500).contains(&status), "{}", about());
            let document = parse(&said).unwrap_or_else(|error| panic!("{error}: {}", about()));
            // However it was sent, what is right is taken, and what is of a later number is not.
            if number < 4 {
                assert_eq!(status, if path == routes::AUDIT_EVENTS { 409 } else { 200 }, "{}", about());
            }
            if status < 300 {
                continue;
            }
            assert!(head.to_lowercase().contains("\r\ncontent-type: application/problem+json\r\n"), "{}", about());
            let named = document.get("status").and_then(Value::as_int);
            assert!(named == Some(i64::from(status)) && document.get("detail").is_some(), "{}", about());
        }
    }
    assert_eq!(domain.chat(&request("as before")).await.status, StatusCode::OK);
}
