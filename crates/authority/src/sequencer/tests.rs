use super::*;
use crate::fixtures::{NOW, signer};
use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use eleven_api::audit::{Appended, Cursor};
use eleven_api::client::Client;
use eleven_api::keyring::Keyring;
use eleven_api::problem::Problem;
use eleven_api::routes;
use eleven_api::serve::{self, Listener, json};
use eleven_core::encoding::Value;
use eleven_core::signature::Signer;
use http::{StatusCode, Uri};
use std::collections::HashMap;
use std::sync::Mutex;
use tokio::sync::watch;

fn key() -> Arc<InUse> {
    InUse::of(Keyring::from(signer("event")))
}

fn stream(next: u64) -> Stream {
    let ledger = Ledger::new(Client::new(), "http://127.0.0.1:1");
    let signer = key();
    let by = crate::fixtures::AUTHORITY.to_owned();
    let acknowledged = BTreeMap::new();
    Stream { ledger, signer, by, next, progress: Arc::default(), doubted: Arc::default(), acknowledged }
}

fn job(note: &str) -> (Job, oneshot::Receiver<Result<Committed, SubmitError>>) {
    let (answer, answered) = oneshot::channel();
    let about = About { reason: Some(eleven_core::reason::Reason::PolicyNone), ..About::default() };
    let data = Object::new().with("note", note);
    let draft =
        Draft { event: "execution.denied", place: Place::Alone, ts: NOW, data, about, blobs: vec![b"x".to_vec()] };
    (Job { draft, answer }, answered)
}

#[test]
fn numbers_are_given_in_order_and_only_to_what_has_a_form() {
    let mut stream = stream(7);
    let mut batch = Batch::default();
    let (first, _first) = job("a");
    let (huge, mut refused) = job(&"x".repeat(20_000));
    let (second, _second) = job("b");
    for job in [first, huge, second] {
        stream.sign(job, &mut batch);
    }
    assert!(matches!(refused.try_recv(), Ok(Err(SubmitError::Form(_)))));
    assert_eq!((stream.next, batch.len()), (9, 2));
    let numbers: Vec<u64> = std::iter::from_fn(|| batch.pop_front()).map(|signed| signed.record.src_seq).collect();
    assert_eq!(numbers, [7, 8]);
}

#[test]
fn a_record_is_sent_in_the_same_bytes_however_often() {
    let mut stream = stream(0);
    let mut batch = Batch::default();
    stream.sign(job("a").0, &mut batch);
    let whole = batch.body();
    let mut signed = batch.pop_front().expect("a record");
    signed.abandon();
    assert_eq!(signed.body(), whole);
    let read = eleven_api::audit::Append::read(&whole).expect("an append");
    assert_eq!((read.records.len(), read.blobs.len()), (1, 1));
}

/// A reader holds each against the hash that it comes under.
#[test]
fn content_goes_under_its_own_hash_however_much_goes_together() {
    let mut stream = stream(0);
    let mut batch = Batch::default();
    let blobs = |n: usize| vec![vec![b'a'; 40 * n], b"of each".to_vec(), vec![b'b'; 900 - n]];
    for n in 0..12 {
        let (mut job, _answered) = job("a");
        job.draft.blobs = blobs(n);
        stream.sign(job, &mut batch);
    }
    let read = eleven_api::audit::Append::read(&batch.body()).expect("an append");
    let mut expected: Vec<Vec<u8>> = (0..12).flat_map(blobs).collect();
    expected.sort();
    expected.dedup();
    let mut sent: Vec<Vec<u8>> = read.blobs.into_values().collect();
    sent.sort();
    assert_eq!((read.records.len(), sent), (12, expected));
}

#[tokio::test]
async fn without_a_ledger_nothing_is_taken_and_callers_know_at_once() {
    let ledger = Ledger::new(Client::new(), "http://127.0.0.1:1");
    let sequencer = Sequencer::start(ledger, key(), crate::fixtures::AUTHORITY.to_owned(), &Tasks::default());
    let answer = sequencer.submit(job("a").0.draft).await;
    assert_eq!(answer.map(|_| ()), Err(SubmitError::Unavailable { sent: false }));
}

