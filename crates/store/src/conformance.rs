//! What every log must do, whatever it is built on. An implementation's tests call [`check`] with a way to make one.
//!
//! Nothing here takes the power away or has a disk fail. That what was acknowledged outlives a crash, that a commit is there as a
//! whole or not at all, and that a log which failed is poisoned, a log shows by tests with faults of its own engine, as the
//! embedded one does on [`FaultyDisk`](crate::faulty::FaultyDisk).

use std::sync::Arc;

use crate::log::{AppendError, DropError, Log, MAX_COMMIT_BYTES, MAX_COMMIT_RECORDS, ReadError, ReadLog};

/// Checks the promises of [`Log`] and [`ReadLog`]. `fresh` makes empty storage and gives back what opens the log in
/// it; each call of that opens it again, after the log from the call before was dropped.
///
/// # Panics
/// At the first promise that is not kept.
pub fn check<L: Log, Open: FnMut() -> L>(mut fresh: impl FnMut() -> Open) {
    an_empty_log(fresh());
    append_and_read(fresh());
    a_wrong_position_changes_nothing(fresh());
    no_records_is_no_commit(fresh());
    what_is_too_large_changes_nothing(fresh());
    reads_keep_to_their_bounds(fresh());
    records_of_all_sizes(fresh());
    all_is_there_after_opening_again(fresh());
    dropping_keeps_what_it_must(fresh());
    positions_are_never_used_twice(fresh());
    a_reader_outlives_the_writer(fresh());
    readers_beside_the_writer(fresh());
    commits_are_measured(fresh());
}

fn an_empty_log<L: Log>(mut open: impl FnMut() -> L) {
    for _ in 0..2 {
        let log = open();
        let reader = log.reader();
        assert_eq!((log.first(), log.next()), (0, 0));
        assert_eq!((reader.first(), reader.durable()), (0, 0));
        assert_eq!(read_all(&*reader, 0), []);
    }
}

fn append_and_read<L: Log>(mut open: impl FnMut() -> L) {
    let mut log = open();
    let reader = log.reader();
    let one = log.append(0, &[b"a"]).expect("append one");
    assert_eq!((one.first(), one.next(), one.count()), (0, 1, 1));
    assert_eq!(one.level().to_string(), "D1", "an embedded log is durable on one machine");
    let three = log.append(1, &[b"b", b"", b"d"]).expect("append three");
    assert_eq!((three.first(), three.next(), three.count()), (1, 4, 3));
    assert_eq!((log.next(), reader.durable()), (4, 4));
    assert_eq!(read_all(&*reader, 0), [(0, b"a".to_vec()), (1, b"b".to_vec()), (2, vec![]), (3, b"d".to_vec())]);
    assert_eq!(read_all(&*reader, 2), [(2, vec![]), (3, b"d".to_vec())], "from within a commit");
    assert_eq!(read_all(&*reader, 4), [], "at the end");
    assert_eq!(read_all(&*reader, 400), [], "beyond the end");
    assert_eq!(read_all(&*log.reader(), 3), [(3, b"d".to_vec())], "a reader made later");
}

fn a_wrong_position_changes_nothing<L: Log>(mut open: impl FnMut() -> L) {
    let mut log = open();
    let _ = log.append(0, &[b"a", b"b"]).expect("append");
    for wrong in [0, 1, 3, u64::MAX] {
        for records in [&[&b"x"[..]][..], &[]] {
            let refused = log.append(wrong, records).expect_err("a wrong position");
            assert!(matches!(refused, AppendError::Conflict { next: 2 }), "{refused:?}");
        }
    }
    let _ = log.append(2, &[b"c"]).expect("the log goes on");
    drop(log);
    assert_eq!(texts(&*open().reader(), 0), ["a", "b", "c"]);
}

fn no_records_is_no_commit<L: Log>(mut open: impl FnMut() -> L) {
    let mut log = open();
    let _ = log.append(0, &[b"a"]).expect("append");
    let nothing = log.append(1, &[]).expect("append nothing");
    assert_eq!((nothing.first(), nothing.next(), nothing.count()), (1, 1, 0));
    assert_eq!((log.next(), log.reader().durable()), (1, 1));
    assert_eq!(log.metrics().sync.summary().count, 1, "nothing is synced for it");
}

