//! The writer's thread: take, stage, append, tell the stage, answer.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use crate::{
    log::{AppendError, Durable, Log},
    metrics::Metrics,
};

use super::{
    Batch, CommitError, Committed, GroupOptions, Stage, Stop,
    queue::{Item, Queue, Reply},
};

pub(super) struct Writer<L: Log, S: Stage> {
    log: L,
    stage: S,
    options: GroupOptions,
    queue: Arc<Queue<S>>,
    metrics: Arc<Metrics>,
    /// Taken from the queue and not yet staged.
    taken: VecDeque<Item<S>>,
    next_tick: Option<Instant>,
    /// The log is still to let go of records below this.
    drop_before: Option<u64>,
}

/// A staged request, whose answer waits for the commit.
struct Held<A> {
    answer: A,
    reply: Reply<A>,
    since: Instant,
    first: u64,
    next: u64,
}

impl<L: Log, S: Stage> Writer<L, S> {
    pub(super) fn new(log: L, stage: S, options: GroupOptions, queue: Arc<Queue<S>>) -> Writer<L, S> {
        let metrics = log.metrics();
        let next_tick = options.tick.map(|every| Instant::now() + every);
        Writer { log, stage, options, queue, metrics, taken: VecDeque::new(), next_tick, drop_before: None }
    }

    /// Works until the queue is closed and empty, or a commit fails. However it ends, nobody is left without an
    /// answer, save those whose own batch panicked: their replies are dropped.
    pub(super) fn run(mut self, on_stop: impl FnOnce(Stop)) {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            loop {
                if !self.wait() {
                    return Stop::Closed;
                }
                let tick = self.tick_is_due();
                if let Err(error) = self.round(tick) {
                    return Stop::Failed(error);
                }
            }
        }));
        self.turn_away();
        // The log is free to be opened again before anyone hears that this has ended.
        drop(self);
        on_stop(ended.unwrap_or(Stop::Panicked));
    }

    /// Answers everybody who waits that this has ended.
    pub(super) fn turn_away(&mut self) {
        let waiting = self.queue.close_and_empty();
        for item in self.taken.drain(..).chain(waiting) {
            (item.reply)(Err(CommitError::Stopped));
        }
    }

    /// Waits until there is something to do; false where there never will be.
    fn wait(&mut self) -> bool {
        let most = self.options.batch_requests.max(1).saturating_sub(self.taken.len());
        if most == 0 {
            return true;
        }
        let now_if_some_wait = (!self.taken.is_empty()).then(Instant::now);
        self.queue.take(&mut self.taken, most, now_if_some_wait.or(self.next_tick)) || !self.taken.is_empty()
    }

    /// What waits, without waiting for it.
    pub(super) fn take_waiting(&mut self) {
        let most = self.options.batch_requests.max(1).saturating_sub(self.taken.len());
        self.queue.take(&mut self.taken, most, Some(Instant::now()));
    }

    /// One batch, one commit; with a tick where one is due.
    pub(super) fn round(&mut self, tick: bool) -> Result<(), Arc<AppendError>> {
        let mut batch = Batch::new(self.log.next());
        let held = self.stage_all(&mut batch);
        if tick {
            self.stage.tick(&mut batch);
        }
        match self.commit(&batch) {
            Ok(durable) => {
                if durable.count() > 0 {
                    self.stage.committed(&durable);
                }
                self.answer_all(held, &durable);
                self.let_go();
                Ok(())
            }
            Err(error) => {
                let error = Arc::new(error);
                // Nothing more gets in before the first caller learns of the failure.
                self.queue.close();
                for one in held {
                    (one.reply)(Err(CommitError::of(&error)));
                }
                Err(error)
            }
        }
    }

    /// Frees the space of what is wanted no more. The answers are out already; a failure is tried again after the next
    /// commit.
    fn let_go(&mut self) {
        self.drop_before = self.queue.unwanted_before().or(self.drop_before);
        if let Some(position) = self.drop_before {
            match self.log.drop_before(position.min(self.log.next())) {
                Ok(()) => self.drop_before = None,
                Err(_) => {
                    self.metrics.failed_drops.fetch_add(1, Relaxed);
                }
            }
        }
    }

    fn stage_all(&mut self, batch: &mut Batch) -> Vec<Held<S::Answer>> {
        let mut held = Vec::with_capacity(self.taken.len());
        while batch.bytes < self.options.batch_bytes.max(1) {
            let Some(Item { request, reply, since }) = self.taken.pop_front() else {
                break;
            };
            let first = batch.next();
            let answer = self.stage.stage(request, batch);
            held.push(Held { answer, reply, since, first, next: batch.next() });
        }
        held
    }

    /// Whether a tick is due; the next one is then as far away as this one was.
    fn tick_is_due(&mut self) -> bool {
        let (Some(every), Some(due)) = (self.options.tick, self.next_tick) else { return false };
        let now = Instant::now();
        if now >= due {
            self.next_tick = Some(now + every);
        }
        now >= due
    }

    fn commit(&mut self, batch: &Batch) -> Result<Durable, AppendError> {
        let records: Vec<&[u8]> = batch.records.iter().map(Vec::as_slice).collect();
        self.log.append(batch.first, &records)
    }

    fn answer_all(&self, held: Vec<Held<S::Answer>>, durable: &Durable) {
        if !held.is_empty() {
            self.metrics.requests.record(held.len() as u64);
        }
        for Held { answer, reply, since, first, next } in held {
            let Some(durable) = durable.part(first, next) else {
                unreachable!("a request's records lie within its batch");
            };
            self.metrics.waited.record(since.elapsed().as_micros() as u64);
            reply(Ok(Committed { answer, durable }));
        }
    }
}
