use super::*;
use eleven_core::hash::Sha3;
use eleven_core::reason::Reason;
use eleven_core::signature::SeedSigner;
use eleven_core::time::Time;
use eleven_enforce::denial::Denial;
use eleven_enforce::journal::{Point, encode_event};

const NOW: Time = Time(1_778_605_451_000);

/// A journal of three events, of which its log holds those from `from` on, and the hashes of all.
fn journal(dir: &Path, from: u64) -> (SegmentLog, Journal, Vec<Sha3>) {
    let folder = Folder::open(dir.join("runtime"), Which::Runtime.name()).expect("a corner's folder");
    let place = folder.place(JOURNAL).expect("a place");
    let mut log = SegmentLog::open(place, SegmentOptions::default()).expect("a log");
    let mut journal = Journal::new(Point {
        name: "k8s://cluster/ns/inference#gw-0".into(),
        event: Arc::new(SeedSigner::new("key:11-11/gw-0/1", &[1; 32])),
        attestation: Arc::new(SeedSigner::new("key:11-11/attest-gw-0/1", &[2; 32])),
        binary: Sha3([3; 64]),
        config: Sha3([4; 64]),
        predicate_type: "https://11-11.example/attestation/execution/v1".into(),
    });
    let mut hashes = Vec::new();
    for n in 0..3 {
        let denial = Denial::new(Reason::ArtifactExpired, format!("denial {n}"));
        let record = journal.deny(&denial, NOW).expect("a record");
        hashes.push(Sha3::of(&[record.canonical()]));
        if n >= from {
            let line = encode_event(&record, None);
            let durable = log.append(log.next(), &[line.as_slice()]).expect("durable");
            assert_eq!(durable.count(), 1);
        }
    }
    (log, journal, hashes)
}

fn cursor(next: u64, hash: Option<Sha3>) -> Cursor {
    Cursor { next, hash, counts: Some(true), at: None, size: 9 }
}

/// As where an older copy was put back, and went on under numbers that were used: nothing of it reaches the ledger by any start, and the
/// ledger has to say that the stream breaks off.
#[test]
fn a_journal_under_whose_numbers_the_ledger_has_other_records_is_lost_however_far_it_goes() {
    let dir = tempfile::tempdir().expect("a folder");
    let (log, journal, hashes) = journal(dir.path(), 0);
    let stands = |next: u64, hash: Option<Sha3>| stands(&log, &journal, &cursor(next, hash)).expect("it is read");
    let (second, third, other) = (hashes.get(1).copied(), hashes.get(2).copied(), Some(Sha3([9; 64])));
    assert_eq!((stands(0, None), stands(2, second), stands(3, third)), (Left::Behind, Left::Behind, Left::Drained));
    for next in 1..=4 {
        assert_eq!(stands(next, other), Left::Lost, "{next}");
    }
}

/// What the ledger had acknowledged before it went back is nowhere any more, and no start sends it.
#[test]
fn a_journal_that_let_go_of_what_a_ledger_that_went_back_expects_is_lost() {
    let dir = tempfile::tempdir().expect("a folder");
    let (log, journal, hashes) = journal(dir.path(), 1);
    let stands = |next: u64, hash: Option<Sha3>| stands(&log, &journal, &cursor(next, hash)).expect("it is read");
    assert_eq!(stands(0, None), Left::Lost);
    let (first, third) = (hashes.first().copied(), hashes.get(2).copied());
    assert_eq!((stands(1, first), stands(3, third)), (Left::Behind, Left::Drained));
}
