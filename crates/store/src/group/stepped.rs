//! A group commit without a thread: whoever holds it says when the next commit is. For simulations, where one seed is one
//! run.

use std::{sync::Arc, time::Instant};

use crate::log::{AppendError, Log, ReadLog};

use super::{
    CommitError, Committed, GroupOptions, Stage,
    queue::{Item, Queue},
    writer::{Failed, Writer},
};

/// The same writer as that of [`super::GroupCommit`], driven by hand.
pub struct SteppedCommit<L: Log, S: Stage> {
    writer: Writer<L, S>,
    queue: Arc<Queue<S>>,
    reader: Arc<dyn ReadLog>,
}

impl<L: Log, S: Stage> SteppedCommit<L, S> {
    /// Takes `log` and `stage`. Of `options` the tick is not used: the driver gives it.
    pub fn new(log: L, stage: S, options: GroupOptions) -> SteppedCommit<L, S> {
        let queue = Arc::new(Queue::new(options.queue));
        let reader = log.reader();
        let writer = Writer::new(log, stage, GroupOptions { tick: None, ..options }, Arc::clone(&queue));
        SteppedCommit { writer, queue, reader }
    }

    /// As [`super::GroupCommit::submit`]; the reply is called by [`SteppedCommit::step`].
    pub fn submit(
        &self,
        request: S::Request,
        reply: impl FnOnce(Result<Committed<S::Answer>, CommitError>) + Send + 'static,
    ) {
        let item = Item { request, reply: Box::new(reply), since: Instant::now(), owed: false };
        if let Err((item, error)) = self.queue.push(item) {
            (item.reply)(Err(error));
        }
    }

    /// One batch of what waits, one commit; `tick` calls [`Stage::tick`] on it.
    ///
    /// # Errors
    /// Where the commit failed: everybody was answered, and the process must stop.
    pub fn step(&mut self, tick: bool) -> Result<(), Arc<AppendError>> {
        match self.writer.step(tick) {
            Ok(answers) => {
                answers.give();
                Ok(())
            }
            Err(Failed { error, answers }) => {
                answers.give();
                for reply in self.writer.turn_away() {
                    reply(Err(CommitError::Stopped));
                }
                Err(error)
            }
        }
    }

    /// A reader of the log, as [`Log::reader`].
    pub fn reader(&self) -> Arc<dyn ReadLog> {
        Arc::clone(&self.reader)
    }
}
