use super::*;
use crate::forward::Progress;
use crate::recover::tests::{again, begun};
use axum::body::Body;
use axum::response::IntoResponse as _;
use eleven_api::edge::{ManualClock, Moment};
use eleven_core::artifact::{Environment, Operation, RequestBinding};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::event::Record;
use eleven_core::registry::{KeyTables, Snapshot, Stamp, View};
use eleven_core::root::TrustRoot;
use eleven_enforce::admission::{Asked, Held, admit};
use eleven_enforce::journal::{Journal, Line};
use eleven_store::faulty::FaultyDisk;
use eleven_store::{Place, SegmentLog, SegmentOptions};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

/// The admission of the vectors' case in which everything is in order, and its moment.
pub(crate) fn admission() -> (Admission, Time) {
    let file = parse(include_bytes!("../../../../spec/vectors/admission.json")).expect("I-JSON");
    let base = file.get("base").expect("base");
    let member = |name: &str| base.get(name).expect("a member").clone();
    let text = |name: &str| member(name).as_str().expect("a text").to_owned();
    let sha3 = |name: &str| Sha3::parse(&text(name)).expect("a digest");
    let now = Time::parse_millis(&text("now")).expect("a time");
    let root = TrustRoot::read(member("root")).expect("a root");
    let snapshot = Snapshot::read(member("registry")).expect("a snapshot");
    let stamp = Stamp::read(member("stamp")).expect("a stamp");
    let view = View::open(&root, snapshot, stamp, &mut KeyTables::new()).expect("a view");
    let (point, caller, binary, config) = (text("point"), text("caller"), sha3("binary"), sha3("config"));
    let request = member("request");
    let part = |name: &str| request.get(name).and_then(Value::as_str).expect("a text").to_owned();
    let body = Sha3::parse(&part("body")).expect("a digest");
    let request = RequestBinding { body, method: part("method"), path: part("path") };
    let held = Held {
        view: Some(&view),
        stamped: Some(now),
        held_ms: 0,
        point: &point,
        binary: &binary,
        config: &config,
        signs: &[],
        last_now: None,
        dated: None,
        unknown: false,
        seen_epoch: 0,
        uses_since: None,
        bundles: None,
        backlog_ms: 0,
        backlog_bound_ms: 5000,
        unproven_ms: None,
    };
    let asked = Asked {
        now,
        caller: &caller,
        holder: None,
        operation: &Operation::read(member("operation")).expect("an operation"),
        request: Some(&request),
        environment: &Environment::read(member("environment")).expect("an environment"),
    };
    let admitted = admit(&held, &asked, Some(&text("token"))).expect("admitted");
    (Admission { admitted, bundle: Arc::new(policy()) }, now)
}

fn policy() -> PolicyBundle {
    let terms = Object::new()
        .with("ttl", 300u32)
        .with("use", vec!["single".into()])
        .with("bind_params", true)
        .with("digests", "plain")
        .with("release", "whole")
        .with("attestation", "software")
        .with("sensitive", Vec::new());
    let bundle = Object::new()
        .with("v", "1")
        .with("ref", "policy://test/inference/v1")
        .with("operations", vec!["model.invoke".into()])
        .with("runtimes", vec!["k8s://*/ns/inference".into()])
        .with("cedar", "permit(principal, action, resource);")
        .with("schema", Value::Null)
        .with("terms", terms);
    PolicyBundle::read(Value::Object(bundle)).expect("a bundle")
}

/// That this is what whoever called an operation hears that has no evidence: nothing of its answer, and no decision.
pub(crate) async fn assert_uncommitted(answer: Response) {
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    assert_eq!(answer.status(), 503);
    assert_eq!((header("eleven-decision"), header("eleven-durability")), (None, None));
    assert_eq!(header("content-type"), Some("application/problem+json"));
    assert_eq!((header("retry-after"), header("x-should-retry")), (None, Some("false")), "it ran, or may have");
    let lineage = header("eleven-lineage").expect("a lineage").to_owned();
    let body = axum::body::to_bytes(answer.into_body(), 10_000).await.expect("whole");
    let body = parse(&body).expect("I-JSON");
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    assert!(lineage.starts_with("lineage://op/") && text("lineage") == Some(lineage.as_str()), "{body}");
    assert_eq!((text("reason"), text("decision")), (Some("audit.unavailable"), None), "{body}");
    assert_eq!(text("detail"), Some(UNCOMMITTED), "{body}");
}

