//! The second half of a commit: append, tell the stage, answer.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use crate::{
    log::{AppendError, Durable, Log},
    metrics::Metrics,
};

use super::{
    CommitError, Committed, Stage,
    queue::{Outcome, Queue, Reply},
    stager::{Held, Staged},
};

pub(super) struct Appender<L: Log, S: Stage> {
    log: L,
    queue: Arc<Queue<S>>,
    metrics: Arc<Metrics>,
    /// The log is still to let go of records below this.
    drop_before: Option<u64>,
}

impl<L: Log, S: Stage> Appender<L, S> {
    pub(super) fn new(log: L, queue: Arc<Queue<S>>) -> Appender<L, S> {
        let metrics = log.metrics();
        Appender { log, queue, metrics, drop_before: None }
    }

    /// One commit. Its answers are still to be given.
    pub(super) fn commit(&mut self, staged: Staged<S>) -> Result<Answers<S::Answer>, Failed<S::Answer>> {
        let Staged { mut batch, held, mut pending } = staged;
        if let Some(pending) = &mut pending {
            S::finish(pending, &mut batch.records);
        }
        let records: Vec<&[u8]> = batch.records.iter().map(Vec::as_slice).collect();
        match self.log.append(batch.first, &records) {
            Ok(durable) => {
                if let Some(pending) = pending {
                    S::committed(pending, &durable);
                }
                let answers = self.answers(held, &durable);
                self.let_go();
                Ok(answers)
            }
            Err(error) => {
                let error = Arc::new(error);
                // Nothing more gets in before the first caller learns of the failure.
                self.queue.close();
                Err(Failed { answers: Answers::failed(held, &error), error })
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

/// What the requests of a batch are to be told, once nobody holds the log for it any more.
#[must_use]
pub(super) struct Answers<A>(Vec<(Reply<A>, Outcome<A>)>);

impl<A> Answers<A> {
    /// That the commit failed.
    pub(super) fn failed(held: Vec<Held<A>>, error: &Arc<AppendError>) -> Answers<A> {
        Answers(held.into_iter().map(|one| (one.reply, Err(CommitError::of(error)))).collect())
    }

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