#[tokio::test]
async fn when_a_caller_hears_that_its_record_is_open_the_stream_takes_nothing_more() {
    let mut stream = stream(0);
    let progress = Arc::clone(&stream.progress);
    let (queue, mut jobs) = mpsc::channel(4);
    let (first, answered) = job("a");
    let mut batch = Batch::default();
    stream.sign(first, &mut batch);
    let (waiting, turned_away) = job("b");
    queue.try_send(waiting).unwrap_or_else(|_| panic!("room for it"));
    let delivering = tokio::spawn(async move { stream.deliver(batch, &mut jobs).await });
    let answer = answered.await.expect("an answer");
    assert_eq!(answer.map(|_| ()), Err(SubmitError::Unavailable { sent: true }));
    assert!(progress.stalled.load(Relaxed), "and whoever asks now is refused by `submit`");
    let answer = turned_away.await.expect("an answer");
    assert_eq!(answer.map(|_| ()), Err(SubmitError::Unavailable { sent: false }), "what waited was never sent");
    delivering.abort();
}

/// What a ledger says of a key to whoever asks for its cursor: whether it counts, or by which status that is refused; or what a proxy
/// says in its place.
#[derive(Clone, Copy, Debug)]
enum Says {
    Counts(bool),
    Refused(u16),
    Foreign(u16),
}

/// What a proxy answers whose ledger is gone, or which lets something not through.
fn foreign(status: u16) -> Response {
    (StatusCode::from_u16(status).expect("a status"), "<html>no</html>").into_response()
}

/// The event keys that a stream holds, the older first.
const RING: [&str; 2] = ["older", "newer"];

/// A ledger of which only cursors are asked, and for which of the keys it was.
#[derive(Clone, Default)]
struct Cursors {
    says: Arc<Mutex<HashMap<&'static str, Says>>>,
    asked: Arc<Mutex<Vec<&'static str>>>,
    /// The number that it tells, where it is another than 7.
    next: Arc<Mutex<Option<u64>>>,
}

impl Cursors {
    /// One that says this of the older and of the newer key.
    fn saying(says: [Says; 2]) -> Self {
        let cursors = Self::default();
        RING.into_iter().zip(says).for_each(|(label, says)| cursors.say(label, says));
        cursors
    }

    fn say(&self, label: &'static str, says: Says) {
        self.says.lock().expect("whole").insert(label, says);
    }

    fn asked(&self) -> Vec<&'static str> {
        self.asked.lock().expect("whole").clone()
    }

    fn answer(&self, path: &str) -> Response {
        let label = RING.into_iter().find(|label| path.ends_with(&format!("%2F{label}%2F1"))).expect("one of the two");
        self.asked.lock().expect("whole").push(label);
        let says = self.says.lock().expect("whole")[label];
        match says {
            Says::Counts(counts) => {
                let next = self.next.lock().expect("whole").unwrap_or(7);
                let cursor = Cursor { next, hash: None, counts: Some(counts), at: None, size: 9 };
                serve::json(&cursor.to_value())
            }
            Says::Refused(status) => Problem::with_status(status, "as the test says").into(),
            Says::Foreign(status) => foreign(status),
        }
    }

    /// A stream of both keys before this ledger, which is served for as long as the sender is there.
    async fn stream(&self) -> (Stream, watch::Sender<bool>) {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.expect("a listener");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, stopping) = watch::channel(false);
        let cursors = self.clone();
        let answer = move |uri: Uri| std::future::ready(cursors.answer(uri.path()));
        tokio::spawn(listener.serve(Router::new().fallback(answer), stopping, Duration::from_secs(1)));
        let keys = RING.map(|label| Arc::new(signer(label)) as Arc<dyn Signer>);
        let keys = InUse::of(Keyring::new(keys).expect("two keys"));
        (Stream { ledger: Ledger::new(Client::new(), base), signer: keys, ..stream(0) }, stop)
    }
}

#[tokio::test]
async fn an_event_key_that_the_ledger_does_not_take_is_passed_over_for_the_one_before() {
    for says in [Says::Counts(false), Says::Refused(401), Says::Refused(403), Says::Refused(404)] {
        let cursors = Cursors::saying([Says::Counts(true), says]);
        let (mut stream, _serving) = cursors.stream().await;
        stream.progress.stalled.store(true, Relaxed);
        let (_queue, mut jobs) = mpsc::channel(1);
        assert!(stream.find_place(false, &mut jobs).await, "{says:?}");
        assert_eq!((stream.signer.kid(), stream.next), (signer("older").kid(), 7), "{says:?}");
        assert_eq!(cursors.asked(), ["newer", "older", "older"], "{says:?}: the one before has to settle");
        assert!(!stream.progress.stalled.load(Relaxed), "{says:?}");
    }
}

