//! The requests that wait for the writer, bounded, save those that are owed.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::{CommitError, Committed, Stage};

/// What becomes of a request.
pub(super) type Outcome<A> = Result<Committed<A>, CommitError>;
/// Called once with the outcome.
pub(super) type Reply<A> = Box<dyn FnOnce(Outcome<A>) + Send>;

/// A request that waits.
pub(super) struct Item<S: Stage> {
    pub(super) request: S::Request,
    pub(super) reply: Reply<S::Answer>,
    pub(super) since: Instant,
    /// Whether it ends what was let in before, and is never refused for room.
    pub(super) owed: bool,
}

pub(super) struct Queue<S: Stage> {
    most: usize,
    state: Mutex<State<S>>,
    filled: Condvar,
    /// So many that wait are a crowd.
    crowd: usize,
    crowded: Condvar,
}

struct State<S: Stage> {
    items: VecDeque<Item<S>>,
    closed: bool,
    /// Records below this are wanted no more.
    unwanted_before: u64,
    /// Whether the writer has not been told of that yet.
    unwanted_news: bool,
    /// Whether the thread has to look, though nothing else tells it so.
    nudged: bool,
    /// Whether the thread sleeps; waking it costs a system call.
    asleep: bool,
    /// Whether the second thread sleeps.
    second_asleep: bool,
}

impl<S: Stage> Queue<S> {
    /// One for at most `most` requests. So many as `crowd`, and one at least, are work for the second thread.
    pub(super) fn new(most: usize, crowd: Option<usize>) -> Queue<S> {
        let state = State {
            items: VecDeque::new(),
            closed: false,
            unwanted_before: 0,
            unwanted_news: false,
            nudged: false,
            asleep: false,
            second_asleep: false,
        };
        let crowd = crowd.map_or(usize::MAX, |crowd| crowd.max(1));
        Queue { most, state: Mutex::new(state), filled: Condvar::new(), crowd, crowded: Condvar::new() }
    }

    /// Puts `item` last and wakes the thread, or gives it back with the reason.
    pub(super) fn push(&self, item: Item<S>) -> Result<(), (Item<S>, CommitError)> {
        let state = self.put(item)?;
        self.wake(state);
        Ok(())
    }

    /// Puts `item` last for whoever takes next: the thread is not woken.
    pub(super) fn push_quietly(&self, item: Item<S>) -> Result<(), (Item<S>, CommitError)> {
        self.put(item).map(drop)
    }

    fn put(&self, item: Item<S>) -> Result<MutexGuard<'_, State<S>>, (Item<S>, CommitError)> {
        let mut state = self.lock();
        if state.closed {
            return Err((item, CommitError::Stopped));
        }
        if state.items.len() >= self.most && !item.owed {
            return Err((item, CommitError::Full));
        }
        state.items.push_back(item);
        if state.items.len() >= self.crowd && std::mem::take(&mut state.second_asleep) {
            self.crowded.notify_one();
        }
        Ok(state)
    }

    /// Has the thread look, whatever it waits for.
    pub(super) fn nudge(&self) {
        let mut state = self.lock();
        state.nudged = true;
        self.wake(state);
    }

    /// Notes that records below `position` are wanted no more.
    pub(super) fn unwant_before(&self, position: u64) {
        let mut state = self.lock();
        if position > state.unwanted_before {
            state.unwanted_before = position;
            state.unwanted_news = true;
            self.wake(state);
        }
    }

    /// The position below which records are wanted no more, if it moved since this was asked last.
    pub(super) fn unwanted_before(&self) -> Option<u64> {
        let mut state = self.lock();
        std::mem::take(&mut state.unwanted_news).then_some(state.unwanted_before)
    }

    /// Waits until something is there to be done, or until `deadline` if there is one. False once the queue is closed and
    /// empty: nothing will come any more.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.lock();
        while state.items.is_empty() && !state.closed && !state.unwanted_news && !state.nudged {
            state.asleep = true;
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            state = match left {
                Some(left) if left.is_zero() => break,
                Some(left) => self.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.asleep = false;
        std::mem::take(&mut state.nudged) || !state.items.is_empty() || !state.closed
    }

    /// Waits until a crowd is there. False once the queue is closed.
    pub(super) fn wait_for_crowd(&self) -> bool {
        let mut state = self.lock();
        while state.items.len() < self.crowd && !state.closed {
            state.second_asleep = true;
            state = self.crowded.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.second_asleep = false;
        !state.closed
    }

    /// Whether a crowd is there, `others` beside those who wait.
    pub(super) fn is_crowded(&self, others: usize) -> bool {
        self.crowd != usize::MAX && self.lock().items.len() + others >= self.crowd
    }

    /// Moves up to `most` items to the end of `into`.
    pub(super) fn take_waiting(&self, into: &mut VecDeque<Item<S>>, most: usize) {
        let mut state = self.lock();
        let taken = state.items.len().min(most);
        into.extend(state.items.drain(..taken));
    }

    /// Lets nothing more in.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.crowded.notify_one();
        self.wake(state);
    }

    /// Lets nothing more in, and empties it.
    pub(super) fn close_and_empty(&self) -> VecDeque<Item<S>> {
        let mut state = self.lock();
        state.closed = true;
        self.crowded.notify_one();
        std::mem::take(&mut state.items)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    pub(super) fn waiting(&self) -> usize {
        self.lock().items.len()
    }

    fn wake(&self, mut state: MutexGuard<'_, State<S>>) {
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            self.filled.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
