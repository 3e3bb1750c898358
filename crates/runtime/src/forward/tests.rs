use super::*;
use crate::gateway::Gate;
use crate::health::wrong_clock;
use crate::running::{Halt, Running};
use crate::serve::tests::{ledger, opened, opened_by, opened_under};
use crate::view::tests::{Logged, view_where};
use eleven_api::audit::Durability;
use eleven_api::edge::ManualClock;
use eleven_core::encoding::Object;
use eleven_core::hash::Sha3;
use eleven_store::faulty::FaultyDisk;
use http::StatusCode;

/// The moment so many milliseconds after the start.
fn after(ms: i64) -> Moment {
    Moment { at: Time(1_778_605_451_000).plus_millis(ms), steady: ms }
}

/// The events of a point that is idle for four bounds before a ledger that answers after `answer`, by a clock of its own; and
/// the longest that it was unacknowledged.
fn idles(audit_bound: Duration, answer: Duration) -> (Vec<&'static str>, i64) {
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).expect("short");
    let (bound, answer, every) = (millis(audit_bound), millis(answer), millis(idle(audit_bound)));
    let (progress, running) = (Progress::new(after(0)), Running::new("host://test/inference#gw-0".into()));
    let (mut halt, mut events, mut longest) = (Halt::default(), Vec::new(), 0);
    let (mut asks, mut asked_at) = (0, None);
    for now in 0..4 * bound {
        match asked_at {
            Some(at) if now == at + answer => {
                progress.advance(0, Acknowledged::All, after(at));
                (asks, asked_at) = (now + every, None);
            }
            None if now == asks => asked_at = Some(now),
            Some(_) | None => {}
        }
        let backlog = progress.backlog_ms(after(now));
        longest = longest.max(backlog);
        events.extend(halt.look(backlog > bound, 0, &running).map(|(event, _)| event));
    }
    (events, longest)
}

#[test]
fn an_idle_point_never_comes_to_its_bound_by_waiting() {
    for seconds in 1..=60 {
        let bound = Duration::from_secs(seconds);
        let (events, longest) = idles(bound, Duration::from_millis(300));
        assert_eq!(events, Vec::<&str>::new(), "{seconds} s");
        assert!(longest <= (idle(bound) + Duration::from_millis(600)).as_millis() as i64, "{seconds} s: {longest} ms");
    }
    assert_eq!(idle(Duration::from_secs(60)), IDLE, "and never less often than that");
    // One that answers too late for the bound is what the bound is for.
    let (events, _) = idles(Duration::from_secs(1), Duration::from_millis(700));
    assert_eq!(events.first(), Some(&"audit.discontinuity"));
}

const BEGAN: Time = Time(1_800_000_000_000);

#[test]
fn a_clock_that_is_set_back_gives_an_old_backlog_no_new_time() {
    let clock = ManualClock::new(BEGAN);
    let progress = Progress::new(Moment::now(&clock));
    let waits = || progress.backlog_ms(Moment::now(&clock));
    clock.advance(1_000);
    progress.advance(3, Acknowledged::All, Moment::now(&clock));
    assert_eq!(waits(), 0);
    clock.set(BEGAN.plus_millis(-60_000));
    clock.advance(5_001);
    assert_eq!(waits(), 5_001, "the ledger has been silent for that long, whatever the clock shows");
    // Up to a record of a time to come: it says nothing of how long ago that was.
    progress.advance(4, Acknowledged::Until(BEGAN), Moment::now(&clock));
    assert_eq!((waits(), progress.acknowledged()), (5_001, 4));
    progress.advance(5, Acknowledged::Until(clock.now().plus_millis(-700)), Moment::now(&clock));
    assert_eq!(waits(), 700);
    progress.advance(6, Acknowledged::All, Moment::now(&clock));
    assert_eq!(waits(), 0, "the ledger answers, and the clock that was set back halts nothing");
}

