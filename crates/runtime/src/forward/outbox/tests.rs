use super::*;
use eleven_core::encoding::{Value, parse};
use eleven_core::event::Record;
use eleven_core::reason::Reason;
use eleven_core::signature::SeedSigner;
use eleven_enforce::denial::Denial;
use eleven_enforce::journal::{Journal, Line, Point, encode_event};
use eleven_store::faulty::FaultyDisk;
use eleven_store::{Log as _, Place, ReadError, SegmentLog, SegmentOptions};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

const NOW: Time = Time(1_778_605_451_000);

/// A journal on a disk in memory, in segments of a few records.
struct Desk {
    journal: Journal,
    log: SegmentLog,
    records: Vec<Record>,
}

impl Desk {
    fn new(records: u64) -> Self {
        let point = Point {
            name: "k8s://cluster/ns/inference#gw-0".into(),
            event: Arc::new(SeedSigner::new("key:11-11/gw-0/1", &[1; 32])),
            attestation: Arc::new(SeedSigner::new("key:11-11/attest-0/1", &[2; 32])),
            binary: Sha3([3; 64]),
            config: Sha3([4; 64]),
            predicate_type: "https://11-11.example/attestation/execution/v1".into(),
        };
        let options = SegmentOptions { smallest: 4096, largest: 4096, ahead: false, ..SegmentOptions::default() };
        let log = SegmentLog::open(Place::on(FaultyDisk::new(1)), options).expect("a log");
        let mut desk = Self { journal: Journal::new(point), log, records: Vec::new() };
        for _ in 0..records {
            desk.deny();
        }
        desk
    }

    fn deny(&mut self) {
        let denial = Denial::new(Reason::ArtifactExpired, format!("denial {}", self.records.len()));
        let record = self.journal.deny(&denial, NOW.plus_millis(self.records.len() as i64)).expect("a record");
        self.append(&encode_event(&record, None));
        self.records.push(record);
    }

    fn append(&mut self, line: &[u8]) {
        let durable = self.log.append(self.log.next(), &[line]).expect("durable");
        assert_eq!(durable.count(), 1);
    }

    fn next(&self, outbox: &mut Outbox) -> Result<Step, OutboxError> {
        outbox.next(self.log.reader().as_ref())
    }

    /// The numbers of the records that the next step sends.
    fn sends(&self, outbox: &mut Outbox) -> Vec<i64> {
        let Ok(Step::Send(body)) = self.next(outbox) else { panic!("nothing is sent") };
        let body = parse(&body).expect("I-JSON");
        let records = body.get("records").and_then(Value::as_array).expect("records");
        records.iter().map(|record| record.get("src_seq").and_then(Value::as_int).expect("a number")).collect()
    }

    fn cursor(&self, next: u64) -> Cursor {
        let last = next.checked_sub(1).map(|last| Sha3::of(&[self.records[last as usize].canonical()]));
        Cursor { next, hash: last, counts: Some(true), at: None, size: 9 }
    }
}

#[test]
fn records_go_in_order_and_again_until_they_are_acknowledged() {
    let mut desk = Desk::new(3);
    let mut outbox = Outbox::default();
    assert_eq!(desk.next(&mut outbox), Ok(Step::Ask));
    assert_eq!(outbox.told(&desk.cursor(1)), Acknowledged::Open);
    for _ in 0..3 {
        assert_eq!(desk.sends(&mut outbox), [1, 2], "no answer came");
    }
    desk.deny();
    assert_eq!(outbox.taken(3), Acknowledged::All, "all that was durable when it was sent");
    assert!(outbox.is_behind(desk.log.reader().as_ref()));
    assert_eq!(desk.sends(&mut outbox), [3]);
    desk.append(&Line::Epoch(7).encode());
    assert_eq!(outbox.taken(4), Acknowledged::All);
    assert_eq!(desk.next(&mut outbox), Ok(Step::Ask));
    assert_eq!(outbox.told(&desk.cursor(4)), Acknowledged::All);
}

/// A journal that was durable up to here when that was asked, and further when it was read; read a few times at most.
struct Growing<'a>(&'a dyn ReadLog, u64, AtomicUsize);

