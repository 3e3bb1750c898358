use super::*;
use crate::{
    conformance,
    faulty::FaultyDisk,
    folder::Folder,
    log::{Damage, ReadError},
};

mod crashes;
mod faults;
mod packing;
mod rewriting;

/// Small segments, so that a few records fill several, and every operation in order.
const SMALL: SegmentOptions = SegmentOptions { smallest: 1024, largest: 4096, ahead: false, pack: false, recent: 0 };

/// Smaller still, for scripts that are run thousands of times.
const TIGHT: SegmentOptions = SegmentOptions { smallest: 512, largest: 1024, ..SMALL };

/// The same, packed as soon as they are closed.
const PACKED: SegmentOptions = SegmentOptions { pack: true, ..TIGHT };

fn open(disk: &FaultyDisk) -> SegmentLog {
    SegmentLog::open(Place::on(disk.clone()), SMALL).expect("open")
}

fn refused(disk: &FaultyDisk) -> OpenError {
    SegmentLog::open(Place::on(disk.clone()), SMALL).err().expect("the log must not open")
}

fn record(position: u64) -> Vec<u8> {
    vec![position as u8 | 1; 50 + 37 * (position as usize % 5)]
}

/// A disk with the records `0..count`, one commit each.
fn filled(count: u64) -> FaultyDisk {
    let disk = FaultyDisk::new(3);
    let mut log = open(&disk);
    for position in 0..count {
        let _ = log.append(position, &[&record(position)]).expect("append");
    }
    disk
}

fn damage(error: OpenError) -> Damage {
    match error {
        OpenError::Damaged(damage) => damage,
        other => panic!("not damage: {other:?}"),
    }
}

/// Changes one bit of the file.
fn flip(disk: &FaultyDisk, name: &str, offset: usize) {
    let mut bytes = disk.bytes(name).expect("the file");
    bytes[offset] ^= 4;
    disk.put(name, bytes);
}

/// Where each frame of the file begins, and where the last ends.
fn frames(disk: &FaultyDisk, name: &str) -> Vec<u64> {
    let bytes = disk.bytes(name).expect("the file");
    let header = SegmentHeader::parse(&bytes).expect("header");
    let mut offsets = vec![SEGMENT_HEADER as u64];
    while let Some(frame) =
        offsets.last().and_then(|at| frame::FrameHeader::parse(bytes.get(*at as usize..)?, header.salt, *at))
    {
        offsets.push(offsets.last().expect("one") + frame.extent());
    }
    offsets
}

#[test]
fn it_conforms_in_memory() {
    conformance::check(|| {
        let disk = FaultyDisk::new(1);
        move || open(&disk)
    });
}

#[test]
fn it_conforms_on_files() {
    for ahead in [false, true] {
        conformance::check(|| {
            let folder = tempfile::tempdir().expect("folder");
            move || {
                let place = Folder::open(folder.path(), "ledger").expect("folder").place("log").expect("place");
                SegmentLog::open(place, SegmentOptions { ahead, smallest: 4096, largest: 1 << 16, ..SMALL })
                    .expect("open")
            }
        });
    }
}

#[test]
fn it_conforms_packed() {
    conformance::check(|| {
        let disk = FaultyDisk::new(1);
        let options = SegmentOptions { pack: true, recent: 4096, ..SMALL };
        move || SegmentLog::open(Place::on(disk.clone()), options).expect("open")
    });
    conformance::check(|| {
        let folder = tempfile::tempdir().expect("folder");
        move || {
            let place = Folder::open(folder.path(), "ledger").expect("folder").place("log").expect("place");
            let options = SegmentOptions { ahead: true, smallest: 4096, largest: 1 << 16, pack: true, recent: 1 << 20 };
            SegmentLog::open(place, options).expect("open")
        }
    });
}

#[test]
fn segments_grow_and_are_full_length_from_the_start() {
    let disk = filled(100);
    let lengths: Vec<usize> = disk.names().iter().map(|name| disk.bytes(name).expect("file").len()).collect();
    assert_eq!(lengths[..4], [1024, 2048, 4096, 4096]);
    assert!(lengths.iter().all(|length| *length <= 4096));
    assert!(disk.names()[0].starts_with("00000000000000000000.seg"));
}

#[test]
fn a_commit_larger_than_a_segment_gets_one_of_its_own() {
    let disk = FaultyDisk::new(1);
    let mut log = open(&disk);
    let large = vec![9; 10_000];
    let _ = log.append(0, &[&large, &large]).expect("append");
    let _ = log.append(1 + 1, &[b"after"]).expect("append");
    drop(log);
    let found = open(&disk).reader().read_from(0, 10, usize::MAX).expect("read");
    assert_eq!(found, [(0, large.clone()), (1, large), (2, b"after".to_vec())]);
}

