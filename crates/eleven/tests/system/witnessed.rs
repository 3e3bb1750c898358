//! What a policy, and a point, may ask of the evidence: that witnesses have cosigned the head over it.

use crate::export::{Export, examiner};
use crate::harness::{Domain, Plan, request, signer};
use bytes::Bytes;
use eleven_api::audit::Durability;
use eleven_authority::admin::Act;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::root::{TrustRoot, Witnesses};
use eleven_runtime::Required;
use eleven_verify::{Caller, Pinned, Status, Verdict, verify};
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, StatusCode};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_withheld_until_its_evidence_is_as_durable_as_its_policy_asks() {
    let mut domain = Domain::start(Plan { durability: Some("D4"), witnessed: true, ..Plan::default() }).await;
    let answered = domain.chat(&request("x")).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answered.body));
    assert_eq!(answered.header("eleven-durability"), "D4");
    let lineage = answered.header("eleven-lineage").to_owned();
    let op = lineage.strip_prefix("lineage://op/").expect("a lineage");
    let (status, body) = domain.get(domain.ledger_at, &format!("/v1/proof/lineage/{op}")).await;
    let shown = parse(&body).expect("I-JSON");
    assert_eq!(status, StatusCode::OK);
    assert_eq!(shown.get("durability").and_then(Value::as_str), Some("D4"), "{shown}");
    assert_eq!(shown.get("events").and_then(Value::as_array).map(<[Value]>::len), Some(7), "all of it");
    let (_, body) = domain.get(domain.ledger_at, &format!("/v1/proof/bundle/{op}")).await;
    let root = Pinned::new(domain.root.to_value());
    let report = verify(&parse(&body).expect("I-JSON"), &Caller { root: Some(&root), ..Caller::default() });
    assert_eq!((report.verdict, report.status("witness.quorum")), (Verdict::Verified, Some(Status::Passed)));

    let next = TrustRoot {
        version: 2,
        prev: Some(domain.root.hash_for_prev()),
        witnesses: Witnesses::default(),
        sigs: Vec::new(),
        ..domain.root.clone()
    };
    let without = Act::RootPublish { root: next.signed(&[&*signer("root")]).expect("a root") };
    let authority = domain.authority_handle.as_ref().expect("it runs");
    let refused = authority.operate(without, None).await.expect_err("nothing would reach D4").to_string();
    assert!(refused.contains("a policy in force asks for the durability D4"), "{refused}");

    domain.stop_witness().await;
    let calls = domain.calls();
    let withheld = domain.chat(&request("y")).await;
    assert_eq!((withheld.status.as_u16(), withheld.reason().as_str()), (503, "audit.unavailable"));
    assert_eq!(domain.calls(), calls + 1, "it ran, and its lineage says so");
    assert_eq!((withheld.header("eleven-decision"), withheld.header("eleven-durability")), ("", "D1"));
    assert_eq!(withheld.json().get("decision"), None, "it was allowed");
    domain.start_witness().await;
    domain
        .until("answers come again", |domain| async move { domain.chat(&request("z")).await.status == StatusCode::OK })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_requires_witnesses_halts_without_them_and_goes_on_with_them() {
    let required = Required { level: Durability::D4, window: Duration::from_secs(1) };
    let plan = Plan { witnessed: true, required: Some(required), ..Plan::default() };
    let mut domain = Domain::start(plan).await;
    let auditor = Act::AuditorAdd { auditor: "auditor".into(), identity: "human:auditor:test".into(), hash: None };
    let added = domain.act(auditor).await;
    let secret = &added.get("secret").and_then(Value::as_str).expect("a secret").to_owned();
    assert_eq!(domain.chat(&request("x")).await.status, StatusCode::OK);
    domain.stop_witness().await;
    domain
        .until("the point halts", |domain| async move {
            let answered = domain.chat(&request("more")).await;
            assert!(answered.status == StatusCode::OK || answered.reason() == "audit.discontinuity");
            answered.status != StatusCode::OK
        })
        .await;
    let halted = domain.chat(&request("y")).await;
    assert_eq!((halted.status.as_u16(), halted.reason().as_str()), (403, "audit.discontinuity"));
    domain.stop_runtime().await;
    domain.start_runtime().await;
    let restarted = domain.chat(&request("after a restart")).await;
    assert_eq!((restarted.status.as_u16(), restarted.reason().as_str()), (403, "audit.discontinuity"));
    domain.start_witness().await;
    domain.until("it goes on", |domain| async move { domain.chat(&request("z")).await.status == StatusCode::OK }).await;
    domain
        .until("both ends are in the ledger", |domain| async move {
            let bearer = HeaderValue::from_str(&format!("Bearer {secret}")).expect("a header");
            let (from, wait) = ("/v1/audit/entries?from=0", Duration::from_secs(10));
            let headers = [(AUTHORIZATION, bearer)];
            let asked = domain.client.call(Method::GET, &domain.ledger_url(), from, &headers, Bytes::new(), wait).await;
            let Ok(body) = asked else { return false };
            let entries = parse(&body).expect("I-JSON");
            let entries = entries.get("entries").and_then(Value::as_array).expect("entries").to_vec();
            let at = |event: &str| {
                let mut entries = entries.iter();
                entries.position(|entry| entry.pointer("/record/event").and_then(Value::as_str) == Some(event))
            };
            matches!((at("audit.discontinuity"), at("audit.resumed")), (Some(halted), Some(on)) if halted < on)
        })
        .await;
}