impl ReadLog for Growing<'_> {
    fn read_from(&self, position: u64, records: usize, bytes: usize) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        assert!(self.2.fetch_add(1, SeqCst) < 8, "it reads on and on");
        self.0.read_from(position, records, bytes)
    }

    fn durable(&self) -> u64 {
        self.1
    }

    fn first(&self) -> u64 {
        self.0.first()
    }
}

#[test]
fn an_epoch_that_becomes_durable_while_the_journal_is_read_is_its_end() {
    let mut desk = Desk::new(3);
    desk.append(&Line::Epoch(7).encode());
    let reader = desk.log.reader();
    let growing = Growing(reader.as_ref(), 3, AtomicUsize::new(0));
    let mut outbox = Outbox::default();
    assert_eq!(outbox.next(&growing), Ok(Step::Ask));
    outbox.told(&desk.cursor(3));
    assert_eq!(outbox.next(&growing), Ok(Step::Ask));
    assert_eq!(outbox.told(&desk.cursor(3)), Acknowledged::All);
}

/// Of a revoked artifact the ledger takes no consumption, though a point that did not know yet made one. Its number is
/// taken all the same, and what comes after it has to get there.
#[test]
fn after_a_refusal_it_goes_on_where_the_ledger_is() {
    let desk = Desk::new(4);
    let mut outbox = Outbox::default();
    assert_eq!(desk.next(&mut outbox), Ok(Step::Ask));
    outbox.told(&desk.cursor(0));
    assert_eq!(desk.sends(&mut outbox), [0, 1, 2, 3]);
    outbox.refused();
    assert_eq!(desk.next(&mut outbox), Ok(Step::Ask), "what became of them is not known");
    outbox.told(&desk.cursor(3));
    assert_eq!(desk.sends(&mut outbox), [3]);
    assert_eq!(outbox.taken(4), Acknowledged::All);
}

#[test]
fn a_ledger_that_has_less_than_it_acknowledged_gets_it_again() {
    let desk = Desk::new(3);
    let mut outbox = Outbox::default();
    assert_eq!(desk.next(&mut outbox), Ok(Step::Ask));
    outbox.told(&desk.cursor(0));
    assert_eq!(desk.sends(&mut outbox), [0, 1, 2]);
    assert_eq!(outbox.taken(3), Acknowledged::All);
    assert_eq!(desk.next(&mut outbox), Ok(Step::Ask));
    assert_eq!(outbox.told(&desk.cursor(2)), Acknowledged::Open);
    assert_eq!(desk.sends(&mut outbox), [2]);
}

#[test]
fn a_stream_that_is_not_this_journals_is_told() {
    let desk = Desk::new(3);
    let mut outbox = Outbox::default();
    assert_eq!(desk.next(&mut outbox), Ok(Step::Ask));
    outbox.told(&Cursor { hash: Some(Sha3([9; 64])), ..desk.cursor(2) });
    for _ in 0..2 {
        assert_eq!(desk.next(&mut outbox), Err(OutboxError::Foreign { number: 1 }), "for good");
    }
    let agree = |cursor: Cursor| Outbox::agree(desk.log.reader().as_ref(), &cursor);
    for next in 1..=3 {
        assert_eq!(agree(desk.cursor(next)), Ok(()));
        let other = Cursor { hash: Some(Sha3([9; 64])), ..desk.cursor(next) };
        assert_eq!(agree(other), Err(OutboxError::Foreign { number: next - 1 }));
    }

    let mut outbox = Outbox::default();
    assert_eq!(desk.next(&mut outbox), Ok(Step::Ask));
    outbox.told(&Cursor { next: 5, hash: Some(Sha3([9; 64])), counts: Some(true), at: None, size: 9 });
    assert_eq!(desk.next(&mut outbox), Err(OutboxError::Foreign { number: 4 }), "more than the journal ever held");
}