#[test]
fn a_commit_is_one_write_and_one_sync() {
    use crate::faulty::Op;
    let disk = FaultyDisk::new(1);
    let mut log =
        SegmentLog::open(Place::on(disk.clone()), SegmentOptions { ahead: false, ..Default::default() }).expect("open");
    let before = disk.done().len();
    let _ = log.append(0, &[b"one", b"two"]).expect("append");
    let done = disk.done();
    assert!(matches!(done[before..], [Op::Write(_), Op::Sync]), "{:?}", &done[before..]);
}

#[test]
fn readers_do_not_show_a_record_before_its_sync_has_returned() {
    let disk = FaultyDisk::new(1);
    let mut log = open(&disk);
    let _ = log.append(0, &[b"a"]).expect("append");
    let reader = log.reader();
    let sync = disk.done().len() + 1;
    disk.plan(sync, crate::faulty::Fault::Eio(crate::faulty::Effect::All));
    assert!(matches!(log.append(1, &[b"b"]), Err(AppendError::Unknown(_))));
    assert_eq!((reader.durable(), log.next()), (1, 1));
    assert_eq!(reader.read_from(0, 10, 10).expect("read"), [(0, b"a".to_vec())]);
    assert!(matches!(log.append(1, &[b"b"]), Err(AppendError::Poisoned)));
    assert!(matches!(log.drop_before(0), Err(DropError::Poisoned)));
}

#[test]
fn damage_before_the_last_frame_is_refused_by_place() {
    let disk = filled(45);
    let names = disk.names();
    assert!(names.len() > 3 && frames(&disk, names.last().expect("one")).len() > 4);
    for name in &names {
        let offsets = frames(&disk, name);
        let last_file = Some(name) == names.last();
        // The last frame of the last file is the one that a crash may have torn.
        let vouched = if last_file { offsets.len() - 2 } else { offsets.len() - 1 };
        for (begin, end) in offsets.iter().zip(&offsets[1..]).take(vouched) {
            for offset in [*begin, begin + 8, begin + 20, begin + 39, begin + 41, end - 9] {
                flip(&disk, name, offset as usize);
                let found = damage(refused(&disk));
                assert_eq!((&found.segment, found.offset), (name, *begin), "flipped at {offset}: {found}");
                flip(&disk, name, offset as usize);
            }
        }
    }
    assert_eq!(open(&disk).next(), 45, "all was put right again");
}

/// The records that are whole, of which each is the one that was written.
fn whole(disk: &FaultyDisk) -> u64 {
    let (log, _) = recover::read_whole(&Place::on(disk.clone())).expect("the folder is read");
    let records = log.read_from(0, usize::MAX, usize::MAX).expect("what is whole is read");
    assert!(records.iter().all(|(at, bytes)| *bytes == record(*at)));
    assert!(records.iter().map(|(at, _)| *at).eq(0..log.durable()));
    log.durable()
}

#[test]
fn what_is_whole_before_the_damage_is_read() {
    let disk = filled(45);
    let names = disk.names();
    let first_of = |name: &String| name.trim_end_matches(".seg").parse::<u64>().expect("a position");
    for name in &names {
        let first = first_of(name);
        let offsets = frames(&disk, name);
        for (behind, begin) in (0..).zip(&offsets[..offsets.len() - 1]) {
            flip(&disk, name, *begin as usize + 41);
            assert_eq!(whole(&disk), first + behind, "{name} from {begin} on");
            flip(&disk, name, *begin as usize + 41);
        }
        flip(&disk, name, 20);
        assert_eq!(whole(&disk), first, "the header of {name}");
        flip(&disk, name, 20);
    }
    assert_eq!(whole(&disk), 45);
    disk.lose(&names[2]);
    assert_eq!(whole(&disk), first_of(&names[2]));
}

#[test]
fn a_good_frame_of_another_position_is_refused() {
    let disk = filled(2);
    let name = disk.names()[0].clone();
    let mut bytes = disk.bytes(&name).expect("file");
    let salt = SegmentHeader::parse(&bytes).expect("header").salt;
    let end = frames(&disk, &name)[2];
    let mut stray = Vec::new();
    frame::encode(&mut stray, salt, end, 7, &[b"stray"]);
    bytes[end as usize..][..stray.len()].copy_from_slice(&stray);
    disk.put(&name, bytes);
    let found = damage(refused(&disk));
    assert_eq!((found.offset, found.what.as_str()), (end, "the frame here is not of the position that comes next"));
}

