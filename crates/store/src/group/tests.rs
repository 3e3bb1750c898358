use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
    mpsc::{Receiver, Sender, channel},
};

use super::*;
use crate::{
    faulty::{Effect, Fault, FaultyDisk, Survival},
    folder::Place,
    log::{DropError, ReadLog},
    segment::{SegmentLog, SegmentOptions},
};

const SMALL: SegmentOptions = SegmentOptions { smallest: 4096, largest: 1 << 20, ahead: false, pack: false, recent: 0 };
type Outcome = Result<Committed<u64>, CommitError>;

/// Numbers its requests; a request of `n` adds `n` records that carry the number.
#[derive(Default)]
struct Numbering {
    number: u64,
    staged: Arc<AtomicU64>,
    ticks: Arc<AtomicU64>,
    durable: Arc<AtomicU64>,
}

impl Stage for Numbering {
    type Request = usize;
    type Answer = u64;
    type Pending = Arc<AtomicU64>;

    fn stage(&mut self, request: usize, batch: &mut Batch) -> u64 {
        assert!(request < 1000, "a request that breaks the stage");
        self.number += 1;
        self.staged.store(self.number, Ordering::SeqCst);
        for _ in 0..request {
            batch.push(self.number.to_le_bytes().to_vec()).expect("room");
        }
        self.number
    }

    fn staged(&mut self) -> Arc<AtomicU64> {
        Arc::clone(&self.durable)
    }

    fn committed(pending: Arc<AtomicU64>, durable: &Durable) {
        let before = pending.swap(durable.next(), Ordering::SeqCst);
        assert!(before < durable.next(), "in the order of the batches");
    }

    fn tick(&mut self, batch: &mut Batch) {
        self.ticks.fetch_add(1, Ordering::SeqCst);
        batch.push(b"tick".to_vec()).expect("room");
    }
}

fn log(disk: &FaultyDisk) -> SegmentLog {
    SegmentLog::open(Place::on(disk.clone()), SMALL).expect("open")
}

struct Running {
    group: GroupCommit<Numbering>,
    reader: Arc<dyn ReadLog>,
    stops: Receiver<Stop>,
    /// How many requests were staged.
    staged: Arc<AtomicU64>,
    /// How many ticks.
    ticks: Arc<AtomicU64>,
}

impl Running {
    /// Waits until so many requests were staged.
    fn until_staged(&self, requests: u64) {
        let give_up = Instant::now() + Duration::from_secs(10);
        while self.staged.load(Ordering::SeqCst) < requests && Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(self.staged.load(Ordering::SeqCst), requests, "staged");
    }
}

fn start(log: impl Log + 'static, options: GroupOptions) -> Running {
    let (send, stops) = channel();
    let reader = log.reader();
    let stop = move |stop| send.send(stop).expect("the test listens");
    let stage = Numbering::default();
    let (staged, ticks) = (Arc::clone(&stage.staged), Arc::clone(&stage.ticks));
    let group = GroupCommit::start(log, stage, options, stop).expect("start");
    Running { group, reader, stops, staged, ticks }
}

fn submit(group: &GroupCommit<Numbering>, request: usize) -> Receiver<Outcome> {
    let (send, receive) = channel();
    group.submit(request, move |outcome| send.send(outcome).expect("the test listens"));
    receive
}

/// A log that says when an append begins and waits for leave.
struct Gated<L> {
    inner: L,
    begun: Sender<usize>,
    leave: Mutex<Receiver<()>>,
}

impl<L: Log> Log for Gated<L> {
    fn first(&self) -> u64 {
        self.inner.first()
    }
    fn next(&self) -> u64 {
        self.inner.next()
    }
    fn append(&mut self, expected: u64, records: &[&[u8]]) -> Result<Durable, AppendError> {
        self.begun.send(records.len()).expect("the test listens");
        self.leave.lock().expect("lock").recv().expect("leave");
        self.inner.append(expected, records)
    }
    fn drop_before(&mut self, position: u64) -> Result<(), DropError> {
        self.inner.drop_before(position)
    }
    fn reader(&self) -> Arc<dyn ReadLog> {
        self.inner.reader()
    }
    fn metrics(&self) -> Arc<Metrics> {
        self.inner.metrics()
    }
}

fn gated(disk: &FaultyDisk) -> (Gated<SegmentLog>, Receiver<usize>, Sender<()>) {
    let ((begun, begins), (leave, leaves)) = (channel(), channel());
    (Gated { inner: log(disk), begun, leave: Mutex::new(leaves) }, begins, leave)
}

