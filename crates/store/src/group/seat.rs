//! The writer's seat: one at a time works in it, the thread or whoever submits while it is free.
//!
//! A thread that is woken and that wakes whoever waits for it costs more than a small commit does. So who finds the seat
//! free makes the commit itself, with whatever else waits; who finds it taken leaves the request to the thread, which
//! takes the seat next and commits for all that came meanwhile.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
};

use crate::log::Log;

use super::{
    CommitError, Stage, Stop,
    queue::{Item, Queue},
    writer::{Answers, Failed, Writer},
};

type OnStop = Box<dyn FnOnce(Stop) + Send>;
type Round<A> = Result<Answers<A>, Failed<A>>;

pub(super) struct Seat<L: Log, S: Stage> {
    queue: Arc<Queue<S>>,
    /// Empty once the writer has stopped.
    writer: Mutex<Option<Writer<L, S>>>,
    on_stop: Mutex<Option<OnStop>>,
}

/// A seat, whatever its log.
pub(super) trait Lead<S: Stage>: Send + Sync {
    /// Puts `item` in the queue and commits it here where the seat is free.
    fn submit(&self, item: Item<S>);
    /// Whether the seat is free at this moment.
    fn is_free(&self) -> bool;
}

impl<L: Log, S: Stage> Seat<L, S> {
    pub(super) fn new(queue: Arc<Queue<S>>, writer: Writer<L, S>, on_stop: impl FnOnce(Stop) + Send + 'static) -> Self {
        Self { queue, writer: Mutex::new(Some(writer)), on_stop: Mutex::new(Some(Box::new(on_stop))) }
    }

    /// The thread's work: until the queue is closed and empty, or a commit fails. However it ends, nobody is left without
    /// an answer, save those whose own batch panicked: their replies are dropped.
    pub(super) fn run(&self) {
        let mut next_tick = self.lock().as_ref().and_then(Writer::next_tick);
        loop {
            let more = self.queue.wait(next_tick);
            let mut writer = self.lock();
            match writer.as_ref() {
                // Somebody else's commit failed.
                None => return,
                Some(here) if !more && !here.is_behind() => {
                    let ended = writer.take();
                    drop(writer);
                    return self.end(ended, Stop::Closed);
                }
                Some(_) => {}
            }
            let Some(next) = self.work(writer) else { return };
            next_tick = next;
        }
    }

    /// One round; when the next tick is due, or `None` where it was the last round.
    fn work(&self, mut writer: MutexGuard<'_, Option<Writer<L, S>>>) -> Option<Option<std::time::Instant>> {
        let here = writer.as_mut()?;
        let round: Result<Round<S::Answer>, _> = catch_unwind(AssertUnwindSafe(|| here.next_round()));
        let (next_tick, behind) = (here.next_tick(), here.is_behind());
        match round {
            Ok(Ok(answers)) => {
                // A reply may do what it likes, but not with the seat taken.
                drop(writer);
                if catch_unwind(AssertUnwindSafe(|| answers.give())).is_err() {
                    let ended = self.lock().take();
                    self.end(ended, Stop::Panicked);
                    return None;
                }
                if behind {
                    self.queue.nudge();
                }
                Some(next_tick)
            }
            Ok(Err(Failed { error, answers })) => {
                let ended = writer.take();
                drop(writer);
                let given = catch_unwind(AssertUnwindSafe(|| answers.give()));
                self.end(ended, if given.is_ok() { Stop::Failed(error) } else { Stop::Panicked });
                None
            }
            Err(_) => {
                let ended = writer.take();
                drop(writer);
                self.end(ended, Stop::Panicked);
                None
            }
        }
    }

    /// The log is free to be opened again before anyone hears that this has ended.
    fn end(&self, writer: Option<Writer<L, S>>, mut stop: Stop) {
        if let Some(mut writer) = writer {
            for reply in writer.turn_away() {
                // One that panics keeps nobody else from being told, and the process not from being stopped.
                if catch_unwind(AssertUnwindSafe(|| reply(Err(CommitError::Stopped)))).is_err() {
                    stop = Stop::Panicked;
                }
            }
        }
        // The thread has nothing more to wait for.
        self.queue.close();
        let on_stop = self.on_stop.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(on_stop) = on_stop {
            on_stop(stop);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Writer<L, S>>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Option<Writer<L, S>>>> {
        match self.writer.try_lock() {
            Ok(writer) => Some(writer),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl<L: Log, S: Stage> Lead<S> for Seat<L, S> {
    fn submit(&self, item: Item<S>) {
        if let Err((item, error)) = self.queue.push_quietly(item) {
            return (item.reply)(Err(error));
        }
        match self.try_lock() {
            Some(writer) => {
                // What came while the seat was taken was told of by whoever put it there.
                self.work(writer);
            }
            None => self.queue.nudge(),
        }
    }

    fn is_free(&self) -> bool {
        self.try_lock().is_some()
    }
}
