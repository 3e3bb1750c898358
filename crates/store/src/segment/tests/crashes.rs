//! A crash at every operation, with every outcome for what was not synced: lost, kept, torn at each byte, scattered;
//! and a second crash while recovering from the first.

use super::{
    faults::{Told, check, check_and_go_on, operations, operations_of_recovery, run},
    *,
};
use crate::faulty::{Fault, Op, Survival};

pub(super) fn crashed(at: usize, survival: Survival, options: SegmentOptions) -> (FaultyDisk, Told) {
    let disk = FaultyDisk::new(5);
    disk.plan(at, Fault::Crash);
    let told = run(&disk, options);
    assert!(disk.is_down(), "operation {at} was not reached");
    (disk.reboot(survival), told)
}

#[test]
fn a_crash_at_every_operation() {
    for (at, op) in operations(TIGHT).iter().enumerate() {
        let scattered = (0..12).map(|seed| Survival::Scattered(seed * 1000 + at as u64));
        for survival in [Survival::Lost, Survival::Kept].into_iter().chain(scattered) {
            let (disk, told) = crashed(at, survival, TIGHT);
            check_and_go_on(&disk, &told, &format!("crash at operation {at} ({op:?}), {survival:?}"));
        }
    }
}

#[test]
fn a_frame_torn_at_every_byte() {
    let operations = operations(TIGHT);
    let mut frames = 0;
    for (at, pair) in operations.windows(2).enumerate() {
        // The write of a frame and its sync; the writes of zeros and headers are whole sizes.
        let [Op::Write(length), Op::Sync] = pair else { continue };
        if *length >= 512 || *length == SEGMENT_HEADER {
            continue;
        }
        frames += 1;
        for torn in 0..=*length {
            let (disk, told) = crashed(at + 1, Survival::Torn(torn), TIGHT);
            let when = format!("frame of {length} torn after {torn}");
            let end = check(&disk, &told, &when);
            let whole = told.unknown == Some(end);
            assert!(!whole || torn > length - 8, "{when}: only padding may be missing");
            assert!(whole || torn < *length, "{when}: it was all there");
        }
    }
    assert!(frames >= 12);
}

#[test]
fn a_crash_at_every_operation_of_recovery() {
    for at in (0..operations(TIGHT).len()).step_by(3) {
        for first in [Survival::Lost, Survival::Torn(100), Survival::Scattered(at as u64)] {
            for k in 0..operations_of_recovery(&crashed(at, first, TIGHT).0, TIGHT) {
                for second in [Survival::Lost, Survival::Torn(10), Survival::Scattered(k as u64)] {
                    let (disk, told) = crashed(at, first, TIGHT);
                    disk.plan(disk.done().len() + k, Fault::Crash);
                    let _ = SegmentLog::open(Place::on(disk.clone()), TIGHT);
                    let disk = disk.reboot(second);
                    check_and_go_on(&disk, &told, &format!("crash at {at}, {first:?}; recovery at {k}, {second:?}"));
                }
            }
        }
    }
}

#[test]
fn a_crash_while_the_next_segment_is_written_ahead() {
    for survival in [Survival::Lost, Survival::Kept, Survival::Scattered(1), Survival::Scattered(2)] {
        let disk = FaultyDisk::new(9);
        let options = SegmentOptions { ahead: true, ..TIGHT };
        let mut log = SegmentLog::open(Place::on(disk.clone()), options).expect("open");
        let mut acknowledged = 0;
        while acknowledged < 30 {
            acknowledged = log.append(acknowledged, &[&record(acknowledged)]).expect("append").next();
        }
        let told = Told { acknowledged, ..Told::nothing(TIGHT) };
        // The writer and its thread are still there, and from now on on a machine that was turned off.
        let disk = disk.reboot(survival);
        check_and_go_on(&disk, &told, &format!("{survival:?}"));
        assert!(matches!(log.append(acknowledged, &[b"x"]), Err(AppendError::NotWritten(_) | AppendError::Unknown(_))));
    }
}