#[test]
fn a_clock_that_is_set_forward_makes_no_backlog_older() {
    let clock = ManualClock::new(BEGAN);
    let progress = Progress::new(Moment::now(&clock));
    clock.advance(300);
    clock.set(BEGAN.plus_millis(60_000));
    assert_eq!(progress.backlog_ms(Moment::now(&clock)), 300);
    // It was made before, by the clock as it was.
    progress.advance(3, Acknowledged::Until(BEGAN.plus_millis(100)), Moment::now(&clock));
    assert_eq!(progress.backlog_ms(Moment::now(&clock)), 300);
    clock.advance(5_000);
    assert_eq!(progress.backlog_ms(Moment::now(&clock)), 5_300);
    progress.advance(4, Acknowledged::All, Moment::now(&clock));
    assert_eq!(progress.backlog_ms(Moment::now(&clock)), 0);
}

#[test]
fn a_backlog_counts_from_the_oldest_record_that_the_ledger_may_not_have() {
    let clock = ManualClock::new(BEGAN);
    let progress = Progress::new(Moment::now(&clock).back_to(BEGAN.plus_millis(-9_000)));
    assert_eq!(progress.backlog_ms(Moment::now(&clock)), 9_000);
    clock.set(BEGAN.plus_millis(-60_000));
    assert_eq!(progress.backlog_ms(Moment::now(&clock)), 9_000);
}

#[test]
fn what_the_ledger_would_date_is_known_between_two_times_whatever_becomes_of_the_clock() {
    let clock = ManualClock::new(BEGAN);
    let progress = Progress::new(Moment::now(&clock));
    let between = || progress.dated(Moment::now(&clock)).map(|(one, other)| (one.since(BEGAN), other.since(BEGAN)));
    assert_eq!(between(), None, "it said nothing yet");
    let asked = Moment::now(&clock);
    clock.advance(30);
    progress.told(Some(BEGAN.plus_millis(10)), asked);
    assert_eq!(between(), Some((10, 40)), "it may have said so at once, or at the last moment");
    clock.set(BEGAN.plus_millis(60_000));
    clock.advance(100);
    assert_eq!(between(), Some((10, 140)));
    progress.told(None, Moment::now(&clock));
    assert_eq!(between(), Some((10, 140)), "a ledger that does not say changes nothing");
    progress.told(Some(BEGAN.plus_millis(150)), Moment::now(&clock));
    assert_eq!(between(), Some((150, 150)));
}

#[tokio::test]
async fn a_point_that_is_never_idle_hears_the_ledgers_time_all_the_same() {
    let clock = Arc::new(ManualClock::new(BEGAN));
    let cursor = |next: u64, at: Option<i64>| {
        let at = at.map(|ms| BEGAN.plus_millis(ms));
        Cursor { next, hash: None, counts: Some(true), at, size: 3 + next }.to_value().to_string()
    };
    let appended = |next| Appended { durability: Durability::D1, next, size: 4 }.to_value().to_string();
    let answers = [cursor(0, Some(5)), appended(1), appended(2), cursor(2, Some(1_007)), appended(3)];
    let (at, asked, _stop) = ledger(answers.map(|answer| (StatusCode::OK, answer)).to_vec()).await;
    let point = opened_by(&FaultyDisk::new(1), "http://127.0.0.1:9", clock.clone()).await;
    let forwarder = forwarder(&point.gate, at);
    let between =
        || point.gate.progress.dated(Moment::now(&*clock)).map(|(one, other)| (one.since(BEGAN), other.since(BEGAN)));
    let mut outbox = Outbox::default();
    let record = || point.gate.desks.alone("audit.resumed", Object::new());
    record().await.expect("a sound disk");
    // It asks where its stream stands, and sends.
    for told in [Some((5, 5)), Some((5, 5))] {
        forwarder.forward(&mut outbox).await.expect("an answer");
        assert_eq!(between(), told);
    }
    // Sooner than in a second it only sends; then it asks beside that.
    for (passes, told) in [(999, Some((5, 1_004))), (1, Some((1_007, 1_007)))] {
        clock.advance(passes);
        record().await.expect("a sound disk");
        forwarder.forward(&mut outbox).await.expect("an answer");
        assert_eq!(between(), told);
    }
    let asked = asked.lock().expect("whole").clone();
    let asks: Vec<bool> = asked.iter().map(|path| path.starts_with(routes::AUDIT_CURSOR)).collect();
    assert_eq!(asks, [true, false, false, true, false], "{asked:?}");
    assert!(asked[0].ends_with("?at=1"), "a ledger says it to who asks for it alone: {asked:?}");
}

