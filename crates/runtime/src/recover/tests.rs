use super::*;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::event::Draft;
use eleven_core::hash::Sha3;
use eleven_core::signature::SeedSigner;
use eleven_store::faulty::{Effect, Fault, FaultyDisk};
use eleven_store::{Place, SegmentLog, SegmentOptions};
use std::sync::Arc;

/// A lineage of the vectors, up to its start.
pub(crate) fn begun() -> Vec<Record> {
    let file = parse(include_bytes!("../../../../spec/vectors/ledger.json")).expect("I-JSON");
    let entries = file.get("entries").and_then(Value::as_array).expect("entries");
    let records: Vec<Record> = entries
        .iter()
        .map(|entry| Record::read(entry.get("record").expect("one").clone()).expect("a record"))
        .collect();
    let started = records.iter().find(|record| record.event == "execution.started").expect("one that started");
    records.iter().filter(|record| record.op == started.op && record.n <= started.n).cloned().collect()
}

/// The point of these records, under new keys.
pub(crate) fn again(begun: &[Record]) -> Point {
    Point {
        name: begun.last().expect("started").by.clone(),
        event: Arc::new(SeedSigner::new("key:11-11/gw-0/again", &[1; 32])),
        attestation: Arc::new(SeedSigner::new("key:11-11/attest-0/again", &[2; 32])),
        binary: Sha3([3; 64]),
        config: Sha3([4; 64]),
        predicate_type: "https://11-11.example/attestation/execution/v1".into(),
    }
}

#[test]
fn what_is_no_lineage_of_this_points_stays_open_and_all_else_is_closed_in_one_commit() {
    let begun = begun();
    let point = again(&begun);
    let mut log = SegmentLog::open(Place::on(FaultyDisk::new(1)), SegmentOptions::default()).expect("a log");
    let mut journal = Journal::new(point.clone());
    let now = begun.last().expect("started").ts;
    close_lost(&mut log, &mut journal, &[], now).expect("nothing to do");
    close_lost(&mut log, &mut journal, &[Vec::new(), begun[1..].to_vec()], now).expect("none that can be closed");
    assert_eq!((log.next(), journal.next_seq()), (0, 0));
    close_lost(&mut log, &mut journal, &[begun[..1].to_vec(), begun.clone(), Vec::new()], now).expect("closed");
    assert_eq!((log.next(), journal.next_seq()), (2, 2));
    // What was committed is read back as a journal of which nothing is open.
    let again = read_back(&log, point).expect("a journal");
    assert_eq!((again.next_seq(), again.open_lineages()), (2, 0));
}

#[test]
fn the_oldest_event_that_the_ledger_may_not_have_is_found_by_its_number() {
    let begun = begun();
    let mut log = SegmentLog::open(Place::on(FaultyDisk::new(1)), SegmentOptions::default()).expect("a log");
    assert_eq!(oldest_from(&log, 0), Ok(None), "an empty journal owes nothing");
    let mut journal = Journal::new(again(&begun));
    let epoch = journal.note_epoch(7).expect("higher").encode();
    let _durable = log.append(0, &[&epoch]).expect("appended");
    let first = begun.last().expect("started").ts;
    close_lost(&mut log, &mut journal, &[begun], first).expect("closed");
    let later = first.plus_millis(9000);
    let alone = journal.alone("audit.resumed", Object::new(), Default::default(), later);
    commit(&mut log, vec![alone.expect("made")]).expect("committed");
    assert_eq!(oldest_from(&log, 0), Ok(Some((0, first))));
    assert_eq!(oldest_from(&log, 1), Ok(Some((1, first))));
    assert_eq!(oldest_from(&log, 2), Ok(Some((2, later))));
    assert_eq!(oldest_from(&log, 3), Ok(None), "the ledger has all of it");
}

#[test]
fn more_that_is_open_than_one_commit_carries_is_closed_in_several() {
    let begun = begun();
    let point = again(&begun);
    let mut log = SegmentLog::open(Place::on(FaultyDisk::new(1)), SegmentOptions::default()).expect("a log");
    let started = begun.last().expect("started");
    let open = 2 * AT_ONCE + 1;
    let mut reading = Reading::new(point.clone());
    for n in 0..open {
        let draft = Draft {
            event: "execution.started",
            place: eleven_core::event::Place::After { op: format!("{n:032}"), tip: begun[begun.len() - 2].tip() },
            ts: started.ts,
            by: point.name.clone(),
            src_seq: 0,
            data: Object::new(),
            about: started.about.clone(),
        };
        let record = draft.sign(&*point.event).expect("a record");
        reading.line(&Line::Open(record).encode()).expect("continues");
    }
    let mut journal = reading.end().expect("a journal");
    assert_eq!(journal.open_lineages(), open);
    let syncs = |log: &SegmentLog| log.metrics().sync.summary().count;
    let before = syncs(&log);
    close_open(&mut log, &mut journal, started.ts).expect("the point starts");
    assert_eq!((journal.open_lineages(), log.next()), (0, 2 * open as u64));
    assert!(syncs(&log) - before >= 3, "three commits");
    assert_eq!(read_back(&log, point).expect("a journal").open_lineages(), 0);
}

#[test]
fn a_disk_that_refuses_is_told_from_what_is_no_journal() {
    let begun = begun();
    let point = again(&begun);
    let disk = FaultyDisk::new(1);
    let mut log = SegmentLog::open(Place::on(disk.clone()), SegmentOptions::default()).expect("a log");
    let now = begun.last().expect("started").ts;
    close_lost(&mut log, &mut Journal::new(point.clone()), &[begun], now).expect("closed");
    disk.plan(disk.operations(), Fault::Eio(Effect::Nothing));
    assert!(matches!(read_back(&log, point.clone()), Err(ReadBackError::Disk(_))), "what it holds is not known");
    assert_eq!(read_back(&log, point.clone()).expect("a journal").next_seq(), 2);
    let _durable = log.append(log.next(), &[b"no line"]).expect("appended");
    assert!(matches!(read_back(&log, point), Err(ReadBackError::Unusable(_))));
}

#[test]
fn a_line_of_another_build_is_told_from_what_is_no_journal() {
    let point = again(&begun());
    for (line, is_another_builds) in [(&b"z, a kind to come"[..], true), (&b"n"[..], false)] {
        let mut log = SegmentLog::open(Place::on(FaultyDisk::new(1)), SegmentOptions::default()).expect("a log");
        let _durable = log.append(log.next(), &[line]).expect("appended");
        let read = read_back(&log, point.clone());
        assert!(matches!(read, Err(ReadBackError::Unknown)) == is_another_builds && read.is_err());
    }
}
