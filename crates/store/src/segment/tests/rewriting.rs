//! Records of closed segments replaced: all others stay, and whatever the disk does each is the one or the other.

use super::{
    packing::{filled_packed, open_packed},
    *,
};
use crate::faulty::{Effect, Fault, Op, Survival};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

static GO_ON: AtomicBool = AtomicBool::new(false);

/// What stands at a position afterwards.
fn other(position: u64) -> Vec<u8> {
    format!("in the place of {position}").into_bytes()
}

fn changes(positions: impl IntoIterator<Item = u64>) -> BTreeMap<u64, Vec<u8>> {
    positions.into_iter().map(|at| (at, other(at))).collect()
}

/// Every record of a log of `next` records is what was appended there, or what `changes` has for it; how many are changed.
fn changed(log: &SegmentLog, next: u64, changes: &BTreeMap<u64, Vec<u8>>, when: &str) -> usize {
    let found = log.reader().read_from(0, usize::MAX, usize::MAX).unwrap_or_else(|error| panic!("{when}: {error}"));
    assert_eq!((found.len() as u64, log.next()), (next, next), "{when}");
    found
        .iter()
        .for_each(|(at, bytes)| assert!(*bytes == record(*at) || Some(bytes) == changes.get(at), "{when}: {at}"));
    found.iter().filter(|(at, bytes)| *bytes != record(*at)).count()
}

#[test]
fn what_is_closed_is_replaced_where_it_stands_and_all_else_stays() {
    let disk = filled_packed(200);
    let options = SegmentOptions { pack: true, recent: 1 << 16, ..SMALL };
    let mut log = SegmentLog::open(Place::on(disk.clone()), options).expect("open");
    let (reader, rewriter) = (log.reader(), log.rewriter());
    let wanted = changes([0, 7, 8, 50, 120, 199, 5000]);
    // What was read before is read anew: it isn't kept from before.
    (0..200).for_each(|at| assert_eq!(reader.read_from(at, 1, 1).expect("read"), [(at, record(at))]));
    assert_eq!(rewriter.rewrite(&wanted, &GO_ON).expect("rewritten"), 5, "199 is in the segment that is written to");
    for at in (0..199).rev() {
        let expected = wanted.get(&at).cloned().unwrap_or_else(|| record(at));
        assert_eq!(reader.read_from(at, 1, 1).expect("read"), [(at, expected)]);
    }
    assert_eq!(log.append(200, &[&record(200)]).expect("append").next(), 201);
    drop(log);
    let log = open_packed(&disk);
    assert_eq!(changed(&log, 201, &wanted, "opened again"), 5);
    assert!(!disk.names().contains(&"pack.tmp".to_owned()));
    let stopped = rewriter.rewrite(&changes([1]), &AtomicBool::new(true)).expect_err("told to stop");
    assert_eq!(stopped.kind(), std::io::ErrorKind::Interrupted);
    drop(log);
    let late = rewriter.rewrite(&wanted, &GO_ON).expect_err("the log is closed");
    assert_eq!(late.kind(), std::io::ErrorKind::Interrupted);
}

#[test]
fn what_is_not_packed_yet_is_packed_with_it() {
    let disk = filled(200);
    let log = open(&disk);
    let wanted = changes([3, 100]);
    assert_eq!(log.rewriter().rewrite(&wanted, &GO_ON).expect("rewritten"), 2);
    assert_eq!(changed(&log, 200, &wanted, "at once"), 2);
    assert_eq!(disk.names().iter().filter(|name| name.ends_with(".pack")).count(), 2);
    drop(log);
    assert_eq!(changed(&open(&disk), 200, &wanted, "opened again"), 2);
}

