//! Every way in which a call is refused: the exact reason, no call upstream, the event proven.

use crate::export::examiner;
use crate::harness::{
    AUTHORITY, Answered, DOMAIN, Domain, IDENTITY, POINT, Plan, RUNTIME, SCOPE, policy, request, signer, token_of,
};
use bytes::Bytes;
use eleven_api::identity::{Exchange, Issued};
use eleven_authority::admin::Act;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::{base64url, unbase64url};
use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The refusal's reason, its status, that the model was not called, and that its event is under a signed head.
async fn refused(domain: &Domain, answered: &Answered, status: u16, reason: &str) -> Value {
    assert_eq!(
        (answered.status.as_u16(), answered.reason().as_str()),
        (status, reason),
        "{:?}",
        answered.json().to_string()
    );
    assert_eq!(answered.header("eleven-decision"), "deny");
    let error = answered.json();
    let code = error.pointer("/error/code").and_then(Value::as_str).map(str::to_owned);
    assert_eq!(code.as_deref(), Some(reason), "an OpenAI client reads the reason as the code");
    let message = error.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
    assert!(message.contains("what would pass: ") && message.contains(answered.header("eleven-lineage")), "{message}");
    if status == 403 {
        assert_eq!(answered.header("x-should-retry"), "false");
    }
    assert_eq!(domain.calls(), 0, "nothing reached the model");
    let event = domain.denial(answered.header("eleven-lineage")).await;
    assert_eq!(event.get("reason").and_then(Value::as_str), Some(reason));
    // The doctrine's denial, its section 4.4: what is refused of a known operation names the policy that was required.
    assert_eq!(event.get("policy_required").is_some(), event.get("operation").is_some(), "{event}");
    event
}

/// A token with one member of its document changed.
fn tampered(token: &str, change: impl FnOnce(&mut Object)) -> String {
    let value = parse(&unbase64url(token).expect("base64url")).expect("I-JSON");
    let mut object = value.as_object().expect("an object").clone();
    change(&mut object);
    base64url(&object.canonical())
}

