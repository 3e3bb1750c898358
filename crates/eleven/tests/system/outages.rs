//! A corner is gone: what is refused, with which reason, what still runs, and what stands in the ledger when it is back
//! (DESIGN, how the corners talk).

use crate::export::examiner;
use crate::harness::{Answered, Domain, IDENTITY, PATIENCE, Plan, RUNTIME, disclosing, request, token_of};
use bytes::Bytes;
use eleven_api::client::Client;
use eleven_api::disclosure::{Asking, Disclose, Disclosed};
use eleven_api::routes;
use eleven_authority::admin::Act;
use eleven_core::artifact::result_digest;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::Sha3;
use eleven_core::limits::MAX_RELEASE_WAIT_MS;
use eleven_core::registry::retention::Hold;
use http::StatusCode;
use http_body_util::BodyExt as _;
use std::time::Duration;

/// The audit bound of these domains, in milliseconds.
const BOUND: i64 = 2000;

fn short() -> Plan {
    Plan { fresh: 2, audit_bound: Duration::from_millis(BOUND.unsigned_abs()), ..Plan::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_authority_inline_calls_stop_and_presented_ones_when_the_view_is_stale() {
    let mut domain = Domain::start(short()).await;
    let body = request("x");
    assert_eq!(domain.chat(&body).await.status, StatusCode::OK, "the client's token is known now");
    let (first, second) = (domain.token(&body).await, domain.token(&body).await);
    domain.stop_authority().await;
    let inline = domain.chat(&body).await;
    assert_eq!((inline.status.as_u16(), inline.reason().as_str()), (503, "issuer.unavailable"));
    assert!(!inline.json().to_string().contains("127.0.0.1"), "where it is, is nobody's but the operator's");
    assert_eq!((inline.header("retry-after"), inline.header("x-should-retry")), ("1", ""));
    let presented = domain.chat_with(&body, &[("eleven-authorization", &first)]).await;
    assert_eq!(presented.status, StatusCode::OK, "{}", String::from_utf8_lossy(&presented.body));
    domain.until("the view is stale", |domain| async move { !domain.health().await.fresh }).await;
    let calls = domain.calls();
    let stale = domain.chat_with(&body, &[("eleven-authorization", &second)]).await;
    assert_eq!((stale.status.as_u16(), stale.reason().as_str()), (503, "issuer.unavailable"));
    assert_eq!(domain.calls(), calls);
    domain.start_authority().await;
    domain
        .until("inline calls work again", |domain| async move {
            domain.chat(&request("again")).await.status == StatusCode::OK
        })
        .await;
    let event = domain.denial(stale.header("eleven-lineage")).await;
    assert_eq!(event.get("reason").and_then(Value::as_str), Some("issuer.unavailable"));
    // The one that nobody decided names the policy that was required, too.
    let undecided = domain.denial(inline.header("eleven-lineage")).await;
    for event in [&event, &undecided] {
        assert_eq!(event.get("policy_required").and_then(Value::as_str), Some("policy://test/inference/v1"), "{event}");
    }
}

/// A secret is known by the view that the artifact is admitted by: it was never exchanged here.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_authority_whoever_presents_an_artifact_is_known_by_its_secret() {
    let mut domain = Domain::start(Plan { fresh: 60, ..short() }).await;
    let body = request("x");
    let token = domain.token(&body).await;
    domain.stop_authority().await;
    let presented = domain.chat_with(&body, &[("eleven-authorization", &token)]).await;
    assert_eq!(presented.status, StatusCode::OK, "{}", String::from_utf8_lossy(&presented.body));
    let inline = domain.chat(&body).await;
    assert_eq!((inline.status.as_u16(), inline.reason().as_str()), (503, "issuer.unavailable"));
    assert_eq!(domain.calls(), 1);
    // Somebody's who has another secret, by the name of one who is known.
    let bearer = format!("Bearer {}", domain.secret.replace(&domain.secret[domain.secret.len() - 8..], "00000000"));
    let headers = [("eleven-authorization", token.as_str()), ("authorization", bearer.as_str())];
    let other = domain.chat_with(&body, &headers).await;
    assert_eq!((other.status.as_u16(), other.header("eleven-lineage")), (503, ""), "nobody is authenticated");
    domain.start_authority().await;
    let event = domain.denial(inline.header("eleven-lineage")).await;
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    assert_eq!((text("reason"), text("identity")), (Some("issuer.unavailable"), Some(IDENTITY)), "{event}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_ledger_inline_calls_stop_and_presented_ones_at_the_audit_bound() {
    let mut domain = Domain::start(Plan { fresh: 10, ..short() }).await;
    let body = request("x");
    assert_eq!(domain.chat(&body).await.status, StatusCode::OK);
    let (first, second) = (domain.token(&body).await, domain.token(&body).await);
    domain.stop_ledger().await;
    let presented = domain.chat_with(&body, &[("eleven-authorization", &first)]).await;
    assert_eq!(presented.status, StatusCode::OK, "{}", String::from_utf8_lossy(&presented.body));
    let inline = domain.chat(&body).await;
    assert_eq!((inline.status.as_u16(), inline.reason().as_str()), (503, "audit.unavailable"));
    domain.until("the bound is passed", |domain| async move { domain.health().await.backlog_ms > BOUND }).await;
    let calls = domain.calls();
    let halted = domain.chat_with(&body, &[("eleven-authorization", &second)]).await;
    assert_eq!((halted.status.as_u16(), halted.reason().as_str()), (403, "audit.discontinuity"));
    assert_eq!(domain.calls(), calls);
    let (status, health) = domain.get(domain.gateway_at, "/health").await;
    let health = parse(&health).expect("I-JSON");
    assert_eq!((status, health.get("ready")), (StatusCode::SERVICE_UNAVAILABLE, Some(&false.into())), "{health}");
    let why = health.get("denies").and_then(Value::as_str).unwrap_or_default();
    assert!(why.starts_with("audit.discontinuity: "), "{health}");
    domain.start_ledger().await;
    domain
        .until("inline calls work again", |domain| async move {
            domain.chat(&request("again")).await.status == StatusCode::OK
        })
        .await;
    assert_eq!(domain.get(domain.gateway_at, "/health").await.0, StatusCode::OK);
    // What was refused, and what ran, while the ledger was gone is in it now.
    for (answered, reason) in [(&inline, "audit.unavailable"), (&halted, "audit.discontinuity")] {
        let event = domain.denial(answered.header("eleven-lineage")).await;
        assert_eq!(event.get("reason").and_then(Value::as_str), Some(reason));
        assert_eq!(event.get("policy_required").and_then(Value::as_str), Some("policy://test/inference/v1"), "{event}");
    }
    let bundle = domain.bundle_of(presented.op(), 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0, "{}", domain.verify(&bundle).to_value());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_gives_an_old_backlog_no_new_time() {
    let mut domain = Domain::start(Plan { fresh: 10, ..short() }).await;
    let body = request("x");
    let (first, second) = (domain.token(&body).await, domain.token(&body).await);
    domain.stop_ledger().await;
    let presented = domain.chat_with(&body, &[("eleven-authorization", &first)]).await;
    assert_eq!(presented.status, StatusCode::OK, "{}", String::from_utf8_lossy(&presented.body));
    // What it recorded of that is older.
    let ran = domain.clock.now();
    domain.until("the bound is passed", |domain| async move { domain.health().await.backlog_ms > BOUND }).await;
    domain.stop_runtime().await;
    domain.start_runtime().await;
    let since = domain.clock.now().0 - ran.0;
    assert!(domain.health().await.backlog_ms >= since, "it goes on from where it stood");
    domain.until("the bound is passed", |domain| async move { domain.health().await.backlog_ms > BOUND }).await;
    let calls = domain.calls();
    let halted = domain.chat_with(&body, &[("eleven-authorization", &second)]).await;
    assert_eq!((halted.status.as_u16(), halted.reason().as_str()), (403, "audit.discontinuity"));
    assert_eq!(domain.calls(), calls);
    domain.start_ledger().await;
    domain.until("it is acknowledged", |domain| async move { domain.health().await.backlog_ms < BOUND }).await;
    let bundle = domain.bundle_of(presented.op(), 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0, "{}", domain.verify(&bundle).to_value());
    // Where the ledger says that it has everything, nothing waits.
    domain.stop_runtime().await;
    domain.start_runtime().await;
    assert!(domain.health().await.backlog_ms < BOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halt_interrupts_what_runs() {
    let mut domain = Domain::start(Plan { release: "stream", ..short() }).await;
    domain.upstream.gate.send_replace(false);
    let body = request("x").replacen('{', r#"{"stream":true,"#, 1);
    let request = http::Request::post(format!("http://{}/v1/chat/completions", domain.gateway_at))
        .header("authorization", format!("Bearer {}", domain.secret))
        .body(http_body_util::Full::new(bytes::Bytes::from(body)))
        .expect("a request");
    let response = domain.client.send(request).await.expect("answers");
    let op = response.headers().get("eleven-lineage").and_then(|v| v.to_str().ok()).expect("a lineage").to_owned();
    domain.stop_ledger().await;
    let body = http_body_util::BodyExt::collect(response.into_body());
    let ended = tokio::time::timeout(PATIENCE, body).await.expect("it would have run for ever");
    assert!(ended.is_err(), "the stream is broken off, not ended");
    domain.start_ledger().await;
    let bundle = domain.bundle_of(op.strip_prefix("lineage://op/").expect("an op"), 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0, "{}", domain.verify(&bundle).to_value());
    let text = bundle.to_string();
    assert!(text.contains("execution.interrupted") && text.contains("audit.discontinuity"), "{text}");
}

async fn post(domain: &Domain, url: &str, body: Vec<u8>, presented: Option<&str>) -> Answered {
    post_as(&domain.client, url, &domain.secret, body, presented).await
}

async fn post_as(client: &Client, url: &str, bearer: &str, body: Vec<u8>, presented: Option<&str>) -> Answered {
    let request = http::Request::post(url).header("authorization", format!("Bearer {bearer}"));
    let request = presented.into_iter().fold(request, |request, token| request.header("eleven-authorization", token));
    let request = request.body(http_body_util::Full::new(Bytes::from(body))).expect("a request");
    let (parts, body) = client.send(request).await.expect("answers").into_parts();
    let body = body.collect().await.expect("whole").to_bytes();
    Answered { status: parts.status, headers: parts.headers, body }
}

/// An artifact for what is asked of the owner's store, to be presented.
async fn artifact(domain: &Domain, asking: Asking, asked: &Disclose, path: &str) -> String {
    let op = asked.operation(asking).expect("an operation").value().clone();
    let body = Sha3::of(&[&asked.to_value().canonical()]);
    let bound = Object::new().with("body", body).with("method", "POST").with("path", path);
    let env = Object::new().with("runtime", RUNTIME);
    let ask = Object::new().with("identity", IDENTITY).with("op", op).with("env", env).with("request", bound);
    let url = format!("http://{}{}", domain.authority_at, routes::GOVERN_EXECUTE);
    let allowed = post(domain, &url, ask.canonical(), None).await;
    assert_eq!(allowed.status, StatusCode::OK, "{}", allowed.json());
    token_of(&allowed.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disclosure_is_withheld_until_its_evidence_is_as_durable_as_its_policy_asks() {
    let mut domain = Domain::start(Plan {
        cedar: "permit(principal, action, resource);",
        sensitive: Some("user"),
        durability: Some("D3"),
        // Neither bound is what refuses here.
        fresh: 60,
        audit_bound: Duration::from_secs(60),
        ..Plan::default()
    })
    .await;
    domain.act_in_force(Act::PolicyPublish { bundle: disclosing(&domain.plan) }).await;
    let called = domain.chat(&request("x").replacen('{', r#"{"user":"juniper","#, 1)).await;
    assert_eq!(called.status, StatusCode::OK, "{}", String::from_utf8_lossy(&called.body));
    let asked = Disclose { op: called.op().to_owned(), paths: Vec::new(), purpose: "a test".into() };
    let (open, erase) = (routes::RUNTIME_DISCLOSURES_OPEN, routes::RUNTIME_DISCLOSURES_ERASE);
    let early = artifact(&domain, Asking::Open, &asked, open).await;
    let late = artifact(&domain, Asking::Open, &asked, open).await;
    let last = artifact(&domain, Asking::Erase, &asked, erase).await;
    let ask = async |domain: &Domain, path: &str, token: &str| {
        let url = format!("http://{}{path}", domain.gateway_at);
        post(domain, &url, asked.to_value().canonical(), Some(token)).await
    };
    let shown = ask(&domain, open, early.as_str()).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.json());
    assert_eq!(shown.header("eleven-durability"), "D3");
    let disclosed = Disclosed::read(&shown.body).expect("its form");
    assert_eq!((disclosed.count, disclosed.durability.name()), (1, "D3"));
    assert_eq!(disclosed.disclosures.first().map(|kept| kept.value.clone()), Some("juniper".into()));

    domain.stop_ledger().await;
    for (path, token) in [(open, late.as_str()), (erase, last.as_str())] {
        let withheld = ask(&domain, path, token).await;
        assert_eq!((withheld.status.as_u16(), withheld.reason().as_str()), (503, "audit.unavailable"), "{path}");
        assert!(!withheld.json().to_string().contains("juniper"), "{path}");
        assert_eq!(withheld.header("eleven-decision"), "", "{path}: it was allowed");
    }
    domain.start_ledger().await;
    let body = asked.to_value().canonical();
    domain
        .until("the word that what was to be erased is erased", |domain| {
            let (url, body) = (format!("http://{}{open}", domain.gateway_at), body.clone());
            async move {
                let again = post(domain, &url, body, None).await;
                assert_ne!(again.status, StatusCode::OK, "{}", again.json());
                again.status == StatusCode::NOT_FOUND && again.header("eleven-durability") == "D3"
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_for_durability_is_answered_before_its_point_stops() {
    let plan = Plan {
        durability: Some("D3"),
        // As long as the product waits, and longer than a point that stops is there.
        release_wait: Duration::from_millis(MAX_RELEASE_WAIT_MS),
        // Neither bound is what refuses here.
        fresh: 60,
        audit_bound: Duration::from_secs(60),
        ..Plan::default()
    };
    let mut domain = Domain::start(plan).await;
    let body = request("x");
    let call = |domain: &Domain, token: &str| {
        let (url, body) = (format!("http://{}/v1/chat/completions", domain.gateway_at), body.clone().into_bytes());
        let (bearer, token, client) = (domain.secret.clone(), token.to_owned(), domain.client.clone());
        tokio::spawn(async move { post_as(&client, &url, &bearer, body, Some(token.as_str())).await })
    };
    let (first, second) = (domain.token(&body).await, domain.token(&body).await);
    // The ledger is there: what is committed while the point stops is forwarded, proven and released.
    domain.upstream.gate.send_replace(false);
    let calling = call(&domain, &first);
    domain.until("it runs", |domain| async move { domain.calls() == 1 }).await;
    let gate = domain.upstream.gate.clone();
    tokio::join!(domain.stop_runtime(), async { gate.send_replace(true) });
    let released = calling.await.expect("no panic");
    assert_eq!((released.status, released.header("eleven-durability")), (StatusCode::OK, "D3"));
    domain.start_runtime().await;
    assert_eq!(domain.chat(&body).await.status, StatusCode::OK, "the client's token is known now");

    // It is gone: who waits hears that the answer is withheld, and that it was allowed.
    domain.stop_ledger().await;
    let (before, calls) = (domain.journal_records().await, domain.calls());
    let calling = call(&domain, &second);
    domain
        .until("its evidence is committed", |domain| async move { domain.journal_records().await >= before + 6 })
        .await;
    domain.stop_runtime().await;
    let withheld = calling.await.expect("no panic");
    assert_eq!((withheld.status.as_u16(), withheld.reason().as_str()), (503, "audit.unavailable"));
    let why = "the evidence has not reached the durability that the policy asks for; the answer is withheld";
    assert_eq!(withheld.json().get("detail"), Some(&Value::from(why)));
    assert_eq!((withheld.header("eleven-decision"), withheld.header("eleven-durability")), ("", "D1"));
    let retries = (withheld.header("x-should-retry"), withheld.header("retry-after"));
    assert_eq!(retries, ("false", ""), "a client would have it run once more by itself");
    assert_eq!(domain.calls(), calls + 1);

    domain.start_ledger().await;
    domain.start_runtime().await;
    for op in [released.op(), withheld.op()] {
        let bundle = domain.bundle_of(op, 7).await;
        assert_eq!(domain.verify(&bundle).exit_code(), 0, "{}", domain.verify(&bundle).to_value());
        let outcome = bundle.pointer("/events/5/event").and_then(Value::as_str);
        assert_eq!(outcome, Some("execution.completed"), "it ran to its end, whoever heard of it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_disclosures_that_cannot_be_used_commits_to_nothing_and_fails_on_record() {
    let allowing = "permit(principal, action, resource);";
    let domain = Domain::start(Plan { cedar: allowing, sensitive: Some("user"), ..Plan::default() }).await;
    domain.act_in_force(Act::PolicyPublish { bundle: disclosing(&domain.plan) }).await;
    let body = request("x").replacen('{', r#"{"user":"juniper","#, 1);
    let (store, away) = (domain.folder.path().join("runtime/disclosures"), domain.folder.path().join("away"));
    std::fs::rename(&store, &away).expect("moved");
    let refused = domain.chat(&body).await;
    assert_eq!((refused.status.as_u16(), refused.reason().as_str()), (503, "audit.unavailable"));
    assert_eq!((refused.header("eleven-decision"), domain.calls()), ("deny", 0));
    let detail =
        |answered: &Answered| answered.json().get("detail").and_then(Value::as_str).expect("a detail").to_owned();
    let why = "what opens this operation's commitments could not be kept: ";
    assert!(detail(&refused).starts_with(why), "{}", refused.json());
    let event = domain.denial(refused.header("eleven-lineage")).await;
    assert_eq!(event.get("reason").and_then(Value::as_str), Some("audit.unavailable"));
    std::fs::rename(&away, &store).expect("moved back");
    let called = domain.chat(&body).await;
    assert_eq!(called.status, StatusCode::OK, "{}", String::from_utf8_lossy(&called.body));

    let asked = Disclose { op: called.op().to_owned(), paths: Vec::new(), purpose: "a test".into() };
    let content = called.op().split('.').next().expect("its artifact's");
    let file = store.join(format!("{content}.json"));
    let kept = std::fs::read(&file).expect("what was kept");
    std::fs::write(&file, b"{").expect("written");
    let ask = async |path: &str| {
        let url = format!("http://{}{path}", domain.gateway_at);
        post(&domain, &url, asked.to_value().canonical(), None).await
    };
    for path in [routes::RUNTIME_DISCLOSURES_OPEN, routes::RUNTIME_DISCLOSURES_ERASE] {
        let failed = ask(path).await;
        assert_eq!((failed.status.as_u16(), failed.reason().as_str()), (500, ""), "{path}: {}", failed.json());
        assert!(detail(&failed).starts_with("the store of disclosures cannot be used: "), "{path}: {}", failed.json());
        assert_eq!((failed.header("eleven-decision"), failed.header("eleven-durability")), ("", "D1"), "{path}");
        assert_eq!(std::fs::read(&file).expect("a file"), b"{", "{path}: nothing is erased");
        let bundle = domain.bundle_of(failed.op(), 7).await;
        assert_eq!(domain.verify(&bundle).exit_code(), 0, "{}", domain.verify(&bundle).to_value());
        let text = |pointer: &str| bundle.pointer(pointer).and_then(Value::as_str);
        assert_eq!(text("/events/5/event"), Some("execution.failed"), "{path}");
        assert_eq!(text("/events/5/data/cause"), Some("disclosure.store"), "{path}");
        let told = result_digest(failed.header("eleven-salt"), Sha3::of(&[&failed.body]), 500);
        assert_eq!(text("/events/5/data/result/digest"), Some(told.to_string().as_str()), "{path}");
    }
    std::fs::write(&file, kept).expect("written");
    let shown = ask(routes::RUNTIME_DISCLOSURES_OPEN).await;
    assert_eq!((shown.status, shown.header("eleven-decision")), (StatusCode::OK, "allow"), "{}", shown.json());
    assert_eq!(shown.header("eleven-salt").len(), 24, "padded base64 of 16 bytes");
    assert_eq!(Disclosed::read(&shown.body).expect("its form").count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_of_what_is_held_or_gone_fails_on_record_and_was_allowed() {
    let allowing = "permit(principal, action, resource);";
    let domain = Domain::start(Plan { cedar: allowing, sensitive: Some("user"), ..Plan::default() }).await;
    domain.act_in_force(Act::PolicyPublish { bundle: disclosing(&domain.plan) }).await;
    let called = domain.chat(&request("x").replacen('{', r#"{"user":"juniper","#, 1)).await;
    assert_eq!(called.status, StatusCode::OK, "{}", String::from_utf8_lossy(&called.body));
    let asked = Disclose { op: called.op().to_owned(), paths: Vec::new(), purpose: "a test".into() };
    let erase = async || {
        let url = format!("http://{}{}", domain.gateway_at, routes::RUNTIME_DISCLOSURES_ERASE);
        post(&domain, &url, asked.to_value().canonical(), None).await
    };
    let fails = async |status: u16, cause: &str, why: &str| {
        let failed = erase().await;
        let said = failed.json();
        assert_eq!((failed.status.as_u16(), failed.reason().as_str()), (status, ""), "{said}");
        assert!(said.get("detail").and_then(Value::as_str).is_some_and(|told| told.starts_with(why)), "{said}");
        assert_eq!((failed.header("eleven-decision"), failed.header("eleven-durability")), ("", "D1"), "{cause}");
        let bundle = domain.bundle_of(failed.op(), 7).await;
        assert_eq!(domain.verify(&bundle).exit_code(), 0, "{}", domain.verify(&bundle).to_value());
        let text = |pointer: &str| bundle.pointer(pointer).and_then(Value::as_str);
        assert_eq!((text("/events/5/event"), text("/events/5/data/cause")), (Some("execution.failed"), Some(cause)));
    };
    let hold = Hold::on("operation", called.op()).expect("a hold");
    domain.act_in_force(Act::Hold { hold: hold.clone(), placed: true }).await;
    fails(409, "disclosure.held", "that operation, or whoever's it was, is under a legal hold: ").await;
    domain.act_in_force(Act::Hold { hold, placed: false }).await;
    let erased = erase().await;
    assert_eq!((erased.status, erased.header("eleven-decision")), (StatusCode::OK, "allow"), "{}", erased.json());
    assert_eq!(Disclosed::read(&erased.body).expect("its form").count, 1, "it was there until now");
    fails(404, "disclosure.absent", "nothing is kept of that operation at those paths: ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whom_nobody_can_authenticate_is_counted_and_the_ledger_takes_it() {
    let mut domain = Domain::start(short()).await;
    domain.stop_authority().await;
    let before = domain.journal_records().await;
    // Its secret may be newer than what the point knows, and nobody is there to say.
    let bearer = format!("Bearer elk_newer_{}", "0".repeat(52));
    let answered = domain.chat_with(&request("x"), &[("authorization", &bearer)]).await;
    assert_eq!((answered.status.as_u16(), answered.reason().as_str()), (503, "issuer.unavailable"));
    domain.until("it is counted", |domain| async move { domain.journal_records().await > before }).await;
    domain.start_authority().await;
    domain
        .until(
            "calls work again",
            |domain| async move { domain.chat(&request("again")).await.status == StatusCode::OK },
        )
        .await;
    let refused = String::from_utf8(domain.get(domain.ledger_at, "/metrics").await.1.to_vec()).expect("text");
    let refused =
        refused.lines().find(|line| line.starts_with("eleven_ledger_refused_total")).expect("a counter").to_owned();
    assert!(refused.ends_with(" 0"), "the ledger refused what this point produced: {refused}");
    domain.stop_ledger().await;
    domain.start_ledger().await;
    domain
        .until(
            "calls work again",
            |domain| async move { domain.chat(&request("again")).await.status == StatusCode::OK },
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_restarts_knows_every_use() {
    let mut domain = Domain::start(Plan::default()).await;
    let body = request("x");
    let token = domain.token(&body).await;
    assert_eq!(domain.chat_with(&body, &[("eleven-authorization", &token)]).await.status, StatusCode::OK);
    domain.stop_runtime().await;
    domain.start_runtime().await;
    let again = domain.chat_with(&body, &[("eleven-authorization", &token)]).await;
    assert_eq!((again.status.as_u16(), again.reason().as_str()), (403, "artifact.replayed"));
    assert_eq!(domain.chat(&body).await.status, StatusCode::OK, "and goes on with its numbers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_bad_requests_is_a_few_events_and_trips_nothing() {
    let domain = Domain::start(Plan::default()).await;
    let auditor = examiner(&domain).await;
    // The gateway knows the client before.
    let token = domain.token(&request("x")).await;
    let presented = domain.chat_with(&request("x"), &[("eleven-authorization", &token)]).await;
    assert_eq!(presented.status, StatusCode::OK, "{}", String::from_utf8_lossy(&presented.body));
    domain.bundle_of(presented.op(), 7).await;
    let size = |head: &Value| head.get("size").and_then(Value::as_int).unwrap_or_default();
    let head = |body: bytes::Bytes| parse(&body).map(|head| size(&head)).unwrap_or_default();
    let before = head(domain.get(domain.ledger_at, "/v1/proof/head").await.1);
    let mut flood = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (client, at, secret) = (domain.client.clone(), domain.gateway_at, format!("Bearer {}", domain.secret));
        flood.spawn(async move {
            for i in 0..1252 {
                let (status, headers) = match i % 4 {
                    0 => (StatusCode::UNAUTHORIZED, vec![]),
                    1 => (StatusCode::UNAUTHORIZED, vec![("authorization", "Bearer not.a.token")]),
                    2 => (StatusCode::FORBIDDEN, vec![("authorization", &*secret), ("eleven-authorization", "")]),
                    _ => (StatusCode::FORBIDDEN, vec![("authorization", &*secret), ("eleven-authorization", "%%%")]),
                };
                let bare = http::Request::post(format!("http://{at}/v1/chat/completions"));
                let asked = headers.into_iter().fold(bare, |request, (name, value)| request.header(name, value));
                let body = http_body_util::Full::new(bytes::Bytes::from(request("x")));
                let response = client.send(asked.body(body).expect("a request")).await.expect("answers");
                assert_eq!(response.status(), status);
                use http_body_util::BodyExt as _;
                let _ = response.into_body().collect().await;
            }
        });
    }
    while let Some(done) = flood.join_next().await {
        done.expect("the flood goes through");
    }
    let answered = domain.chat(&request("after the flood")).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answered.body));
    domain.bundle_of(answered.op(), 7).await;
    let after = head(domain.get(domain.ledger_at, "/v1/proof/head").await.1);
    assert!(after - before < 1000, "20,000 refusals became {} entries", after - before);
    assert_eq!(domain.calls(), 2);
    // Each is counted, and the point never halted over it.
    let each = 16 * 1252 / 4;
    let counts = [("identity.unauthenticated", 2 * each), ("artifact.missing", each), ("artifact.malformed", each)];
    domain.until_counted(&auditor, &counts).await;
    let events = domain.records(&auditor, before).await;
    let event = |record: &Value| record.get("event").and_then(Value::as_str).map(str::to_owned);
    assert!(!events.iter().filter_map(event).any(|event| event.starts_with("audit.")), "the flood halted the point");
}