#[tokio::test]
async fn a_ledger_that_does_not_know_who_asks_for_its_time_acknowledges_nothing_to_whom_is_never_idle_either() {
    let clock = Arc::new(ManualClock::new(BEGAN));
    let cursor = |next: u64, at: i64| {
        let at = Some(BEGAN.plus_millis(at));
        (StatusCode::OK, Cursor { next, hash: None, counts: Some(true), at, size: 3 + next }.to_value().to_string())
    };
    let appended =
        |next| (StatusCode::OK, Appended { durability: Durability::D1, next, size: 3 + next }.to_value().to_string());
    // Its clock was set back by more than ten seconds: it knows no signature by that of the point.
    let problem = Problem::with_status(401, "a stream's cursor is for whoever has its key").to_object();
    let unknown = || (StatusCode::UNAUTHORIZED, Value::Object(problem.clone()).to_string());
    let answers =
        vec![cursor(0, 0), appended(1), unknown(), appended(2), unknown(), appended(3), cursor(3, 1_100), appended(4)];
    let (at, asked, _stop) = ledger(answers).await;
    let point = opened_by(&FaultyDisk::new(1), "http://127.0.0.1:9", clock.clone()).await;
    let forwarder = forwarder(&point.gate, at);
    let backlog = || point.gate.progress.backlog_ms(Moment::now(&*clock));
    let mut outbox = Outbox::default();
    let record = || point.gate.desks.alone("audit.resumed", Object::new());
    record().await.expect("a sound disk");
    for _ in 0..2 {
        forwarder.forward(&mut outbox).await.expect("an answer");
    }
    assert_eq!((point.gate.progress.acknowledged(), backlog()), (1, 0));
    // The second time it asks at once: that it was asked a moment ago told nothing.
    for (passes, waits) in [(1_000, 1_000), (100, 1_100)] {
        clock.advance(passes);
        record().await.expect("a sound disk");
        let error = forwarder.forward(&mut outbox).await.expect_err("it is not known there");
        assert!(is_unknown(&error), "{error}");
        assert_eq!((point.gate.progress.acknowledged(), backlog()), (1, waits), "though its records are taken");
        assert!(wrong_clock(&point.gate).is_some(), "nor is anything admitted that could not be proven");
    }
    record().await.expect("a sound disk");
    forwarder.forward(&mut outbox).await.expect("an answer");
    assert_eq!((point.gate.progress.acknowledged(), backlog()), (4, 0), "the clocks agree again");
    assert_eq!(wrong_clock(&point.gate), None);
    let asked = asked.lock().expect("whole").clone();
    let asks: Vec<bool> = asked.iter().map(|path| path.starts_with(routes::AUDIT_CURSOR)).collect();
    assert_eq!(asks, [true, false, true, false, true, false, true, false], "{asked:?}");
}

