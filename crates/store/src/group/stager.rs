//! The first half of a commit: what waits becomes the records of a batch.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use super::{
    Batch, GroupOptions, Stage,
    queue::{Item, Queue, Reply},
};

pub(super) struct Stager<S: Stage> {
    stage: S,
    options: GroupOptions,
    queue: Arc<Queue<S>>,
    /// Taken from the queue and not yet staged.
    taken: VecDeque<Item<S>>,
    next_tick: Option<Instant>,
    /// The position of the first record of the next batch.
    next: u64,
}

/// A batch that is being put together.
pub(super) struct Gathering<A> {
    batch: Batch,
    held: Vec<Held<A>>,
}

/// A batch that is whole: its commit is all that is missing.
pub(super) struct Staged<S: Stage> {
    pub(super) batch: Batch,
    pub(super) held: Vec<Held<S::Answer>>,
    /// What the stage shows once the batch is durable; of one without records nothing.
    pub(super) pending: Option<S::Pending>,
}

/// A staged request, whose answer waits for the commit.
pub(super) struct Held<A> {
    pub(super) answer: A,
    pub(super) reply: Reply<A>,
    pub(super) since: Instant,
    pub(super) first: u64,
    pub(super) next: u64,
}

impl<S: Stage> Stager<S> {
    /// Stages from position `next` of the log on.
    pub(super) fn new(next: u64, stage: S, options: GroupOptions, queue: Arc<Queue<S>>) -> Stager<S> {
        let next_tick = options.tick.map(|every| Instant::now() + every);
        Stager { stage, options, queue, taken: VecDeque::new(), next_tick, next }
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

    /// A batch of nothing yet.
    pub(super) fn begin(&self) -> Gathering<S::Answer> {
        Gathering { batch: Batch::new(self.next), held: Vec::new() }
    }

    /// Whether so much waits, and fits the batch, that it is staged before the disk is free.
    pub(super) fn is_crowded(&self, gathering: &Gathering<S::Answer>) -> bool {
        !self.is_full(gathering) && self.queue.is_crowded(self.taken.len())
    }

    fn is_full(&self, gathering: &Gathering<S::Answer>) -> bool {
        gathering.batch.bytes >= self.options.batch_bytes.max(1) || gathering.held.len() >= self.most()
    }

    fn most(&self) -> usize {
        self.options.batch_requests.max(1)
    }

    /// Stages what waits, as much of it as the batch takes.
    pub(super) fn take(&mut self, into: &mut Gathering<S::Answer>) {
        self.take_at_most(into, self.most());
    }

    /// The same until the batch has `most` requests.
    pub(super) fn take_at_most(&mut self, into: &mut Gathering<S::Answer>, most: usize) {
        let more = most.saturating_sub(into.held.len() + self.taken.len());
        self.queue.take_waiting(&mut self.taken, more);
        while !self.is_full(into) && into.held.len() < most {
            let Some(Item { request, reply, since, .. }) = self.taken.pop_front() else {
                break;
            };
            let first = into.batch.next();
            let answer = self.stage.stage(request, &mut into.batch);
            into.held.push(Held { answer, reply, since, first, next: into.batch.next() });
        }
    }

    /// Closes the batch, with a tick where that is due.
    pub(super) fn close(&mut self, gathering: Gathering<S::Answer>) -> Staged<S> {
        let tick = self.tick_is_due();
        self.close_with(gathering, tick)
    }

    /// Closes the batch, with a tick where `tick`.
    pub(super) fn close_with(&mut self, Gathering { mut batch, held }: Gathering<S::Answer>, tick: bool) -> Staged<S> {
        if tick {
            self.stage.tick(&mut batch);
        }
        self.next = batch.next();
        let pending = (!batch.records.is_empty()).then(|| self.stage.staged());
        Staged { batch, held, pending }
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
}

impl<A> Gathering<A> {
    /// Whether no request is in it yet.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}
