use crate::fixtures::{self, AUTHORITY, CALLER, key, signer};
use crate::world::{DEADLINE, World};
use eleven_api::audit::Append;
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_api::routes;
use eleven_authority::admin::{Act, ActError};
use eleven_core::encoding::Object;
use eleven_core::event::{About, Draft, Place};
use eleven_core::reason::Reason;
use eleven_core::root::{KeyUse, TrustRoot};
use eleven_core::signature::Signer as _;
use std::time::Duration;

/// The numbers of the authority's key in the ledger, which must be 0, 1, 2, …
async fn numbers(world: &World) -> Vec<u64> {
    let kid = crate::fixtures::signer("event");
    let kid = eleven_core::signature::Signer::kid(&kid).to_owned();
    world.records().await.iter().filter(|record| record.kid == kid).map(|record| record.src_seq).collect()
}

async fn assert_gapless(world: &World) {
    let numbers = numbers(world).await;
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
    let equivocation = world.records().await.into_iter().find(|record| record.event == "audit.discontinuity");
    assert_eq!(equivocation, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_ledger_nothing_is_decided() {
    let world = World::founded().await;
    world.relay.refuse(true);
    for _ in 0..2 {
        let problem = world.ask().await.expect_err("no ledger");
        assert_eq!((problem.status, problem.reason), (503, Some(Reason::AuditUnavailable)));
    }
    world.relay.refuse(false);
    world.ask_until_allowed().await;
    assert_gapless(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_leaves_one_event_and_no_artifact() {
    let world = World::founded().await;
    let before = numbers(&world).await.len();
    world.relay.lose_answers(true);
    let problem = world.ask().await.expect_err("the answer is lost");
    assert_eq!(problem.reason, Some(Reason::AuditUnavailable));
    world.relay.lose_answers(false);
    world.ask_until_allowed().await;
    let numbers = numbers(&world).await;
    assert!(numbers.len() >= before + 2, "what was sent is in the ledger, and what came after it");
    assert_gapless(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_stamp_is_signed_while_the_ledger_is_silent() {
    let world = World::founded().await;
    world.relay.refuse(true);
    // Two seconds is the age that the genesis gives a view; what was signed within it may still come.
    tokio::time::sleep(Duration::from_millis(2_600)).await;
    let last = world.get_bytes(eleven_api::routes::REGISTRY_STAMP).await.expect("the last stamp");
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    let later = world.get_bytes(eleven_api::routes::REGISTRY_STAMP).await.expect("the last stamp");
    assert_eq!(last, later);
    assert_eq!(world.get(eleven_api::routes::HEALTH).await.expect_err("not ready").status, 503);
    world.relay.refuse(false);
    world.ask_until_allowed().await;
    world.stop().await;
}

/// Waits until the authority says of itself that it can decide nothing.
async fn until_unready(world: &World) {
    let began = std::time::Instant::now();
    while world.get(routes::HEALTH).await.is_ok() {
        assert!(began.elapsed() < DEADLINE, "the authority goes on deciding");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_decided_or_stamped_before_an_epoch_that_this_authority_cannot_sign() {
    let world = World::founded().await;
    let published = Object::new().with("root", fixtures::successor().to_value());
    let problem = world.act("root.publish", published.clone()).await.expect_err("another registry key");
    assert_eq!(problem.status, 400);
    assert!(problem.detail.contains("registry key"), "{problem}");
    world.ask().await.expect("nothing has changed");

    // A replica, which has an event key of its own, publishes it all the same.
    let replica = key("replica", KeyUse::Event, AUTHORITY);
    world.act("key.register", Object::new().with("key", replica.to_value())).await.expect("registered");
    let draft = Draft {
        event: "root.published",
        place: Place::Alone,
        ts: SystemClock.now(),
        by: AUTHORITY.into(),
        src_seq: 0,
        data: published,
        about: About::default(),
    };
    let mut append = Append::default();
    append.record(&draft.sign(&signer("replica")).expect("a record"));
    let posted = world.client.post(&world.ledger, routes::AUDIT_EVENTS, &[], append.to_bytes(), DEADLINE).await;
    posted.expect("the ledger takes it");
    until_unready(&world).await;
    let problem = world.ask().await.expect_err("what is in force is not known here");
    assert_eq!((problem.status, problem.reason), (503, Some(Reason::AuditUnavailable)));
    let last = world.get_bytes(routes::REGISTRY_STAMP).await.expect("the last stamp");
    // A view of two seconds is stamped every quarter of one.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(world.get_bytes(routes::REGISTRY_STAMP).await.expect("the last stamp"), last);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_is_not_called_unknown_because_the_ledger_is_down() {
    let world = World::founded().await;
    world.relay.refuse(true);
    until_unready(&world).await;
    let args = || Object::new().with("identity", CALLER);
    let problem = world.act("identity.issue", args()).await.expect_err("no ledger");
    assert_eq!((problem.status, problem.reason), (503, Some(Reason::AuditUnavailable)));
    assert!(problem.detail.contains("ledger"), "{problem}");
    world.relay.refuse(false);
    world.ask_until_allowed().await;
    world.act("identity.issue", args()).await.expect("the operator is known");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_authority_continues_from_the_ledger() {
    let mut world = World::founded().await;
    let first = world.ask().await.expect("an artifact").token.issued.src_seq;
    world.restart_authority().await;
    let second = world.ask().await.expect("an artifact").token.issued.src_seq;
    assert_eq!(second, first + 1);
    assert_gapless(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_share_appends() {
    let world = std::sync::Arc::new(World::founded().await);
    let asking: Vec<_> = (0..64)
        .map(|_| {
            let world = std::sync::Arc::clone(&world);
            tokio::spawn(async move { world.ask().await.map(|allowed| allowed.token.issued.src_seq) })
        })
        .collect();
    let mut numbers = Vec::new();
    for asked in asking {
        numbers.push(asked.await.expect("a task").expect("an artifact"));
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 64);
    assert_gapless(&world).await;
    let text = world.get_bytes(eleven_api::routes::METRICS).await.expect("metrics");
    let text = String::from_utf8(text.to_vec()).expect("text");
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).expect("the line");
        line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok()).expect("a number")
    };
    assert!(value("eleven_authority_appends_total ") < value("eleven_authority_events_total "), "{text}");
    drop(world);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_is_published_where_the_ledger_says_that_it_holds_a_head_key_of_it_and_nowhere_else() {
    let mut world = World::founded().await;
    let first = fixtures::root();
    let (version, prev) = (2, Some(first.hash_for_prev()));
    let next = TrustRoot { version, prev, sigs: Vec::new(), ..first }.signed(&[&signer("root")]).expect("a root");
    let args = || Object::new().with("root", next.to_value());

    world.relay.refuse(true);
    // As if an operator had signed while the ledger was heard.
    let act = Act::RootPublish { root: next.clone() };
    match world.authority.operate(act, Some(&world.listed_operator())).await.expect_err("silent") {
        ActError::Unavailable(why) => assert!(why.contains(routes::HEALTH), "{why}"),
        other => panic!("{other:?}"),
    }
    world.relay.refuse(false);
    world.ask_until_allowed().await;

    let (unsaid, unheld) = ("the ledger does not say which head keys it holds", "the root names no head key");
    for (health, told) in [
        ("{}", unsaid),
        (r#"{"head_keys":null}"#, unsaid),
        // As a ledger of an earlier version tells them: by name only.
        (r#"{"head_keys":["key:11-11/head/1"]}"#, unsaid),
        (r#"{"head_keys":[]}"#, unheld),
        // Another key under the name.
        (
            concat!(
                r#"{"head_keys":[{"kid":"key:11-11/head/1","public":"#,
                r#""base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]}"#
            ),
            unheld,
        ),
    ] {
        world.restart_authority_where(health).await;
        let problem = world.act("root.publish", args()).await.expect_err(health);
        assert_eq!(problem.status, 400, "{health}: {problem}");
        assert!(problem.detail.starts_with(told), "{health}: {problem}");
    }
    let published =
        async |world: &World| world.records().await.iter().filter(|record| record.event == "root.published").count();
    assert_eq!(published(&world).await, 0, "nothing of all that was recorded");
    world.restart_authority().await;
    world.act("root.publish", args()).await.expect("the ledger holds that key");
    assert_eq!(published(&world).await, 1);
    world.stop().await;
}

/// How many events of the ledger end a key of the registry.
async fn keys_ended(world: &World) -> usize {
    let ends = |event: &str| matches!(event, "key.retired" | "key.compromised");
    world.records().await.iter().filter(|record| ends(&record.event)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_ledgers_ends_while_that_is_silent_only_where_it_is_urgent_and_another_counts() {
    let world = World::founded().await;
    let kid = |label: &str| signer(label).kid().to_owned();
    // As if an operator had signed while the ledger was heard: from there on nothing asks how long ago that was.
    let operator = world.listed_operator();
    let operate = async |act: Act| world.authority.operate(act, Some(&operator)).await.expect_err("silent");
    let retire = |label: &str| Act::KeyRetire { kid: kid(label) };
    let compromise = |label: &str| Act::KeyCompromise { kid: kid(label), since: SystemClock.now() };
    let asked = |error: &ActError| match error {
        ActError::Unavailable(why) => why.contains(routes::HEALTH),
        _ => false,
    };

    // The only key of its use that counts: whether the ledger signs by it is not known, and then it is taken to.
    world.relay.refuse(true);
    let error = operate(retire("ledger")).await;
    assert!(asked(&error), "{error:?}");
    match operate(compromise("ledger")).await {
        ActError::Impossible(why) => assert!(why.starts_with("the ledger signs its events by that key"), "{why}"),
        other => panic!("{other:?}"),
    }

    world.relay.refuse(false);
    world.ask_until_allowed().await;
    let spare = key("spare", KeyUse::Event, "ledger://11-11");
    world.act("key.register", Object::new().with("key", spare.to_value())).await.expect("registered");
    world.relay.refuse(true);
    for label in ["spare", "ledger"] {
        let error = operate(retire(label)).await;
        assert!(asked(&error), "{label}: {error:?}");
    }
    assert_eq!(keys_ended(&world).await, 0, "nothing of all that was recorded");

    // Which of two it signs by is not waited for where one is in other hands: that is sent until the ledger has it.
    match operate(compromise("spare")).await {
        ActError::Unavailable(why) => assert_eq!(why, "what became of it is open, it is sent again"),
        other => panic!("{other:?}"),
    }
    world.relay.refuse(false);
    world.ask_until_allowed().await;
    assert_eq!(keys_ended(&world).await, 1);
    assert_gapless(&world).await;
    world.stop().await;
}