#[test]
fn what_is_said_of_a_ledger_is_said_again_where_it_is_something_else_and_not_where_a_number_is() {
    let refused = |reason, detail: &str| CallError::Refused(Problem::refused(reason, detail));
    let plain = |status| CallError::Refused(Problem::with_status(status, "x"));
    let errors = [
        CallError::Unreachable("the ledger is not reachable".into()),
        CallError::Late("within 9999 ms".into()),
        CallError::Broken("it broke off".into()),
        CallError::Untrusted("by whom".into()),
        CallError::Malformed("no I-JSON".into()),
        refused(Reason::AuditUnavailable, "nothing was written: no space left"),
        refused(Reason::LimitsExceeded, "too much"),
        plain(401),
        plain(409),
        plain(503),
    ];
    for (at, one) in errors.iter().enumerate() {
        let same: Vec<usize> = (0..errors.len()).filter(|other| kind(&errors[*other]) == kind(one)).collect();
        assert_eq!(same, [at], "{one}");
    }
    for (one, another) in [
        (CallError::Late("within 9998 ms".into()), CallError::Late("within 9997 ms".into())),
        (refused(Reason::AuditUnavailable, "7 wait"), refused(Reason::AuditUnavailable, "8 wait")),
    ] {
        assert_eq!(kind(&one), kind(&another), "{one}");
    }
}

/// The forwarding task of a point before the ledger there.
fn forwarder(gate: &Gate, ledger: String) -> Forwarder {
    Forwarder {
        desks: Arc::clone(&gate.desks),
        progress: Arc::clone(&gate.progress),
        standing: Arc::clone(&gate.standing),
        client: Client::new(),
        ledger,
        audit_bound: Duration::from_secs(5),
        reader: gate.registry.reader().clone(),
        clock: Arc::clone(&gate.clock),
        foreign: Arc::default(),
    }
}

