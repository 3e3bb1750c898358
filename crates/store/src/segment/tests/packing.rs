//! Packed segments: read as before, damaged as refused, and the packing cut short and failed at each of its operations.

use super::{
    crashes::crashed,
    faults::{check_and_go_on, fail_at, operations, operations_of_recovery},
    *,
};
use crate::faulty::{Effect, Fault, Op, Survival};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
};

pub(super) fn open_packed(disk: &FaultyDisk) -> SegmentLog {
    SegmentLog::open(Place::on(disk.clone()), SegmentOptions { pack: true, ..SMALL }).expect("open")
}

/// A disk with the records `0..count`, one commit each, its closed segments packed.
pub(super) fn filled_packed(count: u64) -> FaultyDisk {
    let disk = FaultyDisk::new(3);
    let mut log = open_packed(&disk);
    for position in 0..count {
        let _ = log.append(position, &[&record(position)]).expect("append");
    }
    disk
}

fn packs(disk: &FaultyDisk) -> Vec<String> {
    disk.names().into_iter().filter(|name| name.ends_with(".pack")).collect()
}

#[test]
fn closed_segments_are_packed_and_read_as_before() {
    let disk = filled_packed(200);
    let names = disk.names();
    assert_eq!(names.iter().filter(|name| name.ends_with(".seg")).count(), 1, "{names:?}: only the last is not packed");
    assert!(packs(&disk).len() > 4 && !names.contains(&"pack.tmp".to_owned()));
    let log = open_packed(&disk);
    assert_eq!((log.recovery().packed, log.recovery().segments), (packs(&disk).len(), names.len()));
    let reader = log.reader();
    let all = reader.read_from(0, usize::MAX, usize::MAX).expect("read");
    assert!(all.iter().map(|(at, _)| *at).eq(0..200) && all.iter().all(|(at, bytes)| *bytes == record(*at)));
    for at in 0..200 {
        assert_eq!(reader.read_from(at, 1, 1).expect("read"), [(at, record(at))]);
    }
    let plain: usize = filled(200).names().iter().map(|name| filled(200).bytes(name).expect("a file").len()).sum();
    let packed: usize = names.iter().map(|name| disk.bytes(name).expect("a file").len()).sum();
    assert!(packed * 2 < plain, "{packed} bytes instead of {plain}");
}

#[test]
fn what_was_not_packed_is_packed_later() {
    let disk = filled(100);
    assert!(packs(&disk).is_empty());
    let mut log = open_packed(&disk);
    let mut next = 100;
    while packs(&disk).is_empty() {
        next = log.append(next, &[&record(next)]).expect("append").next();
        assert!(next < 300, "a segment was closed on the way");
    }
    assert_eq!(log.metrics().to_pack.load(Ordering::Relaxed), 0);
    let found = log.reader().read_from(0, usize::MAX, usize::MAX).expect("read");
    assert!(found.into_iter().map(|(at, bytes)| (at, bytes == record(at))).eq((0..next).map(|at| (at, true))));
    // And a log that does not pack reads what another has packed.
    drop(log);
    assert_eq!(open(&disk).reader().read_from(7, 1, 1).expect("read"), [(7, record(7))]);
}

#[test]
fn a_packed_segment_that_was_dropped_is_gone() {
    let disk = filled_packed(200);
    let mut log = open_packed(&disk);
    let before = packs(&disk);
    log.drop_before(120).expect("drop");
    let after = packs(&disk);
    assert!(after.len() < before.len() && after.iter().all(|name| before.contains(name)));
    assert!(log.first() > 0 && log.first() <= 120);
    drop(log);
    assert_eq!(open_packed(&disk).reader().read_from(120, 1, 1).expect("read"), [(120, record(120))]);
}

#[test]
fn every_byte_of_a_packed_segment_counts() {
    let disk = filled_packed(60);
    let name = packs(&disk)[0].clone();
    let bytes = disk.bytes(&name).expect("the file");
    for at in 0..bytes.len() {
        flip(&disk, &name, at);
        match refused(&disk) {
            OpenError::Damaged(damage) => assert_eq!(damage.segment, name, "byte {at}"),
            OpenError::Version { segment, .. } => assert!(segment == name && (8..12).contains(&at), "byte {at}"),
            other => panic!("byte {at}: {other}"),
        }
        disk.put(&name, bytes.clone());
    }
    for cut in [0, 63, 64, bytes.len() - 1] {
        disk.put(&name, bytes[..cut].to_vec());
        assert_eq!(damage(refused(&disk)).segment, name, "cut after {cut}");
    }
    disk.lose(&name);
    let second = packs(&disk)[0].clone();
    disk.put(&name, disk.bytes(&second).expect("the file"));
    assert!(damage(refused(&disk)).what.contains("begins at position"), "another segment's bytes");
}