#[test]
fn the_newest_event_is_kept_whatever_lines_follow() {
    let mut desk = Desk::new(6);
    for epoch in 0..2000 {
        desk.append(&Line::Epoch(epoch).encode());
    }
    let mut outbox = Outbox::default();
    assert_eq!(desk.next(&mut outbox), Ok(Step::Ask));
    outbox.told(&desk.cursor(0));
    assert_eq!(desk.sends(&mut outbox), [0, 1, 2, 3, 4, 5]);
    outbox.taken(6);
    assert_eq!(desk.next(&mut outbox), Ok(Step::Ask), "there is no further event");
    desk.log.drop_before(outbox.unwanted_before(u64::MAX)).expect("dropped");
    assert!(desk.log.first() <= 5, "the journal's own number is read from it");
}

#[test]
fn so_is_the_newest_epoch_whatever_events_follow() {
    let mut desk = Desk::new(0);
    desk.append(&Line::Epoch(7).encode());
    (0..40).for_each(|_| desk.deny());
    let mut outbox = Outbox::default();
    assert_eq!(desk.next(&mut outbox), Ok(Step::Ask));
    outbox.told(&desk.cursor(0));
    assert_eq!(desk.sends(&mut outbox).len(), 40);
    assert_eq!(outbox.taken(40), Acknowledged::All);
    assert_eq!(outbox.unwanted_before(u64::MAX), 0);
    desk.append(&Line::Epoch(7).encode());
    assert_eq!(desk.next(&mut outbox), Ok(Step::Ask));
    assert_eq!(outbox.unwanted_before(u64::MAX), 40, "once it stands further on, what was before may go");
}

#[test]
fn a_use_is_kept_until_a_later_time_is_in_the_journal_whatever_the_clock_shows() {
    let mut desk = Desk::new(1);
    let line = |desk: &mut Desk, number: u64, millis: i64, exp: Option<i64>| {
        let mut record = desk.records[0].clone();
        (record.src_seq, record.ts) = (number, NOW.plus_millis(millis));
        desk.append(&encode_event(&record, exp.map(|exp| NOW.plus_millis(exp))));
    };
    line(&mut desk, 1, 0, Some(100));
    line(&mut desk, 2, 99, None);
    let mut outbox = Outbox::default();
    assert_eq!(desk.next(&mut outbox), Ok(Step::Ask));
    outbox.told(&desk.cursor(0));
    assert_eq!(desk.sends(&mut outbox).len(), 3);
    assert_eq!(outbox.taken(3), Acknowledged::All);
    assert_eq!(outbox.unwanted_before(u64::MAX), 1);
    line(&mut desk, 3, 100, None);
    assert_eq!(desk.sends(&mut outbox).len(), 1);
    assert_eq!(outbox.taken(4), Acknowledged::All);
    assert_eq!(outbox.unwanted_before(u64::MAX), 3);
}

#[test]
fn what_is_said_of_an_open_lineage_is_kept() {
    let mut desk = Desk::new(6);
    let mut outbox = Outbox::default();
    assert_eq!(desk.next(&mut outbox), Ok(Step::Ask));
    outbox.told(&desk.cursor(0));
    let acknowledged = |outbox: &mut Outbox, desk: &Desk, from: u64| {
        assert_eq!(desk.sends(outbox)[0], i64::try_from(from).expect("a number"));
        assert_eq!(outbox.taken(desk.records.len() as u64), Acknowledged::All);
    };
    acknowledged(&mut outbox, &desk, 0);
    assert_eq!(outbox.unwanted_before(2), 0, "a lineage that began in event 2 is open");
    (0..3).for_each(|_| desk.deny());
    acknowledged(&mut outbox, &desk, 6);
    assert_eq!(outbox.unwanted_before(2), 0, "it still is");
    // Its last event once more, after event 8: which is no event to send.
    desk.append(&Line::Open(desk.records[2].clone()).encode());
    (0..3).for_each(|_| desk.deny());
    acknowledged(&mut outbox, &desk, 9);
    assert_eq!(outbox.unwanted_before(8), 6, "event 8 was read with those from 6 on");
    assert_eq!(outbox.unwanted_before(desk.journal.open_from()), 12, "closed: the newest event alone is kept");
}