#[tokio::test]
async fn where_the_ledger_takes_no_event_key_nothing_waits_and_it_is_asked_until_it_takes_one() {
    let cursors = Cursors::saying([Says::Refused(404), Says::Counts(false)]);
    let (mut stream, _serving) = cursors.stream().await;
    let progress = Arc::clone(&stream.progress);
    let (queue, mut jobs) = mpsc::channel(4);
    let (waiting, turned_away) = job("a");
    queue.try_send(waiting).unwrap_or_else(|_| panic!("room for it"));
    let finding = tokio::spawn(async move { (stream.find_place(true, &mut jobs).await, stream) });
    let answer = turned_away.await.expect("an answer");
    assert_eq!(answer.map(|_| ()), Err(SubmitError::Unavailable { sent: false }));
    assert!(progress.stalled.load(Relaxed), "and whoever asks now is refused by `submit`");
    assert_eq!(cursors.asked(), ["newer", "older"], "each of them was asked for before");

    cursors.say("older", Says::Counts(true));
    let (found, stream) = finding.await.expect("no panic");
    assert!(found && !progress.stalled.load(Relaxed));
    assert_eq!((stream.signer.kid(), stream.next), (signer("older").kid(), 7));
    assert_eq!(cursors.asked(), ["newer", "older", "newer", "older", "older"], "the newest comes first again");
}

#[tokio::test]
async fn an_event_key_that_ends_while_nothing_is_signed_is_passed_over_where_it_is_doubted() {
    let cursors = Cursors::saying([Says::Counts(true), Says::Refused(404)]);
    let (stream, _serving) = cursors.stream().await;
    assert!(stream.signer.use_older(), "the newer is not registered yet");
    stream.progress.stalled.store(true, Relaxed);
    let (key, progress, doubted) =
        (Arc::clone(&stream.signer), Arc::clone(&stream.progress), Arc::clone(&stream.doubted));
    let (queue, jobs) = mpsc::channel(1);
    let running = tokio::spawn(stream.run(jobs));
    while progress.stalled.load(Relaxed) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    cursors.say("newer", Says::Counts(true));
    doubted.notify_one();
    while cursors.asked().len() < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(key.kid(), signer("older").kid(), "it counts");

    // Whoever reads by a key that has ended is nobody whom the ledger knows.
    cursors.say("older", Says::Refused(401));
    doubted.notify_one();
    while cursors.asked().len() < 6 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(queue);
    running.await.expect("no panic");
    assert_eq!(cursors.asked(), ["older", "older", "older", "older", "newer", "newer"], "after the oldest the newest");
    assert_eq!(key.kid(), signer("newer").kid());
    assert!(!progress.stalled.load(Relaxed), "nobody was refused for it");
}

#[tokio::test]
async fn an_event_key_is_kept_where_the_ledger_says_nothing_of_it() {
    for says in [Says::Refused(503), Says::Foreign(401), Says::Foreign(403), Says::Foreign(404)] {
        let cursors = Cursors::saying([Says::Counts(true), says]);
        let (mut stream, _serving) = cursors.stream().await;
        let (queue, mut jobs) = mpsc::channel(4);
        let (waiting, turned_away) = job("a");
        queue.try_send(waiting).unwrap_or_else(|_| panic!("room for it"));
        let finding = tokio::spawn(async move { (stream.find_place(false, &mut jobs).await, stream) });
        let answer = turned_away.await.expect("an answer");
        assert_eq!(answer.map(|_| ()), Err(SubmitError::Unavailable { sent: false }), "{says:?}");
        cursors.say("newer", Says::Counts(true));
        let (found, stream) = finding.await.expect("no panic");
        assert!(found && stream.signer.kid() == signer("newer").kid(), "{says:?}");
        assert!(cursors.asked().iter().all(|label| *label == "newer"), "{says:?}: {:?}", cursors.asked());
    }
}