#[tokio::test]
async fn an_execution_without_evidence_was_not_denied_and_is_durable_nowhere_on_each_surface() {
    assert_uncommitted(uncommitted("X", Problem::into_response)).await;
    assert_uncommitted(uncommitted("X", |problem| crate::refusal::openai(&problem))).await;
}

fn desks(now: Time) -> (Arc<Desks>, Arc<dyn Clock>) {
    let log = SegmentLog::open(Place::on(FaultyDisk::new(1)), SegmentOptions::default()).expect("a log");
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(now));
    let journal = Journal::new(again(&begun()));
    let progress = Arc::new(Progress::new(Moment::now(&*clock)));
    let desks = Desks::start(log, journal, Arc::clone(&clock), progress, "a listener".into(), |_| {});
    (Arc::new(desks.expect("a thread")), clock)
}

/// The events of a journal, once there are so many.
pub(crate) async fn events(desks: &Desks, count: u64) -> Vec<Record> {
    let reader = desks.reader();
    while reader.durable() < count {
        tokio::task::yield_now().await;
    }
    let read = reader.read_from(0, 100, 1 << 20).expect("readable");
    let record = |bytes: &[u8]| match Line::decode(bytes).expect("a line") {
        Line::Event { record, .. } => record,
        Line::Epoch(_) | Line::Open(_) => panic!("nothing was said again"),
    };
    read.iter().map(|(_, bytes)| record(bytes)).collect()
}

#[tokio::test]
async fn a_caller_who_leaves_during_the_commit_takes_nothing_along_and_is_the_cause_in_the_evidence() {
    let (admission, now) = admission();
    let (desks, clock) = desks(now);
    let here = Arc::new(Running::new("a point".into()));
    let ran = Arc::new(AtomicBool::new(false));
    let running = Arc::clone(&ran);
    {
        let mut calling = pin!(begin(&desks, &here, &clock, admission, Sha3([7; 64]), |_| async move {
            running.store(true, Ordering::SeqCst);
        }));
        // It waits for its commit, and the server drops it there.
        let waits = poll_fn(|cx| Poll::Ready(calling.as_mut().poll(cx).is_pending())).await;
        assert!(waits);
    }
    let events = events(&desks, 6).await;
    let names: Vec<&str> = events.iter().map(|record| record.event.as_str()).collect();
    assert_eq!(names[..3], ["authorization.consumed", "admission.granted", "execution.started"]);
    assert_eq!(names[3..], ["attestation.signed", "execution.interrupted", "evidence.committed"]);
    assert_eq!(events[4].data.get("cause"), Some(&CALLER_LEFT.into()));
    assert_eq!(events[4].data.get("result").and_then(|result| result.get("bytes")), Some(&0u64.into()));
    assert!(!ran.load(Ordering::SeqCst), "nothing was done for nobody");
}

#[tokio::test]
async fn who_stays_gets_what_ran_and_a_second_use_gets_its_denial() {
    let ((first, now), (second, _)) = (admission(), admission());
    let (desks, clock) = desks(now);
    let here = Arc::new(Running::new("a point".into()));
    let run = |mut begun: Begun| async move {
        // A caller who leaves later is noticed by what runs.
        assert!(tokio::time::timeout(std::time::Duration::ZERO, begun.reply.left()).await.is_err());
        begun.reply.with(Ok(Response::new(Body::from(begun.permit.op().to_owned()))));
    };
    let answer = begin(&desks, &here, &clock, first, Sha3([7; 64]), run).await.expect("it ran");
    let op = axum::body::to_bytes(answer.into_body(), 100).await.expect("whole");
    let begun = events(&desks, 3).await;
    assert_eq!(begun[2].op.as_bytes(), &op[..]);
    let denied = begin(&desks, &here, &clock, second, Sha3([7; 64]), run).await.expect_err("used");
    assert_eq!(denied.reason, Some(Reason::ArtifactReplayed));
    assert_eq!(events(&desks, 4).await[3].event, "execution.denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_beside_a_new_epoch_goes_by_the_view_before_until_the_new_one_is_held() {
    let (desks, _) = desks(Time(1_800_000_000_000));
    desks.note_epoch(7).await.expect("durable");
    assert_eq!(desks.seen_epoch(), 0, "no view of it is held yet");
    desks.uses_epoch(7);
    desks.note_epoch(6).await.expect("nothing to write");
    assert_eq!(desks.seen_epoch(), 7);
    desks.uses_epoch(6);
    assert_eq!(desks.seen_epoch(), 7);
}
