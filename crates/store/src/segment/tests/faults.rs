//! Every fault at every operation: whatever the disk does, no acknowledged record is lost, no half commit is seen, and
//! each answer said what happened.

use super::*;
use crate::faulty::{Effect, Fault, Op, Survival};

pub(super) enum Step {
    Append(usize),
    DropBefore(u64),
}

/// Twelve commits of one to three records over several segments, and two drops between them.
pub(super) fn script() -> Vec<Step> {
    use Step::{Append, DropBefore};
    let mut steps: Vec<Step> = [1, 3, 1, 2, 1, 1, 3, 2, 1, 1, 2, 1].into_iter().map(Append).collect();
    steps.insert(10, DropBefore(12));
    steps.insert(7, DropBefore(8));
    steps
}

/// What a run was told: the caller's whole knowledge.
#[derive(Debug)]
pub(super) struct Told {
    /// How the log is laid out.
    pub(super) options: SegmentOptions,
    /// The records below this are acknowledged.
    pub(super) acknowledged: u64,
    /// The one commit whose fate is unknown ends here.
    pub(super) unknown: Option<u64>,
    /// Records below this may be gone.
    pub(super) dropped: u64,
}

impl Told {
    pub(super) fn nothing(options: SegmentOptions) -> Told {
        Told { options, acknowledged: 0, unknown: None, dropped: 0 }
    }
}

/// Runs the script until the first answer that stops the process.
pub(super) fn run(disk: &FaultyDisk, options: SegmentOptions) -> Told {
    let mut told = Told::nothing(options);
    let Ok(mut log) = SegmentLog::open(Place::on(disk.clone()), options) else {
        return told;
    };
    let reader = log.reader();
    for step in script() {
        match step {
            Step::DropBefore(position) => {
                told.dropped = position;
                let _ = log.drop_before(position);
            }
            Step::Append(count) => {
                let next = told.acknowledged + count as u64;
                let records: Vec<Vec<u8>> = (told.acknowledged..next).map(record).collect();
                let slices: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
                match log.append(told.acknowledged, &slices) {
                    Ok(durable) => {
                        assert_eq!((durable.first(), durable.next()), (told.acknowledged, next));
                        told.acknowledged = next;
                    }
                    Err(error) => {
                        told.unknown = error.may_exist().then_some(next);
                        assert!(matches!(error, AppendError::NotWritten(_) | AppendError::Unknown(_)), "{error:?}");
                        assert!(matches!(log.append(log.next(), &[b"x"]), Err(AppendError::Poisoned)));
                        assert_eq!(reader.durable(), told.acknowledged, "the failed commit is not shown");
                        return told;
                    }
                }
            }
        }
    }
    told
}

/// Opens the log after a run and holds what is there against what was told. Gives back the log's end.
pub(super) fn check(disk: &FaultyDisk, told: &Told, when: &str) -> u64 {
    let log = SegmentLog::open(Place::on(disk.clone()), told.options)
        .unwrap_or_else(|error| panic!("{when}: the log must open: {error}"));
    let allowed = log.next() == told.acknowledged || Some(log.next()) == told.unknown;
    assert!(allowed, "{when}: the log ends at {}, told {told:?}", log.next());
    assert!(log.first() <= told.dropped, "{when}: begins at {}, told {told:?}", log.first());
    let found = log.reader().read_from(log.first(), usize::MAX, usize::MAX).expect("read");
    assert_eq!(found.len() as u64, log.next() - log.first(), "{when}");
    for ((at, bytes), wanted) in found.into_iter().zip(log.first()..) {
        assert!(at == wanted && bytes == record(at), "{when}: the record at {wanted}");
    }
    log.next()
}

/// Checks, goes on with two commits, and loses everything unsynced: what was shown once must stay.
pub(super) fn check_and_go_on(disk: &FaultyDisk, told: &Told, when: &str) {
    let mut next = check(disk, told, when);
    let mut log = SegmentLog::open(Place::on(disk.clone()), told.options).expect("it opened before");
    for _ in 0..2 {
        next = log.append(next, &[&record(next)]).unwrap_or_else(|error| panic!("{when}: append: {error}")).next();
    }
    drop(log);
    let told = Told { acknowledged: next, unknown: None, ..*told };
    check(&disk.reboot(Survival::Lost), &told, &format!("{when}, then power off"));
}

/// What one undisturbed run asks of the disk.
pub(super) fn operations(options: SegmentOptions) -> Vec<Op> {
    let disk = FaultyDisk::new(5);
    let told = run(&disk, options);
    assert_eq!((told.acknowledged, told.dropped), (19, 12));
    let done = disk.done();
    check_and_go_on(&disk, &told, "without a fault");
    done
}