async fn present(domain: &Domain, body: &str, token: &str) -> Answered {
    domain.chat_with(body, &[("eleven-authorization", token)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_authenticated() {
    let domain = Domain::start(Plan::default()).await;
    for credential in ["", "Bearer ", "Bearer elk_app_00000000000000000000", "Bearer x.y.z", "Basic eDp5"] {
        let answered = domain.chat_with(&request("x"), &[("authorization", credential)]).await;
        assert_eq!(
            (answered.status.as_u16(), answered.reason().as_str()),
            (401, "identity.unauthenticated"),
            "{credential}"
        );
    }
    assert_eq!(domain.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_two_credentials_is_nobody_by_either() {
    let domain = Domain::start(Plan::default()).await;
    let good = format!("Bearer {}", domain.secret);
    let env = Object::new().with("runtime", RUNTIME);
    let ask = Object::new().with("identity", IDENTITY).with("op", Domain::operation()).with("env", env);
    for second in [good.as_str(), "Bearer elk_app_00000000000000000000", "Basic eDp5", ""] {
        for pair in [[good.as_str(), second], [second, good.as_str()]] {
            let answered = domain.chat_with(&request("x"), &pair.map(|value| ("authorization", value))).await;
            let told = (answered.status.as_u16(), answered.reason());
            assert_eq!((told.0, told.1.as_str()), (401, "identity.unauthenticated"), "{pair:?}");
            let asking = Request::post(format!("http://{}/v1/govern/execute", domain.authority_at));
            let asking = pair.iter().fold(asking, |asking, value| asking.header("authorization", *value));
            let asking = asking.body(Full::new(Bytes::from(ask.canonical()))).expect("a request");
            let answer = domain.client.send(asking).await.expect("the authority answers");
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{pair:?}");
        }
    }
    assert_eq!(domain.chat(&request("x")).await.status, StatusCode::OK, "one of them is somebody's");
    assert_eq!(domain.calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_one_issuer_speaks_for_no_other() {
    let domain = Domain::start(Plan::default()).await;
    let (key, now) = (signer("identity"), domain.clock.now());
    for (issuer, status) in [("governance://11-11/authority/other", 401), (AUTHORITY, 200)] {
        let token = eleven_authority::identity::issue(&*key, issuer, IDENTITY, now, 60, "one".into());
        // Who brings an artifact is authenticated by the point alone.
        let (bearer, artifact) = (format!("Bearer {token}"), domain.token(&request("x")).await);
        let headers = [("authorization", bearer.as_str()), ("eleven-authorization", artifact.as_str())];
        let answered = domain.chat_with(&request("x"), &headers).await;
        let body = String::from_utf8_lossy(&answered.body);
        assert_eq!(answered.status.as_u16(), status, "{issuer}: {body}");
        assert_eq!(body.contains("identity.unauthenticated"), status == 401, "{issuer}: {body}");
    }
    assert_eq!(domain.calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_was_revoked_is_nobody_by_its_token_either() {
    let domain = Domain::start(Plan { cedar: "permit(principal, action, resource);", ..Plan::default() }).await;
    let secret = domain.client_of("other", "svc:other:test").await;
    let authority = format!("http://{}", domain.authority_at);
    let body = Exchange { secret }.to_value().canonical();
    let patience = std::time::Duration::from_secs(60);
    let issued = domain.client.post(&authority, eleven_api::routes::IDENTITY_TOKEN, &[], body, patience).await;
    let token = Issued::read(&issued.expect("a token")).expect("its form").token;
    let bearer = format!("bearer {token}");
    domain
        .until("the gateway knows the client", |domain| {
            let bearer = bearer.clone();
            async move {
                let answered = domain.chat_with(&request("x"), &[("authorization", &bearer)]).await;
                answered.status == StatusCode::OK
            }
        })
        .await;
    domain.act_in_force(Act::ClientRevoke { client: "other".into() }).await;
    let answered = domain.chat_with(&request("x"), &[("authorization", &bearer)]).await;
    assert_eq!((answered.status.as_u16(), answered.reason().as_str()), (401, "identity.unauthenticated"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_revoked_while_its_body_comes_is_nobody_once_it_is_there() {
    let domain = Domain::start(Plan::default()).await;
    let (body, artifact) = (request("x"), domain.token(&request("x")).await);
    let mut calls = Vec::new();
    for (path, header) in [
        ("/v1/chat/completions", format!("eleven-authorization: {artifact}\r\n")),
        ("/v1/chat/completions", String::new()),
        ("/runtime/admit", String::new()),
        ("/runtime/complete", String::new()),
        ("/runtime/disclosures/open", String::new()),
    ] {
        let mut stream = TcpStream::connect(domain.gateway_at).await.expect("it listens");
        let (secret, length) = (&domain.secret, body.len());
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\nauthorization: Bearer {secret}\r\n{header}\
             content-type: application/json\r\ncontent-length: {length}\r\nexpect: 100-continue\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("it is taken");
        // The body is asked for once the caller is authenticated.
        let mut asked = [0u8; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
        stream.read_exact(&mut asked).await.expect("an answer");
        assert_eq!(asked.as_slice(), b"HTTP/1.1 100 Continue\r\n\r\n", "{path}");
        calls.push((path, stream));
    }
    domain.act_in_force(Act::ClientRevoke { client: "app".into() }).await;
    for (path, mut stream) in calls {
        stream.write_all(body.as_bytes()).await.expect("it is taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("identity.unauthenticated"), "{path}: {answer}");
    }
    assert_eq!(domain.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_malformed_artifact_is_counted() {
    let domain = Domain::start(Plan::default()).await;
    let missing = present(&domain, &request("x"), "").await;
    assert_eq!((missing.status.as_u16(), missing.reason().as_str()), (403, "artifact.missing"));
    let malformed = present(&domain, &request("x"), "%%%").await;
    assert_eq!((malformed.status.as_u16(), malformed.reason().as_str()), (403, "artifact.malformed"));
    let auditor = examiner(&domain).await;
    domain.until_counted(&auditor, &[("artifact.missing", 1), ("artifact.malformed", 1)]).await;
    assert_eq!(domain.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_that_stands_twice_or_is_no_text_is_malformed_and_counted() {
    let domain = Domain::start(Plan::default()).await;
    let auditor = examiner(&domain).await;
    let token = domain.token(&request("x")).await;
    let header = "eleven-authorization";
    for (counted, headers) in [(1, vec![(header, token.as_str()), (header, &token)]), (2, vec![(header, "\u{fc}")])] {
        let malformed = domain.chat_with(&request("x"), &headers).await;
        assert_eq!((malformed.status.as_u16(), malformed.reason().as_str()), (403, "artifact.malformed"));
        assert_eq!(malformed.header("eleven-decision"), "deny");
        domain.until_counted(&auditor, &[("artifact.malformed", counted)]).await;
    }
    assert_eq!(domain.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_past_the_limit_is_an_event_of_its_caller() {
    let domain = Domain::start(Plan::default()).await;
    let body = " ".repeat(32 * 1024 * 1024 + 1);
    let event = refused(&domain, &domain.chat(&body).await, 413, "limits.exceeded").await;
    assert_eq!(event.get("identity").and_then(Value::as_str), Some(IDENTITY));
    for member in ["operation", "artifact_id", "issuer"] {
        assert_eq!(event.get(member), None, "nobody knows it: {event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_past_the_limit_is_an_event_of_its_caller() {
    let domain = Domain::start(Plan::default()).await;
    let body = request("x").replace("\"demo\"", &format!("\"{}\"", "m".repeat(4096)));
    let event = refused(&domain, &domain.chat(&body).await, 403, "limits.exceeded").await;
    assert_eq!(event.get("identity").and_then(Value::as_str), Some(IDENTITY));
}

#[tokio::test(flavor = "multi_thread")]
async fn tampered_artifacts_fail_where_they_were_touched() {
    let domain = Domain::start(Plan::default()).await;
    let body = request("x");
    let token = domain.token(&body).await;
    let forged = tampered(&token, |token| {
        let artifact = token.remove("artifact").and_then(|a| a.as_object().cloned()).expect("an artifact");
        let sig = artifact.get("sig").and_then(|s| s.as_object().cloned()).expect("a signature");
        let val = sig.get("val").and_then(Value::as_str).expect("val").to_owned();
        let mut bytes = eleven_core::signature::bytes64(&val).expect("64 bytes");
        bytes[0] ^= 1;
        let flipped = eleven_core::signature::base64_value(&bytes);
        token.insert("artifact", artifact.with("sig", sig.with("val", flipped)));
    });
    let event = refused(&domain, &present(&domain, &body, &forged).await, 403, "artifact.signature.invalid").await;
    // The doctrine's example of a denial, its section 4.4, has these members.
    for member in ["event", "reason", "identity", "operation", "policy_required", "artifact_id", "issuer", "runtime"] {
        assert!(event.get(member).and_then(Value::as_str).is_some(), "{member}: {event}");
    }
    for member in ["ts", "prev_hash", "event_hash"] {
        assert!(event.get(member).is_some(), "{member}: {event}");
    }
    assert_eq!(event.get("policy_required").and_then(Value::as_str), Some("policy://test/inference/v1"));
    let widened = tampered(&token, |token| {
        let artifact = token.remove("artifact").and_then(|a| a.as_object().cloned()).expect("an artifact");
        let op = artifact.get("op").and_then(|op| op.as_object().cloned()).expect("op");
        let op = op.with("scope", vec!["admin".into(), SCOPE.into()]);
        token.insert("artifact", artifact.with("op", op));
    });
    refused(&domain, &present(&domain, &body, &widened).await, 403, "artifact.signature.invalid").await;
    let other_body = request("something else");
    refused(&domain, &present(&domain, &other_body, &token).await, 403, "operation.mismatch").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_caller_another_environment_a_revocation() {
    let domain = Domain::start(Plan { cedar: "permit(principal, action, resource);", ..Plan::default() }).await;
    let body = request("x");
    let token = domain.token(&body).await;
    let other = domain.client_of("other", "svc:other:test").await;
    let bearer = format!("Bearer {other}");
    let answered = domain.chat_with(&body, &[("eleven-authorization", &token), ("authorization", &bearer)]).await;
    refused(&domain, &answered, 403, "identity.mismatch").await;

    // An artifact for another runtime of this domain, genuinely issued.
    let elsewhere = "host://other/inference";
    let record = eleven_core::registry::RuntimeRecord {
        point: format!("{elsewhere}#gw-9"),
        runtime: elsewhere.into(),
        region: "elsewhere".into(),
        tenancy: "single".into(),
        mode: "gateway".into(),
        binary: crate::harness::point().binary,
        config: crate::harness::point().config,
        kid: "key:11-11/gw-9/test".into(),
    };
    domain.act(Act::RuntimeRegister { record }).await;
    let (status, allowed) = domain.artifact(&body, Domain::operation(), elsewhere, &domain.secret).await;
    assert_eq!(status, StatusCode::OK, "{allowed}");
    refused(&domain, &present(&domain, &body, &token_of(&allowed)).await, 403, "environment.mismatch").await;

    let artifact = allowed_id(&token);
    domain.act_in_force(Act::ArtifactRevoke { artifact, why: "operator".into() }).await;
    refused(&domain, &present(&domain, &body, &token).await, 403, "artifact.revoked").await;
}

fn allowed_id(token: &str) -> String {
    let value = parse(&unbase64url(token).expect("base64url")).expect("I-JSON");
    value.pointer("/artifact/id").and_then(Value::as_str).expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_whose_attestations_prove_nothing_admits_nothing() {
    let domain = Domain::start(Plan::default()).await;
    let body = request("x");
    let token = domain.token(&body).await;
    let attestation = crate::harness::point().attestation;
    let since = domain.clock.now();
    domain.act_in_force(Act::KeyCompromise { kid: attestation.kid().to_owned(), since }).await;
    let event = refused(&domain, &present(&domain, &body, &token).await, 403, "runtime.integrity").await;
    assert_eq!(event.get("identity").and_then(Value::as_str), Some(IDENTITY));
    refused(&domain, &domain.chat(&body).await, 403, "runtime.integrity").await;
    let (status, health) = domain.get(domain.gateway_at, "/health").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let health = parse(&health).expect("I-JSON");
    let why = health.get("unapproved").and_then(Value::as_str).expect("which key, and what to do");
    assert!(why.contains(attestation.kid()) && why.contains("runtime key replace"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_is_contained_is_not_ready_and_names_what_is() {
    let domain = Domain::start(Plan::default()).await;
    let body = request("x");
    let health = async || {
        let (status, health) = domain.get(domain.gateway_at, "/health").await;
        let health = parse(&health).expect("I-JSON");
        let member = |name: &str| health.get(name).and_then(Value::as_str).map(str::to_owned);
        assert_eq!(health.get("seen_epoch"), None, "its registry did not go back");
        (status.as_u16(), member("denies"), member("reason"))
    };
    for (kind, subject) in [("runtime", POINT), ("runtime", RUNTIME), ("domain", DOMAIN), ("mesh", "*")] {
        let token = domain.token(&body).await;
        let (kind, subject) = (kind.to_owned(), subject.to_owned());
        domain.act_in_force(Act::SubjectContain { kind: kind.clone(), subject: subject.clone() }).await;
        refused(&domain, &present(&domain, &body, &token).await, 403, "runtime.contained").await;
        let (status, denies, reason) = health().await;
        assert_eq!(status, 503, "{kind} {subject}");
        let denies = denies.expect("why");
        assert!(denies.starts_with(&format!("runtime.contained: {kind} {subject} ")), "{denies}");
        assert_eq!(reason.as_deref(), Some("runtime.contained"));
        domain.act_in_force(Act::SubjectLift { kind, subject }).await;
        assert_eq!(health().await, (200, None, None));
    }
    // What covers one caller alone leaves it ready.
    let (kind, subject) = ("identity".to_owned(), IDENTITY.to_owned());
    domain.act_in_force(Act::SubjectContain { kind, subject }).await;
    assert_eq!(health().await, (200, None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_was_removed_is_no_matter_of_its_callers_credentials() {
    let domain = Domain::start(Plan::default()).await;
    domain.act(Act::RuntimeRemove { point: crate::harness::POINT.into() }).await;
    let event = refused(&domain, &domain.chat(&request("x")).await, 403, "runtime.unregistered").await;
    assert_eq!(event.get("identity").and_then(Value::as_str), Some(IDENTITY));
    assert_eq!(event.get("operation").and_then(Value::as_str), Some("model.invoke"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_was_replaced_or_says_no() {
    let domain = Domain::start(Plan::default()).await;
    let body = request("x");
    let token = domain.token(&body).await;
    domain.act_in_force(Act::PolicyPublish { bundle: policy(&domain.plan, 2, domain.plan.cedar) }).await;
    refused(&domain, &present(&domain, &body, &token).await, 403, "policy.mismatch").await;

    let other_model = body.replace("\"demo\"", "\"another\"");
    let answered = domain.chat(&other_model).await;
    let event = refused(&domain, &answered, 403, "policy.denied").await;
    assert_eq!(event.get("identity").and_then(Value::as_str), Some(IDENTITY));
    assert_eq!(event.get("runtime").and_then(Value::as_str), Some(RUNTIME));
    let message = answered.json().pointer("/error/message").and_then(Value::as_str).expect("a message").to_owned();
    assert!(message.contains("call the model demo"), "what would pass: {message}");
    assert!(message.contains("lineage://op/"), "where the proof is: {message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_promises_what_is_not_enforced_is_not_published() {
    let domain = Domain::start(Plan::default()).await;
    let authority = domain.authority_handle.as_ref().expect("it runs");
    let bundle = policy(&domain.plan, 2, domain.plan.cedar).as_object().cloned().expect("an object");
    let terms = bundle.get("terms").and_then(Value::as_object).cloned().expect("terms");
    for (term, value) in
        [("durability", "D4".into()), ("envelope", Object::new().into()), ("delegates", Vec::new().into())]
    {
        let terms: Object = terms.clone().with(term, Value::clone(&value));
        let bundle = Value::Object(bundle.clone().with("terms", terms));
        let refused = authority.operate(Act::PolicyPublish { bundle }, None).await.expect_err("refused").to_string();
        assert!(refused.contains(&format!("`{term}`")), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_governed_path_does_not_pass() {
    let domain = Domain::start(Plan::default()).await;
    for path in ["/v1/embeddings", "/", "/v1/chat/completions/x", "/v1/files"] {
        let (status, _) = domain.get(domain.gateway_at, path).await;
        assert!(status == StatusCode::NOT_FOUND || status == StatusCode::METHOD_NOT_ALLOWED, "{path}: {status}");
    }
    let (status, body) = domain.get(domain.gateway_at, "/v1/chat/completions").await;
    let kind =
        parse(&body).ok().and_then(|body| body.pointer("/error/type").and_then(Value::as_str).map(str::to_owned));
    assert_eq!((status.as_u16(), kind.as_deref()), (405, Some("invalid_request_error")), "in the form of the others");
    for (header, value) in [
        ("content-type", "application/json; charset=utf-7"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-encoding", "gzip"),
    ] {
        let answered = domain.chat_with(&request("x"), &[(header, value)]).await;
        assert_eq!(answered.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{header}: {value}");
        let kind = answered.json().pointer("/error/type").and_then(Value::as_str).map(str::to_owned);
        assert_eq!(kind.as_deref(), Some("invalid_request_error"));
    }
    for body in ["", "{", "[]", r#"{"model":"demo","model":"other"}"#, "\u{feff}{}"] {
        let answered = domain.chat(body).await;
        assert_eq!(answered.status, StatusCode::BAD_REQUEST, "{body}");
    }
    assert_eq!(domain.calls(), 0);
}
