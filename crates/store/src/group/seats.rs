//! The two seats of a commit: in one a batch is staged, in the other it is made durable; one at a time works in each.
//!
//! A thread that is woken and that wakes whoever waits for it costs more than a small commit does. So who finds both seats
//! free makes the commit itself, with whatever else waits; who does not leaves the request to the thread, which commits
//! next for all that came meanwhile.
//!
//! While one batch is made durable the next may be staged, by a second thread, where enough waits for it
//! ([`super::GroupOptions::overlap`]). **Invariant**: whoever has staged a batch takes the second seat before it leaves the
//! first, so that batches become durable in the order in which they were staged, and no second one is written before the first
//! is durable. Nobody who is in the second seat waits for the first.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    time::Instant,
};

use crate::log::{AppendError, Log};

use super::{
    CommitError, GroupOptions, Stage, Stop,
    appender::{Answers, Appender, Failed},
    queue::{Item, Queue},
    stager::{Staged, Stager},
};

type OnStop = Box<dyn FnOnce(Stop) + Send>;

pub(super) struct Seats<L: Log, S: Stage> {
    queue: Arc<Queue<S>>,
    /// Empty once the writer has stopped.
    stager: Mutex<Option<Stager<S>>>,
    /// Likewise.
    appender: Mutex<Option<Appender<L, S>>>,
    ending: Mutex<Ending>,
}

/// What is told in the end, and when.
struct Ending {
    /// Until somebody is to tell.
    on_stop: Option<OnStop>,
    /// What is to be told, once nobody who waited is left without an answer.
    last: Option<(OnStop, Stop)>,
    /// How many rounds are under way, whose answers are not all given.
    rounds: usize,
}

type First<'a, S> = MutexGuard<'a, Option<Stager<S>>>;
type Second<'a, L, S> = MutexGuard<'a, Option<Appender<L, S>>>;

/// The seats, whatever their log.
pub(super) trait Lead<S: Stage>: Send + Sync {
    /// Puts `item` in the queue and commits it here where both seats are free.
    fn submit(&self, item: Item<S>);
    /// Whether both are free at this moment.
    fn are_free(&self) -> bool;
}

impl<L: Log, S: Stage> Seats<L, S> {
    pub(super) fn new(
        log: L,
        stage: S,
        options: GroupOptions,
        queue: Arc<Queue<S>>,
        on_stop: impl FnOnce(Stop) + Send + 'static,
    ) -> Self {
        let stager = Stager::new(log.next(), stage, options, Arc::clone(&queue));
        let appender = Appender::new(log, Arc::clone(&queue));
        let (stager, appender) = (Mutex::new(Some(stager)), Mutex::new(Some(appender)));
        let ending = Ending { on_stop: Some(Box::new(on_stop)), last: None, rounds: 0 };
        Self { queue, stager, appender, ending: Mutex::new(ending) }
    }

    /// The thread's work: until the queue is closed and empty, or a commit fails. However it ends, nobody is left without
    /// an answer, save those whose own batch panicked: their replies are dropped.
    pub(super) fn run(&self) {
        let mut next_tick = lock(&self.stager).as_ref().and_then(Stager::next_tick);
        loop {
            let more = self.queue.wait(next_tick);
            let mut first = lock(&self.stager);
            match first.as_ref() {
                // Somebody else's commit failed.
                None => return,
                Some(here) if !more && !here.is_behind() => {
                    let ended = first.take();
                    drop(first);
                    self.end(ended, None, Stop::Closed);
                    return self.tell();
                }
                Some(_) => {}
            }
            let Some(next) = self.work(first, None) else { return };
            next_tick = next;
        }
    }

    /// The second thread's: rounds while much waits, until the queue is closed.
    pub(super) fn run_beside(&self) {
        while self.queue.wait_for_crowd() {
            if self.work(lock(&self.stager), None).is_none() {
                return;
            }
        }
    }

