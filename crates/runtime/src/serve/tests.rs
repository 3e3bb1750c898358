use super::*;
use crate::execution;
use crate::opening::begin;
use crate::opening::tests::{admission, events};
use crate::recover::tests::{again, begun};
use eleven_api::edge::{ManualClock, SystemClock};
use eleven_core::encoding::Value;
use eleven_core::hash::Sha3;
use eleven_core::reason::Reason;
use eleven_core::signature::SeedSigner;
use eleven_core::time::Time;
use eleven_enforce::journal::Line;
use eleven_store::faulty::{Effect, Fault, FaultyDisk, Op};
use eleven_store::{Log as _, Place};
use http::{StatusCode, Version};
use http_body_util::Full;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// A ledger that gives these answers one after the other, and none besides; and what it was asked.
pub(crate) async fn ledger(
    answers: Vec<(StatusCode, String)>,
) -> (String, Arc<Mutex<Vec<String>>>, watch::Sender<bool>) {
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("it listens");
    let at = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (answers, seen) = (Arc::new(Mutex::new(VecDeque::from(answers))), Arc::clone(&asked));
    let answer = move |request: Request<Body>| {
        seen.lock().expect("whole").push(request.uri().to_string());
        let (status, body) = answers.lock().expect("whole").pop_front().unwrap_or((StatusCode::GONE, String::new()));
        async move { (status, body) }
    };
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(listener.serve(Router::new().fallback(answer), stopping, Duration::ZERO));
    (at, asked, stop)
}

/// What a ledger answers that has nothing of a point.
fn nothing_of_it() -> (StatusCode, String) {
    let problem = Problem::with_status(404, "no key of that name is registered");
    (StatusCode::NOT_FOUND, Value::Object(problem.to_object()).to_string())
}

/// A point that does not serve yet. Its folder and its ledger, which has nothing of it, are there as long as this is.
pub(crate) struct Opened {
    pub(crate) gate: Arc<Gate>,
    runtime: Runtime,
    _folder: tempfile::TempDir,
    _ledger: watch::Sender<bool>,
}

/// A point with its journal on this disk and before this upstream, at the moment of the vectors' admission.
pub(crate) async fn opened(disk: &FaultyDisk, upstream: &str) -> Opened {
    opened_by(disk, upstream, Arc::new(ManualClock::new(admission().1))).await
}

pub(crate) async fn opened_by(disk: &FaultyDisk, upstream: &str, clock: Arc<dyn Clock>) -> Opened {
    started(disk, upstream, clock, vec![nothing_of_it()]).await.expect("opens")
}

/// A point whose event key has this name.
pub(crate) async fn opened_under(kid: &str) -> Opened {
    let point = Point { event: Arc::new(SeedSigner::new(kid, &[1; 32])), ..again(&begun()) };
    let clock = Arc::new(ManualClock::new(admission().1));
    let answers = vec![nothing_of_it()];
    started_as(point, &FaultyDisk::new(1), "http://127.0.0.1:9", clock, answers).await.expect("opens")
}

/// The log of a journal.
fn log_on(disk: &FaultyDisk) -> SegmentLog {
    let options = SegmentOptions { ahead: false, ..SegmentOptions::default() };
    SegmentLog::open(Place::on(disk.clone()), options).expect("a log")
}

/// The same before a ledger that answers so.
async fn started(
    disk: &FaultyDisk,
    upstream: &str,
    clock: Arc<dyn Clock>,
    answers: Vec<(StatusCode, String)>,
) -> Result<Opened, RuntimeError> {
    started_as(again(&begun()), disk, upstream, clock, answers).await
}