#[test]
fn segments_that_overlap_are_refused() {
    let disk = filled(40);
    let names = disk.names();
    let mut bytes = disk.bytes(&names[2]).expect("file");
    let header = SegmentHeader::parse(&bytes).expect("header");
    let earlier = SegmentHeader { first: header.first - 1, ..header };
    bytes[..SEGMENT_HEADER].copy_from_slice(&earlier.encode());
    disk.lose(&names[2]);
    disk.put(&recover::name_of(earlier.first), bytes);
    let found = damage(refused(&disk));
    assert!(found.what.ends_with("inside the segment before it"), "{found}");
}

#[test]
fn a_bad_header_a_short_file_and_a_foreign_name_are_refused() {
    let disk = filled(40);
    let names = disk.names();
    for name in [&names[1], names.last().expect("one")] {
        flip(&disk, name, 20);
        assert_eq!(damage(refused(&disk)).segment, *name);
        flip(&disk, name, 20);

        let bytes = disk.bytes(name).expect("file");
        for length in [0, 10, 64, bytes.len() - 1] {
            disk.put(name, bytes[..length].to_vec());
            assert_eq!(damage(refused(&disk)).segment, *name, "cut to {length}");
        }
        disk.put(name, bytes);
    }
    disk.put("1.seg", vec![]);
    let stray = refused(&disk);
    assert!(matches!(&stray, OpenError::Stray { name } if name == "1.seg"), "{stray:?}");
    assert!(!stray.to_string().contains("from a copy"), "no copy is needed for it: {stray}");
    // Of what has the names of segments nothing is lost by that, and what is, is told.
    let ends = || recover::read_whole(&Place::on(disk.clone())).expect("the folder is read").1;
    assert!(whole(&disk) == 40 && ends().is_none());
    flip(&disk, &names[1], 20);
    assert_eq!(damage(ends().expect("it ends there")).segment, names[1]);
    flip(&disk, &names[1], 20);
    disk.lose("1.seg");

    disk.put(&names[1], disk.bytes(&names[2]).expect("file"));
    assert_eq!((damage(refused(&disk)).segment, damage(refused(&disk)).offset), (names[1].clone(), 16));
}

#[test]
fn a_missing_segment_is_refused() {
    let disk = filled(40);
    let names = disk.names();
    disk.lose(&names[2]);
    let error = refused(&disk);
    assert!(matches!(&error, OpenError::Missing { segment, .. } if *segment == names[3]), "{error:?}");
    assert!(error.to_string().contains("the segment before it is missing"));
}

#[test]
fn another_format_version_is_refused_with_what_to_do() {
    let disk = filled(3);
    let name = &disk.names()[0];
    let mut bytes = disk.bytes(name).expect("file");
    bytes[8] = 2;
    disk.put(name, bytes);
    let error = refused(&disk);
    assert!(matches!(error, OpenError::Version { found: 2, .. }));
    assert!(error.to_string().ends_with("open it with the build that wrote it"));
}

#[test]
fn a_frame_copied_behind_a_torn_one_is_not_taken_for_a_later_commit() {
    let disk = FaultyDisk::new(1);
    let mut log = open(&disk);
    let _ = log.append(0, &[b"first"]).expect("append");
    let name = disk.names()[0].clone();
    let file = disk.bytes(&name).expect("file");
    // The record holds a whole frame of this very file, as a copy of the folder inside a record would.
    let _ = log.append(1, &[&file[64..200]]).expect("append");
    drop(log);
    let offsets = frames(&disk, &name);
    flip(&disk, &name, offsets[1] as usize + 30);
    let log = open(&disk);
    assert_eq!(log.next(), 1);
    let torn = log.recovery().torn.clone().expect("a torn end");
    assert_eq!((torn.segment, torn.offset), (name, offsets[1]));
}

#[test]
fn inspecting_says_what_opening_would_find_and_changes_nothing() {
    let disk = filled(40);
    let name = disk.names().last().expect("one").clone();
    let offsets = frames(&disk, &name);
    flip(&disk, &name, offsets[offsets.len() - 2] as usize);
    let before = disk.bytes(&name);
    let found = inspect(&Place::on(disk.clone())).expect("inspect");
    assert_eq!((found.first, found.next, found.segments), (0, 39, disk.names().len()));
    assert!(found.torn.is_some());
    assert_eq!(disk.bytes(&name), before);
    let log = open(&disk);
    assert_eq!(*log.recovery(), found);
    drop(log);
    assert_eq!(inspect(&Place::on(disk)).expect("inspect").torn, None, "opening cleared it");
}

