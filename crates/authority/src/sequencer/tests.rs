use super::*;
use crate::fixtures::{NOW, signer};
use eleven_api::client::Client;
use eleven_core::signature::Keyring;

fn key() -> Arc<InUse> {
    InUse::of(Keyring::from(signer("event")))
}

fn stream(next: u64) -> Stream {
    let ledger = Ledger::new(Client::new(), "http://127.0.0.1:1");
    let signer = key();
    let by = crate::fixtures::AUTHORITY.to_owned();
    Stream { ledger, signer, by, next, progress: Arc::default() }
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

#[tokio::test]
async fn without_a_ledger_nothing_is_taken_and_callers_know_at_once() {
    let ledger = Ledger::new(Client::new(), "http://127.0.0.1:1");
    let sequencer = Sequencer::start(ledger, key(), crate::fixtures::AUTHORITY.to_owned());
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