/// The log after each fault at each operation of a rewriting, with every end of the machine behind it.
#[test]
fn every_fault_at_every_operation_leaves_the_one_or_the_other() {
    for start in [filled_packed as fn(u64) -> FaultyDisk, filled] {
        let wanted = changes([1, 2, 30, 55]);
        let undisturbed = start(60);
        let log = open_packed(&undisturbed);
        let before = undisturbed.done().len();
        let all = log.rewriter().rewrite(&wanted, &GO_ON).expect("rewritten") as usize;
        assert!(all >= 3, "{all}");
        let operations = undisturbed.done()[before..].to_vec();
        assert!(operations.iter().filter(|op| matches!(op, Op::Rename(_))).count() >= 2, "{operations:?}");
        for (at, op) in operations.iter().enumerate() {
            for fault in [
                Fault::Eio(Effect::Nothing),
                Fault::Eio(Effect::All),
                Fault::Enospc(Effect::Part(45)),
                Fault::Short(45),
                Fault::Crash,
            ] {
                for end in [Survival::Lost, Survival::Kept, Survival::Scattered(at as u64)] {
                    let when = format!("{fault:?} at operation {at} ({op:?}), then {end:?}");
                    let disk = start(60);
                    let mut log = open_packed(&disk);
                    disk.plan(disk.done().len() + at, fault);
                    let outcome = log.rewriter().rewrite(&wanted, &GO_ON);
                    if !disk.is_down() {
                        let so_far = changed(&log, 60, &wanted, &when);
                        assert!(outcome.is_err() || so_far == all, "{when}: {so_far}");
                        assert_eq!(log.append(60, &[&record(60)]).expect(&when).next(), 61);
                        // What failed once is done by the same call later.
                        let again =
                            log.rewriter().rewrite(&wanted, &GO_ON).unwrap_or_else(|error| panic!("{when}: {error}"));
                        assert_eq!((again as usize, changed(&log, 61, &wanted, &when)), (all, all), "{when}");
                    }
                    let count = if disk.is_down() { 60 } else { 61 };
                    drop(log);
                    let disk = disk.reboot(end);
                    let log = open_packed(&disk);
                    let found = changed(&log, count, &wanted, &when);
                    assert!(found <= all && (count == 60 || found == all), "{when}: {found}");
                }
            }
        }
    }
}

#[test]
fn readers_and_the_writer_go_on_meanwhile() {
    let folder = tempfile::tempdir().expect("folder");
    let place = Folder::open(folder.path(), "ledger").expect("folder").place("log").expect("place");
    let options = SegmentOptions { smallest: 4096, largest: 8192, ahead: true, pack: true, recent: 1 << 16 };
    let mut log = SegmentLog::open(place, options).expect("open");
    let (reader, rewriter) = (log.reader(), log.rewriter());
    let wanted = changes((0..2000).step_by(3));
    std::thread::scope(|scope| {
        let rewriting = scope.spawn(|| {
            while reader.durable() < 2000 {
                rewriter.rewrite(&wanted, &GO_ON).expect("rewritten");
            }
        });
        let reading = scope.spawn(|| {
            for at in (0..2000).cycle().take(20_000) {
                for (at, bytes) in reader.read_from(at, 2, 1000).expect("read") {
                    assert!(bytes == record(at) || Some(&bytes) == wanted.get(&at), "{at}");
                }
            }
        });
        for at in 0..2000 {
            let _ = log.append(at, &[&record(at)]).expect("append");
        }
        reading.join().expect("read all");
        rewriting.join().expect("no fault");
    });
    let done = rewriter.rewrite(&wanted, &GO_ON).expect("once more") as usize;
    assert_eq!(changed(&log, 2000, &wanted, "at the end"), done);
}

#[test]
fn who_reads_the_log_of_another_process_reads_on() {
    let folder = tempfile::tempdir().expect("folder");
    let place = Folder::open(folder.path(), "ledger").expect("folder").place("log").expect("place");
    let mut log = SegmentLog::open(place, SegmentOptions { smallest: 4096, largest: 8192, ..SMALL }).expect("open");
    for at in 0..300 {
        let _ = log.append(at, &[&record(at)]).expect("append");
    }
    log.close_segment().expect("closed");
    let plain = peek(&folder.path().join("log")).expect("a reader");
    let all = |reader: &dyn ReadLog| reader.read_from(0, usize::MAX, usize::MAX).expect("read");
    let first = changes([5, 250, 299]);
    assert_eq!(log.rewriter().rewrite(&first, &GO_ON).expect("rewritten"), 3, "what was not packed");
    let packed = peek(&folder.path().join("log")).expect("a reader");
    let second = changes([6, 251]);
    assert_eq!(log.rewriter().rewrite(&second, &GO_ON).expect("rewritten"), 2, "what was");
    for reader in [plain, packed] {
        let found = all(&*reader);
        assert_eq!(found, all(&*log.reader()));
        assert_eq!(found.iter().filter(|(at, bytes)| *bytes == other(*at)).count(), 5);
    }
}

#[test]
fn a_segment_is_closed_where_it_holds_anything() {
    let disk = FaultyDisk::new(3);
    let mut log = open_packed(&disk);
    log.close_segment().expect("nothing to do");
    assert_eq!(log.append(0, &[&record(0)]).expect("append").next(), 1);
    log.close_segment().expect("closed");
    log.close_segment().expect("closed already");
    assert_eq!(disk.names().iter().filter(|name| name.ends_with(".seg")).count(), 2, "{:?}", disk.names());
    assert_eq!(log.rewriter().rewrite(&changes([0]), &GO_ON).expect("rewritten"), 1);
    assert_eq!(log.append(1, &[&record(1)]).expect("append").next(), 2);
    drop(log);
    assert_eq!(changed(&open_packed(&disk), 2, &changes([0]), "opened again"), 1);
}