#[test]
fn every_error_at_every_operation() {
    let operations = operations(TIGHT);
    let renames = operations.iter().filter(|op| matches!(op, Op::Rename(_))).count();
    let removals = operations.iter().filter(|op| matches!(op, Op::Remove(_))).count();
    assert!(renames >= 3 && removals >= 2, "the script must pass through several segments: {operations:?}");
    let effects = [Effect::Nothing, Effect::Part(1), Effect::Part(45), Effect::Part(130), Effect::All];
    for (at, op) in operations.iter().enumerate() {
        let faults = effects.into_iter().flat_map(|effect| [Fault::Eio(effect), Fault::Enospc(effect)]);
        for fault in faults.chain([Fault::Short(1), Fault::Short(45)]) {
            fail_at(at, op, fault, TIGHT);
        }
    }
}

/// One fault at one operation, with every end of the machine behind it.
pub(super) fn fail_at(at: usize, op: &Op, fault: Fault, options: SegmentOptions) {
    for end in [None, Some(Survival::Lost), Some(Survival::Kept), Some(Survival::Scattered(at as u64))] {
        let when = format!("{fault:?} at operation {at} ({op:?}), then {end:?}");
        let disk = FaultyDisk::new(5);
        disk.plan(at, fault);
        let told = run(&disk, options);
        if matches!(fault, Fault::Short(_)) {
            assert_eq!(told.acknowledged, 19, "{when}: a short write is no failure");
        }
        // Without a reboot the next process sees the kernel's cache, which may hold what the disk does not.
        let disk = end.map_or(disk.clone(), |survival| disk.reboot(survival));
        check_and_go_on(&disk, &told, &when);
    }
}

#[test]
fn what_a_failed_append_says_is_true() {
    let (mut not_written, mut unknown_there, mut unknown_gone) = (0, 0, 0);
    for at in 0..operations(TIGHT).len() {
        for effect in [Effect::Nothing, Effect::All] {
            let disk = FaultyDisk::new(5);
            disk.plan(at, Fault::Eio(effect));
            let told = run(&disk, TIGHT);
            if told.acknowledged == 19 {
                continue;
            }
            let end = check(&disk.reboot(Survival::Kept), &told, "after the fault");
            match told.unknown {
                None => not_written += 1,
                Some(next) if next == end => unknown_there += 1,
                Some(_) => unknown_gone += 1,
            }
        }
    }
    assert!(not_written > 10 && unknown_there > 10 && unknown_gone > 10, "all three answers must have come up");
}

/// What opening asks of the disk, counted on a disk that is then used no more.
pub(super) fn operations_of_recovery(disk: &FaultyDisk, options: SegmentOptions) -> usize {
    let begin = disk.done().len();
    drop(SegmentLog::open(Place::on(disk.clone()), options).expect("open"));
    disk.done().len() - begin
}

#[test]
fn a_failing_recovery_is_made_good_by_the_next() {
    let operations = operations(TIGHT);
    let writes = operations.iter().enumerate().filter(|(_, op)| matches!(op, Op::Write(_)));
    for (at, _) in writes.step_by(4) {
        for (at, effect) in [(at, Effect::Part(30)), (at + 1, Effect::Part(60)), (at + 1, Effect::Nothing)] {
            let failed = || {
                let disk = FaultyDisk::new(5);
                disk.plan(at, Fault::Eio(effect));
                let told = run(&disk, TIGHT);
                (disk, told)
            };
            for k in 0..operations_of_recovery(&failed().0, TIGHT) {
                for again in [Effect::Nothing, Effect::Part(20), Effect::All] {
                    let (disk, told) = failed();
                    disk.plan(disk.done().len() + k, Fault::Eio(again));
                    assert!(SegmentLog::open(Place::on(disk.clone()), TIGHT).is_err(), "recovery passes over no error");
                    check_and_go_on(&disk, &told, &format!("{effect:?} at {at}, recovery: {again:?} at {k}"));
                }
            }
        }
    }
}

#[test]
fn a_drop_that_failed_is_done_by_the_next() {
    let disk = filled(40);
    let names = disk.names();
    let mut log = open(&disk);
    disk.plan(disk.done().len(), Fault::Eio(Effect::Nothing));
    assert!(matches!(log.drop_before(40), Err(DropError::Failed(_))));
    assert_eq!(disk.names(), names, "no file is gone");
    assert!(log.first() > 0, "but the records are");
    let next = log.append(40, &[&record(40)]).expect("the log goes on").next();
    log.drop_before(next).expect("drop again");
    assert!(disk.names().len() < names.len());
    assert!(disk.names().iter().all(|name| recover::name_of(log.first()) <= *name));
}
