//! `/runtime/admit` and `/runtime/complete` (PROTOCOL 12): a workload that somebody else starts.

use crate::harness::{Domain, IDENTITY, Plan, RUNTIME, disclosing, point};
use eleven_authority::admin::Act;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::Sha3;
use eleven_core::registry::RuntimeRecord;
use http::StatusCode;
use http_body_util::BodyExt as _;
use std::time::Duration;

fn open() -> Plan {
    Plan { cedar: "permit(principal, action, resource);", ..Plan::default() }
}

fn image() -> Sha3 {
    Sha3::of(&[b"an image"])
}

async fn post(domain: &Domain, at: std::net::SocketAddr, path: &str, body: Object) -> (StatusCode, Value) {
    let request = http::Request::post(format!("http://{at}{path}"))
        .header("authorization", format!("Bearer {}", domain.secret))
        .body(http_body_util::Full::new(bytes::Bytes::from(body.canonical())))
        .expect("a request");
    let (parts, body) = domain.client.send(request).await.expect("answers").into_parts();
    let body = body.collect().await.expect("whole").to_bytes();
    (parts.status, parse(&body).expect("I-JSON"))
}

/// The body of an admission, its artifact just issued.
async fn admission(domain: &Domain) -> Object {
    let op = Object::new().with("name", "model.invoke").with("model", "demo").with("scope", Vec::new());
    admission_of(domain, op, image()).await
}

/// The same for an operation, and an image that is to run for it.
async fn admission_of(domain: &Domain, op: Object, image: Sha3) -> Object {
    admission_at(domain, op, image, RUNTIME).await
}

/// The same on a runtime.
async fn admission_at(domain: &Domain, op: Object, image: Sha3, runtime: &str) -> Object {
    let bound = Object::new().with("body", image).with("method", "ADMIT").with("path", runtime);
    let env = Object::new().with("runtime", runtime);
    let ask = Object::new().with("identity", IDENTITY).with("op", op).with("env", env).with("request", bound);
    let (status, allowed) = post(domain, domain.authority_at, "/v1/govern/execute", ask).await;
    assert_eq!(status, StatusCode::OK, "{allowed}");
    let member = |name: &str| allowed.get(name).expect("a member").clone();
    let workload = Object::new().with("image", image).with("runtime", runtime);
    let admit = Object::new().with("artifact", member("artifact")).with("issued", member("issued"));
    admit.with("salt", member("salt")).with("workload", workload)
}

/// An admitted workload: the id of its attestation and its operation.
async fn admitted(domain: &Domain) -> (Value, String) {
    let (status, admitted) = post(domain, domain.gateway_at, "/runtime/admit", admission(domain).await).await;
    assert_eq!(status, StatusCode::OK, "{admitted}");
    let lineage = admitted.get("lineage").and_then(Value::as_str).expect("a lineage");
    let op = lineage.strip_prefix("lineage://op/").expect("an op").to_owned();
    (admitted.get("attestation_id").cloned().expect("an id"), op)
}

async fn complete(domain: &Domain, id: Value) -> (StatusCode, Value) {
    let result = Object::new().with("body", image()).with("bytes", 8u32).with("status", 0u32);
    let done = Object::new().with("attestation_id", id).with("outcome", "completed").with("result", result);
    post(domain, domain.gateway_at, "/runtime/complete", done).await
}

