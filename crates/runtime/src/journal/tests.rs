use super::*;
use crate::opening::tests::{admission, events};
use crate::opening::{Sent, ending};
use crate::recover::tests::{again, begun};
use eleven_api::edge::{ManualClock, Moment};
use eleven_core::attestation;
use eleven_core::encoding::Value;
use eleven_core::policy::Digests;
use eleven_core::signature::Signer;
use eleven_enforce::journal::Point;
use eleven_store::faulty::FaultyDisk;
use eleven_store::{Place, SegmentLog, SegmentOptions};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A key that signs nothing while the test holds it.
struct Held {
    key: Arc<dyn Signer>,
    hand: Arc<Mutex<()>>,
}

impl Signer for Held {
    fn kid(&self) -> &str {
        self.key.kid()
    }

    fn public(&self) -> [u8; 32] {
        self.key.public()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let _hand = self.hand.lock().expect("whole");
        self.key.sign(message)
    }
}

/// A point's journal without records, by this clock.
fn started(point: Point, clock: &Arc<ManualClock>) -> Desks {
    let log = SegmentLog::open(Place::on(FaultyDisk::new(1)), SegmentOptions::default()).expect("a log");
    let progress = Arc::new(Progress::new(Moment::now(&**clock)));
    let desks = Desks::start(log, Journal::new(point), clock.clone(), progress, "a listener".into(), |_| {});
    desks.expect("a thread")
}

#[tokio::test]
async fn what_was_counted_last_is_recorded_before_the_end_and_the_running_second_with_it() {
    let manual = Arc::new(ManualClock::new(Time(1_800_000_000_000)));
    let desks = started(again(&begun()), &manual);
    let count = |times: usize, reason| (0..times).for_each(|_| desks.count(reason));
    count(2, Reason::IdentityUnauthenticated);
    manual.advance(1000);
    count(3, Reason::IdentityUnauthenticated);
    count(5, Reason::ArtifactMissing);
    // Its second does not end: the clock stands.
    desks.counts().await.expect("a sound disk");
    let events = events(&desks, 3).await;
    let counts: Vec<_> = events.iter().map(|event| (event.about.reason, event.data.get("count").cloned())).collect();
    let one = |reason, count: u64| (Some(reason), Some(Value::from(count)));
    assert_eq!(counts[0], one(Reason::IdentityUnauthenticated, 2));
    assert!(counts[1..].contains(&one(Reason::IdentityUnauthenticated, 3)), "{counts:?}");
    assert!(counts[1..].contains(&one(Reason::ArtifactMissing, 5)), "{counts:?}");
    desks.counts().await.expect("a sound disk");
    assert_eq!(desks.reader().durable(), 3, "each once");
}

#[tokio::test]
async fn what_the_journal_notes_beside_its_records_is_not_counted_as_one() {
    let desks = started(again(&begun()), &Arc::new(ManualClock::new(Time(1_800_000_000_000))));
    desks.note_epoch(7).await.expect("a sound disk");
    assert_eq!(desks.records(), 0, "the ledger never gets it, and no number of its own is taken by it");
    desks.alone("audit.resumed", Object::new()).await.expect("a sound disk");
    assert_eq!(desks.records(), 1);
}

#[tokio::test]
async fn a_flood_that_is_counted_takes_no_place_in_the_queue_and_a_full_one_takes_what_ends_something() {
    let (admission, now) = admission();
    let hand = Arc::new(Mutex::new(()));
    let point = again(&begun());
    let point = Point { event: Arc::new(Held { key: Arc::clone(&point.event), hand: Arc::clone(&hand) }), ..point };
    let manual = Arc::new(ManualClock::new(now));
    let desks = started(point, &manual);
    let execution = desks.open(admission.admitted, Sha3([7; 64])).await.expect("a free use").run();
    let how = (attestation::Outcome::Completed, None);
    let ended = ending(&execution, Digests::Plain, how, Sent::nothing(200), now);
    let mut closing = pin!(desks.close(execution, ended));
    let mut halting = pin!(desks.alone("audit.discontinuity", Object::new()));
    {
        let mut cx = Context::from_waker(Waker::noop());
        let _held = hand.lock().expect("whole");
        // The writer comes no further than the signature of this event.
        desks.group.submit(Ask::Alone("audit.resumed", Object::new()), |_| {});
        while desks.group.waiting() > 0 {
            std::thread::yield_now();
        }
        for _ in 0..10_000 {
            desks.count(Reason::IdentityUnauthenticated);
        }
        assert_eq!(desks.group.waiting(), 0, "nobody waits for what is counted");
        for _ in 0..GroupOptions::default().queue {
            desks.group.submit(Ask::Epoch(0), |_| {});
        }
        let mut more = pin!(desks.note_epoch(1));
        assert!(matches!(more.as_mut().poll(&mut cx), Poll::Ready(Err(CommitError::Full))));
        assert!(closing.as_mut().poll(&mut cx).is_pending(), "its execution was admitted");
        assert!(halting.as_mut().poll(&mut cx).is_pending(), "nobody says it again");
    }
    let closed: Vec<String> = closing.await.expect("evidence").records.into_iter().map(|record| record.op).collect();
    halting.await.expect("an event");
    manual.advance(1000);
    let events = events(&desks, 9).await;
    assert_eq!(events[4..7].iter().map(|record| record.op.clone()).collect::<Vec<String>>(), closed);
    assert_eq!((events[6].event.as_str(), events[7].event.as_str()), ("evidence.committed", "audit.discontinuity"));
    assert_eq!(events[8].data.get("count"), Some(&10_000u64.into()), "each of the flood is in the one event");
}
