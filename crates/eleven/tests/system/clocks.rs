//! A clock that is set back: what was revoked since stays so, nothing runs by what was known before, and what ran is proven. And
//! one that is set forward: it ends nothing that runs.

use crate::export::examiner;
use crate::harness::{Answered, Domain, Plan, request};
use eleven_authority::admin::Act;
use eleven_core::encoding::{Value, parse};
use eleven_core::hash::unbase64url;
use std::time::Duration;

fn artifact_of(token: &str) -> String {
    let token = parse(&unbase64url(token).expect("base64url")).expect("I-JSON");
    token.pointer("/artifact/id").and_then(Value::as_str).expect("an id").to_owned()
}

fn outcome(answered: &Answered) -> (u16, String) {
    (answered.status.as_u16(), answered.reason())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_lets_nothing_run_that_is_revoked() {
    // No call was ever made here: the point's journal knows of no moment.
    let domain = Domain::start(Plan::default()).await;
    let body = request("x");
    let (first, second) = (domain.token(&body).await, &domain.token(&body).await);
    domain.plan.clock.set_off_by(-70_000);
    let revoke = |token: &str| Act::ArtifactRevoke { artifact: artifact_of(token), why: "operator".into() };
    // The new epoch is stamped seventy seconds before the one that the point holds, and the point takes it all the same.
    domain.act_in_force(revoke(&first)).await;
    let early = domain.chat_with(&body, &[("eleven-authorization", &first)]).await;
    assert_eq!(outcome(&early), (403, "runtime.clock".into()), "this point has seen a later moment");
    // The ledger dates no entry before the last: to it, what is issued now comes a minute late.
    let inline = domain.chat(&body).await;
    assert_eq!(outcome(&inline), (503, "audit.unavailable".into()));
    // Nearer to that the ledger takes it, and the point has seen a later moment.
    domain.plan.clock.set_off_by(-25_000);
    domain
        .until("inline calls are the point's to refuse", |domain| async move {
            outcome(&domain.chat(&request("x")).await) == (403, "runtime.clock".into())
        })
        .await;
    assert_eq!(domain.calls(), 0);
    // The clock is set right again: what was known of before is old now, and the next stamp tells the truth.
    domain.plan.clock.set_off_by(0);
    domain
        .until("calls pass again", |domain| async move {
            domain.chat_with(&request("x"), &[("eleven-authorization", second)]).await.status.as_u16() == 200
        })
        .await;
    let revoked = domain.chat_with(&body, &[("eleven-authorization", &first)]).await;
    assert_eq!(outcome(&revoked), (403, "artifact.revoked".into()));
    assert_eq!(domain.calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ran_while_the_clock_was_set_back_is_proven_like_all_else() {
    let domain = Domain::start(Plan::default()).await;
    domain.upstream.gate.send_replace(false);
    let body = request("x");
    let turned = async {
        domain.until("the model is asked", |domain| async move { domain.calls() == 1 }).await;
        domain.plan.clock.set_off_by(-3_000);
        domain.upstream.gate.send_replace(true);
    };
    let (answered, ()) = tokio::join!(domain.chat(&body), turned);
    assert_eq!(answered.status.as_u16(), 200, "{}", String::from_utf8_lossy(&answered.body));
    domain.plan.clock.set_off_by(0);
    let bundle = domain.bundle_of(answered.op(), 7).await;
    let verdict = domain.verify(&bundle);
    assert_eq!(verdict.exit_code(), 0, "{}", verdict.to_value());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_forward_past_the_audit_bound_interrupts_nothing() {
    let domain = Domain::start(Plan::default()).await;
    let auditor = examiner(&domain).await;
    domain.upstream.gate.send_replace(false);
    let body = request("x");
    let turned = async {
        domain.until("the model is asked", |domain| async move { domain.calls() == 1 }).await;
        // A second more than the bound each time, and time enough to look at what is behind.
        for steps in 1..=4 {
            domain.plan.clock.set_off_by(steps * 6_000);
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        domain.upstream.gate.send_replace(true);
    };
    let (answered, ()) = tokio::join!(domain.chat(&body), turned);
    assert_eq!(answered.status.as_u16(), 200, "{}", String::from_utf8_lossy(&answered.body));
    let bundle = domain.bundle_of(answered.op(), 7).await;
    assert_eq!(domain.verify(&bundle).exit_code(), 0, "{}", domain.verify(&bundle).to_value());
    let records = domain.records(&auditor, 0).await;
    let named = |record: &Value, name: &str| record.get("event").and_then(Value::as_str) == Some(name);
    assert!(records.iter().any(|record| named(record, "execution.completed")));
    assert!(!records.iter().any(|record| named(record, "audit.discontinuity")), "the ledger was there all the while");
}
