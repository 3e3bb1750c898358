//! A group commit without a thread: whoever holds it says when the next commit is. For simulations, where one seed is one
//! run.

use std::{sync::Arc, time::Instant};

use crate::log::{AppendError, Log, ReadLog};

use super::{
    CommitError, Committed, GroupOptions, Stage,
    appender::{Answers, Appender, Failed},
    queue::{Item, Queue},
    stager::{Gathering, Staged, Stager},
};

/// The same writer as that of [`super::GroupCommit`], driven by hand.
pub struct SteppedCommit<L: Log, S: Stage> {
    stager: Stager<S>,
    appender: Appender<L, S>,
    /// The batch of the next commit, where it is whole already, and the one behind it.
    whole: Option<Staged<S>>,
    begun: Option<Gathering<S::Answer>>,
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
        SteppedCommit { stager, appender, whole: None, begun: None, queue, reader }
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

    /// How many requests wait to be taken into a batch.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Stages the first `first` of what waits as one batch, `tick` at its end, and what is behind them as the next, as a second
    /// thread does while one is being committed ([`GroupOptions::overlap`]). The next two steps commit them.
    pub fn stage_apart(&mut self, first: usize, tick: bool) {
        if self.whole.is_some() || self.begun.is_some() {
            return;
        }
        let mut batch = self.stager.begin();
        self.stager.take_at_most(&mut batch, first);
        self.whole = Some(self.stager.close_with(batch, tick));
        let mut behind = self.stager.begin();
        self.stager.take(&mut behind);
        self.begun = Some(behind);
    }

    /// One batch of what waits, one commit; `tick` calls [`Stage::tick`] on it, unless it was whole before
    /// ([`SteppedCommit::stage_apart`]).
    ///
    /// # Errors
    /// Where the commit failed: everybody was answered, and the process must stop.
    pub fn step(&mut self, tick: bool) -> Result<(), Arc<AppendError>> {
        let staged = self.whole.take().unwrap_or_else(|| {
            let mut batch = self.begun.take().unwrap_or_else(|| self.stager.begin());
            if batch.is_empty() {
                self.stager.take(&mut batch);
            }
            self.stager.close_with(batch, tick)
        });
        match self.appender.commit(staged) {
            Ok(answers) => {
                answers.give();
                Ok(())
            }
            Err(Failed { error, answers }) => {
                answers.give();
                if let Some(behind) = self.begun.take() {
                    // Nothing of it was written.
                    let held = self.stager.close_with(behind, false).held;
                    Answers::failed(held, &Arc::new(AppendError::Poisoned)).give();
                }
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