#[test]
fn each_answer_has_the_receipt_of_its_own_records() {
    let running = start(log(&FaultyDisk::new(1)), GroupOptions::default());
    let mut expected = 0;
    let outcomes: Vec<(usize, Receiver<Outcome>)> =
        (0..200).map(|k| k % 4).map(|request| (request, submit(&running.group, request))).collect();
    for (number, (request, outcome)) in (1u64..).zip(outcomes) {
        let committed = outcome.recv().expect("an answer").expect("committed");
        assert_eq!(committed.answer, number, "in the order of submission");
        assert_eq!((committed.durable.first(), committed.durable.count()), (expected, request as u64));
        expected = committed.durable.next();
        let found = running.reader.read_from(committed.durable.first(), request, usize::MAX).expect("read");
        assert!(found.iter().all(|(_, record)| *record == number.to_le_bytes()));
    }
    assert_eq!(running.reader.durable(), expected);
}

#[test]
fn what_waits_during_a_commit_shares_the_next() {
    let disk = FaultyDisk::new(1);
    let (log, begins, leave) = gated(&disk);
    let running = start(log, GroupOptions::default());
    let first = submit(&running.group, 1);
    assert_eq!(begins.recv().expect("an append"), 1);
    let others: Vec<Receiver<Outcome>> = (0..63).map(|_| submit(&running.group, 2)).collect();
    assert_eq!(running.group.waiting(), 63);
    assert!(first.try_recv().is_err(), "no answer before the commit");
    assert_eq!(running.reader.durable(), 0);
    leave.send(()).expect("leave");
    first.recv().expect("an answer").expect("committed");
    assert_eq!(begins.recv().expect("an append"), 126, "63 requests in one commit");
    leave.send(()).expect("leave");
    for other in others {
        other.recv().expect("an answer").expect("committed");
    }
    let metrics = running.group.metrics();
    assert_eq!((metrics.sync.summary().count, metrics.records.summary().max), (2, 126));
    assert_eq!((metrics.requests.summary().count, metrics.requests.summary().max), (2, 63));
    assert_eq!(metrics.waited.summary().count, 64);
}

#[test]
fn a_commit_takes_no_more_than_its_bounds() {
    let disk = FaultyDisk::new(1);
    let (log, begins, leave) = gated(&disk);
    let running = start(log, GroupOptions { batch_requests: 10, batch_bytes: 24, ..Default::default() });
    let mut outcomes = vec![submit(&running.group, 1)];
    assert_eq!(begins.recv().expect("an append"), 1);
    outcomes.extend((0..7).map(|_| submit(&running.group, 1)));
    outcomes.extend((0..12).map(|_| submit(&running.group, 0)));
    // Eight bytes a record: three of them reach 24. Then requests without records, ten at a time.
    for records in [3, 3, 1] {
        leave.send(()).expect("leave");
        assert_eq!(begins.recv().expect("an append"), records);
    }
    for _ in 0..10 {
        leave.send(()).expect("leave");
    }
    for outcome in outcomes {
        outcome.recv().expect("an answer").expect("committed");
    }
    assert!(running.group.metrics().requests.summary().max <= 10);
}

#[test]
fn a_full_queue_refuses_at_once_and_goes_on() {
    let disk = FaultyDisk::new(1);
    let (log, begins, leave) = gated(&disk);
    let running = start(log, GroupOptions { queue: 5, ..Default::default() });
    let first = submit(&running.group, 1);
    begins.recv().expect("an append");
    let waiting: Vec<Receiver<Outcome>> = (0..5).map(|_| submit(&running.group, 1)).collect();
    assert!(matches!(submit(&running.group, 1).try_recv(), Ok(Err(CommitError::Full))));
    leave.send(()).expect("leave");
    leave.send(()).expect("leave");
    for outcome in waiting.into_iter().chain([first]) {
        outcome.recv().expect("an answer").expect("committed");
    }
    leave.send(()).expect("leave");
    submit(&running.group, 1).recv().expect("an answer").expect("committed");
    assert_eq!(running.reader.durable(), 7, "the refused one was not recorded");
}

#[test]
fn what_is_owed_is_taken_by_a_full_queue_and_by_no_writer_that_has_stopped() {
    let disk = FaultyDisk::new(1);
    let (log, begins, leave) = gated(&disk);
    let running = start(log, GroupOptions { queue: 5, ..Default::default() });
    let owed = |here: bool| {
        let (send, receive) = channel();
        let reply = move |outcome| send.send(outcome).expect("the test listens");
        if here {
            running.group.submit_owed_here(1, reply);
        } else {
            running.group.submit_owed(1, reply);
        }
        receive
    };
    let first = submit(&running.group, 1);
    begins.recv().expect("an append");
    let mut waiting: Vec<Receiver<Outcome>> = (0..5).map(|_| submit(&running.group, 1)).collect();
    waiting.extend([false, true, false].map(owed));
    assert_eq!(running.group.waiting(), 8);
    for refused in [submit(&running.group, 1), submit_here(&running.group, 1)] {
        assert!(matches!(refused.try_recv(), Ok(Err(CommitError::Full))), "what is owed makes no room for others");
    }
    leave.send(()).expect("leave");
    first.recv().expect("an answer").expect("committed");
    assert_eq!(begins.recv().expect("an append"), 8);
    disk.plan(disk.done().len() + 1, Fault::Eio(Effect::Nothing));
    leave.send(()).expect("leave");
    for outcome in waiting {
        assert!(matches!(outcome.recv(), Ok(Err(CommitError::Unknown(_)))));
    }
    for late in [false, true].map(owed) {
        assert!(matches!(late.try_recv(), Ok(Err(CommitError::Stopped))));
    }
}

