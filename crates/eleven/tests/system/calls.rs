//! What is allowed, and what proves it.

use crate::harness::{Domain, IDENTITY, Plan, RUNTIME, request, token_of};
use eleven_core::encoding::{Object, Value};
use eleven_core::hash::base64url;
use eleven_core::policy::commitment;
use http::StatusCode;

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
    let answered = present(token().await, Some(named("/op/user"))).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answered.body));
    let bundle = domain.bundle_of(answered.op(), 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0, "{}", domain.verify(&bundle).to_value());
    assert!(!bundle.to_string().contains("juniper"));
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
async fn a_workload_is_admitted_and_completed_by_http() {
    let domain = Domain::start(Plan { cedar: "permit(principal, action, resource);", ..Plan::default() }).await;
    let image = eleven_core::hash::Sha3::of(&[b"an image"]);
    let op = Object::new().with("name", "model.invoke").with("model", "demo").with("scope", Vec::new());
    let bound = Object::new().with("body", image).with("method", "ADMIT").with("path", crate::harness::RUNTIME);
    let env = Object::new().with("runtime", crate::harness::RUNTIME);
    let ask = Object::new().with("identity", IDENTITY).with("op", op).with("env", env).with("request", bound);
    let post = |at, path: &'static str, body: Object| {
        let request = http::Request::post(format!("http://{at}{path}"))
            .header("authorization", format!("Bearer {}", domain.secret))
            .body(http_body_util::Full::new(bytes::Bytes::from(body.canonical())))
            .expect("a request");
        let client = domain.client.clone();
        async move {
            use http_body_util::BodyExt as _;
            let (parts, body) = client.send(request).await.expect("answers").into_parts();
            let body = body.collect().await.expect("whole").to_bytes();
            (parts.status, eleven_core::encoding::parse(&body).expect("I-JSON"))
        }
    };
    let (status, allowed) = post(domain.authority_at, "/v1/govern/execute", ask).await;
    assert_eq!(status, StatusCode::OK, "{allowed}");
    let member = |name: &str| allowed.get(name).expect("a member").clone();
    let workload = Object::new().with("image", image).with("runtime", crate::harness::RUNTIME);
    let admit = Object::new().with("artifact", member("artifact")).with("issued", member("issued"));
    let admit = admit.with("salt", member("salt")).with("workload", workload);
    let (status, admitted) = post(domain.gateway_at, "/runtime/admit", admit.clone()).await;
    assert_eq!(status, StatusCode::OK, "{admitted}");
    assert_eq!(admitted.get("lineage_event").and_then(Value::as_str), Some("03 admission.granted"));
    let (status, again) = post(domain.gateway_at, "/runtime/admit", admit).await;
    assert_eq!(
        (status, again.get("reason").and_then(Value::as_str)),
        (StatusCode::FORBIDDEN, Some("artifact.replayed"))
    );
    let id = admitted.get("attestation_id").cloned().expect("an id");
    let result = Object::new().with("body", image).with("bytes", 8u32).with("status", 0u32);
    let done = Object::new().with("attestation_id", id).with("outcome", "completed").with("result", result);
    let (status, completed) = post(domain.gateway_at, "/runtime/complete", done).await;
    assert_eq!(status, StatusCode::OK, "{completed}");
    let lineage = admitted.get("lineage").and_then(Value::as_str).expect("a lineage").to_owned();
    let bundle = domain.bundle_of(lineage.strip_prefix("lineage://op/").expect("op"), 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0);
}