#[test]
fn what_is_whole_before_a_damaged_block_is_read() {
    let disk = FaultyDisk::new(3);
    // Of several blocks each: a record is 20 KiB, and a block ends with its third.
    let options = SegmentOptions { smallest: 256 << 10, largest: 256 << 10, pack: true, ..SMALL };
    let mut log = SegmentLog::open(Place::on(disk.clone()), options).expect("open");
    let record = |position: u64| (0..20 << 10).map(|at: u64| (at * at + position) as u8).collect::<Vec<u8>>();
    for position in 0..30 {
        let _ = log.append(position, &[&record(position)]).expect("append");
    }
    drop(log);
    let whole = || {
        let (log, _) = recover::read_whole(&Place::on(disk.clone())).expect("the folder is read");
        let records = log.read_from(0, usize::MAX, usize::MAX).expect("what is whole is read");
        assert!(records.iter().all(|(at, bytes)| *bytes == record(*at)));
        assert!(records.iter().map(|(at, _)| *at).eq(0..log.durable()));
        log.durable()
    };
    assert_eq!(whole(), 30);
    let name = packs(&disk)[1].clone();
    let first: u64 = name.trim_end_matches(".pack").parse().expect("a position");
    let bytes = disk.bytes(&name).expect("the file");
    let blocks = packed::Blocks::open(&*Disk::open(&disk, &name).expect("the file")).expect("whole");
    let mut ends = BTreeSet::new();
    for at in (64..bytes.len()).step_by(31) {
        flip(&disk, &name, at);
        assert_eq!(damage(refused(&disk)).segment, name, "byte {at}");
        ends.insert(whole());
        disk.put(&name, bytes.clone());
    }
    // All before the block; and nothing of the file where it is the first, or the index, which tells where they lie.
    assert!(ends.len() > 2 && ends.first() == Some(&first), "{ends:?}");
    assert!(ends.iter().all(|end| blocks.holding(*end).1 == *end), "{ends:?}");
    assert_eq!(whole(), 30);
}

#[test]
fn damage_after_opening_is_found_by_who_reads_it() {
    let disk = filled_packed(60);
    let log = open_packed(&disk);
    let name = packs(&disk)[0].clone();
    flip(&disk, &name, 70);
    let found = log.reader().read_from(0, 1, 1).expect_err("damaged");
    assert!(matches!(found, ReadError::Damaged(Damage { ref segment, .. }) if *segment == name), "{found}");
}

#[test]
fn what_was_read_last_is_kept_and_no_more() {
    let disk = filled_packed(60);
    let options = SegmentOptions { recent: 4096, ..SMALL };
    let log = SegmentLog::open(Place::on(disk.clone()), options).expect("open");
    let reader = log.reader();
    let reads = |at| {
        let before = disk.done().iter().filter(|op| **op == Op::Read).count();
        assert_eq!(reader.read_from(at, 1, 1).expect("read"), [(at, record(at))]);
        disk.done().iter().filter(|op| **op == Op::Read).count() - before
    };
    assert_eq!([reads(0), reads(1), reads(0)], [1, 0, 0], "one block for all of them");
    (0..60).for_each(|at| assert!(reads(at) <= 3));
    assert!(reads(0) > 0, "and what was not used for long is let go of");
}