#[tokio::test]
async fn a_number_that_the_ledger_acknowledged_is_given_to_no_other_record_whatever_it_tells() {
    let cursors = Cursors::saying([Says::Counts(true); 2]);
    let (mut stream, _serving) = cursors.stream().await;
    stream.acknowledge(8);
    let progress = Arc::clone(&stream.progress);
    let (queue, mut jobs) = mpsc::channel(4);
    let (waiting, turned_away) = job("a");
    queue.try_send(waiting).unwrap_or_else(|_| panic!("room for it"));
    let finding = tokio::spawn(async move { (stream.find_place(false, &mut jobs).await, stream) });
    let answer = turned_away.await.expect("an answer");
    assert_eq!(answer.map(|_| ()), Err(SubmitError::Unavailable { sent: false }));
    assert!(progress.stalled.load(Relaxed), "and whoever asks now is refused by `submit`");
    *cursors.next.lock().expect("whole") = Some(8);
    let (found, stream) = finding.await.expect("no panic");
    assert!(found && !progress.stalled.load(Relaxed) && stream.next == 8);
    assert!(cursors.asked().iter().all(|label| *label == "newer"), "no other key for that: {:?}", cursors.asked());

    // It is asked of each key by itself.
    assert!(stream.signer.use_older());
    assert_eq!(stream.unacknowledged(), 0);
}

#[tokio::test]
async fn what_the_ledger_acknowledged_is_known_however_often_it_was_sent() {
    // A batch at once; another that breaks, and each of its records alone.
    let scripted = Scripted::serve(&[200, 503, 200, 200]).await;
    let mut stream = Stream { ledger: Ledger::new(Client::new(), scripted.base.as_str()), ..stream(0) };
    let (_queue, mut jobs) = mpsc::channel(1);
    for (notes, acknowledged) in [(&["a"][..], 1), (&["b", "c"][..], 3)] {
        let mut batch = Batch::default();
        for note in notes {
            stream.sign(job(note).0, &mut batch);
        }
        stream.deliver(batch, &mut jobs).await;
        assert_eq!(stream.unacknowledged(), acknowledged);
    }
}

#[tokio::test]
async fn nobody_looks_for_a_key_any_more_once_nobody_is_left_to_sign_for() {
    let cursors = Cursors::saying([Says::Refused(404); 2]);
    let (mut stream, _serving) = cursors.stream().await;
    let (queue, mut jobs) = mpsc::channel(1);
    drop(queue);
    assert!(!stream.find_place(true, &mut jobs).await);
    assert_eq!(cursors.asked(), ["newer"]);
}

/// What a proxy says of an append that it does not pass on, while it passes everything else.
const KEPT_OUT: u16 = 403;
/// The same, where the ledger knows the key by which it is asked as compromised.
const KEPT_OUT_OF_COMPROMISED: u16 = 451;
/// What a proxy says of everything whose ledger is gone.
const GONE: u16 = 404;
/// What a proxy says of one append too many, while it passes everything else.
const TOO_MANY: u16 = 429;

/// A ledger that answers one append after the other by these statuses, and what it was sent.
struct Scripted {
    base: String,
    sent: Arc<Mutex<Vec<Bytes>>>,
    _serving: watch::Sender<bool>,
}

impl Scripted {
    async fn serve(statuses: &'static [u16]) -> Self {
        let sent: Arc<Mutex<Vec<Bytes>>> = Arc::default();
        // Numbers are taken by an entry or by a refusal.
        let taken = Arc::new(AtomicU64::new(0));
        let (seen, counted) = (Arc::clone(&sent), Arc::clone(&taken));
        let append = move |body: Bytes| {
            let mut seen = seen.lock().expect("whole");
            let status = statuses[seen.len()];
            seen.push(body);
            if matches!(status, KEPT_OUT | KEPT_OUT_OF_COMPROMISED | GONE | TOO_MANY) {
                return std::future::ready(foreign(status));
            }
            let refused_before = counted.load(Relaxed) > 0;
            let next = counted.fetch_add(u64::from(status < 500), Relaxed) + u64::from(status < 500);
            let why = if refused_before { "record.refused_before" } else { "issuance.late: it came late" };
            let named = |(at, why): (u64, &str)| {
                Value::Object(Object::new().with("record", at).with("numbered", true).with("detail", why))
            };
            let records = [(0, why), (2, "policy.mismatch: it is not in force")].map(named);
            std::future::ready(match status {
                200 => json(&Appended { durability: Durability::D1, next, size: next }.to_value()),
                status if refused_before => {
                    Problem { record: Some(0), ..Problem::with_status(status, why) }.into_response()
                }
                status => {
                    let problem = Problem { record: Some(0), ..Problem::with_status(status, why) };
                    let mut said = json(&Value::Object(problem.to_object().with("records", records.to_vec())));
                    *said.status_mut() = problem.status_code();
                    said
                }
            })
        };
        let asked = Arc::clone(&sent);
        let cursor = move || {
            let last = asked.lock().expect("whole").len().checked_sub(1).map(|last| statuses[last]);
            match last {
                Some(GONE) => return std::future::ready(foreign(GONE)),
                Some(KEPT_OUT_OF_COMPROMISED) => {
                    let problem = Problem::with_status(401, "a stream's cursor is for whoever has its key");
                    return std::future::ready(problem.into_response());
                }
                Some(_) | None => {}
            }
            let next = taken.load(Relaxed);
            std::future::ready(json(&Cursor { next, hash: None, counts: Some(true), at: None, size: next }.to_value()))
        };
        let router = axum::Router::new()
            .route(routes::AUDIT_EVENTS, post(append))
            .route(&format!("{}{{kid}}", routes::AUDIT_CURSOR), get(cursor));
        let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), None).await.expect("a listener");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let (serving, stopping) = watch::channel(false);
        tokio::spawn(listener.serve(router, stopping, Duration::ZERO));
        Self { base, sent, _serving: serving }
    }
}