#[test]
fn a_failed_sync_answers_everyone_and_stops() {
    for effect in [Effect::Nothing, Effect::All] {
        let disk = FaultyDisk::new(1);
        let (log, begins, leave) = gated(&disk);
        let running = start(log, GroupOptions { batch_requests: 10, ..Default::default() });
        let first = submit(&running.group, 1);
        begins.recv().expect("an append");
        let batch: Vec<Receiver<Outcome>> = (0..10).map(|_| submit(&running.group, 1)).collect();
        let later: Vec<Receiver<Outcome>> = (0..5).map(|_| submit(&running.group, 1)).collect();
        leave.send(()).expect("leave");
        first.recv().expect("an answer").expect("committed");
        begins.recv().expect("an append");
        disk.plan(disk.done().len() + 1, Fault::Eio(effect));
        leave.send(()).expect("leave");
        for outcome in batch {
            let error = outcome.recv().expect("an answer").expect_err("failed");
            assert!(matches!(error, CommitError::Unknown(_)), "{error:?}");
            assert!(error.to_string().contains("it is unknown whether the records are durable"));
        }
        assert!(running.group.is_stopped());
        for outcome in later {
            assert!(matches!(outcome.recv(), Ok(Err(CommitError::Stopped))));
        }
        assert!(matches!(running.stops.recv(), Ok(Stop::Failed(_))));
        assert!(matches!(submit(&running.group, 1).try_recv(), Ok(Err(CommitError::Stopped))));
        assert_eq!(running.reader.durable(), 1, "nothing of it is shown");
        // The batch is there as a whole or not at all.
        assert_eq!(log_end(&disk.reboot(Survival::Lost)), if effect == Effect::All { 11 } else { 1 });
    }
}

#[test]
fn who_hears_of_a_failure_finds_the_writer_stopped_already() {
    let disk = FaultyDisk::new(1);
    let log = log(&disk);
    disk.plan(disk.done().len(), Fault::Eio(Effect::Nothing));
    let running = start(log, GroupOptions::default());
    let group = Arc::new(running.group);
    let (send, receive) = channel();
    let handle = Arc::clone(&group);
    group.submit(1, move |outcome| {
        let again = submit(&handle, 1).try_recv();
        send.send((outcome, again)).expect("the test listens");
    });
    let (outcome, again) = receive.recv().expect("an answer");
    assert!(matches!(outcome, Err(CommitError::Unknown(_))));
    assert!(matches!(again, Ok(Err(CommitError::Stopped))), "{again:?}");
}

fn log_end(disk: &FaultyDisk) -> u64 {
    log(disk).next()
}

#[test]
fn a_failure_before_the_write_says_that_nothing_exists() {
    let disk = FaultyDisk::new(1);
    let log = log(&disk);
    let begin = disk.done().len();
    let running = start(log, GroupOptions::default());
    // More than the segment holds: the next one can't be made.
    disk.plan(begin, Fault::Enospc(Effect::Nothing));
    let error = submit(&running.group, 900).recv().expect("an answer").expect_err("failed");
    assert!(matches!(error, CommitError::NotCommitted(_)), "{error:?}");
    assert!(matches!(running.stops.recv(), Ok(Stop::Failed(_))));
    drop(running);
    assert_eq!(log_end(&disk), 0);
}