#[test]
fn what_one_large_commit_wrote_is_read_once_and_held_until_something_else_is() {
    let disk = FaultyDisk::new(3);
    let options = SegmentOptions { recent: 4096, ..SMALL };
    let mut log = SegmentLog::open(Place::on(disk.clone()), options).expect("open");
    let large = vec![5; 9000];
    let _ = log.append(0, &[&large, &large, &large]).expect("append");
    (3..60).for_each(|at| assert_eq!(log.append(at, &[&record(at)]).expect("append").next(), at + 1));
    let reader = log.reader();
    let reads = |at: u64| {
        let before = disk.done().iter().filter(|op| **op == Op::Read).count();
        let expected = if at < 3 { large.clone() } else { record(at) };
        assert_eq!(reader.read_from(at, 1, 1).expect("read"), [(at, expected)]);
        disk.done().iter().filter(|op| **op == Op::Read).count() - before
    };
    // Where it begins is read each time.
    assert_eq!([reads(0), reads(1), reads(2), reads(0)], [2, 1, 1, 1]);
    let _ = reads(50);
    assert_eq!([reads(1), reads(2)], [2, 1], "it takes the whole room");
}

#[test]
fn who_reads_here_and_there_opens_a_file_once_and_keeps_none_that_is_gone() {
    let disk = filled_packed(200);
    let options = SegmentOptions { pack: true, recent: 1, ..SMALL };
    let mut log = SegmentLog::open(Place::on(disk.clone()), options).expect("open");
    let reader = log.reader();
    let opens = |at| {
        let opened = || disk.done().iter().filter(|op| matches!(op, Op::Open(_))).count();
        let before = opened();
        assert_eq!(reader.read_from(at, 1, 1).expect("read"), [(at, record(at))]);
        opened() - before
    };
    assert_eq!([opens(0), opens(1), opens(0)], [1, 0, 0]);
    (0..200).for_each(|at| assert!(opens(at) <= 1));
    assert_eq!(opens(0), 1, "few stay open");
    let (changes, stop) = (BTreeMap::from([(1, record(1))]), AtomicBool::new(false));
    assert_eq!(log.rewriter().rewrite(&changes, &stop).expect("rewritten"), 1);
    assert_eq!([opens(0), opens(1)], [1, 0], "another file is there under that name");
    log.drop_before(100).expect("dropped");
    assert!(matches!(reader.read_from(0, 1, 1), Err(ReadError::Dropped { .. })));
    assert_eq!(opens(199), 0, "the one that is written to is open");
}

#[test]
fn every_error_at_every_operation_of_packing() {
    let operations = operations(PACKED);
    let renamed = |op: &&Op| matches!(op, Op::Rename(name) if name.ends_with(".pack"));
    assert!(operations.iter().filter(renamed).count() >= 3, "the script must pack several: {operations:?}");
    for (at, op) in operations.iter().enumerate() {
        for fault in
            [Fault::Eio(Effect::Nothing), Fault::Eio(Effect::All), Fault::Enospc(Effect::Part(45)), Fault::Short(45)]
        {
            fail_at(at, op, fault, PACKED);
        }
    }
}

#[test]
fn a_crash_at_every_operation_of_packing() {
    for (at, op) in operations(PACKED).iter().enumerate() {
        let scattered = (0..3).map(|seed| Survival::Scattered(seed * 1000 + at as u64));
        for survival in [Survival::Lost, Survival::Kept].into_iter().chain(scattered) {
            let (disk, told) = crashed(at, survival, PACKED);
            check_and_go_on(&disk, &told, &format!("crash at operation {at} ({op:?}), {survival:?}"));
        }
    }
}

#[test]
fn a_crash_at_every_operation_of_recovery_from_packing() {
    for at in (0..operations(PACKED).len()).step_by(5) {
        for first in [Survival::Lost, Survival::Scattered(at as u64)] {
            for k in 0..operations_of_recovery(&crashed(at, first, PACKED).0, PACKED) {
                let (disk, told) = crashed(at, first, PACKED);
                disk.plan(disk.done().len() + k, Fault::Crash);
                let _ = SegmentLog::open(Place::on(disk.clone()), PACKED);
                let disk = disk.reboot(Survival::Scattered(k as u64));
                check_and_go_on(&disk, &told, &format!("crash at {at}, {first:?}; recovery at {k}"));
            }
        }
    }
}

#[test]
fn a_failed_packing_is_counted_and_costs_nothing_but_room() {
    let undisturbed = filled_packed(120).done();
    let first = undisturbed.iter().position(|op| matches!(op, Op::Create(name) if name == "pack.tmp"));
    let disk = FaultyDisk::new(3);
    disk.plan(first.expect("one is packed"), Fault::Enospc(Effect::Nothing));
    let mut log = open_packed(&disk);
    for at in 0..120 {
        let _ = log.append(at, &[&record(at)]).expect("append");
    }
    assert_eq!(log.metrics().failed_packs.load(Ordering::Relaxed), 1);
    assert_eq!(packs(&disk), packs(&filled_packed(120)), "and the next packing did that one as well");
}