fn what_is_too_large_changes_nothing<L: Log>(mut open: impl FnMut() -> L) {
    let mut log = open();
    let half = vec![1; MAX_COMMIT_BYTES / 2 + 1];
    let refused = log.append(0, &[&half, &half]).expect_err("too many bytes");
    assert!(matches!(refused, AppendError::TooLarge { records: 2, .. }), "{refused:?}");
    let many = vec![&b""[..]; MAX_COMMIT_RECORDS + 1];
    let refused = log.append(0, &many).expect_err("too many records");
    assert!(matches!(refused, AppendError::TooLarge { bytes: 0, .. }), "{refused:?}");
    let _ = log.append(0, &[b"a"]).expect("the log goes on");
    assert_eq!(texts(&*log.reader(), 0), ["a"]);
}

fn reads_keep_to_their_bounds<L: Log>(mut open: impl FnMut() -> L) {
    let mut log = open();
    for commit in 0..10u64 {
        let records: Vec<Vec<u8>> = (0..3).map(|k| vec![b'x'; (commit * 3 + k) as usize]).collect();
        let _ = log.append(commit * 3, &slices(&records)).expect("append");
    }
    let reader = log.reader();
    for position in 0..31 {
        for most in [0, 1, 2, 5, 100] {
            let found = reader.read_from(position, most, usize::MAX).expect("read");
            assert_eq!(found.len(), most.min(30 - position.min(30) as usize), "{most} records from {position}");
            for ((at, record), wanted) in found.iter().zip(position..) {
                assert_eq!((*at, record.len() as u64), (wanted, wanted));
            }
        }
    }
    let count = |position, bytes| reader.read_from(position, usize::MAX, bytes).expect("read").len();
    assert_eq!(count(1, 1 + 2 + 3), 3);
    assert_eq!(count(1, 1 + 2 + 3 + 3), 3);
    assert_eq!(count(1, 1 + 2 + 3 + 4), 4);
    assert_eq!(count(20, 1), 1, "the first record comes whatever its size");
    assert_eq!(count(20, 0), 1);
}

fn records_of_all_sizes<L: Log>(mut open: impl FnMut() -> L) {
    let sizes = [0, 1, 7, 8, 9, 1000, 4096, 65_535, 65_536, 3_000_000];
    let mut log = open();
    for (size, position) in sizes.into_iter().zip(0..) {
        let _ = log.append(position, &[&patterned(position, size)]).expect("append");
    }
    let together: Vec<Vec<u8>> = sizes.into_iter().zip(10..).map(|(size, at)| patterned(at, size)).collect();
    let _ = log.append(10, &slices(&together)).expect("append together");
    drop(log);
    let found = read_all(&*open().reader(), 0);
    assert_eq!(found.len(), 20);
    for (position, record) in found {
        let size = sizes.into_iter().cycle().nth(position as usize).unwrap_or_default();
        assert!(record == patterned(position, size), "the record at {position}");
    }
}

fn all_is_there_after_opening_again<L: Log>(mut open: impl FnMut() -> L) {
    let mut next = 0;
    for round in 0..20 {
        let mut log = open();
        assert_eq!((log.first(), log.next(), log.reader().durable()), (0, next, next));
        for _ in 0..10 {
            let records: Vec<Vec<u8>> = (next..next + 1 + round % 3).map(|at| patterned(at, 100)).collect();
            next = log.append(next, &slices(&records)).expect("append").next();
        }
        let reader = log.reader();
        drop(log);
        assert_eq!(read_all(&*reader, 0).len() as u64, next, "a reader outlives the writer");
    }
    let found = read_all(&*open().reader(), 0);
    assert_eq!(found.len() as u64, next);
    assert!(found.into_iter().all(|(position, record)| record == patterned(position, 100)));
}

