//! Two commits, of which the second is judged before the first is written.

use super::*;
use crate::proof::has_index;
use crate::world::{Home, Producers, genesis_keys, root, signer, start};
use eleven_api::audit::Append;
use eleven_api::edge::ManualClock;
use eleven_store::faulty::{Effect, Fault, FaultyDisk, Survival};
use eleven_store::{Place, SegmentOptions};
use std::sync::Mutex;

fn log(disk: &FaultyDisk) -> SegmentLog {
    let options = SegmentOptions { ahead: false, ..SegmentOptions::default() };
    SegmentLog::open(Place::on(disk.clone()), options).expect("a log")
}

fn open(log: SegmentLog, heads: &FaultyDisk) -> SteppedLedger {
    let clock = Arc::new(ManualClock::new(start())) as Arc<dyn Clock>;
    SteppedLedger::open(log, self::log(heads), Home::signers(), clock).expect("it opens")
}

/// A ledger with its genesis and what a domain needs.
fn set_up(disk: &FaultyDisk, heads: &FaultyDisk, producers: &mut Producers) -> SteppedLedger {
    let mut entries = log(disk);
    SteppedLedger::genesis(&mut entries, &root(), 10, &genesis_keys(), &signer("audit"), start()).expect("a genesis");
    let mut ledger = open(entries, heads);
    ledger.append(&producers.set_up().to_bytes(), |answer| assert_eq!(answer.status, 200, "{answer:?}"));
    ledger.step(false).expect("committed");
    ledger
}

/// The bytes of two POSTs of a denial each.
fn two(producers: &mut Producers) -> [Vec<u8>; 2] {
    ["one", "two"].map(|details| {
        let mut append = Append::default();
        append.record(&producers.denial(details));
        append.to_bytes()
    })
}

/// Sends each; what they are answered comes with their commits.
fn send(ledger: &SteppedLedger, posts: &[Vec<u8>]) -> Arc<Mutex<Vec<u16>>> {
    let answers = Arc::new(Mutex::new(Vec::new()));
    for post in posts {
        let answers = Arc::clone(&answers);
        ledger.append(post, move |answer| answers.lock().expect("whole").push(answer.status));
    }
    answers
}

#[test]
fn a_seal_that_is_staged_behind_another_leaves_that_its_head() {
    let (disk, heads, mut producers) = (FaultyDisk::new(1), FaultyDisk::new(2), Producers::new());
    let mut ledger = set_up(&disk, &heads, &mut producers);
    let answers = send(&ledger, &two(&mut producers));
    ledger.commit.submit(Request::Seal, |outcome| assert!(outcome.is_ok(), "{outcome:?}"));
    ledger.judge_apart(1, true);
    let shared = Arc::clone(&ledger.shared);
    let sealed = || {
        let sealed = read(&shared.sealed);
        (sealed.size, sealed.chain)
    };

    ledger.step(false).expect("committed");
    let first = ledger.size();
    assert_eq!(*answers.lock().expect("whole"), [200]);
    assert_eq!(sealed(), (first + 2, None), "the folds are those of the seal behind");
    ledger.sign_head().expect("signed");
    let shown = shared.published().expect("a head");
    assert_eq!(shown.size(), first);
    assert!(!has_index(&shared, &shown), "nothing is proven by an index of more");

    ledger.step(false).expect("committed");
    assert_eq!(*answers.lock().expect("whole"), [200, 200]);
    ledger.sign_head().expect("signed");
    let shown = shared.published().expect("a head");
    assert_eq!(sealed(), (first + 2, Some(shown.head.commitment.chain)));
    assert!(has_index(&shared, &shown));
    ledger.check().expect("what a replay comes to");
}

#[test]
fn of_what_was_judged_behind_a_commit_that_failed_nothing_is_there() {
    let (disk, heads, mut producers) = (FaultyDisk::new(1), FaultyDisk::new(2), Producers::new());
    let mut ledger = set_up(&disk, &heads, &mut producers);
    let (before, posts) = (ledger.size(), two(&mut producers));
    let answers = send(&ledger, &posts);
    ledger.judge_apart(1, false);
    disk.plan(disk.done().len() + 1, Fault::Eio(Effect::All));
    assert!(ledger.step(false).is_err());
    assert_eq!(*answers.lock().expect("whole"), [503, 503]);
    assert_eq!(ledger.size(), before, "nothing of it is shown");
    drop(ledger);

    let mut ledger = open(log(&disk.reboot(Survival::Lost)), &heads);
    assert_eq!(ledger.size(), before + 1);
    let answers = send(&ledger, &posts);
    ledger.step(false).expect("committed");
    assert_eq!(*answers.lock().expect("whole"), [200, 200]);
    assert_eq!(ledger.size(), before + 2, "the first was there");
    ledger.check().expect("what a replay comes to");
}