/// The outcome of an operation, proven, and its cause.
async fn outcome(domain: &Domain, op: &str) -> (String, Option<String>) {
    let bundle = domain.bundle_of(op, 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0, "{}", domain.verify(&bundle).to_value());
    let text = |pointer: &str| bundle.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    (text("/events/5/event").expect("an event"), text("/events/5/data/cause"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_is_admitted_once_and_completed_by_http() {
    let domain = Domain::start(open()).await;
    let admit = admission(&domain).await;
    let (status, admitted) = post(&domain, domain.gateway_at, "/runtime/admit", admit.clone()).await;
    assert_eq!(status, StatusCode::OK, "{admitted}");
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    assert_eq!(text(&admitted, "lineage_event").as_deref(), Some("03 admission.granted"));
    assert_eq!(text(&admitted, "durability").as_deref(), Some("D1"));
    let (status, again) = post(&domain, domain.gateway_at, "/runtime/admit", admit).await;
    assert_eq!((status, text(&again, "reason").as_deref()), (StatusCode::FORBIDDEN, Some("artifact.replayed")));
    let id = admitted.get("attestation_id").cloned().expect("an id");
    let (status, completed) = complete(&domain, id.clone()).await;
    assert_eq!(status, StatusCode::OK, "{completed}");
    assert_eq!(text(&completed, "lineage_event").as_deref(), Some("07 evidence.committed"));
    assert_eq!(complete(&domain, id).await.0, StatusCode::NOT_FOUND, "once");
    let lineage = text(&admitted, "lineage").expect("a lineage");
    let op = lineage.strip_prefix("lineage://op/").expect("an op");
    assert_eq!(outcome(&domain, op).await, ("execution.completed".into(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_image_than_was_authorised_is_not_admitted() {
    let domain = Domain::start(open()).await;
    let admit = admission(&domain).await;
    let other = Object::new().with("image", Sha3::of(&[b"another"])).with("runtime", RUNTIME);
    let (status, refused) = post(&domain, domain.gateway_at, "/runtime/admit", admit.with("workload", other)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{refused}");
    assert_eq!(refused.get("reason").and_then(Value::as_str), Some("operation.mismatch"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_of_another_runtime_is_not_admitted_here() {
    let domain = Domain::start(open()).await;
    // One in the same place, so that the runtime alone differs; the artifact, the bound request and the workload name it.
    let elsewhere = "host://other/inference";
    let record = RuntimeRecord {
        point: format!("{elsewhere}#gw-9"),
        runtime: elsewhere.into(),
        region: "local".into(),
        tenancy: "single".into(),
        mode: "gateway".into(),
        binary: point().binary,
        config: point().config,
        kid: "key:11-11/gw-9/test".into(),
    };
    domain.act(Act::RuntimeRegister { record }).await;
    let op = Object::new().with("name", "model.invoke").with("model", "demo").with("scope", Vec::new());
    let admit = admission_at(&domain, op, image(), elsewhere).await;
    let (status, refused) = post(&domain, domain.gateway_at, "/runtime/admit", admit).await;
    let text = |member: &str| refused.get(member).and_then(Value::as_str).unwrap_or_default();
    assert_eq!((status, text("reason")), (StatusCode::FORBIDDEN, "environment.mismatch"), "{refused}");
    let event = domain.denial(text("lineage")).await;
    assert_eq!(event.get("runtime").and_then(Value::as_str), Some(elsewhere), "{event}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_point_runs_itself_is_nobodys_workload() {
    let domain = Domain::start(open()).await;
    domain.act_in_force(Act::PolicyPublish { bundle: disclosing(&domain.plan) }).await;
    let digest = |name: &str, what: &str| Sha3::of_value(&Value::Object(Object::new().with(name, what)));
    let (upstream, store) = (format!("http://{}", domain.upstream.at), digest("store", "disclosures"));
    for (name, image) in [
        ("model.invoke", digest("upstream", &upstream)),
        ("model.invoke", store),
        ("model.list", image()),
        ("disclosure.open", image()),
        ("disclosure.erase", store),
    ] {
        let op = Object::new().with("name", name).with("scope", Vec::new());
        let admit = admission_of(&domain, op, image).await;
        let (status, refused) = post(&domain, domain.gateway_at, "/runtime/admit", admit).await;
        let text = |member: &str| refused.get(member).and_then(Value::as_str).unwrap_or_default();
        assert_eq!((status, text("reason")), (StatusCode::FORBIDDEN, "operation.mismatch"), "{name}: {refused}");
        let event = domain.denial(text("lineage")).await;
        assert_eq!(event.get("operation").and_then(Value::as_str), Some(name), "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_that_nobody_completes_is_interrupted_after_max_run() {
    let domain = Domain::start(Plan { max_run: Some(1), ..open() }).await;
    let (id, op) = admitted(&domain).await;
    assert_eq!(outcome(&domain, &op).await, ("execution.interrupted".into(), Some("max_run".into())));
    assert_eq!(complete(&domain, id).await.0, StatusCode::NOT_FOUND, "it has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_interrupts_an_admitted_workload() {
    let domain = Domain::start(open()).await;
    let (id, op) = admitted(&domain).await;
    // The consumption has to be in the ledger first: of a revoked artifact it takes none (PROTOCOL 6.1).
    domain.bundle_of(&op, 4).await;
    domain.act(Act::ArtifactRevoke { artifact: format!("auth_{op}"), why: "operator".into() }).await;
    assert_eq!(outcome(&domain, &op).await, ("execution.interrupted".into(), Some("artifact.revoked".into())));
    assert_eq!(complete(&domain, id).await.0, StatusCode::NOT_FOUND, "it has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halt_interrupts_an_admitted_workload() {
    let mut domain = Domain::start(Plan { audit_bound: Duration::from_secs(2), ..open() }).await;
    let (id, op) = admitted(&domain).await;
    domain.bundle_of(&op, 4).await;
    domain.stop_ledger().await;
    domain
        .until("nothing runs any more", |domain| async move {
            let health = parse(&domain.get(domain.gateway_at, "/health").await.1).expect("I-JSON");
            health.get("running").and_then(Value::as_int) == Some(0)
        })
        .await;
    assert_eq!(complete(&domain, id).await.0, StatusCode::NOT_FOUND, "it has ended");
    domain.start_ledger().await;
    assert_eq!(outcome(&domain, &op).await, ("execution.interrupted".into(), Some("audit.discontinuity".into())));
}