fn dropping_keeps_what_it_must<L: Log>(mut open: impl FnMut() -> L) {
    let mut log = open();
    for position in 0..300 {
        let _ = log.append(position, &[&patterned(position, 500)]).expect("append");
    }
    let reader = log.reader();
    let refused = log.drop_before(301).expect_err("beyond the end");
    assert!(matches!(refused, DropError::Beyond { next: 300 }), "{refused:?}");
    let (mut first, mut asked) = (0, 0);
    for position in [0, 1, 150, 100, 299, 300] {
        log.drop_before(position).expect("drop");
        asked = position.max(asked);
        assert!(log.first() >= first, "the first position never goes back");
        first = log.first();
        assert!(first <= asked, "nothing at or above the position is dropped");
        assert_eq!(reader.first(), first);
        if let Some(gone) = first.checked_sub(1) {
            let refused = reader.read_from(gone, 1, 1).expect_err("dropped");
            assert!(matches!(refused, ReadError::Dropped { first: at } if at == first), "{refused:?}");
        }
        assert_eq!(read_all(&*reader, first).len() as u64, 300 - first);
    }
    let _ = log.append(300, &[b"next"]).expect("append after dropping");
    drop(log);
    let log = open();
    assert_eq!((log.first(), log.next()), (first, 301));
    assert_eq!(log.reader().read_from(300, 1, 10).expect("read"), [(300, b"next".to_vec())]);
}

/// Also of what is let go of whole nothing begins anew.
fn positions_are_never_used_twice<L: Log>(mut open: impl FnMut() -> L) {
    let mut log = open();
    for position in 0..300 {
        let _ = log.append(position, &[&patterned(position, 500)]).expect("append");
    }
    log.drop_before(300).expect("drop");
    let first = log.first();
    drop(log);
    let mut log = open();
    assert_eq!((log.first(), log.next(), log.reader().durable()), (first, 300, 300));
    let refused = log.append(0, &[b"anew"]).expect_err("a position that was used");
    assert!(matches!(refused, AppendError::Conflict { next: 300 }), "{refused:?}");
    let _ = log.append(300, &[b"next"]).expect("append");
    assert_eq!(texts(&*log.reader(), 300), ["next"]);
}

fn a_reader_outlives_the_writer<L: Log>(mut open: impl FnMut() -> L) {
    let mut log = open();
    let reader = log.reader();
    let _ = log.append(0, &[b"a", b"b"]).expect("append");
    drop(log);
    assert_eq!((reader.first(), reader.durable()), (0, 2));
    assert_eq!(texts(&*reader, 0), ["a", "b"]);
}

/// Three readers run beside the writer; what they find is whole, in order and never ahead of what is durable.
fn readers_beside_the_writer<L: Log>(mut open: impl FnMut() -> L) {
    const RECORDS: u64 = 400;
    let mut log = open();
    let readers: Vec<Arc<dyn ReadLog>> = (0..3).map(|_| log.reader()).collect();
    std::thread::scope(|scope| {
        for reader in readers {
            scope.spawn(move || {
                let mut position = 0;
                while position < RECORDS {
                    let found = reader.read_from(position, 7, 100_000).expect("read");
                    let durable = reader.durable();
                    for (at, record) in found {
                        assert_eq!(at, position, "in order, without a gap");
                        assert!(at < durable, "not before it is durable");
                        assert!(record == patterned(at, 300), "whole");
                        position += 1;
                    }
                    std::thread::yield_now();
                }
            });
        }
        let mut next = 0;
        while next < RECORDS {
            let records: Vec<Vec<u8>> = (next..next + 4).map(|at| patterned(at, 300)).collect();
            next = log.append(next, &slices(&records)).expect("append").next();
        }
    });
}

fn commits_are_measured<L: Log>(mut open: impl FnMut() -> L) {
    let mut log = open();
    let metrics = log.metrics();
    let _ = log.append(0, &[b"a", b"b"]).expect("append");
    let _ = log.append(2, &[b"c"]).expect("append");
    assert_eq!(metrics.sync.summary().count, 2);
    assert_eq!((metrics.records.summary().count, metrics.records.summary().max), (2, 2));
}

/// `size` bytes that no other position has.
fn patterned(position: u64, size: usize) -> Vec<u8> {
    (0..size as u64).map(|at| (position.wrapping_mul(0x9E37_79B9) >> (at % 24)) as u8 ^ at as u8).collect()
}

fn slices(records: &[Vec<u8>]) -> Vec<&[u8]> {
    records.iter().map(Vec::as_slice).collect()
}

fn read_all(reader: &dyn ReadLog, position: u64) -> Vec<(u64, Vec<u8>)> {
    reader.read_from(position, usize::MAX, usize::MAX).expect("read")
}

fn texts(reader: &dyn ReadLog, position: u64) -> Vec<String> {
    let records = read_all(reader, position).into_iter();
    records.map(|(_, record)| String::from_utf8_lossy(&record).into_owned()).collect()
}
