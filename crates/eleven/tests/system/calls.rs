//! What is allowed, and what proves it.

use crate::harness::{Answered, Domain, IDENTITY, Plan, RUNTIME, policy, request, token_of};
use eleven_authority::admin::Act;
use eleven_core::artifact::{RequestBinding, result_digest};
use eleven_core::encoding::{Object, Value};
use eleven_core::hash::{Sha3, base64url};
use eleven_core::policy::commitment;
use http::StatusCode;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_call_reaches_the_model_once_and_is_proven_by_a_stranger() {
    let domain = Domain::start(Plan::default()).await;
    let answered = domain.chat(&request("echo")).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answered.body));
    assert_eq!(answered.header("eleven-decision"), "allow");
    assert_eq!(answered.header("eleven-durability"), "D1");
    assert_eq!(answered.header("x-upstream"), "test", "the upstream's own headers pass");
    assert_eq!(domain.calls(), 1);
    let bundle = domain.bundle_of(answered.op(), 7).await;
    let verdict = domain.verify(&bundle);
    assert_eq!(verdict.exit_code(), 0, "{}", verdict.to_value());
    let text = verdict.to_value().to_string();
    for check in ["policy.replay", "lineage.complete", "attestation.binding", "artifact.window"] {
        assert!(text.contains(&format!(r#""name":"{check}","status":"passed""#)), "{check}: {text}");
    }
    let names: Vec<&str> = bundle
        .get("events")
        .and_then(Value::as_array)
        .expect("events")
        .iter()
        .filter_map(|event| event.get("event").and_then(Value::as_str))
        .collect();
    assert_eq!(
        names,
        [
            "authorization.issued",
            "authorization.consumed",
            "admission.granted",
            "execution.started",
            "attestation.signed",
            "execution.completed",
            "evidence.committed",
        ]
    );
}

/// Whether the digests of a call are those of what its caller sent and got, by the salt that it was told.
async fn holds(domain: &Domain, body: &str, answered: &Answered) {
    let (salt, status) = (answered.header("eleven-salt"), answered.status.as_u16());
    let bundle = domain.bundle_of(answered.op(), 7).await;
    let text = |pointer: &str| bundle.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let path = "/v1/chat/completions".to_owned();
    let sent = RequestBinding { body: Sha3::of(&[body.as_bytes()]), method: "POST".to_owned(), path };
    assert_eq!(text("/artifact/op/params"), Some(sent.digest(salt).to_string()), "{status}");
    let got = result_digest(salt, Sha3::of(&[&answered.body]), status);
    assert_eq!(text("/events/5/data/result/digest"), Some(got.to_string()), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_holds_what_it_sent_and_got_against_the_digests() {
    for release in ["whole", "stream"] {
        let mut domain = Domain::start(Plan { release, ..Plan::default() }).await;
        let body = request("echo");
        let answered = domain.chat(&body).await;
        assert_eq!((answered.status, answered.header("eleven-salt").len()), (StatusCode::OK, 24), "{release}");
        holds(&domain, &body, &answered).await;
        // What it gets where the upstream failed is this point's own.
        domain.answer_by("HTTP/1.1 307 Temporary Redirect\r\nlocation: /\r\ncontent-length: 0\r\n\r\n".into()).await;
        let answered = domain.chat(&body).await;
        assert_eq!((answered.status, answered.header("eleven-salt").len()), (StatusCode::BAD_GATEWAY, 24), "{release}");
        holds(&domain, &body, &answered).await;
    }
    let plain = Domain::start(Plan { digests: "plain", ..Plan::default() }).await;
    let answered = plain.chat(&request("echo")).await;
    assert!(answered.status == StatusCode::OK && !answered.headers.contains_key("eleven-salt"));
    holds(&plain, &request("echo"), &answered).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_listed_under_an_artifact_of_their_own() {
    let domain = Domain::start(Plan::default()).await;
    let request = http::Request::get(format!("http://{}/v1/models", domain.gateway_at))
        .header("authorization", format!("Bearer {}", domain.secret))
        .body(http_body_util::Full::default())
        .expect("a request");
    let response = domain.client.send(request).await.expect("answers");
    assert_eq!(response.status(), StatusCode::OK);
    let lineage = response.headers().get("eleven-lineage").and_then(|v| v.to_str().ok()).expect("a lineage").to_owned();
    let bundle = domain.bundle_of(lineage.strip_prefix("lineage://op/").expect("op"), 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_switches_to_another_protocol_has_failed() {
    for release in ["whole", "stream"] {
        let mut domain = Domain::start(Plan { release, ..Plan::default() }).await;
        let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
        domain.answer_by(format!("{head}and on it goes")).await;
        let answered = domain.chat(&request("x")).await;
        assert_eq!(answered.status, StatusCode::BAD_GATEWAY, "{release}");
        assert!(!answered.headers.contains_key("upgrade"));
        let bundle = domain.bundle_of(answered.op(), 7).await;
        assert_eq!(domain.verify(&bundle).exit_code(), 0, "{}", domain.verify(&bundle).to_value());
        let text = |pointer: &str| bundle.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let ended = (text("/events/5/event"), text("/events/5/data/cause"));
        assert_eq!(ended, (Some("execution.failed".into()), Some("upstream.failed".into())), "{release}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_redirects_has_failed_and_sends_no_client_past_the_gateway() {
    for release in ["whole", "stream"] {
        for status in ["307 Temporary Redirect", "301 Moved Permanently"] {
            let mut domain = Domain::start(Plan { release, ..Plan::default() }).await;
            let location = "location: http://127.0.0.1:9/v1/chat/completions\r\n";
            domain.answer_by(format!("HTTP/1.1 {status}\r\n{location}content-length: 0\r\n\r\n")).await;
            let answered = domain.chat(&request("x")).await;
            assert_eq!(answered.status, StatusCode::BAD_GATEWAY, "{release} {status}");
            assert_eq!((answered.header("location"), answered.header("x-should-retry")), ("", "false"));
            let bundle = domain.bundle_of(answered.op(), 7).await;
            assert_eq!(domain.verify(&bundle).exit_code(), 0, "{}", domain.verify(&bundle).to_value());
            let text = |pointer: &str| bundle.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            let ended = (text("/events/5/event"), text("/events/5/data/cause"));
            assert_eq!(ended, (Some("execution.failed".into()), Some("upstream.failed".into())), "{release} {status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_brings_an_artifact_names_the_salts_of_its_own_commitments() {
    let domain = Domain::start(Plan { sensitive: Some("user"), ..Plan::default() }).await;
    let body = request("echo").replacen('{', r#"{"user":"juniper","#, 1);
    let salt = "AAECAwQFBgcICQoLDA0ODw==";
    let clear = Domain::operation().with("user", "juniper");
    let (status, refused) = domain.artifact(&body, clear, RUNTIME, &domain.secret).await;
    assert_eq!((status.as_u16(), refused.get("reason")), (403, Some(&"operation.mismatch".into())), "{refused}");
    assert!(!refused.to_string().contains("juniper"));
    let committed = Domain::operation().with("user", commitment(salt, "/op/user", &"juniper".into()));
    let token = || async {
        let (status, allowed) = domain.artifact(&body, committed.clone(), RUNTIME, &domain.secret).await;
        assert_eq!(status, StatusCode::OK, "{allowed}");
        token_of(&allowed)
    };
    let named = |path: &str| base64url(&Object::new().with(path, salt).canonical());
    let present = |token: String, salts: Option<String>| {
        let (domain, body) = (&domain, &body);
        async move {
            let mut headers = vec![("eleven-authorization", token.as_str())];
            headers.extend(salts.as_deref().map(|salts| ("eleven-salts", salts)));
            domain.chat_with(body, &headers).await
        }
    };
    for salts in [None, Some(named("/op/other"))] {
        let answered = present(token().await, salts).await;
        assert_eq!((answered.status.as_u16(), answered.reason().as_str()), (403, "operation.mismatch"));
    }
    let malformed = present(token().await, Some(base64url(br#"{"/op/user":"short"}"#))).await;
    assert_eq!(malformed.status, StatusCode::BAD_REQUEST);
    let (brought, salts) = (token().await, named("/op/user"));
    let twice = [("eleven-authorization", brought.as_str()), ("eleven-salts", &salts), ("eleven-salts", &salts)];
    assert_eq!(domain.chat_with(&body, &twice).await.status, StatusCode::BAD_REQUEST);
    let answered = present(token().await, Some(named("/op/user"))).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answered.body));
    let bundle = domain.bundle_of(answered.op(), 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0, "{}", domain.verify(&bundle).to_value());
    assert!(!bundle.to_string().contains("juniper"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_brings_no_artifact_names_no_salts() {
    let domain = Domain::start(Plan { sensitive: Some("user"), ..Plan::default() }).await;
    let body = request("echo").replacen('{', r#"{"user":"juniper","#, 1);
    let salt = "AAAAAAAAAAAAAAAAAAAAAA==";
    let named = base64url(&Object::new().with("/op/user", salt).canonical());
    let mut stood = vec![commitment(salt, "/op/user", &"juniper".into())];
    for salts in [named.as_str(), named.as_str(), "no salts at all"] {
        let answered = domain.chat_with(&body, &[("eleven-salts", salts)]).await;
        assert_eq!(answered.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answered.body));
        let bundle = domain.bundle_of(answered.op(), 7).await;
        let stands = bundle.pointer("/artifact/op/user").cloned().expect("a commitment");
        assert!(stands.get("_sd").is_some() && !stood.contains(&stands), "{stands}");
        stood.push(stands);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_presented_artifact_runs_once_and_no_second_time() {
    let domain = Domain::start(Plan::default()).await;
    let body = request("presented");
    let token = domain.token(&body).await;
    let answered = domain.chat_with(&body, &[("eleven-authorization", &token)]).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answered.body));
    let again = domain.chat_with(&body, &[("eleven-authorization", &token)]).await;
    assert_eq!((again.status, again.reason().as_str()), (StatusCode::FORBIDDEN, "artifact.replayed"));
    assert_eq!(domain.calls(), 1);
    let denial = domain.denial(again.header("eleven-lineage")).await;
    assert_eq!(denial.get("reason").and_then(Value::as_str), Some("artifact.replayed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstreams_failure_says_not_to_call_again_to_whom_it_cost_a_single_use() {
    let domain = Domain::start(Plan::default()).await;
    let body = request("error");
    let token = domain.token(&body).await;
    let answered = domain.chat_with(&body, &[("eleven-authorization", &token)]).await;
    assert_eq!(answered.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!((answered.header("x-should-retry"), answered.header("eleven-decision")), ("false", "allow"));
    // Who brings nothing is given another artifact with each attempt.
    let inline = domain.chat(&body).await;
    assert_eq!((inline.status, inline.header("x-should-retry")), (StatusCode::INTERNAL_SERVER_ERROR, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctrines_request_is_answered_in_its_shape() {
    let domain = Domain::start(Plan {
        cedar: r#"permit(principal, action == Action::"model.invoke", resource) when { context.op.scope.contains("phi.no_export") };"#,
        ..Plan::default()
    })
    .await;
    // Section 10.3 of the doctrine, its names those of this domain; no request is bound because none is named.
    let terms = Object::new().with("name", "model.invoke").with("model", "clinical-summary-v4");
    let op = terms.with("scope", vec!["phi.read".into(), "phi.no_export".into()]);
    let (status, answer) = domain.artifact(&request("x"), op, crate::harness::RUNTIME, &domain.secret).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    assert_eq!(text("decision"), "allow");
    assert_eq!(text("artifact_id").replace("auth_", "lineage://op/"), text("lineage"));
    let artifact = answer.get("artifact").expect("an artifact");
    assert_eq!(
        artifact.pointer("/op/scope").map(ToString::to_string).as_deref(),
        Some(r#"["phi.no_export","phi.read"]"#)
    );
    assert_eq!(artifact.get("sub").and_then(Value::as_str), Some(IDENTITY));
    assert_eq!(artifact.pointer("/env/region").and_then(Value::as_str), Some("local"));
    assert!(token_of(&answer).len() < 14 * 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_replaced_refuses_no_inline_call() {
    // Of the new policy the gateway would hear by itself only long after the authority decides by it.
    let domain = Domain::start(Plan { refresh: Duration::from_secs(5), ..Plan::default() }).await;
    assert_eq!(domain.chat(&request("under v1")).await.status, StatusCode::OK);
    domain.act(Act::PolicyPublish { bundle: policy(&domain.plan, 2, domain.plan.cedar) }).await;
    let answered = domain.chat(&request("under v2")).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answered.body));
    let bundle = domain.bundle_of(answered.op(), 7).await;
    let under = bundle.pointer("/artifact/pol/ref").and_then(Value::as_str);
    assert_eq!(under, Some("policy://test/inference/v2"));
    assert_eq!(domain.calls(), 2, "each reached the model once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_calls_more_or_less_sensitive_refuses_no_inline_call() {
    let slow = Duration::from_secs(5);
    let domain = Domain::start(Plan { refresh: slow, sensitive: Some("user"), ..Plan::default() }).await;
    let body = request("echo").replacen('{', r#"{"user":"juniper","#, 1);
    let open = Plan { sensitive: None, ..domain.plan.clone() };
    for (version, plan, clear) in [(2, &open, true), (3, &domain.plan, false)] {
        domain.act(Act::PolicyPublish { bundle: policy(plan, version, plan.cedar) }).await;
        let answered = domain.chat(&body).await;
        assert_eq!(answered.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answered.body));
        let bundle = domain.bundle_of(answered.op(), 7).await;
        assert_eq!(domain.verify(&bundle).exit_code(), 0, "{}", domain.verify(&bundle).to_value());
        let under = bundle.pointer("/artifact/pol/ref").and_then(Value::as_str);
        assert_eq!(under, Some(format!("policy://test/inference/v{version}").as_str()));
        assert_eq!(bundle.to_string().contains("juniper"), clear, "by the policy that decided");
    }
    assert_eq!(domain.calls(), 2, "each reached the model once");
}