async fn started_as(
    point: Point,
    disk: &FaultyDisk,
    upstream: &str,
    clock: Arc<dyn Clock>,
    answers: Vec<(StatusCode, String)>,
) -> Result<Opened, RuntimeError> {
    let (at, _, ledger) = ledger(answers).await;
    let log = log_on(disk);
    let settings = Settings {
        authority: at.clone(),
        ledger: at,
        audit_bound: Duration::from_secs(5),
        required: None,
        release_wait: Duration::from_secs(2),
        refresh: Duration::from_millis(50),
        decision_deadline: Duration::from_secs(5),
        gateway: crate::settings::Gateway { upstream: upstream.to_owned(), ..Default::default() },
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = eleven_core::encoding::parse(include_bytes!("../../../../spec/vectors/admission.json")).expect("I-JSON");
    let root = TrustRoot::read(file.pointer("/base/root").expect("a root").clone()).expect("a root");
    let runtime = Runtime::over(log, settings, point, root, folder.path(), clock, "here".into()).await?;
    Ok(Opened { gate: Arc::clone(&runtime.gate), runtime, _folder: folder, _ledger: ledger })
}

/// Has the next commit fail.
pub(crate) fn fail_next(disk: &FaultyDisk) -> usize {
    // A commit is a write and its sync.
    let sync = disk.operations() + 1;
    disk.plan(sync, Fault::Eio(Effect::Nothing));
    sync
}

#[tokio::test]
async fn a_ledger_that_fails_while_it_is_asked_leaves_what_it_did_not_say_for_the_next_start() {
    let begun = begun();
    let op = begun[0].op.clone();
    let point = again(&begun);
    let mut log = SegmentLog::open(Place::on(FaultyDisk::new(1)), SegmentOptions::default()).expect("a log");
    let mut journal = Journal::new(point.clone());
    let reader = ReadAs { signer: Arc::clone(&point.event), clock: Arc::new(SystemClock) };
    let page = |lineages, after| (StatusCode::OK, LeftOpen { lineages, after }.to_value().to_string());
    let next_page = format!("{}?after={op}", routes::AUDIT_OPEN);
    let failing = (StatusCode::SERVICE_UNAVAILABLE, "it is going down".to_owned());
    let malformed = (StatusCode::OK, r#"{"lineages":[{}],"after":null}"#.to_owned());
    // The answers, what was asked, and how many records the journal has then.
    for (answers, asked_for, records) in [
        (vec![failing.clone()], vec![routes::AUDIT_OPEN], 0),
        (vec![malformed.clone()], vec![routes::AUDIT_OPEN], 0),
        // What one page said is closed and durable, whatever becomes of the next.
        (vec![page(vec![begun.clone()], Some(op.clone())), failing], vec![routes::AUDIT_OPEN, &next_page], 2),
        (vec![page(Vec::new(), Some(op.clone())), malformed], vec![routes::AUDIT_OPEN, &next_page], 2),
        (vec![page(Vec::new(), None)], vec![routes::AUDIT_OPEN], 2),
    ] {
        let (at, asked, stop) = ledger(answers).await;
        close_lost(&Client::new(), &at, &reader, &mut log, &mut journal).await.expect("the point starts all the same");
        assert_eq!(*asked.lock().expect("whole"), asked_for);
        assert_eq!((log.next(), journal.next_seq()), (records, records));
        stop.send_replace(true);
    }
    // One that is not there at all.
    let gone = ledger(Vec::new()).await.0.replace("http://127.0.0.1", "http://127.0.0.2");
    close_lost(&Client::new(), &gone, &reader, &mut log, &mut journal).await.expect("the point starts all the same");
    let kept = recover::read_back(&log, point).expect("a journal");
    assert_eq!((kept.next_seq(), kept.open_lineages()), (2, 0), "and all that it closed is closed");
}

#[tokio::test]
async fn an_empty_journal_waits_for_a_ledger_that_fails_and_not_for_one_that_does_not_know_the_point() {
    let point = again(&begun());
    let reader = ReadAs { signer: Arc::clone(&point.event), clock: Arc::new(SystemClock) };
    let mut journal = Journal::new(point);
    let problem = Problem::refused(Reason::IdentityUnauthenticated, "a cursor is for whoever signs by its key");
    let unknown = (StatusCode::UNAUTHORIZED, Value::Object(problem.to_object()).to_string());
    let failing = (StatusCode::SERVICE_UNAVAILABLE, "it comes up".to_owned());
    // Of one that is not there a proxy in its place knows nothing.
    let gone = (StatusCode::NOT_FOUND, "404 page not found".to_owned());
    let closed = (StatusCode::UNAUTHORIZED, "401 authorization required".to_owned());

    let (at, asked, _stop) = ledger(vec![failing.clone(), gone, closed, nothing_of_it()]).await;
    let agreed = agree(&Client::new(), &at, &reader, &journal).await;
    assert_eq!((agreed.expect("a new point"), asked.lock().expect("whole").len()), (None, 4));

    let (at, asked, _stop) = ledger(vec![failing.clone(), unknown.clone()]).await;
    let refused = agree(&Client::new(), &at, &reader, &journal).await.expect_err("nobody tells").to_string();
    for part in [problem.detail.as_str(), "clock", "`eleven runtime key replace`"] {
        assert!(refused.contains(part), "{refused}");
    }
    assert_eq!(asked.lock().expect("whole").len(), 2, "it is not asked again");

    // One that holds records goes on by itself, whatever the ledger says.
    journal.alone("audit.resumed", Object::new(), Default::default(), SystemClock.now()).expect("a record");
    for answer in [unknown, failing] {
        let (at, asked, _stop) = ledger(vec![answer]).await;
        let agreed = agree(&Client::new(), &at, &reader, &journal).await;
        assert_eq!((agreed.expect("it goes on"), asked.lock().expect("whole").len()), (None, 1));
    }
}

#[test]
fn the_clocks_are_named_where_the_ledger_does_not_know_the_point_and_only_there() {
    let refused = |status| CallError::Refused(Problem::with_status(status, "x"));
    assert!(forward::advice(&refused(401)).contains("clock"));
    // A proxy that wants a password knows of no key, and of no clock.
    let proxy = CallError::Refused(Problem::read(401, b"<html>Authorization Required</html>"));
    for error in [refused(404), refused(503), proxy, CallError::Unreachable("x".into())] {
        assert!(!forward::advice(&error).contains("clock"), "{error}");
    }
}

#[test]
fn a_key_that_no_header_can_hold_is_refused_at_start() {
    for key in ["sk-a\nsk-b", "sk-\u{7}", "sk-\0"] {
        let refused = credential(Some(key)).expect_err("refused").to_string();
        assert!(refused.contains("upstream_key_file") && !refused.contains("sk-"), "{refused}");
    }
    let value = credential(Some("sk-abc")).expect("fit").expect("one");
    assert!(value == "Bearer sk-abc" && value.is_sensitive());
    assert!(credential(None).expect("none is fine").is_none());
}

#[tokio::test]
async fn what_begins_to_run_after_the_halt_is_interrupted_by_it_too() {
    let artifact = Arc::new(crate::opening::tests::admission().0.admitted.token().artifact.clone());
    let running = Running::new("k8s://cluster-east-1/ns/inference#gw-0".into());
    let mut halt = Halt::default();
    assert_eq!(halt.look(false, 3, &running), None);
    let mut before = running.enter("one", &artifact);
    assert_eq!(halt.look(true, 4, &running), Some(("audit.discontinuity", 4)));
    assert_eq!(before.interruption().await, Reason::AuditDiscontinuity);
    // Its commit ended when the bound was passed already.
    let mut after = running.enter("two", &artifact);
    assert_eq!(halt.look(true, 4, &running), None, "one event");
    assert_eq!(after.interruption().await, Reason::AuditDiscontinuity);
    assert_eq!(halt.look(false, 9, &running), Some(("audit.resumed", 4)));
    let later = running.enter("three", &artifact);
    assert_eq!(halt.look(false, 9, &running), None);
    assert_eq!(*later.interrupted.borrow(), None);
}

#[test]
fn a_halt_says_whether_acknowledgements_stay_out_or_heads_over_them() {
    for (late, unproven, says) in [
        (true, false, "acknowledgements stay out"),
        (true, true, "acknowledgements stay out"),
        (false, true, "heads of the required durability stay out"),
        (false, false, "are back"),
    ] {
        assert!(Halt::told(late, unproven).contains(says), "{late} {unproven}");
    }
}

#[test]
fn what_is_not_governed_is_told_what_is_and_how_its_client_comes_there() {
    let base = ": set the base URL to this gateway's address with /v1, and nothing behind it";
    let chat = ": have the client ask for chat completions";
    for (method, path, next) in [
        (Method::POST, "/v1/embeddings", ""),
        (Method::GET, "/", ""),
        (Method::GET, "/v1", ""),
        (Method::GET, "/v1/models/small-1", ""),
        (Method::POST, "/v1/responses", chat),
        (Method::GET, "/v1/responses/resp_1/input_items", chat),
        (Method::POST, "/v1/completions", chat),
        (Method::POST, "/chat/completions", base),
        (Method::GET, "/models", base),
        (Method::POST, "/v1/v1/chat/completions", base),
        (Method::POST, "/v1//chat/completions", base),
        (Method::POST, "/v1/chat/completions/", base),
    ] {
        let governed = "governed here are POST /v1/chat/completions and GET /v1/models";
        let told = format!("{method} {path} is not governed here, so it does not pass; {governed}{next}");
        assert_eq!(ungoverned(&method, path), told);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_end_records_what_was_counted_last() {
    let disk = FaultyDisk::new(1);
    let Opened { gate, runtime, _folder, _ledger } = opened(&disk, "http://127.0.0.1:9").await;
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("it listens");
    let (stop, stopping) = watch::channel(false);
    let serving = tokio::spawn(runtime.serve(listener, stopping));
    // The clock stands, so that no tick finds its second over.
    gate.desks.count(Reason::IdentityUnauthenticated);
    stop.send_replace(true);
    serving.await.expect("it ends").expect("in order");
    assert_eq!(gate.desks.reader().durable(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_at_an_orderly_end_is_interrupted_and_its_evidence_is_committed() {
    // It takes the call, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("it listens");
    let upstream = format!("http://{}", silent.local_addr().expect("an address"));
    let Opened { gate, runtime, _folder, _ledger } = opened(&FaultyDisk::new(1), &upstream).await;
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("it listens");
    let (stop, stopping) = watch::channel(false);
    let serving = tokio::spawn(runtime.serve(listener, stopping));
    let request = Request::post(format!("{upstream}/v1/chat/completions")).body(Full::default()).expect("a request");
    let (here, calls) = (Arc::clone(&gate), Arc::clone(&gate));
    let run = move |begun| execution::run(calls, begun, request, Version::HTTP_11);
    let call = async move { begin(&here.desks, &here.running, &here.clock, admission().0, Sha3([7; 64]), run).await };
    let calling = tokio::spawn(call);
    while gate.running.len() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.send_replace(true);
    serving.await.expect("it ends").expect("in order");
    assert_eq!((gate.running.len(), gate.desks.reader().durable()), (0, 6));
    let ended = events(&gate.desks, 6).await.swap_remove(4);
    let cause = ended.data.get("cause").and_then(Value::as_str);
    assert_eq!((ended.event.as_str(), cause), ("execution.interrupted", Some("runtime.stopped")));
    assert!(ended.data.get("result").is_some(), "what was delivered is known");
    let answer = calling.await.expect("no panic").expect("an answer");
    assert_eq!((answer.status(), answer.headers().contains_key("eleven-decision")), (StatusCode::BAD_GATEWAY, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_begun_when_a_point_ends_is_waited_for_and_not_sent_on_and_nothing_begins_any_more() {
    let (upstream, asked, _stop) = ledger(vec![(StatusCode::OK, "an answer".to_owned())]).await;
    let point = opened(&FaultyDisk::new(1), &upstream).await;
    let gate = Arc::clone(&point.gate);
    let request = Request::post(format!("{upstream}/v1/chat/completions")).body(Full::default()).expect("a request");
    let (committed, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let run = {
        let (gate, committed, goes_on) = (Arc::clone(&gate), Arc::clone(&committed), Arc::clone(&goes_on));
        move |begun| async move {
            // It is committed, and nothing is entered yet that runs.
            committed.notify_one();
            goes_on.notified().await;
            execution::run(gate, begun, request, Version::HTTP_11).await;
        }
    };
    let here = Arc::clone(&gate);
    let call = async move { begin(&here.desks, &here.running, &here.clock, admission().0, Sha3([7; 64]), run).await };
    let calling = tokio::spawn(call);
    committed.notified().await;
    let running = Arc::clone(&gate.running);
    let ending = tokio::spawn(async move { end_running(&running).await });
    while gate.running.begin().is_some() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let late = begin(&gate.desks, &gate.running, &gate.clock, admission().0, Sha3([7; 64]), |_| async {}).await;
    let late = late.expect_err("refused");
    assert_eq!((late.reason, late.status, late.lineage.is_some()), (Some(Reason::AuditUnavailable), 503, true));
    assert!(!ending.is_finished(), "what has begun is waited for");
    goes_on.notify_one();
    ending.await.expect("no panic");
    assert_eq!((gate.running.underway(), gate.desks.reader().durable()), (0, 7));
    let events = events(&gate.desks, 7).await;
    let names: Vec<&str> = events.iter().map(|record| record.event.as_str()).collect();
    assert_eq!(names[..4], ["authorization.consumed", "admission.granted", "execution.started", "execution.denied"]);
    assert_eq!(names[4..], ["attestation.signed", "execution.interrupted", "evidence.committed"]);
    assert_eq!(events[5].data.get("cause").and_then(Value::as_str), Some("runtime.stopped"));
    assert_eq!(calling.await.expect("no panic").expect("an answer").status(), StatusCode::BAD_GATEWAY);
    assert_eq!(*asked.lock().expect("whole"), Vec::<String>::new(), "nothing reached the upstream");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sync_of_the_journal_stops_the_process() {
    let disk = FaultyDisk::new(1);
    let Opened { gate, runtime, _folder, _ledger } = opened(&disk, "http://127.0.0.1:9").await;
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("it listens");
    let (_running, stop) = watch::channel(false);
    let serving = tokio::spawn(runtime.serve(listener, stop));
    gate.desks.alone("audit.resumed", Object::new()).await.expect("a sound disk");

    let sync = fail_next(&disk);
    gate.desks.alone("audit.resumed", Object::new()).await.expect_err("nothing is acknowledged");
    assert_eq!(disk.done().get(sync), Some(&Op::Sync), "that is what failed");
    let ended = serving.await.expect("it ends by itself");
    assert!(matches!(ended, Err(RuntimeError::Stopped(_))), "{ended:?}");
    gate.desks.alone("audit.resumed", Object::new()).await.expect_err("nothing is written any more");
}

/// A disk whose journal holds one record, and what a ledger tells that has another under its number.
fn replaced() -> (FaultyDisk, (StatusCode, String)) {
    let disk = FaultyDisk::new(1);
    let mut journal = Journal::new(again(&begun()));
    let record = journal.alone("audit.resumed", Object::new(), Default::default(), admission().1).expect("a record");
    let line = Line::event(record).encode();
    let mut log = log_on(&disk);
    let durable = log.append(log.next(), &[line.as_slice()]).expect("a sound disk");
    assert_eq!(durable.count(), 1);
    let cursor = Cursor { next: 1, hash: Some(Sha3([9; 64])), counts: Some(true), at: None, size: 4 };
    (disk, (StatusCode::OK, cursor.to_value().to_string()))
}

#[tokio::test]
async fn a_point_does_not_start_from_a_journal_under_whose_numbers_the_ledger_has_other_records() {
    let (disk, tells) = replaced();
    let clock = Arc::new(ManualClock::new(admission().1));
    let refused = started(&disk, "http://127.0.0.1:9", clock, vec![tells]).await.map(drop).expect_err("another stream");
    assert!(matches!(refused, RuntimeError::Stream(OutboxError::Foreign { number: 0 })), "{refused:?}");
    assert!(refused.to_string().ends_with("`eleven runtime key replace`"), "{refused}");
    assert_eq!(log_on(&disk).next(), 1, "nothing is written to it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_learns_of_it_while_it_runs_ends_by_that() {
    let (disk, tells) = replaced();
    let clock = Arc::new(ManualClock::new(admission().1));
    // When it starts the ledger is not there. Who else asks at its address gets no answer of use.
    let mut answers = vec![(StatusCode::SERVICE_UNAVAILABLE, "it comes up".to_owned())];
    answers.extend(std::iter::repeat_n(tells, 100));
    let opened = started(&disk, "http://127.0.0.1:9", clock, answers).await.expect("it goes on by its journal");
    let Opened { runtime, _folder, _ledger, .. } = opened;
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("it listens");
    let (_running, stop) = watch::channel(false);
    let ended = runtime.serve(listener, stop).await;
    assert!(matches!(ended, Err(RuntimeError::Stream(OutboxError::Foreign { number: 0 }))), "{ended:?}");
}

/// A clock that panics once when it is told to, in whichever task reads it next.
struct Failing {
    clock: ManualClock,
    fails: AtomicBool,
}

impl Clock for Failing {
    fn now(&self) -> Time {
        assert!(!self.fails.swap(false, Ordering::SeqCst), "a clock that fails");
        self.clock.now()
    }

    fn steady(&self) -> i64 {
        self.clock.steady()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_panics_stops_the_process() {
    let clock = Arc::new(Failing { clock: ManualClock::new(admission().1), fails: AtomicBool::new(false) });
    let opened = opened_by(&FaultyDisk::new(1), "http://127.0.0.1:9", clock.clone()).await;
    let Opened { runtime, _folder, _ledger, .. } = opened;
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("it listens");
    let (_running, stop) = watch::channel(false);
    let serving = tokio::spawn(runtime.serve(listener, stop));
    clock.fails.store(true, Ordering::SeqCst);
    let ended = serving.await.expect("it ends by itself");
    assert!(matches!(ended, Err(RuntimeError::Task(_))), "{ended:?}");
}