#[tokio::test]
async fn a_point_whose_journal_is_not_what_the_ledger_has_of_its_key_ends() {
    let hash = Some(Sha3::of(&[b"of the journal that was here before".as_slice()]));
    let cursor = Cursor { next: 1, hash, counts: Some(true), at: None, size: 4 }.to_value();
    let (at, _asked, _stop) = ledger(vec![(StatusCode::OK, cursor.to_string()); 2]).await;
    let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
    point.gate.desks.alone("audit.resumed", Object::new()).await.expect("a sound disk");
    let forwarder = forwarder(&point.gate, at);
    let foreign = Arc::clone(&forwarder.foreign);
    let (_running, stopping) = watch::channel(false);
    tokio::time::timeout(DEADLINE, forwarder.run(stopping)).await.expect("by itself");
    assert_eq!(foreign.get(), Some(&OutboxError::Foreign { number: 0 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_does_not_answer_makes_no_end_longer() {
    // It takes connections, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("it listens");
    let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
    let forwarder = forwarder(&point.gate, format!("http://{}", silent.local_addr().expect("an address")));
    let (stop, stopping) = watch::channel(false);
    let forwarding = tokio::spawn(forwarder.run(stopping));
    let _taken = silent.accept().expect("it is asked");
    stop.send_replace(true);
    let ended = tokio::time::timeout(DEADLINE / 2, forwarding).await;
    ended.expect("long before the ledger's time is over").expect("no panic");
}

#[tokio::test]
async fn the_last_records_are_sent_also_where_the_ledger_failed_before_and_it_is_said_where_it_still_does() {
    let logged = Logged::default();
    let _logging = tracing::subscriber::set_default(logged.clone());
    let failing = (StatusCode::SERVICE_UNAVAILABLE, "it comes up".to_owned());
    let cursor = Cursor { next: 0, hash: None, counts: Some(true), at: None, size: 3 }.to_value();
    let appended = Appended { durability: Durability::D1, next: 1, size: 4 }.to_value();
    let takes = [cursor, appended].map(|answer| (StatusCode::OK, answer.to_string())).to_vec();
    for (then, acknowledged, late) in [(takes, 1, 0), (vec![failing.clone()], 0, 1)] {
        let answers = then.len() + 1;
        let (at, asked, _stop) = ledger([vec![failing.clone()], then].concat()).await;
        let asked = || asked.lock().expect("whole").len();
        let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
        point.gate.desks.alone("audit.resumed", Object::new()).await.expect("a sound disk");
        let (stop, stopping) = watch::channel(false);
        let forwarding = tokio::spawn(forwarder(&point.gate, at).run(stopping));
        while asked() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.send_replace(true);
        forwarding.await.expect("no panic");
        assert_eq!((asked(), point.gate.progress.acknowledged()), (answers, acknowledged));
        let told = logged.lines().iter().filter(|line| line.contains(LATE) && line.contains("503")).count();
        assert_eq!(told, late, "{:?}", logged.lines());
    }
}

#[tokio::test]
async fn a_ledger_that_refuses_the_same_records_again_and_again_is_not_said_to_acknowledge_in_between() {
    let logged = Logged::default();
    let _logging = tracing::subscriber::set_default(logged.clone());
    let cursor =
        |next| Cursor { next, hash: None, counts: Some(false), at: None, size: 3 + next }.to_value().to_string();
    let cursor = |next| (StatusCode::OK, cursor(next));
    let refused = (StatusCode::FORBIDDEN, "the key does not count any more".to_owned());
    let appended = Appended { durability: Durability::D1, next: 1, size: 4 }.to_value();
    let takes = vec![cursor(0), (StatusCode::OK, appended.to_string())];
    let refuses = || vec![cursor(0), refused.clone()];
    let answers = [refuses(), refuses(), takes, vec![cursor(1); 9]].concat();
    let (at, _asked, _stop) = ledger(answers).await;
    let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
    point.gate.desks.alone("audit.resumed", Object::new()).await.expect("a sound disk");
    let (stop, stopping) = watch::channel(false);
    let forwarding = tokio::spawn(forwarder(&point.gate, at).run(stopping));
    while point.gate.progress.acknowledged() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.send_replace(true);
    forwarding.await.expect("no panic");
    let told = |what: &str| logged.lines().iter().filter(|line| line.contains(what)).count();
    let told = (told("does not acknowledge"), told("acknowledges again"));
    assert_eq!(told, (1, 1), "{:?}", logged.lines());
}

#[tokio::test]
async fn where_a_points_key_is_compromised_it_is_not_its_clock_that_is_told() {
    let point = opened_under("key:11-11/issuer/2026-q2").await;
    let told = || wrong_clock(&point.gate).is_some();
    point.gate.progress.dated.unheard();
    assert!(told(), "no view says why it is not known");
    for (what, clock) in [("everything in order", true), ("issuer key compromised", false)] {
        point.gate.registry.hold(view_where(what));
        assert_eq!(told(), clock, "{what}");
    }
}

#[tokio::test]
async fn records_that_the_ledger_refuses_for_good_are_told_with_their_operation_and_not_said_to_stay() {
    let logged = Logged::default();
    let _logging = tracing::subscriber::set_default(logged.clone());
    let cursor =
        |next| Cursor { next, hash: None, counts: Some(true), at: None, size: 3 + next }.to_value().to_string();
    let cursor = |next| (StatusCode::OK, cursor(next));
    let of_it = Object::new().with("record", 0u64).with("numbered", true).with("detail", "lineage.order: not here");
    let refused = Problem::with_status(422, "record 0: lineage.order: not here").to_object();
    let refused = Value::Object(refused.with("records", vec![Value::Object(of_it)])).to_string();
    let answers = [vec![cursor(0), (StatusCode::UNPROCESSABLE_ENTITY, refused)], vec![cursor(1); 9]].concat();
    let (at, _asked, _stop) = ledger(answers).await;
    let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
    let op = point.gate.desks.alone("audit.resumed", Object::new()).await.expect("a sound disk");
    let (stop, stopping) = watch::channel(false);
    let forwarding = tokio::spawn(forwarder(&point.gate, at).run(stopping));
    while point.gate.progress.acknowledged() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.send_replace(true);
    forwarding.await.expect("no panic");
    let told = |what: &str| logged.lines().iter().filter(|line| line.contains(what)).count();
    assert_eq!((told(&op), told("for good"), told("lineage.order: not here")), (1, 1, 1), "{:?}", logged.lines());
    assert_eq!((told("does not acknowledge"), told("acknowledges again")), (0, 0), "{:?}", logged.lines());
}