#[test]
fn damage_that_comes_later_is_found_on_reading() {
    let disk = filled(40);
    let log = open(&disk);
    let name = disk.names()[1].clone();
    let offsets = frames(&disk, &name);
    flip(&disk, &name, offsets[1] as usize + 50);
    let error = log.reader().read_from(0, 100, usize::MAX).expect_err("damaged");
    assert!(matches!(&error, ReadError::Damaged(found) if found.segment == name && found.offset == offsets[1]));
    assert!(!log.reader().read_from(0, 5, usize::MAX).expect("before it").is_empty());
}

#[test]
fn only_whole_segments_are_dropped_and_a_reader_may_be_late() {
    let disk = filled(40);
    let names = disk.names();
    let mut log = open(&disk);
    let second: u64 = names[1].trim_end_matches(".seg").parse().expect("a position");
    log.drop_before(second - 1).expect("drop");
    assert_eq!(disk.names(), names, "a record of the first segment is still wanted");
    let reader = log.reader();
    log.drop_before(second).expect("drop");
    assert_eq!(disk.names(), names[1..]);
    assert!(matches!(reader.read_from(0, 1, 1), Err(ReadError::Dropped { first }) if first == second));
    log.drop_before(40).expect("drop");
    assert_eq!(disk.names(), names[names.len() - 1..], "never the one that is written to");
}

#[test]
fn a_file_that_is_not_in_its_place_any_more_is_told() {
    for pack in [false, true] {
        let disk = FaultyDisk::new(3);
        let mut log = SegmentLog::open(Place::on(disk.clone()), SegmentOptions { pack, ..SMALL }).expect("open");
        assert_eq!(log.missing().expect("listed"), None, "an empty log");
        for position in 0..40 {
            let _ = log.append(position, &[&record(position)]).expect("append");
        }
        assert_eq!(log.missing().expect("listed"), None);
        let names = disk.names();
        assert!(names.len() > 2 && names[0].ends_with(if pack { ".pack" } else { ".seg" }), "{names:?}");
        for name in &names {
            let first: u64 = name.split('.').next().expect("a name").parse().expect("a position");
            let bytes = disk.bytes(name).expect("a file");
            disk.lose(name);
            assert_eq!(log.missing().expect("listed"), Some(first), "{name}");
            disk.put(name, bytes);
            assert_eq!(log.missing().expect("listed"), None, "it was put back");
        }
        // A copy of what is written to, as long as that is all there is; what comes then is not in it.
        let _ = log.append(40, &[&record(40)]).expect("append");
        assert!(log.missing().expect("listed").is_some());
        // Another log's, or a part of a file.
        let last = names.last().expect("one");
        for bytes in [filled(40).bytes(last).expect("a file"), Vec::new()] {
            disk.put(last, bytes);
            assert!(log.missing().expect("listed").is_some());
        }
    }
}

#[test]
fn what_opening_found_or_began_is_in_its_place() {
    let disk = filled(40);
    let last = disk.names().pop().expect("a segment");
    for _ in 0..2 {
        let mut log = open(&disk);
        assert_eq!(log.missing().expect("listed"), None);
        log.close_segment().expect("closed");
        assert_eq!(log.missing().expect("listed"), None, "another is begun, and nothing is in it");
        log.drop_before(40).expect("dropped");
        assert_eq!(log.missing().expect("listed"), None, "what was dropped is not looked for");
    }
    assert!(!disk.names().contains(&last));
}

#[test]
fn positions_are_found_quickly_with_little_memory() {
    let disk = FaultyDisk::new(1);
    let options = SegmentOptions { smallest: 1 << 20, largest: 1 << 20, ahead: true, ..SMALL };
    let mut log = SegmentLog::open(Place::on(disk.clone()), options).expect("open");
    let records: Vec<Vec<u8>> = (0..20_000u64).map(|at| at.to_le_bytes().repeat(16)).collect();
    for (position, record) in records.iter().enumerate() {
        let _ = log.append(position as u64, &[record]).expect("append");
    }
    let reader = log.reader();
    let mut reads = 0;
    for position in (0..20_000).step_by(397) {
        let before = disk.done().len();
        let found = reader.read_from(position, 1, usize::MAX).expect("read");
        assert_eq!(found, [(position, records[position as usize].clone())]);
        reads = reads.max(disk.done().len() - before);
    }
    assert!(reads <= 2, "one open and one read, but {reads}");
}
