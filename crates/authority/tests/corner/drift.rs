//! What the authority does by nobody's act, because of what the ledger says.

use crate::fixtures::{CALLER, POINT, signer};
use crate::world::{DEADLINE, World, acting, asked};
use eleven_api::audit::Append;
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_api::problem::Problem;
use eleven_api::routes;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::{About, Draft, Place};
use eleven_core::reason::Reason;
use std::time::Duration;

/// Posts a record of the point under a number of its stream; the status where it is not taken.
async fn point_says(world: &World, src_seq: u64, step: u64) -> Result<(), u16> {
    let draft = Draft {
        event: "runtime.step",
        place: Place::Alone,
        ts: SystemClock.now(),
        by: POINT.into(),
        src_seq,
        data: Object::new().with("step", step).with("outcome", "passed"),
        about: About::default(),
    };
    let mut append = Append::default();
    append.record(&draft.sign(&signer("point")).expect("a record"));
    let posted = world.client.post(&world.ledger, routes::AUDIT_EVENTS, &[], append.to_bytes(), DEADLINE).await;
    match posted {
        Ok(_) => Ok(()),
        Err(eleven_api::client::CallError::Refused(problem)) => Err(problem.status),
        Err(error) => panic!("{error}"),
    }
}

/// The containments in force.
async fn containments(world: &World) -> Vec<Value> {
    let document = world.get(routes::REGISTRY_REVOCATIONS).await.expect("a document");
    document.get("containments").and_then(Value::as_array).expect("rows").to_vec()
}

async fn until_contained(world: &World) -> Value {
    let began = std::time::Instant::now();
    loop {
        if let Some(row) = containments(world).await.into_iter().next() {
            return row;
        }
        assert!(began.elapsed() < DEADLINE, "nothing was contained");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The request of the point, for its caller.
async fn asked_by_the_point(world: &World) -> Result<(), Problem> {
    let headers = acting(&world.secret, &asked(), SystemClock.now());
    world.execute(&world.secret, &headers, &asked()).await.map(drop)
}

/// An act, which is in force once the ledger told the authority of it.
async fn add_client(world: &World, client: &str) {
    let args = Object::new().with("client", client).with("identity", CALLER);
    world.act("client.add", args).await.expect("added");
}

async fn times_contained(world: &World) -> usize {
    world.records().await.iter().filter(|record| record.event == "lifecycle.contained").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_equivocates_is_contained_once_until_an_operator_lifts_it() {
    let mut world = World::founded().await;
    asked_by_the_point(&world).await.expect("it is allowed");
    point_says(&world, 0, 1).await.expect("its first record");
    assert_eq!(point_says(&world, 0, 2).await, Err(409), "another under the same number");
    let row = until_contained(&world).await;
    let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let expected = ["runtime", POINT, "contained", "drift.equivocation"].map(|text| Some(text.to_owned()));
    assert_eq!(["kind", "subject", "state", "cause"].map(text), expected);
    assert_eq!(asked_by_the_point(&world).await.expect_err("contained").reason, Some(Reason::RuntimeContained));
    assert_eq!(point_says(&world, 1, 1).await, Ok(()), "what it says of what ran is still taken");

    let point = || Object::new().with("kind", "runtime").with("subject", POINT);
    world.act("subject.lift", point()).await.expect("lifted");
    asked_by_the_point(&world).await.expect("it is allowed again");
    assert_eq!(point_says(&world, 1, 2).await, Err(409), "it does it again");
    until_contained(&world).await;
    world.act("subject.lift", point()).await.expect("lifted");
    // The ledger tells a process that starts over of all that it told the one before.
    world.restart_authority().await;
    world.ask_until_allowed().await;
    asked_by_the_point(&world).await.expect("it is allowed still");
    assert_eq!((containments(&world).await.len(), times_contained(&world).await), (0, 2));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_drifted_while_the_authority_was_away_is_contained_when_it_is_back() {
    let world = World::founded().await;
    world.relay.refuse(true);
    point_says(&world, 0, 1).await.expect("its first record");
    assert_eq!(point_says(&world, 0, 2).await, Err(409), "another under the same number");
    assert_eq!(times_contained(&world).await, 0);
    world.relay.refuse(false);
    until_contained(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_whose_clock_is_a_minute_off_is_followed_and_what_drifts_is_contained_once_it_is_right() {
    let world = World::founded().await;
    world.clock.set_off_by(-60_000);
    // The first answers a question that was asked before; the second only one that was asked since.
    add_client(&world, "second").await;
    add_client(&world, "third").await;
    point_says(&world, 0, 1).await.expect("its first record");
    assert_eq!(point_says(&world, 0, 2).await, Err(409), "another under the same number");
    add_client(&world, "fourth").await;
    asked_by_the_point(&world).await.expect("nothing is known of it yet");
    assert_eq!(containments(&world).await.len(), 0);

    world.clock.set_off_by(0);
    until_contained(&world).await;
    assert_eq!(asked_by_the_point(&world).await.expect_err("contained").reason, Some(Reason::RuntimeContained));
    assert_eq!(times_contained(&world).await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_of_which_two_registries_are_signed_is_contained_until_an_operator_lifts_it() {
    // Two ledgers of one domain, each with its authority, under one root: each registry has secrets of its own.
    let other = World::founded().await;
    let mut world = World::founded_over(Some(&other.base)).await;
    let row = until_contained(&world).await;
    let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let expected = ["domain", "11-11", "contained", "drift.registry"].map(|text| Some(text.to_owned()));
    assert_eq!(["kind", "subject", "state", "cause"].map(text), expected);
    assert_eq!(world.ask().await.expect_err("contained").reason, Some(Reason::RuntimeContained));
    assert_eq!(asked_by_the_point(&world).await.expect_err("contained").reason, Some(Reason::RuntimeContained));
    let records = world.records().await;
    let broken: Vec<_> = records.iter().filter(|record| record.event == "audit.discontinuity").collect();
    let [broken] = broken[..] else { panic!("one, and not again with each look: {broken:?}") };
    assert_eq!((broken.by.as_str(), broken.data_str("cause")), ("ledger://11-11", Some("drift.registry")));
    // Which of the two is right no head says.
    let health = world.client.health(&world.ledger, DEADLINE).await.expect("an answer");
    assert_eq!((health.0, health.1.get("registry_agrees")), (false, Some(&Value::Bool(false))));

    let domain = || Object::new().with("kind", "domain").with("subject", "11-11");
    world.act("subject.lift", domain()).await.expect("lifted");
    world.ask().await.expect("it is allowed again");
    // It still is what it was, and who lifted it knows: nor does a process that starts over contain it once more.
    world.restart_authority().await;
    world.ask_until_allowed().await;
    asked_by_the_point(&world).await.expect("it is allowed still");
    assert_eq!((containments(&world).await.len(), times_contained(&world).await), (0, 1));
    other.ask().await.expect("whose ledger looks at no other authority has met nothing");
    assert_eq!(containments(&other).await.len(), 0);
    world.stop().await;
    other.stop().await;
}