#[test]
fn ticks_come_when_idle_and_under_load_and_close_their_batch() {
    let disk = FaultyDisk::new(1);
    let running = start(log(&disk), GroupOptions { tick: Some(Duration::from_millis(5)), ..Default::default() });
    let give_up = Instant::now() + Duration::from_secs(10);
    while running.reader.durable() < 3 && Instant::now() < give_up {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(running.reader.durable() >= 3, "idle, three ticks");
    let begin = running.reader.durable();
    let (mut requests, mut ticks) = (0, 0);
    while ticks < 3 && Instant::now() < give_up {
        submit(&running.group, 1).recv().expect("an answer").expect("committed");
        requests += 1;
        ticks = running.reader.durable() - begin - requests;
    }
    assert!(ticks >= 3, "{ticks} ticks beside {requests} requests");
    let found = running.reader.read_from(begin, usize::MAX, usize::MAX).expect("read");
    assert!(found.iter().filter(|(_, record)| record == b"tick").count() >= 3);
}

#[test]
fn closing_answers_what_was_submitted_and_frees_the_log() {
    let disk = FaultyDisk::new(1);
    let running = start(log(&disk), GroupOptions::default());
    let outcomes: Vec<Receiver<Outcome>> = (0..50).map(|_| submit(&running.group, 1)).collect();
    drop(running.group);
    for outcome in outcomes {
        outcome.try_recv().expect("answered before the handle is gone").expect("committed");
    }
    assert!(matches!(running.stops.try_recv(), Ok(Stop::Closed)));
    assert_eq!(log_end(&disk), 50);
}

#[test]
fn a_reply_may_hold_the_last_handle() {
    let running = start(log(&FaultyDisk::new(1)), GroupOptions::default());
    let group = Arc::new(running.group);
    let last = Arc::clone(&group);
    let (send, receive) = channel();
    group.submit(1, move |outcome| {
        send.send(outcome.is_ok()).expect("the test listens");
        drop(last);
    });
    drop(group);
    assert!(receive.recv().expect("an answer"));
    assert!(matches!(running.stops.recv(), Ok(Stop::Closed)));
}

#[test]
fn old_records_are_let_go_of_while_it_runs_and_failures_are_tried_again() {
    let disk = FaultyDisk::new(1);
    let running = start(log(&disk), GroupOptions::default());
    for _ in 0..40 {
        submit(&running.group, 100).recv().expect("an answer").expect("committed");
    }
    let files = disk.names();
    assert!(files.len() > 2);
    // Nothing runs: the next operation is the removal of the oldest file.
    disk.plan(disk.done().len(), Fault::Eio(Effect::Nothing));
    running.group.drop_before(4000);
    let metrics = running.group.metrics();
    let give_up = Instant::now() + Duration::from_secs(10);
    while metrics.failed_drops.load(Ordering::SeqCst) == 0 && Instant::now() < give_up {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(metrics.failed_drops.load(Ordering::SeqCst), 1);
    assert_eq!(disk.names(), files);
    submit(&running.group, 1).recv().expect("an answer").expect("committed");
    let reader = running.group.reader();
    drop(running.group);
    assert_eq!(disk.names(), files[files.len() - 1..], "only the file that is written to is left");
    assert!(reader.first() > 0 && reader.first() <= 4000);
    assert_eq!(reader.durable(), 4001);
}

#[test]
fn a_stage_that_panics_stops_the_writer_and_leaves_nobody_waiting() {
    let disk = FaultyDisk::new(1);
    let (log, begins, leave) = gated(&disk);
    let running = start(log, GroupOptions { batch_requests: 1, ..Default::default() });
    let good = submit(&running.group, 1);
    begins.recv().expect("an append");
    let bad = submit(&running.group, 5000);
    let behind = submit(&running.group, 1);
    leave.send(()).expect("leave");
    good.recv().expect("an answer").expect("committed");
    assert!(bad.recv().is_err(), "its reply is dropped");
    assert!(matches!(behind.recv(), Ok(Err(CommitError::Stopped))));
    assert!(matches!(running.stops.recv(), Ok(Stop::Panicked)));
    assert!(matches!(submit(&running.group, 1).try_recv(), Ok(Err(CommitError::Stopped))));
}

#[test]
fn a_reply_that_panics_once_the_writer_has_stopped_keeps_nobody_from_being_told() {
    let disk = FaultyDisk::new(1);
    let (log, begins, leave) = gated(&disk);
    let running = start(log, GroupOptions::default());
    let failed = submit(&running.group, 1);
    begins.recv().expect("an append");
    running.group.submit(1, |outcome| panic!("nobody listens: {outcome:?}"));
    let behind = submit(&running.group, 1);
    disk.plan(disk.done().len() + 1, Fault::Eio(Effect::Nothing));
    leave.send(()).expect("leave");
    assert!(matches!(failed.recv(), Ok(Err(CommitError::Unknown(_)))));
    assert!(matches!(behind.recv(), Ok(Err(CommitError::Stopped))));
    assert!(matches!(running.stops.recv(), Ok(Stop::Panicked)));
}

/// A writer in whose log one commit has begun, and so many requests of one record behind it.
fn overlapped(disk: &FaultyDisk, behind: usize) -> (Running, Receiver<usize>, Sender<()>, Vec<Receiver<Outcome>>) {
    let (log, begins, leave) = gated(disk);
    let running = start(log, GroupOptions { overlap: Some(3), ..Default::default() });
    let mut outcomes = vec![submit(&running.group, 1)];
    assert_eq!(begins.recv().expect("an append"), 1);
    outcomes.extend((0..behind).map(|_| submit(&running.group, 1)));
    (running, begins, leave, outcomes)
}

#[test]
fn while_one_commit_is_made_the_next_is_staged_and_not_begun() {
    let disk = FaultyDisk::new(1);
    let (running, begins, leave, outcomes) = overlapped(&disk, 3);
    running.until_staged(4);
    assert!(begins.try_recv().is_err(), "one commit at a time");
    assert!(outcomes.iter().all(|outcome| outcome.try_recv().is_err()), "no answer before its commit");
    assert_eq!(running.reader.durable(), 0);
    leave.send(()).expect("leave");
    assert_eq!(begins.recv().expect("an append"), 3);
    outcomes[0].recv().expect("an answer").expect("committed");
    assert!(outcomes[1].try_recv().is_err(), "the first commit is not the second");
    leave.send(()).expect("leave");
    for (position, outcome) in (1..).zip(&outcomes[1..]) {
        let committed = outcome.recv().expect("an answer").expect("committed");
        assert_eq!((committed.durable.first(), committed.durable.count()), (position, 1));
    }
}

#[test]
fn what_is_no_crowd_waits_until_the_commit_before_is_made() {
    let disk = FaultyDisk::new(1);
    let (running, begins, leave, outcomes) = overlapped(&disk, 2);
    assert_eq!(running.group.waiting(), 2);
    leave.send(()).expect("leave");
    outcomes[0].recv().expect("an answer").expect("committed");
    assert_eq!(begins.recv().expect("an append"), 2, "both in one commit");
    leave.send(()).expect("leave");
    outcomes[2].recv().expect("an answer").expect("committed");
}

#[test]
fn nobody_is_no_crowd() {
    assert!(!Queue::<Numbering>::new(8, Some(0)).is_crowded(0), "the second thread would never rest");
}

#[test]
fn what_was_staged_behind_a_commit_that_failed_does_not_exist() {
    for effect in [Effect::Nothing, Effect::All] {
        let disk = FaultyDisk::new(1);
        let (running, begins, leave, outcomes) = overlapped(&disk, 3);
        running.until_staged(4);
        let late = submit(&running.group, 1);
        disk.plan(disk.done().len() + 1, Fault::Eio(effect));
        leave.send(()).expect("leave");
        let failed: Vec<CommitError> =
            outcomes.iter().map(|outcome| outcome.recv().expect("an answer").expect_err("failed")).collect();
        assert!(matches!(failed[0], CommitError::Unknown(_)), "{failed:?}");
        assert!(failed[1..].iter().all(|error| matches!(error, CommitError::NotCommitted(_))), "{failed:?}");
        assert!(matches!(late.recv(), Ok(Err(CommitError::Stopped))));
        match running.stops.recv() {
            Ok(Stop::Failed(error)) => assert!(error.may_exist(), "the first failure is told: {error}"),
            other => panic!("{other:?}"),
        }
        assert!(begins.try_recv().is_err(), "nothing was tried after it");
        assert!(running.stops.recv().is_err(), "told once");
        drop(running.group);
        assert_eq!(log_end(&disk.reboot(Survival::Lost)), u64::from(effect == Effect::All));
    }
}

#[test]
fn once_a_commit_has_failed_nothing_more_is_staged_by_a_tick_neither() {
    let disk = FaultyDisk::new(1);
    let (log, begins, leave) = gated(&disk);
    let every = Duration::from_millis(1);
    let running = start(log, GroupOptions { tick: Some(every), overlap: Some(3), ..Default::default() });
    assert_eq!(begins.recv().expect("an append"), 1, "of a tick");
    let begun = Instant::now();
    let outcomes: Vec<Receiver<Outcome>> = (0..3).map(|_| submit(&running.group, 1)).collect();
    running.until_staged(3);
    // The next tick is due by then.
    while begun.elapsed() < 2 * every {
        std::thread::yield_now();
    }
    let late = submit(&running.group, 1);
    disk.plan(disk.done().len() + 1, Fault::Eio(Effect::Nothing));
    leave.send(()).expect("leave");
    for outcome in outcomes {
        assert!(matches!(outcome.recv(), Ok(Err(CommitError::NotCommitted(_)))));
    }
    assert!(matches!(late.recv(), Ok(Err(CommitError::Stopped))), "it waits still");
    assert!(matches!(running.stops.recv(), Ok(Stop::Failed(_))));
    drop(running.group);
    assert_eq!(running.ticks.load(Ordering::SeqCst), 1);
    assert_eq!(running.staged.load(Ordering::SeqCst), 3);
}

#[test]
fn a_stage_that_panics_behind_a_commit_leaves_that_as_it_is() {
    let disk = FaultyDisk::new(1);
    let (running, _begins, leave, outcomes) = overlapped(&disk, 2);
    // The third makes the crowd, and breaks the stage.
    let bad = submit(&running.group, 5000);
    running.until_staged(3);
    assert!(bad.recv().is_err(), "its reply is dropped");
    leave.send(()).expect("leave");
    outcomes[0].recv().expect("an answer").expect("committed");
    assert!(
        outcomes[1..].iter().all(|outcome| outcome.recv().is_err()),
        "nor is there a word for who shared its batch"
    );
    assert!(matches!(running.stops.recv(), Ok(Stop::Panicked)));
    drop(running.group);
    assert_eq!(log_end(&disk), 1);
}

#[test]
fn closing_answers_what_was_staged_behind_a_commit() {
    let disk = FaultyDisk::new(1);
    let (running, begins, leave, outcomes) = overlapped(&disk, 3);
    running.until_staged(4);
    leave.send(()).expect("leave");
    leave.send(()).expect("leave");
    drop((running.group, begins));
    for outcome in outcomes {
        outcome.try_recv().expect("answered before the handle is gone").expect("committed");
    }
    assert!(matches!(running.stops.try_recv(), Ok(Stop::Closed)));
    assert_eq!(log_end(&disk), 4);
}

#[test]
fn that_it_has_stopped_is_told_behind_the_last_answer() {
    let disk = FaultyDisk::new(1);
    let (log, begins, leave) = gated(&disk);
    let running = start(log, GroupOptions { overlap: Some(3), ..Default::default() });
    let first = submit(&running.group, 1);
    assert_eq!(begins.recv().expect("an append"), 1);
    let (answering, goes) = (channel(), channel());
    running.group.submit(1, move |outcome| {
        answering.0.send(outcome.is_ok()).expect("the test listens");
        goes.1.recv().expect("it may go on");
    });
    let others: Vec<Receiver<Outcome>> = (0..2).map(|_| submit(&running.group, 1)).collect();
    running.until_staged(4);
    (0..2).for_each(|_| leave.send(()).expect("leave"));
    let group = running.group;
    let closing = std::thread::spawn(move || drop(group));
    assert!(answering.1.recv().expect("an answer"));
    // The other thread ends meanwhile: the log is free once it has.
    while begins.recv().is_ok() {}
    let early = running.stops.recv_timeout(Duration::from_millis(200));
    assert!(early.is_err(), "two have no answer yet: {early:?}");
    goes.0.send(()).expect("the reply waits");
    closing.join().expect("closed");
    for outcome in others.into_iter().chain([first]) {
        outcome.try_recv().expect("answered before the handle is gone").expect("committed");
    }
    assert!(matches!(running.stops.try_recv(), Ok(Stop::Closed)));
}

/// A writer by hand with five requests, of which two are one batch and three are staged behind it; how many were staged.
fn apart(disk: &FaultyDisk) -> (SteppedCommit<SegmentLog, Numbering>, Arc<AtomicU64>, Vec<Receiver<Outcome>>) {
    let stage = Numbering::default();
    let staged = Arc::clone(&stage.staged);
    let mut commit = SteppedCommit::new(log(disk), stage, GroupOptions::default());
    let (replies, outcomes): (Vec<Sender<Outcome>>, Vec<Receiver<Outcome>>) = (0..5).map(|_| channel()).unzip();
    for reply in replies {
        commit.submit(1, move |outcome| reply.send(outcome).expect("the test listens"));
    }
    commit.stage_apart(2, false);
    (commit, staged, outcomes)
}

#[test]
fn by_hand_too_a_batch_is_staged_behind_one_that_is_not_committed_yet() {
    let (mut commit, staged, outcomes) = apart(&FaultyDisk::new(1));
    let answered = || -> Vec<u64> {
        let outcomes = outcomes.iter().filter_map(|outcome| outcome.try_recv().ok());
        outcomes.map(|outcome| outcome.expect("committed").durable.first()).collect()
    };
    assert_eq!((staged.load(Ordering::SeqCst), commit.waiting()), (5, 0));
    let reader = commit.reader();
    assert_eq!((answered(), reader.durable()), (vec![], 0), "no answer before its commit");
    commit.step(true).expect("committed");
    assert_eq!((answered(), reader.durable()), (vec![0, 1], 2), "it was whole before the tick");
    commit.step(true).expect("committed");
    assert_eq!((answered(), reader.durable()), (vec![2, 3, 4], 6));
}

#[test]
fn by_hand_too_what_was_staged_behind_a_commit_that_failed_does_not_exist() {
    let disk = FaultyDisk::new(1);
    let (mut commit, _, outcomes) = apart(&disk);
    disk.plan(disk.done().len() + 1, Fault::Eio(Effect::All));
    assert!(commit.step(false).is_err());
    let failed: Vec<CommitError> =
        outcomes.iter().map(|outcome| outcome.recv().expect("an answer").expect_err("failed")).collect();
    assert!(failed[..2].iter().all(|error| matches!(error, CommitError::Unknown(_))), "{failed:?}");
    assert!(failed[2..].iter().all(|error| matches!(error, CommitError::NotCommitted(_))), "{failed:?}");
    drop(commit);
    assert_eq!(log_end(&disk.reboot(Survival::Lost)), 2);
}

/// What may happen to a writer by hand.
#[derive(Clone, Copy, Debug)]
enum Move {
    Submit,
    Apart { tick: bool },
    Step { tick: bool },
}

const MOVES: [Move; 5] = [
    Move::Submit,
    Move::Apart { tick: false },
    Move::Apart { tick: true },
    Move::Step { tick: false },
    Move::Step { tick: true },
];

/// Makes these moves, and then commits what is left; where one is named, the sync of that step fails after so much of its effect.
/// Holds what each request was told against what is in the log once that is opened again.
fn held_against_the_log(moves: &[Move], failing: Option<(usize, Effect)>) {
    let disk = FaultyDisk::new(1);
    let mut commit = SteppedCommit::new(log(&disk), Numbering::default(), GroupOptions::default());
    let (mut outcomes, mut steps, mut failed): (Vec<Receiver<Outcome>>, usize, bool) = (Vec::new(), 0, false);
    for made in moves.iter().copied().chain([Move::Step { tick: false }; 3]) {
        match made {
            Move::Submit => {
                let (send, receive) = channel();
                commit.submit(1, move |outcome| send.send(outcome).expect("the test listens"));
                outcomes.push(receive);
            }
            Move::Apart { tick } if !failed => commit.stage_apart(1, tick),
            Move::Step { tick } if !failed => {
                if let Some((_, effect)) = failing.filter(|(at, _)| *at == steps) {
                    disk.plan(disk.done().len() + 1, Fault::Eio(effect));
                }
                failed = commit.step(tick).is_err();
                disk.forget_plan();
                steps += 1;
            }
            Move::Apart { .. } | Move::Step { .. } => {}
        }
    }
    let shown = commit.reader().durable();
    drop(commit);
    let there = log(&disk.reboot(Survival::Lost)).reader().read_from(0, 100, 1 << 20).expect("readable");
    let places = |number: u64| -> Vec<u64> {
        let record = number.to_le_bytes();
        there.iter().filter(|(_, found)| found[..] == record[..]).map(|(at, _)| *at).collect()
    };
    let mut before = None;
    for (number, outcome) in (1..).zip(&outcomes) {
        let what = format!("request {number} of {moves:?}, {failing:?}");
        match outcome.try_recv().expect(&what) {
            Ok(Committed { answer, durable }) => {
                assert_eq!((answer, durable.count()), (number, 1), "{what}");
                assert_eq!(places(number), [durable.first()], "{what}");
                assert!(durable.first() < shown && before < Some(durable.first()), "{what}: in their order");
                before = Some(durable.first());
            }
            Err(CommitError::Unknown(_)) => {
                let persisted = failing.is_some_and(|(_, effect)| effect == Effect::All);
                assert_eq!(places(number).len(), usize::from(persisted), "{what}");
            }
            Err(error) => assert!(failed && places(number).is_empty(), "{what}: {error:?}"),
        }
        assert!(outcome.try_recv().is_err(), "{what}: told once");
    }
}

#[test]
fn by_hand_in_whatever_order_what_was_acknowledged_is_there_once_and_what_was_refused_is_not() {
    // Behind a first request, so many of them.
    const LENGTH: u32 = 4;
    let mut failures = vec![None];
    for at in 0..2 {
        failures.extend([Effect::All, Effect::Nothing].map(|effect| Some((at, effect))));
    }
    for n in 0..MOVES.len().pow(LENGTH) {
        let later = (0..LENGTH).map(|at| MOVES[n / MOVES.len().pow(at) % MOVES.len()]);
        let moves: Vec<Move> = std::iter::once(Move::Submit).chain(later).collect();
        for failing in &failures {
            held_against_the_log(&moves, *failing);
        }
    }
}

#[test]
fn a_batch_refuses_what_does_not_fit() {
    let mut batch = Batch::new(7);
    assert_eq!((batch.next(), batch.room()), (7, MAX_COMMIT_BYTES));
    assert_eq!(batch.push(vec![0; 10]), Ok(7));
    assert_eq!((batch.next(), batch.room()), (8, MAX_COMMIT_BYTES - 10));
    assert_eq!(batch.push(vec![0; MAX_COMMIT_BYTES]), Err(BatchFull));
    assert_eq!((batch.next(), batch.room()), (8, MAX_COMMIT_BYTES - 10));
}

fn submit_here(group: &GroupCommit<Numbering>, request: usize) -> Receiver<Outcome> {
    let (send, receive) = channel();
    group.submit_here(request, move |outcome| send.send(outcome).expect("the test listens"));
    receive
}

#[test]
fn who_finds_the_writer_idle_has_its_answer_when_the_call_returns() {
    let running = start(log(&FaultyDisk::new(1)), GroupOptions::default());
    while !running.group.is_idle() {
        std::thread::yield_now();
    }
    for number in 1..=20 {
        let committed = submit_here(&running.group, 2).try_recv().expect("an answer").expect("committed");
        assert_eq!((committed.answer, committed.durable.next()), (number, 2 * number));
    }
    assert_eq!(running.reader.durable(), 40);
}

#[test]
fn who_finds_the_writer_at_work_leaves_the_request_to_it() {
    let disk = FaultyDisk::new(1);
    let (log, begins, leave) = gated(&disk);
    let running = start(log, GroupOptions::default());
    let first = submit(&running.group, 1);
    begins.recv().expect("an append");
    assert!(!running.group.is_idle());
    let others: Vec<Receiver<Outcome>> = (0..10).map(|_| submit_here(&running.group, 1)).collect();
    assert_eq!(running.group.waiting(), 10);
    leave.send(()).expect("leave");
    first.recv().expect("an answer").expect("committed");
    assert_eq!(begins.recv().expect("an append"), 10, "ten requests in one commit");
    leave.send(()).expect("leave");
    for other in others {
        other.recv().expect("an answer").expect("committed");
    }
}

#[test]
fn here_and_there_every_request_is_committed_once_and_answered() {
    for overlap in [None, Some(1), Some(3)] {
        every_request_is_committed_once_and_answered(overlap);
    }
}

fn every_request_is_committed_once_and_answered(overlap: Option<usize>) {
    let tick = Some(Duration::from_millis(1));
    let options = GroupOptions { batch_requests: 7, batch_bytes: 40, tick, overlap, ..Default::default() };
    let running = start(log(&FaultyDisk::new(1)), options);
    let numbers = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (group, numbers) = (&running.group, &numbers);
            scope.spawn(move || {
                for k in 0..200 {
                    let here = (k + thread) % 3 > 0;
                    let outcome = if here { submit_here(group, k % 3) } else { submit(group, k % 3) };
                    let committed = outcome.recv().expect("an answer").expect("committed");
                    assert_eq!(committed.durable.count(), (k % 3) as u64);
                    numbers.lock().expect("lock").push(committed.answer);
                }
            });
        }
    });
    let mut numbers = numbers.into_inner().expect("lock");
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=1600).collect::<Vec<u64>>());
    let reader = Arc::clone(&running.reader);
    drop(running.group);
    let records = reader.read_from(0, usize::MAX, usize::MAX).expect("read");
    assert_eq!(records.iter().filter(|(_, record)| record != b"tick").count(), 8 * 199);
    assert!(matches!(running.stops.try_recv(), Ok(Stop::Closed)));
}