/// How many entries the last head covers.
async fn head_size(domain: &Domain) -> Option<i64> {
    let (_, body) = domain.get(domain.ledger_at, "/v1/proof/head").await;
    parse(&body).ok()?.get("size").and_then(Value::as_int)
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_stands_under_the_last_head_that_its_witnesses_cosigned() {
    let mut domain = Domain::start(Plan { witnessed: true, ..Plan::default() }).await;
    let secret = examiner(&domain).await;
    let op = domain.chat(&request("x")).await.op().to_owned();
    domain.bundle_of(&op, 7).await;
    domain.stop_witness().await;
    let before = head_size(&domain).await;
    let auditor = Act::AuditorAdd { auditor: "another".into(), identity: "human:another:test".into(), hash: None };
    domain.act(auditor).await;
    domain.until("a head that nobody cosigns", |domain| async move { head_size(domain).await > before }).await;
    // Of nobody: a proof file stands under the last head there is.
    let export = Export::of(&domain, &secret, &["--identity", "svc:nobody:test"]).await;
    let (failed, detail) = export.failing("signers", &[]).await;
    assert_eq!(failed, [""; 0], "{detail}");

    // One that is not cosigned is a gap, which the folder shows.
    let lacking = export.copy();
    lacking.manifest(|manifest| {
        let note = manifest.get("checkpoint").and_then(Value::as_str).expect("a checkpoint");
        let own: String = note.split_inclusive('\n').filter(|line| !line.contains("witness.test")).collect();
        assert_ne!(note, own);
        let size = manifest.get("head").and_then(|head| head.get("size")).and_then(Value::as_int).expect("a size");
        let why = "0 witnesses cosigned, 0 of them auditors; the root asks for 1, 0 of them auditors";
        let gap = Object::new().with("what", format!("the head of {size} entries does not count: {why}"));
        manifest.insert("checkpoint", own);
        manifest.insert("gaps", vec![Value::Object(gap)]);
    });
    let (verdicts, code) = lacking.verified_with(&["--skip-documents"]).await;
    let failed: Vec<&str> =
        verdicts.iter().filter(|(_, status, _)| status == "failed").map(|(name, ..)| name.as_str()).collect();
    assert_eq!((failed, code), (vec!["signers"], 1), "{verdicts:?}");
}