#[test]
fn a_reader_reads_on_while_segments_are_packed_and_dropped() {
    let folder = tempfile::tempdir().expect("folder");
    let place = Folder::open(folder.path(), "ledger").expect("folder").place("log").expect("place");
    let options = SegmentOptions { smallest: 4096, largest: 8192, ahead: true, pack: true, recent: 1 << 16 };
    let mut log = SegmentLog::open(place, options).expect("open");
    let reader = log.reader();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut at = 0;
            while at < 3000 {
                at = at.max(reader.first());
                match reader.read_from(at, 3, 1000) {
                    Ok(found) => {
                        found.iter().for_each(|(at, bytes)| assert_eq!(*bytes, record(*at)));
                        at += found.len() as u64;
                    }
                    Err(ReadError::Dropped { first }) => at = first,
                    Err(error) => panic!("at {at}: {error}"),
                }
            }
        });
        for at in 0..3000 {
            let _ = log.append(at, &[&record(at)]).expect("append");
            if at % 500 == 499 {
                log.drop_before(at - 400).expect("drop");
            }
        }
        reading.join().expect("read all");
    });
    assert_eq!(log.metrics().failed_packs.load(Ordering::Relaxed), 0);
}

#[test]
fn a_segment_that_made_way_for_a_larger_one_is_not_taken_for_it() {
    let disk = FaultyDisk::new(3);
    let mut log = open_packed(&disk);
    // Larger than the first segment, which nothing was written to: the next one begins at the same position.
    let large = vec![7; 3000];
    let _ = log.append(0, &[&large]).expect("append");
    let reader = log.reader();
    for at in 1..60 {
        let _ = log.append(at, &[&record(at)]).expect("append");
        assert_eq!(reader.read_from(0, 1, 1).expect("read"), [(0, large.clone())]);
    }
    assert!(packs(&disk).len() > 1);
}

/// A disk whose log another process writes: in the moment before a closed segment is opened it is packed there, and the
/// original taken away.
struct PackedMeanwhile {
    disk: FaultyDisk,
    /// The same log, as it lies once all of it is packed.
    packed: FaultyDisk,
}

impl Disk for PackedMeanwhile {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let into = name.replace(".seg", ".pack");
        if let Some(bytes) = self.packed.bytes(&into).filter(|_| name != into) {
            self.disk.put(&into, bytes);
            self.disk.lose(name);
        }
        self.disk.open(name)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.create(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.disk.sync_dir()
    }

    fn nonce(&self) -> u64 {
        self.disk.nonce()
    }
}

#[test]
fn a_segment_that_is_packed_between_being_listed_and_being_opened_is_read_where_it_lies_then() {
    let disk = filled(200);
    let segments = disk.names().len();
    let meanwhile = Place::on(PackedMeanwhile { disk, packed: filled_packed(200) });
    let (log, recovery) = recover::read_only(&meanwhile).expect("read in one pass");
    assert_eq!(
        (recovery.segments, recovery.packed),
        (segments, segments - 1),
        "all but the last were packed meanwhile"
    );
    let all = log.read_from(0, usize::MAX, usize::MAX).expect("read");
    assert!(all.iter().map(|(at, bytes)| (*at, bytes == &record(*at))).eq((0..200).map(|at| (at, true))));
}

#[test]
fn a_packed_segment_that_takes_the_place_of_its_original_is_no_leftover() {
    // Both are listed; the original goes before it is opened. Then the packed one is all there is.
    let disk = filled(200);
    let packed = filled_packed(200);
    for name in packs(&packed) {
        disk.put(&name, packed.bytes(&name).expect("a file"));
    }
    let place = Place::on(PackedMeanwhile { disk: disk.clone(), packed });
    let log = SegmentLog::open(place, SMALL).expect("open");
    assert_eq!(log.recovery().next, 200);
    drop(log);
    assert_eq!(open(&disk).reader().read_from(0, 1, 1).expect("read"), [(0, record(0))]);
}