#[test]
fn a_commit_that_fails_where_it_was_asked_for_stops_the_writer() {
    let disk = FaultyDisk::new(1);
    let running = start(log(&disk), GroupOptions::default());
    submit(&running.group, 1).recv().expect("an answer").expect("committed");
    disk.plan(disk.done().len() + 1, Fault::Eio(Effect::Nothing));
    let outcome = submit_here(&running.group, 1).recv().expect("an answer");
    assert!(matches!(outcome, Err(CommitError::Unknown(_))), "{outcome:?}");
    assert!(matches!(running.stops.recv(), Ok(Stop::Failed(_))));
    for late in [submit(&running.group, 1), submit_here(&running.group, 1)] {
        assert!(matches!(late.try_recv(), Ok(Err(CommitError::Stopped))));
    }
    drop(running.group);
    assert_eq!(log_end(&disk.reboot(Survival::Lost)), 1);
}

#[test]
fn a_stage_that_panics_where_it_was_asked_for_stops_the_writer() {
    let running = start(log(&FaultyDisk::new(1)), GroupOptions::default());
    assert!(submit_here(&running.group, 5000).recv().is_err(), "its reply is dropped");
    assert!(matches!(running.stops.recv(), Ok(Stop::Panicked)));
    assert!(matches!(submit_here(&running.group, 1).try_recv(), Ok(Err(CommitError::Stopped))));
}
