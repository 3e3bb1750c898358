//! The writer's work: take, stage, append, tell the stage, answer.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use crate::{
    log::{AppendError, Durable, Log},
    metrics::Metrics,
};

use super::{
    Batch, CommitError, Committed, GroupOptions, Stage,
    queue::{Item, Outcome, Queue, Reply},
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

    /// Lets nothing more in, and gives up whoever waits: each is still to be told that this has ended.
    pub(super) fn turn_away(&mut self) -> Vec<Reply<S::Answer>> {
        let waiting = self.queue.close_and_empty();
        self.taken.drain(..).chain(waiting).map(|item| item.reply).collect()
    }

    /// When the next tick is due.
    pub(super) fn next_tick(&self) -> Option<Instant> {
        self.next_tick
    }

    /// Whether something was taken that no batch had room for yet.
    pub(super) fn is_behind(&self) -> bool {
        !self.taken.is_empty()
    }

    /// A step with a tick where that is due.
    pub(super) fn next_round(&mut self) -> Result<Answers<S::Answer>, Failed<S::Answer>> {
        let tick = self.tick_is_due();
        self.step(tick)
    }

    /// A round with what waits.
    pub(super) fn step(&mut self, tick: bool) -> Result<Answers<S::Answer>, Failed<S::Answer>> {
        let most = self.options.batch_requests.max(1).saturating_sub(self.taken.len());
        self.queue.take_waiting(&mut self.taken, most);
        self.round(tick)
    }

    /// One batch, one commit. Its answers are still to be given.
    fn round(&mut self, tick: bool) -> Result<Answers<S::Answer>, Failed<S::Answer>> {
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
                let answers = self.answers(held, &durable);
                self.let_go();
                Ok(answers)
            }
            Err(error) => {
                let error = Arc::new(error);
                // Nothing more gets in before the first caller learns of the failure.
                self.queue.close();
                let answers = held.into_iter().map(|one| (one.reply, Err(CommitError::of(&error)))).collect();
                Err(Failed { error, answers: Answers(answers) })
            }
        }
    }

    /// Frees the space of what is wanted no more. A failure is tried again after the next commit.
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
            let Some(Item { request, reply, since, .. }) = self.taken.pop_front() else {
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

    fn answers(&self, held: Vec<Held<S::Answer>>, durable: &Durable) -> Answers<S::Answer> {
        if !held.is_empty() {
            self.metrics.requests.record(held.len() as u64);
        }
        let answer = |Held { answer, reply, since, first, next }| {
            let Some(durable) = durable.part(first, next) else {
                unreachable!("a request's records lie within its batch");
            };
            self.metrics.waited.record(Instant::elapsed(&since).as_micros() as u64);
            (reply, Ok(Committed { answer, durable }))
        };
        Answers(held.into_iter().map(answer).collect())
    }
}

/// What the requests of a batch are to be told, once nobody holds the writer for it any more.
#[must_use]
pub(super) struct Answers<A>(Vec<(Reply<A>, Outcome<A>)>);

impl<A> Answers<A> {
    pub(super) fn give(self) {
        for (reply, answer) in self.0 {
            reply(answer);
        }
    }
}

/// A commit that failed, and what those whose it was are to be told.
pub(super) struct Failed<A> {
    pub(super) error: Arc<AppendError>,
    pub(super) answers: Answers<A>,
}
