//! A group commit without a thread: whoever holds it says when the next commit is. For simulations, where one seed is one
//! run.

use std::{sync::Arc, time::Instant};

use crate::log::{AppendError, Log, ReadLog};

use super::{
    CommitError, Committed, GroupOptions, Stage,
    appender::{Appender, Failed},
    queue::{Item, Queue},
    stager::Stager,
};

/// The same writer as that of [`super::GroupCommit`], driven by hand.
pub struct SteppedCommit<L: Log, S: Stage> {
    stager: Stager<S>,
    appender: Appender<L, S>,
    queue: Arc<Queue<S>>,
    reader: Arc<dyn ReadLog>,
}

impl<L: Log, S: Stage> SteppedCommit<L, S> {
    /// Takes `log` and `stage`. Of `options` the tick is not used: the driver gives it.
    pub fn new(log: L, stage: S, options: GroupOptions) -> SteppedCommit<L, S> {
        let queue = Arc::new(Queue::new(options.queue, None));
        let reader = log.reader();
        let stager = Stager::new(log.next(), stage, options, Arc::clone(&queue));
        let appender = Appender::new(log, Arc::clone(&queue));
        SteppedCommit { stager, appender, queue, reader }
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
        let mut batch = self.stager.begin();
        self.stager.take(&mut batch);
        let staged = self.stager.close_with(batch, tick);
        match self.appender.commit(staged) {
            Ok(answers) => {
                answers.give();
                Ok(())
            }
            Err(Failed { error, answers }) => {
                answers.give();
                for reply in self.stager.turn_away() {
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