    /// One round; when the next tick is due, or `None` where it was the last round.
    fn work<'a>(&'a self, first: First<'a, S>, second: Option<Second<'a, L, S>>) -> Option<Option<Instant>> {
        lock(&self.ending).rounds += 1;
        let next_tick = self.round(first, second);
        lock(&self.ending).rounds -= 1;
        self.tell();
        next_tick
    }

    fn round<'a>(&'a self, mut first: First<'a, S>, second: Option<Second<'a, L, S>>) -> Option<Option<Instant>> {
        let here = first.as_mut()?;
        let gathered = catch_unwind(AssertUnwindSafe(|| self.gather(here, second)));
        let (next_tick, behind) = (here.next_tick(), here.is_behind());
        let Ok((staged, mut second)) = gathered else {
            let ended = first.take();
            drop(first);
            self.end(ended, None, Stop::Panicked);
            return None;
        };
        drop(first);
        let Some(appender) = second.as_mut() else {
            // The commit before failed; whoever made it says so. Nothing of this one was written.
            drop(second);
            let answers = Answers::failed(staged.held, &Arc::new(AppendError::Poisoned));
            // A reply that panics changes nothing about that.
            let _ = catch_unwind(AssertUnwindSafe(|| answers.give()));
            return None;
        };
        let round = catch_unwind(AssertUnwindSafe(|| appender.commit(staged)));
        let told_by_us = if matches!(round, Ok(Ok(_))) {
            None
        } else {
            // Nobody appends to it any more, and nobody else says why.
            *second = None;
            self.take_on_stop()
        };
        // A reply may do what it likes, but not with the seat taken.
        drop(second);
        let (answers, stop) = match round {
            Ok(Ok(answers)) => (Some(answers), None),
            Ok(Err(Failed { error, answers })) => (Some(answers), Some(Stop::Failed(error))),
            Err(_) => (None, Some(Stop::Panicked)),
        };
        let given = catch_unwind(AssertUnwindSafe(|| answers.map(Answers::give)));
        if let Some(stop) = if given.is_ok() { stop } else { Some(Stop::Panicked) } {
            self.end(None, told_by_us, stop);
            return None;
        }
        if behind {
            self.queue.nudge();
        }
        Some(next_tick)
    }

    /// A batch of what waits, and the second seat. What waits while that is taken is staged meanwhile where it is much, and
    /// else gathers until it is free.
    fn gather<'a>(&'a self, stager: &mut Stager<S>, second: Option<Second<'a, L, S>>) -> (Staged<S>, Second<'a, L, S>) {
        let mut batch = stager.begin();
        let mut second = second.or_else(|| try_lock(&self.appender));
        while second.is_none() && stager.is_crowded(&batch) {
            stager.take(&mut batch);
            second = try_lock(&self.appender);
        }
        let second = second.unwrap_or_else(|| lock(&self.appender));
        if second.is_none() {
            // The commit before failed: nothing more is staged, by a tick neither. Who waits still is turned away.
            return (stager.close_with(batch, false), second);
        }
        if batch.is_empty() {
            stager.take(&mut batch);
        }
        (stager.close(batch), second)
    }

    /// The log is free to be opened again before anyone hears that this has ended. Whoever comes first says what is told.
    fn end(&self, stager: Option<Stager<S>>, on_stop: Option<OnStop>, mut stop: Stop) {
        // The threads have nothing more to wait for.
        self.queue.close();
        let stager = stager.or_else(|| lock(&self.stager).take());
        drop(lock(&self.appender).take());
        if let Some(mut stager) = stager {
            for reply in stager.turn_away() {
                // One that panics keeps nobody else from being told, and the process not from being stopped.
                if catch_unwind(AssertUnwindSafe(|| reply(Err(CommitError::Stopped)))).is_err() {
                    stop = Stop::Panicked;
                }
            }
        }
        if let Some(on_stop) = on_stop.or_else(|| self.take_on_stop()) {
            lock(&self.ending).last = Some((on_stop, stop));
        }
    }

    /// Tells that this has ended, where it has: whoever is the last to have given answers. Nobody waits for another here, since a
    /// reply may drop the last handle, which waits for the threads.
    fn tell(&self) {
        let mut ending = lock(&self.ending);
        let last = if ending.rounds == 0 { ending.last.take() } else { None };
        drop(ending);
        if let Some((on_stop, stop)) = last {
            on_stop(stop);
        }
    }

    fn take_on_stop(&self) -> Option<OnStop> {
        lock(&self.ending).on_stop.take()
    }
}

impl<L: Log, S: Stage> Lead<S> for Seats<L, S> {
    fn submit(&self, item: Item<S>) {
        if let Err((item, error)) = self.queue.push_quietly(item) {
            return (item.reply)(Err(error));
        }
        match try_lock(&self.stager).and_then(|first| Some((first, try_lock(&self.appender)?))) {
            Some((first, second)) => {
                // What came while a seat was taken was told of by whoever put it there.
                self.work(first, Some(second));
            }
            None => self.queue.nudge(),
        }
    }

    fn are_free(&self) -> bool {
        try_lock(&self.stager).and_then(|_first| try_lock(&self.appender)).is_some()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock<T>(seat: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match seat.try_lock() {
        Ok(seat) => Some(seat),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
