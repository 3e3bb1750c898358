use crate::fixtures::{AUTHORITY, CALLER, POINT, key, signer};
use crate::world::{World, acting, asked, asked_for, bundle};
use eleven_api::audit::Append;
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_api::govern::Execute;
use eleven_api::identity::{Exchange, Issued};
use eleven_api::routes;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::{About, Draft, Place};
use eleven_core::id;
use eleven_core::limits::MAX_CEDAR;
use eleven_core::policy::PolicyBundle;
use eleven_core::reason::Reason;
use eleven_core::registry::{PolicyRecord, PublishedPolicy};
use eleven_core::root::KeyUse;
use eleven_core::signature::{Signer as _, VerifyingKey};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_leaves_after_its_event_is_in_the_ledger() {
    let world = World::founded().await;
    let token = world.ask().await.expect("it is allowed").token;
    let issuer = VerifyingKey::new(&signer("issuer").public()).expect("a key");
    assert!(issuer.verifies(token.artifact.payload(), &token.artifact.sig.val));
    assert_eq!(token.artifact.sub, CALLER);
    let lineage = world.lineage(&id::lineage_name(token.artifact.content_id())).await;
    assert_eq!(lineage.as_slice(), [token.issued]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_exchanged_for_a_token_that_stands_for_the_same_identity() {
    let world = World::founded().await;
    let body = Exchange { secret: world.secret.clone() }.to_value().canonical();
    let answer = world.client.post(&world.base, routes::IDENTITY_TOKEN, &[], body, crate::world::DEADLINE).await;
    let issued = Issued::read(&answer.expect("a token")).expect("its form");
    assert_eq!(issued.expires_in, 60);
    world.execute(&issued.token, &[], &asked()).await.expect("it is allowed");
    let forged = issued.token.replace('.', ".A");
    let refused = world.execute(&forged, &[], &asked()).await.expect_err("a forged token");
    assert_eq!(refused.reason, Some(Reason::IdentityUnauthenticated));
    let wrong = Exchange { secret: world.secret.replace("demo", "other") }.to_value().canonical();
    let answer = world.client.post(&world.base, routes::IDENTITY_TOKEN, &[], wrong, crate::world::DEADLINE).await;
    assert!(answer.is_err());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_with_the_client_whose_secret_it_was_exchanged_for() {
    let world = World::founded().await;
    let body = Exchange { secret: world.secret.clone() }.to_value().canonical();
    let answer = world.client.post(&world.base, routes::IDENTITY_TOKEN, &[], body, crate::world::DEADLINE).await;
    let token = Issued::read(&answer.expect("a token")).expect("its form").token;
    world.execute(&token, &[], &asked()).await.expect("it is allowed");
    let client = eleven_core::encoding::Object::new().with("client", "demo");
    world.act("client.revoke", client).await.expect("revoked");
    let refused = world.execute(&token, &[], &asked()).await.expect_err("a client that is no more");
    assert_eq!((refused.status, refused.reason), (401, Some(Reason::IdentityUnauthenticated)));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_is_recorded_before_it_is_told() {
    let world = World::founded().await;
    let problem = world.execute(&world.secret, &[], &asked_for("other")).await.expect_err("a denial");
    assert_eq!((problem.status, problem.reason), (403, Some(Reason::PolicyDenied)));
    assert!(problem.detail.contains("`summaries`"), "{problem}");
    let lineage = world.lineage(problem.lineage.as_deref().expect("a lineage")).await;
    let [denied] = lineage.as_slice() else { panic!("one event: {lineage:?}") };
    assert_eq!((denied.event.as_str(), denied.about.reason), ("execution.denied", Some(Reason::PolicyDenied)));
    assert_eq!(denied.about.identity.as_deref(), Some(CALLER));
    assert_eq!(denied.data_str("rule"), Some("summaries"));
    let other = Execute { identity: "svc:other".into(), ..asked() };
    let problem = world.execute(&world.secret, &[], &other).await.expect_err("another identity");
    assert_eq!(problem.reason, Some(Reason::IdentityMismatch));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_without_identity_are_counted() {
    let world = World::founded().await;
    for bearer in ["", "elk_demo_wrong", "a.b.c", "x"] {
        let problem = world.execute(bearer, &[], &asked()).await.expect_err("nobody");
        assert_eq!(
            (problem.status, problem.reason, problem.lineage),
            (401, Some(Reason::IdentityUnauthenticated), None)
        );
    }
    let counted = || async {
        let records = world.records().await;
        let denied = records.iter().filter(|record| record.is_counted_denial());
        denied.filter_map(|record| record.data.get("count").and_then(Value::as_int)).sum::<i64>()
    };
    let mut waited = 0;
    while counted().await < 4 && waited < 50 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        waited += 1;
    }
    assert_eq!(counted().await, 4);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_acts_with_its_own_signature_over_request_and_caller() {
    let world = World::founded().await;
    let now = SystemClock.now();
    let headers = acting(&world.secret, &asked(), now);
    world.execute(&world.secret, &headers, &asked()).await.expect("the point acts");
    let problem = world.execute(&world.secret, &headers[..2], &asked()).await.expect_err("no signature");
    assert_eq!((problem.status, problem.reason), (400, None));
    // Its caller is who it says, so that what is wrong with the point is no matter of credentials, and an event.
    let gone = eleven_core::encoding::Object::new().with("point", POINT);
    for (what, headers, reason) in [
        ("another request", acting(&world.secret, &asked_for("other"), now), Reason::RuntimeUnregistered),
        ("another caller", acting("elk_other", &asked(), now), Reason::RuntimeUnregistered),
        ("an old signature", acting(&world.secret, &asked(), now.plus_seconds(-11)), Reason::RuntimeClock),
        ("a signature of a time to come", acting(&world.secret, &asked(), now.plus_seconds(60)), Reason::RuntimeClock),
        ("a point that was removed", headers, Reason::RuntimeUnregistered),
    ] {
        if what.ends_with("removed") {
            world.act("runtime.remove", gone.clone()).await.expect("removed");
        }
        let problem = world.execute(&world.secret, &headers, &asked()).await.expect_err(what);
        assert_eq!((problem.status, problem.reason), (403, Some(reason)), "{what}");
        let lineage = world.lineage(problem.lineage.as_deref().expect("a lineage")).await;
        let [denied] = lineage.as_slice() else { panic!("one event: {lineage:?}") };
        assert_eq!((denied.about.identity.as_deref(), denied.about.reason), (Some(CALLER), Some(reason)), "{what}");
    }
    // Without a credential nobody knows whose matter it is.
    let problem = world.execute("a.b.c", &acting("a.b.c", &asked(), now), &asked()).await.expect_err("nobody");
    assert_eq!((problem.status, problem.reason), (401, Some(Reason::IdentityUnauthenticated)));
    let problem = world.ask().await.expect_err("a runtime without points");
    assert_eq!(problem.reason, Some(Reason::RuntimeUnregistered));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_without_a_record() {
    let world = World::founded().await;
    let before = world.records().await.iter().filter(|record| record.event == "execution.denied").count();
    let bearer = http::HeaderValue::from_str(&format!("Bearer {}", world.secret)).expect("a header");
    let headers = [(http::header::AUTHORIZATION, bearer)];
    for (body, status) in [
        (b"{}".to_vec(), 400),
        (b"\xff".to_vec(), 400),
        (br#"{"identity":"svc:a","op":{},"env":{"runtime":"host://a"},"more":1}"#.to_vec(), 400),
        // A runtime that would not fit into the event of a refusal.
        (Execute { runtime: format!("host://{}", long_path(300)), ..asked() }.to_value().canonical(), 400),
    ] {
        let answer =
            world.client.post(&world.base, routes::GOVERN_EXECUTE, &headers, body, crate::world::DEADLINE).await;
        let Err(eleven_api::client::CallError::Refused(problem)) = answer else { panic!("{answer:?}") };
        assert_eq!(problem.status, status);
    }
    let after = world.records().await.iter().filter(|record| record.event == "execution.denied").count();
    assert_eq!(before, after);
    world.stop().await;
}

#[tokio::test]
async fn a_request_past_the_limit_is_refused_unread_and_is_an_event_of_its_caller() {
    let world = World::founded().await;
    let ask = async |bearer: &str| {
        let bearer = http::HeaderValue::from_str(&format!("Bearer {bearer}")).expect("a header");
        let (headers, body) = ([(http::header::AUTHORIZATION, bearer)], vec![b'['; 40_000]);
        let answer =
            world.client.post(&world.base, routes::GOVERN_EXECUTE, &headers, body, crate::world::DEADLINE).await;
        let Err(eleven_api::client::CallError::Refused(problem)) = answer else { panic!("{answer:?}") };
        problem
    };
    let denials = async || {
        let mut records = world.records().await;
        records.retain(|record| record.event == "execution.denied");
        records
    };
    let before = denials().await.len();
    let problem = ask(&world.secret).await;
    assert_eq!((problem.status, problem.reason), (413, Some(Reason::LimitsExceeded)));
    let after = denials().await;
    assert_eq!(after.len(), before + 1);
    let denied = after.last().expect("a denial");
    assert_eq!((denied.about.identity.as_deref(), denied.about.reason), (Some(CALLER), Some(Reason::LimitsExceeded)));
    assert_eq!(problem.lineage, Some(eleven_core::id::lineage_name(&denied.op)));
    // Nobody's is nobody's.
    let problem = ask("elk_nobody").await;
    assert_eq!((problem.status, problem.reason), (401, Some(Reason::IdentityUnauthenticated)));
    world.stop().await;
}

/// Registers the event key of a replica of the authority.
async fn register_replica(world: &World) {
    let replica = key("replica", KeyUse::Event, AUTHORITY);
    world.act("key.register", Object::new().with("key", replica.to_value())).await.expect("registered");
}

/// Has the ledger take events of the replica.
async fn by_replica(world: &World, mut append: Append, events: Vec<(&'static str, Object)>) {
    for (src_seq, (event, data)) in (0..).zip(events) {
        let (place, ts, by) = (Place::Alone, SystemClock.now(), AUTHORITY.into());
        let draft = Draft { event, place, ts, by, src_seq, data, about: About::default() };
        append.record(&draft.sign(&signer("replica")).expect("a record"));
    }
    let (path, body) = (routes::AUDIT_EVENTS, append.to_bytes());
    let posted = world.client.post(&world.ledger, path, &[], body, crate::world::DEADLINE).await;
    posted.expect("the ledger takes it");
}

/// A path of so many segments of 60 characters.
fn long_path(segments: usize) -> String {
    vec!["a".repeat(60); segments].join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_names_what_is_long_is_recorded_and_told_for_its_own_reason() {
    let world = World::founded().await;
    let Value::Object(policy) = bundle(1) else { panic!("a bundle") };
    // Its name fits into the record that publishes it, and not twice into that of a refusal. Builds before this one took it.
    let policy = policy.with("ref", format!("policy://{}/v1", long_path(200)));
    let policy = policy.with("operations", vec![Value::from("tool.call")]);
    let bytes = policy.canonical();
    let policy = PolicyBundle::read(Value::Object(policy)).expect("a policy");
    let published = PublishedPolicy::sign("11-11", PolicyRecord::of(&policy), &signer("policy")).to_object();
    let mut append = Append::default();
    append.blob(bytes);
    register_replica(&world).await;
    by_replica(&world, append, vec![("policy.published", published)]).await;
    let op = asked().op.with("name", "tool.call");
    let asks = Execute { op, ..asked() };
    let mut problem = world.execute(&world.secret, &[], &asks).await.expect_err("no policy covers it yet");
    for _ in 0..200 {
        if problem.reason != Some(Reason::PolicyNone) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
        problem = world.execute(&world.secret, &[], &asks).await.expect_err("no rule permits it");
    }
    assert_eq!((problem.status, problem.reason), (403, Some(Reason::PolicyDenied)));
    let lineage = world.lineage(problem.lineage.as_deref().expect("a lineage")).await;
    let [denied] = lineage.as_slice() else { panic!("one event: {lineage:?}") };
    assert_eq!((denied.about.reason, denied.about.identity.as_deref()), (Some(Reason::PolicyDenied), Some(CALLER)));
    assert!(denied.data_str("request").is_some(), "the decision's input is kept");
    world.stop().await;
}

/// Each character of this publication is an error to Cedar, so that it takes a second to refuse it; one thread serves.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn others_are_decided_while_a_publication_compiles() {
    let world = World::founded().await;
    let Value::Object(slow) = bundle(2) else { panic!("a bundle") };
    let slow = Object::new().with("bundle", slow.with("cedar", ";".repeat(MAX_CEDAR)));
    let mut decided = 0;
    let refused = {
        let mut publishing = std::pin::pin!(world.act("policy.publish", slow));
        loop {
            tokio::select! {
                refused = &mut publishing => break refused.expect_err("it is not Cedar"),
                allowed = world.ask() => {
                    allowed.expect("it is decided meanwhile");
                    decided += 1;
                }
            }
        }
    };
    assert_eq!(refused.status, 400);
    assert!(decided >= 5, "{decided} were decided meanwhile");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_once_more_is_decided_only_for_who_may_call_still() {
    let world = World::founded().await;
    // A replica revokes the client and retires the policy. This authority learns of it when it has decided, and the ledger has
    // refused that.
    let revoked = ("source.removed", Object::new().with("name", "client.demo"));
    let retired = ("policy.retired", Object::new().with("ref", "policy://medical/inference/v1"));
    register_replica(&world).await;
    world.relay.hold_entries(true);
    by_replica(&world, Append::default(), vec![revoked, retired]).await;
    let learns = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.relay.hold_entries(false);
    };
    let (asked, ()) = tokio::join!(world.ask(), learns);
    let problem = asked.expect_err("its client was revoked");
    assert_eq!((problem.status, problem.reason), (401, Some(Reason::IdentityUnauthenticated)));
    let records = world.records().await;
    assert!(records.iter().any(|record| record.event == "ledger.refused"), "it was decided before");
    let denied = records.iter().find(|record| record.about.identity.as_deref() == Some(CALLER));
    assert_eq!(denied, None, "nothing is recorded in the name of who calls no more");
    world.stop().await;
}
