//! `release: stream` (PROTOCOL 5.1): what passes, what is held, and how it ends when somebody leaves.

use crate::harness::{Domain, IDENTITY, PATIENCE, Plan, request};
use eleven_authority::admin::Act;
use eleven_core::artifact::result_digest;
use eleven_core::attestation::StatementResult;
use eleven_core::encoding::{Value, parse};
use eleven_core::hash::Sha3;
use http::{Request, StatusCode, Version, header};
use http_body_util::{BodyExt as _, Full};
use std::time::Duration;

fn streaming() -> Plan {
    Plan { release: "stream", digests: "plain", ..Plan::default() }
}

fn stream_request(prompt: &str) -> String {
    request(prompt).replacen('{', r#"{"stream":true,"#, 1)
}

/// Sends a call and gives the answer's body to be read piece by piece, and its operation.
async fn open(domain: &Domain, prompt: &str) -> (hyper::body::Incoming, String) {
    let request = Request::post(format!("http://{}/v1/chat/completions", domain.gateway_at))
        .header("authorization", format!("Bearer {}", domain.secret))
        .body(Full::new(bytes::Bytes::from(stream_request(prompt))))
        .expect("a request");
    let response = domain.client.send(request).await.expect("answers");
    assert_eq!(response.status(), StatusCode::OK);
    let op = response.headers().get("eleven-lineage").and_then(|v| v.to_str().ok()).expect("a lineage");
    let op = op.strip_prefix("lineage://op/").expect("an op").to_owned();
    (response.into_body(), op)
}

/// The next piece.
async fn piece(body: &mut hyper::body::Incoming) -> Option<Result<bytes::Bytes, hyper::Error>> {
    let frame = tokio::time::timeout(PATIENCE, body.frame()).await.expect("a piece in time")?;
    Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

/// What comes of an answer that is broken off.
async fn broken_off(mut body: hyper::body::Incoming) -> Vec<u8> {
    let mut got = Vec::new();
    loop {
        match piece(&mut body).await {
            Some(Ok(next)) => got.extend_from_slice(&next),
            Some(Err(_)) => return got,
            None => panic!("it looks whole: {}", String::from_utf8_lossy(&got)),
        }
    }
}

/// The events that came of a stream, and why it broke off, by the last.
fn told(got: &[u8]) -> (String, String) {
    let got = String::from_utf8_lossy(got);
    let (passed, last) = got.split_at(got.find("data: {\"error\"").unwrap_or(got.len()));
    let last = last.strip_prefix("data: ").and_then(|last| parse(last.trim_end().as_bytes()).ok()).expect("an error");
    let message = last.pointer("/error/message").and_then(Value::as_str).expect("a message");
    let (why, lineage) = message.split_once(" (").expect("a lineage");
    assert!(lineage.starts_with("lineage://op/"), "{message}");
    (passed.to_owned(), why.to_owned())
}

/// How an operation ended, by its bundle, which verifies: the event, its cause, and what was sent.
async fn ended(domain: &Domain, op: &str) -> (String, Option<String>, Value) {
    let bundle = domain.bundle_of(op, 7).await;
    let report = domain.verify(&bundle);
    assert_eq!(report.exit_code(), 0, "{}", report.to_value());
    let event = &bundle.get("events").and_then(Value::as_array).expect("events")[5];
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let data = event.get("data").expect("data");
    (text(event.get("event")).expect("a name"), text(data.get("cause")), data.get("result").expect("a result").clone())
}

/// What the evidence says was sent, where it was these bytes.
fn sent(bytes: &[u8], status: u16) -> Value {
    let (digest, status) = (result_digest("", Sha3::of(&[bytes]), status), u64::from(status));
    StatementResult { digest, bytes: bytes.len() as u64, status }.to_value()
}

fn by(name: &str, cause: Option<&str>, result: Value) -> (String, Option<String>, Value) {
    (name.to_owned(), cause.map(str::to_owned), result)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_stream_waits_for_its_evidence() {
    let domain = Domain::start(streaming()).await;
    domain.upstream.gate.send_replace(false);
    let (mut body, op) = open(&domain, "stream").await;
    let mut got = Vec::new();
    // Two content chunks pass while the model is still at work; the third may be the last, and stays.
    while !String::from_utf8_lossy(&got).contains("two") {
        got.extend_from_slice(&piece(&mut body).await.expect("a piece").expect("whole"));
    }
    assert!(
        tokio::time::timeout(Duration::from_millis(200), body.frame()).await.is_err(),
        "the last content chunk is held"
    );
    domain.upstream.gate.send_replace(true);
    while let Some(next) = piece(&mut body).await {
        got.extend_from_slice(&next.expect("whole"));
    }
    let text = String::from_utf8_lossy(&got);
    assert!(text.contains("three") && text.ends_with("data: [DONE]\n\n"), "{text}");
    assert_eq!(ended(&domain, &op).await, by("execution.completed", None, sent(&got, 200)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_is_in_the_evidence_with_the_bytes_it_got() {
    let domain = Domain::start(streaming()).await;
    domain.upstream.gate.send_replace(false);
    let (mut body, op) = open(&domain, "stream").await;
    let mut got = Vec::new();
    while !String::from_utf8_lossy(&got).contains("two") {
        got.extend_from_slice(&piece(&mut body).await.expect("a piece").expect("whole"));
    }
    drop(body);
    assert_eq!(ended(&domain, &op).await, by("execution.interrupted", Some("caller.left"), sent(&got, 200)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_breaks_off_never_looks_whole() {
    let domain = Domain::start(streaming()).await;
    domain.upstream.gate.send_replace(false);
    let (mut body, op) = open(&domain, "break").await;
    let mut got = piece(&mut body).await.expect("a piece").expect("whole").to_vec();
    // Something came of it: from here on the upstream may break off.
    domain.upstream.gate.send_replace(true);
    got.extend(broken_off(body).await);
    assert_eq!(ended(&domain, &op).await, by("execution.failed", Some("upstream.failed"), sent(&got, 200)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_looks_whole_to_no_caller_of_http_1_0_either() {
    let domain = Domain::start(streaming()).await;
    for (prompt, status, expected) in [
        ("stream", StatusCode::OK, ("execution.completed", None)),
        ("break", StatusCode::BAD_GATEWAY, ("execution.failed", Some("upstream.failed"))),
    ] {
        let request = Request::post(format!("http://{}/v1/chat/completions", domain.gateway_at))
            .version(Version::HTTP_10)
            .header("authorization", format!("Bearer {}", domain.secret))
            .body(Full::new(bytes::Bytes::from(stream_request(prompt))))
            .expect("a request");
        let (parts, body) = domain.client.send(request).await.expect("answers").into_parts();
        let body = body.collect().await.expect("whole").to_bytes();
        assert_eq!(parts.status, status, "{}", String::from_utf8_lossy(&body));
        let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        assert_eq!(length, Some(body.len().to_string().as_str()), "its end is told by more than the connection's");
        let op = parts.headers["eleven-lineage"].to_str().ok().and_then(|op| op.strip_prefix("lineage://op/"));
        let sent = sent(&body, status.as_u16());
        assert_eq!(ended(&domain, op.expect("an op")).await, by(expected.0, expected.1, sent));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_end_with_their_connection_are_whole_where_they_say_so_themselves() {
    let event = |text: &str| {
        let delta = format!(r#"{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}"#);
        format!("data: {{\"choices\":[{delta}]}}\n\n")
    };
    let cut = [event("one "), event("two "), event("three ")].concat();
    let all = format!("{cut}data: [DONE]\n\n");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    for release in ["stream", "whole"] {
        let mut domain = Domain::start(Plan { release, ..streaming() }).await;
        domain.answer_by(format!("{head}{all}")).await;
        let answered = domain.chat(&stream_request("x")).await;
        assert_eq!((answered.status, answered.body.as_ref()), (StatusCode::OK, all.as_bytes()), "{release}");
        assert_eq!(ended(&domain, answered.op()).await, by("execution.completed", None, sent(all.as_bytes(), 200)));

        domain.answer_by(format!("{head}{cut}")).await;
        let (op, sent) = if release == "whole" {
            let answered = domain.chat(&stream_request("x")).await;
            assert_eq!(answered.status, StatusCode::BAD_GATEWAY);
            (answered.op().to_owned(), sent(&answered.body, 502))
        } else {
            let (body, op) = open(&domain, "x").await;
            let got = broken_off(body).await;
            let passed = [event("one "), event("two ")].concat();
            assert_eq!(told(&got), (passed, "the upstream does not answer, or broke off its answer".to_owned()));
            (op, sent(&got, 200))
        };
        assert_eq!(ended(&domain, &op).await, by("execution.failed", Some("upstream.failed"), sent), "{release}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_larger_than_is_held_fails_and_its_evidence_says_why() {
    let all = format!("data: \"{}\"\n\ndata: [DONE]\n\n", "x".repeat(9_000));
    for release in ["stream", "whole"] {
        let mut domain = Domain::start(Plan { release, max_response: Some(8_000), ..streaming() }).await;
        domain.answer_by(format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{all}")).await;
        let (op, sent) = if release == "whole" {
            let answered = domain.chat(&stream_request("x")).await;
            assert_eq!((answered.status, answered.header("eleven-decision")), (StatusCode::BAD_GATEWAY, ""));
            let said = answered.json();
            let why = "the upstream's response is larger than the 8000 bytes of runtime.gateway.max_response";
            assert_eq!(said.get("detail").and_then(Value::as_str), Some(why), "{said}");
            (answered.op().to_owned(), sent(&answered.body, 502))
        } else {
            let (body, op) = open(&domain, "x").await;
            let got = broken_off(body).await;
            let why = "the upstream's response is larger than the 8000 bytes of runtime.gateway.max_response";
            assert_eq!(told(&got), (String::new(), why.to_owned()), "what was held is not passed on");
            (op, sent(&got, 200))
        };
        assert_eq!(ended(&domain, &op).await, by("execution.failed", Some("limits.exceeded"), sent), "{release}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_whose_lines_end_with_a_carriage_return_alone_are_read_as_their_reader_does() {
    let event = |text: &str| {
        let delta = format!(r#"{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}"#);
        format!("event: message\rdata: {{\"choices\":[{delta}]}}\n\n")
    };
    let all = ["\u{feff}", &event("one "), &event("two "), "event: message\rdata: [DONE]\n\n", "id: 7\n\n"].concat();
    let mut domain = Domain::start(streaming()).await;
    domain.answer_by(format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{all}")).await;
    // It has an end, behind which everything is held until its evidence is durable.
    let answered = domain.chat(&stream_request("x")).await;
    assert_eq!((answered.status, answered.body.as_ref()), (StatusCode::OK, all.as_bytes()));
    assert_eq!(ended(&domain, answered.op()).await, by("execution.completed", None, sent(all.as_bytes(), 200)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_encoded_is_held_whole_for_no_end_is_seen_in_it() {
    let mut domain = Domain::start(streaming()).await;
    // To whoever reads it as it came it is events without an end of their own, in a coding that says nothing of their bounds.
    let (coded, more) = ("one\n\ntwo\n\nthe end\n\n", 7);
    let failed = (StatusCode::BAD_GATEWAY, ("execution.failed", Some("upstream.failed")));
    for (coded, length, (status, expected)) in [
        (coded, Some(coded.len()), (StatusCode::OK, ("execution.completed", None))),
        // Had any of it passed, its head had, too.
        (coded, Some(coded.len() + more), failed),
        // Nor is one seen where its end is its connection's, and some of its bytes look like one.
        (coded, None, failed),
        ("one\n\ndata: the end\n\n", None, failed),
    ] {
        let kind = "content-type: text/event-stream\r\ncontent-encoding: gzip\r\n";
        let named = length.map_or_else(String::new, |length| format!("content-length: {length}\r\n"));
        domain.answer_by(format!("HTTP/1.1 200 OK\r\n{kind}{named}\r\n{coded}")).await;
        let answered = domain.chat(&stream_request("x")).await;
        assert_eq!(answered.status, status, "{}", String::from_utf8_lossy(&answered.body));
        if status == StatusCode::OK {
            assert_eq!((answered.header("content-encoding"), answered.body.as_ref()), ("gzip", coded.as_bytes()));
        }
        let sent = sent(&answered.body, status.as_u16());
        assert_eq!(ended(&domain, answered.op()).await, by(expected.0, expected.1, sent), "{length:?}: {coded}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_events_is_held_whole_and_one_that_breaks_off_is_not_asked_for_again() {
    let mut domain = Domain::start(streaming()).await;
    let answer = r#"{"choices":[{"message":{"role":"assistant","content":"one"},"finish_reason":"stop"}]}"#;
    // All that it says is in its first piece, which would have passed before its evidence.
    let pieces = format!("{:x}\r\n{answer}\r\n1\r\n\n\r\n", answer.len());
    for kind in ["content-type: application/json\r\n", "content-type: text/plain\r\n", ""] {
        let head = format!("HTTP/1.1 200 OK\r\n{kind}transfer-encoding: chunked\r\nconnection: close\r\n\r\n");
        domain.answer_by(format!("{head}{pieces}0\r\n\r\n")).await;
        let answered = domain.chat(&request("x")).await;
        let all = format!("{answer}\n");
        assert_eq!((answered.status, answered.body.as_ref()), (StatusCode::OK, all.as_bytes()), "{kind}");
        assert_eq!(answered.header("content-length"), all.len().to_string(), "{kind}");
        assert_eq!(ended(&domain, answered.op()).await, by("execution.completed", None, sent(all.as_bytes(), 200)));

        domain.answer_by(format!("{head}{pieces}")).await;
        let answered = domain.chat(&request("x")).await;
        assert_eq!((answered.status, answered.header("x-should-retry")), (StatusCode::BAD_GATEWAY, "false"), "{kind}");
        let sent = sent(&answered.body, 502);
        assert_eq!(
            ended(&domain, answered.op()).await,
            by("execution.failed", Some("upstream.failed"), sent),
            "{kind}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_a_transfer_coding_that_nobody_asked_for_fails_and_nothing_of_it_passes() {
    // To whoever reads it as it came it is events without an end of their own.
    let coded = "one\n\ntwo\n\nthe end\n\n";
    let chunks = format!("{:x}\r\n{coded}\r\n0\r\n\r\n", coded.len());
    for release in ["stream", "whole"] {
        let mut domain = Domain::start(Plan { release, ..streaming() }).await;
        for (codings, body) in
            [("gzip, chunked", chunks.as_str()), ("chunked, chunked", chunks.as_str()), ("gzip", coded)]
        {
            let head = format!("content-type: text/event-stream\r\ntransfer-encoding: {codings}\r\n");
            domain.answer_by(format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}")).await;
            let answered = domain.chat(&stream_request("x")).await;
            let said = String::from_utf8_lossy(&answered.body);
            assert_eq!(answered.status, StatusCode::BAD_GATEWAY, "{release}, {codings}: {said}");
            let sent = sent(&answered.body, 502);
            let expected = by("execution.failed", Some("upstream.failed"), sent);
            assert_eq!(ended(&domain, answered.op()).await, expected, "{release}, {codings}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_body_is_whole_and_its_caller_has_not_left() {
    let mut domain = Domain::start(streaming()).await;
    for (method, path, answer, status) in [
        ("POST", "/v1/chat/completions", "204 No Content\r\n", 204),
        ("POST", "/v1/chat/completions", "304 Not Modified\r\netag: \"x\"\r\n", 304),
        ("POST", "/v1/chat/completions", "200 OK\r\ncontent-length: 0\r\n", 200),
        ("HEAD", "/v1/models", "200 OK\r\ncontent-length: 20\r\n", 200),
        ("HEAD", "/v1/models", "200 OK\r\ncontent-type: text/event-stream\r\n", 200),
    ] {
        domain.answer_by(format!("HTTP/1.1 {answer}connection: close\r\n\r\n")).await;
        // As one whose caller left it was recorded at random.
        for _ in 0..4 {
            let body = if method == "POST" { stream_request("x") } else { String::new() };
            let request = Request::builder()
                .method(method)
                .uri(format!("http://{}{path}", domain.gateway_at))
                .header("authorization", format!("Bearer {}", domain.secret))
                .body(Full::new(bytes::Bytes::from(body)))
                .expect("a request");
            let (parts, body) = domain.client.send(request).await.expect("answers").into_parts();
            assert_eq!(parts.status.as_u16(), status, "{method}: {answer}");
            assert!(body.collect().await.expect("whole").to_bytes().is_empty());
            if method == "HEAD" {
                let length = parts.headers.get("content-length").map(http::HeaderValue::as_bytes);
                let said = answer.contains("content-length: 20").then_some(&b"20"[..]);
                assert_eq!(length, said, "of the body that a GET brings, as the upstream says or does not: {answer}");
            }
            let op = parts.headers["eleven-lineage"].to_str().ok().and_then(|op| op.strip_prefix("lineage://op/"));
            let expected = by("execution.completed", None, sent(b"", status));
            assert_eq!(ended(&domain, op.expect("an op")).await, expected, "{method}: {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_a_head_is_told_of_an_upstream_that_failed_no_bytes_are_in_the_evidence() {
    for release in ["stream", "whole"] {
        let mut domain = Domain::start(Plan { release, ..streaming() }).await;
        for answer in ["", "HTTP/1.1 307 Temporary Redirect\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n"] {
            domain.answer_by(answer.to_owned()).await;
            let request = Request::head(format!("http://{}/v1/models", domain.gateway_at))
                .header("authorization", format!("Bearer {}", domain.secret))
                .body(Full::new(bytes::Bytes::new()))
                .expect("a request");
            let (parts, body) = domain.client.send(request).await.expect("answers").into_parts();
            assert_eq!(parts.status, StatusCode::BAD_GATEWAY, "{release}: {answer}");
            assert!(body.collect().await.expect("whole").to_bytes().is_empty());
            let op = parts.headers["eleven-lineage"].to_str().ok().and_then(|op| op.strip_prefix("lineage://op/"));
            let expected = by("execution.failed", Some("upstream.failed"), sent(b"", 502));
            assert_eq!(ended(&domain, op.expect("an op")).await, expected, "{release}: {answer}");
        }
    }
}

/// Ends what runs by an act on its operation: its stream is broken off, and the evidence names this cause.
async fn interrupted_by(act: impl FnOnce(&str) -> Act, cause: &str) {
    let domain = Domain::start(streaming()).await;
    domain.upstream.gate.send_replace(false);
    let (mut body, op) = open(&domain, "stream").await;
    let mut got = piece(&mut body).await.expect("a piece").expect("whole").to_vec();
    // The consumption has to be in the ledger first: of a revoked artifact it takes none (PROTOCOL 6.1).
    domain.bundle_of(&op, 4).await;
    domain.act(act(&op)).await;
    let broken = loop {
        match piece(&mut body).await {
            Some(Ok(next)) => got.extend_from_slice(&next),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broken, "the stream is broken off");
    let (name, found, _) = ended(&domain, &op).await;
    assert_eq!((name.as_str(), found.as_deref()), ("execution.interrupted", Some(cause)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_interrupts_what_runs() {
    let revoke = |op: &str| Act::ArtifactRevoke { artifact: format!("auth_{op}"), why: "operator".into() };
    interrupted_by(revoke, "artifact.revoked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_containment_interrupts_what_runs() {
    let contain = |_: &str| Act::SubjectContain { kind: "identity".into(), subject: IDENTITY.into() };
    interrupted_by(contain, "runtime.contained").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_response_is_held_and_an_interrupted_one_is_refused() {
    let domain = Domain::start(Plan { max_run: Some(1), ..Plan::default() }).await;
    domain.upstream.gate.send_replace(false);
    let answered = domain.chat(&request("slow")).await;
    assert_eq!(answered.status, StatusCode::GATEWAY_TIMEOUT);
    let (said, why) = (answered.json(), "the execution ran longer than the 1 s of the term max_run of its policy");
    assert_eq!(said.get("detail").and_then(Value::as_str), Some(why), "{said}");
    let (name, cause, _) = ended(&domain, answered.op()).await;
    assert_eq!((name.as_str(), cause.as_deref()), ("execution.interrupted", Some("max_run")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_upstream_is_passed_on_and_recorded_as_failed() {
    let domain = Domain::start(Plan { digests: "plain", ..Plan::default() }).await;
    let answered = domain.chat(&request("error")).await;
    assert_eq!(answered.status, StatusCode::INTERNAL_SERVER_ERROR);
    let expected = by("execution.failed", Some("upstream.failed"), sent(&answered.body, 500));
    assert_eq!(ended(&domain, answered.op()).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_upstream_is_recorded_as_failed_when_it_is_streamed_too() {
    let domain = Domain::start(streaming()).await;
    let answered = domain.chat(&stream_request("error")).await;
    assert_eq!(answered.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answered.body.is_empty(), "what it said is passed on");
    let expected = by("execution.failed", Some("upstream.failed"), sent(&answered.body, 500));
    assert_eq!(ended(&domain, answered.op()).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_connection_open_passes_and_does_not_push_out_the_last_chunk() {
    let domain = Domain::start(streaming()).await;
    domain.upstream.gate.send_replace(false);
    let (mut body, op) = open(&domain, "keep alive").await;
    let mut got = Vec::new();
    // Comments come behind the third chunk, which may be the last, and pass ahead of it.
    while String::from_utf8_lossy(&got).matches(": keep-alive").count() < 2 {
        got.extend_from_slice(&piece(&mut body).await.expect("a piece").expect("whole"));
    }
    let text = String::from_utf8_lossy(&got);
    assert!(text.contains("two") && !text.contains("three"), "{text}");
    domain.upstream.gate.send_replace(true);
    while let Some(next) = piece(&mut body).await {
        got.extend_from_slice(&next.expect("whole"));
    }
    let text = String::from_utf8_lossy(&got);
    assert!(text.contains("three") && text.ends_with("data: [DONE]\n\n"), "{text}");
    assert_eq!(ended(&domain, &op).await, by("execution.completed", None, sent(&got, 200)));
}
