//! `release: stream` (PROTOCOL 5.1): what passes, what is held, and how it ends when somebody leaves.

use crate::harness::{Domain, Plan, request};
use eleven_authority::admin::Act;
use eleven_core::artifact::result_digest;
use eleven_core::encoding::Value;
use eleven_core::hash::Sha3;
use http::{Request, StatusCode};
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

/// The next piece, within two seconds.
async fn piece(body: &mut hyper::body::Incoming) -> Option<Result<bytes::Bytes, hyper::Error>> {
    let frame = tokio::time::timeout(Duration::from_secs(2), body.frame()).await.expect("a piece in time")?;
    Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

fn outcome(bundle: &Value) -> (String, Value) {
    let event = &bundle.get("events").and_then(Value::as_array).expect("events")[5];
    let name = event.get("event").and_then(Value::as_str).expect("a name").to_owned();
    (name, event.get("data").expect("data").clone())
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
    let bundle = domain.bundle_of(&op, 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0);
    let (name, data) = outcome(&bundle);
    let digest = result_digest("", Sha3::of(&[&got]), 200).to_string();
    assert_eq!(name, "execution.completed");
    assert_eq!(
        data.pointer("/result/digest").and_then(Value::as_str),
        Some(digest.as_str()),
        "the bytes that were sent"
    );
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
    let bundle = domain.bundle_of(&op, 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0);
    let (name, data) = outcome(&bundle);
    assert_eq!(name, "execution.interrupted");
    assert_eq!(data.get("cause").and_then(Value::as_str), Some("caller.left"));
    assert_eq!(data.pointer("/result/bytes").and_then(Value::as_int), i64::try_from(got.len()).ok());
    let digest = result_digest("", Sha3::of(&[&got]), 200).to_string();
    assert_eq!(data.pointer("/result/digest").and_then(Value::as_str), Some(digest.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_breaks_off_never_looks_whole() {
    let domain = Domain::start(streaming()).await;
    domain.upstream.gate.send_replace(false);
    let (mut body, op) = open(&domain, "break").await;
    let mut got = piece(&mut body).await.expect("a piece").expect("whole").to_vec();
    // Something came of it: from here on the upstream may break off.
    domain.upstream.gate.send_replace(true);
    let broken = loop {
        match piece(&mut body).await {
            Some(Ok(next)) => got.extend_from_slice(&next),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broken, "the connection is broken off: {}", String::from_utf8_lossy(&got));
    let bundle = domain.bundle_of(&op, 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0);
    let (name, data) = outcome(&bundle);
    assert_eq!(
        (name.as_str(), data.get("cause").and_then(Value::as_str)),
        ("execution.failed", Some("upstream.failed"))
    );
    assert_eq!(data.pointer("/result/bytes").and_then(Value::as_int), i64::try_from(got.len()).ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_interrupts_what_runs() {
    let domain = Domain::start(streaming()).await;
    domain.upstream.gate.send_replace(false);
    let (mut body, op) = open(&domain, "stream").await;
    let mut got = piece(&mut body).await.expect("a piece").expect("whole").to_vec();
    // The consumption has to be in the ledger first: of a revoked artifact it takes none (PROTOCOL 6.1).
    domain.bundle_of(&op, 4).await;
    domain.act(Act::ArtifactRevoke { artifact: format!("auth_{op}"), why: "operator".into() }).await;
    let broken = loop {
        match piece(&mut body).await {
            Some(Ok(next)) => got.extend_from_slice(&next),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broken, "the stream is broken off");
    let bundle = domain.bundle_of(&op, 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0, "{}", domain.verify(&bundle).to_value());
    let (name, data) = outcome(&bundle);
    assert_eq!(
        (name.as_str(), data.get("cause").and_then(Value::as_str)),
        ("execution.interrupted", Some("artifact.revoked"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_response_is_held_and_an_interrupted_one_is_refused() {
    let domain = Domain::start(Plan { max_run: Some(1), ..Plan::default() }).await;
    domain.upstream.gate.send_replace(false);
    let answered = domain.chat(&request("slow")).await;
    assert_eq!(answered.status, StatusCode::GATEWAY_TIMEOUT);
    let bundle = domain.bundle_of(answered.op(), 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0);
    let (name, data) = outcome(&bundle);
    assert_eq!((name.as_str(), data.get("cause").and_then(Value::as_str)), ("execution.interrupted", Some("max_run")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_upstream_is_passed_on_and_recorded_as_failed() {
    let domain = Domain::start(Plan::default()).await;
    let answered = domain.chat(&request("error")).await;
    assert_eq!(answered.status, StatusCode::INTERNAL_SERVER_ERROR);
    let bundle = domain.bundle_of(answered.op(), 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0);
    assert_eq!(outcome(&bundle).0, "execution.failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_upstream_is_recorded_as_failed_when_it_is_streamed_too() {
    let domain = Domain::start(streaming()).await;
    let answered = domain.chat(&stream_request("error")).await;
    assert_eq!(answered.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answered.body.is_empty(), "what it said is passed on");
    let bundle = domain.bundle_of(answered.op(), 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0);
    let (name, data) = outcome(&bundle);
    assert_eq!(
        (name.as_str(), data.get("cause").and_then(Value::as_str)),
        ("execution.failed", Some("upstream.failed"))
    );
    let digest = result_digest("", Sha3::of(&[&answered.body]), 500).to_string();
    assert_eq!(data.pointer("/result/digest").and_then(Value::as_str), Some(digest.as_str()));
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
    let bundle = domain.bundle_of(&op, 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0);
    let digest = result_digest("", Sha3::of(&[&got]), 200).to_string();
    assert_eq!(outcome(&bundle).1.pointer("/result/digest").and_then(Value::as_str), Some(digest.as_str()));
}