async fn goes_on(progress: &Progress) {
    while progress.stalled.load(Relaxed) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Sends two records to this ledger, of whose first its caller only hears that it is open: what is committed of the second, and the
/// stream's progress.
async fn one_that_stays_open_and_the_next(ledger: &Scripted) -> (Committed, Arc<Progress>) {
    let ledger = Ledger::new(Client::new(), ledger.base.as_str());
    let sequencer = Sequencer::start(ledger, key(), crate::fixtures::AUTHORITY.to_owned(), &Tasks::default());
    let progress = Arc::clone(&sequencer.progress);
    goes_on(&progress).await;
    let open = sequencer.submit(job("a").0.draft).await;
    assert_eq!(open.map(|_| ()), Err(SubmitError::Unavailable { sent: true }), "the artifact is not handed out");
    goes_on(&progress).await;
    (sequencer.submit(job("b").0.draft).await.expect("committed"), progress)
}

#[tokio::test]
async fn a_record_that_is_refused_after_a_break_has_its_fate_and_the_stream_goes_on() {
    // The batch, its record alone while the break goes on, the refusal; and what comes then.
    let scripted = Scripted::serve(&[503, 503, 422, 200]).await;
    let (next, progress) = one_that_stays_open_and_the_next(&scripted).await;
    assert_eq!(next.record.src_seq, 1, "the refused one has its number");
    assert_eq!((progress.refused.load(Relaxed), progress.records.load(Relaxed)), (1, 1));
    let sent = scripted.sent.lock().expect("whole");
    assert_eq!(sent.len(), 4);
    assert!(sent[1] == sent[0] && sent[2] == sent[0] && sent[3] != sent[0], "the same bytes until their fate is known");
}

#[tokio::test]
async fn what_a_proxy_says_while_the_ledger_is_gone_is_no_records_fate() {
    has_it_in_the_end(&[GONE, GONE, GONE, 200, 200]).await;
}

#[tokio::test]
async fn what_a_proxy_has_too_much_of_is_sent_again() {
    has_it_in_the_end(&[TOO_MANY, TOO_MANY, TOO_MANY, 200, 200]).await;
}

/// Of two records the first is not given up, whatever was said of it three times.
async fn has_it_in_the_end(statuses: &'static [u16]) {
    let scripted = Scripted::serve(statuses).await;
    let (next, progress) = one_that_stays_open_and_the_next(&scripted).await;
    assert_eq!((next.record.src_seq, progress.refused.load(Relaxed), progress.records.load(Relaxed)), (1, 0, 2));
    let sent = scripted.sent.lock().expect("whole");
    assert!(sent.len() == 5 && sent[..4].iter().all(|body| *body == sent[0]), "the ledger has it in the end");
}

#[tokio::test]
async fn what_no_proxy_passes_on_to_a_ledger_that_answers_does_not_stop_the_stream() {
    let scripted = Scripted::serve(&[KEPT_OUT, KEPT_OUT, KEPT_OUT, 200]).await;
    let (next, progress) = one_that_stays_open_and_the_next(&scripted).await;
    assert_eq!(next.record.src_seq, 0, "the ledger never had the other");
    assert_eq!((progress.refused.load(Relaxed), progress.records.load(Relaxed)), (1, 1));
    let sent = scripted.sent.lock().expect("whole");
    assert!(sent.len() == 4 && sent[2] == sent[0] && sent[3] != sent[0]);
}

#[tokio::test]
async fn what_no_proxy_passes_on_is_given_up_also_where_the_ledger_takes_the_key_no_more() {
    let scripted = Scripted::serve(&[KEPT_OUT_OF_COMPROMISED, KEPT_OUT_OF_COMPROMISED, 200]).await;
    let mut stream = Stream { ledger: Ledger::new(Client::new(), scripted.base.as_str()), ..stream(0) };
    let (_jobs, mut waiting) = mpsc::channel(1);
    let (mut batch, mut following) = (Batch::default(), Batch::default());
    let (job, _answer) = job("a");
    stream.sign(job, &mut batch);
    assert!(stream.see_through(batch, None, &mut following, &mut waiting).await, "another key could take its place");
    assert_eq!((stream.progress.refused.load(Relaxed), scripted.sent.lock().expect("whole").len()), (1, 2));
}

/// Why the ledger refused the record, as its caller hears it.
fn why(answer: Result<Committed, SubmitError>) -> String {
    match answer {
        Err(SubmitError::Refused(why)) => why,
        other => panic!("it was refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_record_that_was_refused_alone_is_not_sent_again_and_its_caller_hears_why() {
    let scripted = Scripted::serve(&[422, 200]).await;
    let mut stream = Stream { ledger: Ledger::new(Client::new(), scripted.base.as_str()), ..stream(0) };
    let (_queue, mut jobs) = mpsc::channel(1);
    for (note, is_refused) in [("a", true), ("b", false)] {
        let (job, answered) = job(note);
        let mut batch = Batch::default();
        stream.sign(job, &mut batch);
        stream.deliver(batch, &mut jobs).await;
        let answer = answered.await.expect("an answer");
        if is_refused {
            assert!(why(answer).contains("issuance.late"));
        } else {
            assert_eq!(answer.expect("committed").record.src_seq, 1, "the refused one has its number");
        }
    }
    assert_eq!(scripted.sent.lock().expect("whole").len(), 2);
}

#[tokio::test]
async fn of_a_batch_each_record_that_was_refused_hears_why() {
    let scripted = Scripted::serve(&[422, 422, 200, 422]).await;
    let mut stream = Stream { ledger: Ledger::new(Client::new(), scripted.base.as_str()), ..stream(0) };
    let (_queue, mut jobs) = mpsc::channel(1);
    let [first, second, third] = ["a", "b", "c"].map(job);
    let mut batch = Batch::default();
    for job in [first.0, second.0, third.0] {
        stream.sign(job, &mut batch);
    }
    stream.deliver(batch, &mut jobs).await;
    assert!(why(first.1.await.expect("an answer")).contains("issuance.late"));
    second.1.await.expect("an answer").expect("committed");
    assert_eq!(why(third.1.await.expect("an answer")), "policy.mismatch: it is not in force");
    assert_eq!(scripted.sent.lock().expect("whole").len(), 4);
}

#[tokio::test]
async fn of_a_batch_the_record_that_it_was_refused_for_hears_why() {
    // The batch; then each of its records alone.
    let scripted = Scripted::serve(&[422, 422, 200]).await;
    let mut stream = Stream { ledger: Ledger::new(Client::new(), scripted.base.as_str()), ..stream(0) };
    let (_queue, mut jobs) = mpsc::channel(1);
    let ((first, refused), (second, taken)) = (job("a"), job("b"));
    let mut batch = Batch::default();
    stream.sign(first, &mut batch);
    stream.sign(second, &mut batch);
    stream.deliver(batch, &mut jobs).await;
    assert!(why(refused.await.expect("an answer")).contains("issuance.late"));
    taken.await.expect("an answer").expect("committed");
    assert_eq!(scripted.sent.lock().expect("whole").len(), 3);
}

#[test]
fn that_the_ledger_does_not_answer_is_said_where_the_stream_stalls_and_nothing_else_is() {
    let (queue, _jobs) = mpsc::channel(1);
    let sequencer = Sequencer { queue, key: key(), progress: Arc::default(), doubted: Arc::default() };
    let gone = [true, false].map(|sent| SubmitError::Unavailable { sent });
    assert!(!gone.iter().any(|gone| sequencer.is_said(gone)), "there was no room for it");
    sequencer.progress.stalled.store(true, Relaxed);
    assert!(gone.iter().all(|gone| sequencer.is_said(gone)));
    assert!(!sequencer.is_said(&SubmitError::Refused("why".into())));
}
