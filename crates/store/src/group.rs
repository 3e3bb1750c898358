//! Group commit: many requests, one sync. One writer owns a log and the state machine that turns requests into
//! records; it takes what waits, lets the state machine stage each, commits all records at once, and only then gives
//! the answers out. It works on a thread of its own, or on that of whoever submits while it is idle.

use std::{
    fmt, io,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{
    log::{AppendError, Durable, Log, MAX_COMMIT_BYTES, MAX_COMMIT_RECORDS, ReadLog},
    metrics::Metrics,
};

mod appender;
mod queue;
mod seats;
mod stager;
mod stepped;
#[cfg(test)]
mod tests;

pub use stepped::SteppedCommit;

use queue::{Item, Queue};
use seats::{Lead, Seats};

/// A state machine in front of a log: the one place where requests become records. One thread at a time runs it, so it
/// needs no lock, and it may run ahead of the log: once the commit of what it staged is known to have failed, it is never
/// asked again.
pub trait Stage: Send + 'static {
    /// What is submitted.
    type Request: Send;
    /// What is given back once the records of the request, and of all requests before it, are durable.
    type Answer: Send;
    /// What is shown once a batch is durable.
    type Pending: Send;

    /// Decides on `request` and puts its records, in order, into `batch`; none where there is nothing to record (a
    /// repeat, a refusal). The answer is held back until the commit.
    fn stage(&mut self, request: Self::Request, batch: &mut Batch) -> Self::Answer;

    /// A batch with records is whole: gives what is to be shown once it is durable. The next one may be staged before that.
    fn staged(&mut self) -> Self::Pending;

    /// Called on each batch before it is written, for one batch after the other: makes of its `records` what they are in the log,
    /// where that is work that no later request waits for. Their number stays.
    fn finish(pending: &mut Self::Pending, records: &mut [Vec<u8>]) {
        let _ = (pending, records);
    }

    /// The batch is durable; called before its answers are given out, for one batch after the other.
    fn committed(pending: Self::Pending, durable: &Durable);

    /// Called once in each [`GroupOptions::tick`], under load as well, after the requests of the batch: what it stages
    /// ends the batch.
    fn tick(&mut self, batch: &mut Batch) {
        let _ = batch;
    }
}

/// The records of the commit that is being put together.
#[derive(Debug)]
pub struct Batch {
    first: u64,
    records: Vec<Vec<u8>>,
    bytes: usize,
}

impl Batch {
    fn new(first: u64) -> Batch {
        Batch { first, records: Vec::new(), bytes: 0 }
    }

    /// The position that the next record will take.
    pub fn next(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    /// How many records it has.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many more bytes of records one commit can carry. A batch takes no further request beyond
    /// [`GroupOptions::batch_bytes`], so every request finds at least [`MAX_COMMIT_BYTES`] less that; one that needs
    /// more is the stage's to refuse, before it stages any part of it.
    pub fn room(&self) -> usize {
        if self.records.len() >= MAX_COMMIT_RECORDS { 0 } else { MAX_COMMIT_BYTES.saturating_sub(self.bytes) }
    }

    /// Adds a record and says which position it will take.
    ///
    /// # Errors
    /// [`BatchFull`] where it does not fit ([`Batch::room`]); the batch is as before.
    pub fn push(&mut self, record: Vec<u8>) -> Result<u64, BatchFull> {
        self.push_unfinished(record, 0)
    }

    /// The same for a record that [`Stage::finish`] makes longer, by `growth` bytes at most.
    ///
    /// # Errors
    /// As [`Batch::push`].
    pub fn push_unfinished(&mut self, record: Vec<u8>, growth: usize) -> Result<u64, BatchFull> {
        let bytes = record.len().saturating_add(growth);
        if bytes > self.room() || self.records.len() >= MAX_COMMIT_RECORDS {
            return Err(BatchFull);
        }
        let position = self.next();
        self.bytes += bytes;
        self.records.push(record);
        Ok(position)
    }
}

/// A record does not fit into the commit being put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchFull;

impl fmt::Display for BatchFull {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the records of one request do not fit one commit ({MAX_COMMIT_BYTES} bytes): refuse the request")
    }
}

impl std::error::Error for BatchFull {}

/// The answer to a request whose records are durable.
#[derive(Debug)]
pub struct Committed<A> {
    /// What the stage said.
    pub answer: A,
    /// The receipt for exactly the records of this request. It covers none where the request added none: then it says
    /// where the log stood, and that all before is durable.
    pub durable: Durable,
}

/// Why a request has no answer.
#[derive(Clone, Debug)]
pub enum CommitError {
    /// Too much waits already. Nothing was done with the request; it may come again later.
    Full,
    /// The writer has stopped. Nothing was done with the request.
    Stopped,
    /// The commit failed before anything was written, or the one before it failed: the request's records do not exist and never
    /// will. What it would have repeated may. The writer has stopped.
    NotCommitted(Arc<AppendError>),
    /// The commit failed: the records of the whole batch exist or none, and only opening the log again tells. The
    /// writer has stopped.
    Unknown(Arc<AppendError>),
}

impl CommitError {
    fn of(error: &Arc<AppendError>) -> CommitError {
        if error.may_exist() {
            CommitError::Unknown(Arc::clone(error))
        } else {
            CommitError::NotCommitted(Arc::clone(error))
        }
    }
}

impl fmt::Display for CommitError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommitError::Full => out.write_str("too many requests wait for the log: try again later"),
            CommitError::Stopped => out.write_str("the log's writer has stopped: start the process again"),
            CommitError::NotCommitted(cause) | CommitError::Unknown(cause) => write!(out, "{cause}"),
        }
    }
}

impl std::error::Error for CommitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CommitError::NotCommitted(cause) | CommitError::Unknown(cause) => Some(&**cause),
            CommitError::Full | CommitError::Stopped => None,
        }
    }
}

/// Why the writer's thread ended.
#[derive(Clone, Debug)]
pub enum Stop {
    /// It was asked to; everything submitted before was answered.
    Closed,
    /// A commit failed. The process must stop: its state is ahead of the log (invariant 4).
    Failed(Arc<AppendError>),
    /// The stage or a reply panicked. The process must stop.
    Panicked,
}

/// Bounds of a group commit.
#[derive(Clone, Copy, Debug)]
pub struct GroupOptions {
    /// How many requests may wait; one more is refused with [`CommitError::Full`], unless it is
    /// [owed](GroupCommit::submit_owed).
    pub queue: usize,
    /// How many requests one commit takes.
    pub batch_requests: usize,
    /// A commit takes no further request once it has so many bytes of records.
    pub batch_bytes: usize,
    /// How often [`Stage::tick`] is called, at the earliest; never where none.
    pub tick: Option<Duration>,
    /// From so many waiting requests on, a batch is staged while the one before is made durable, by a thread more; never where
    /// none.
    pub overlap: Option<usize>,
}

impl Default for GroupOptions {
    fn default() -> GroupOptions {
        GroupOptions { queue: 8192, batch_requests: 1024, batch_bytes: 1 << 20, tick: None, overlap: None }
    }
}

/// The handle to a writer's thread; share it in an `Arc`. Dropping it closes it: what was submitted is still answered,
/// then the thread ends and the log is free to be opened again.
pub struct GroupCommit<S: Stage> {
    queue: Arc<Queue<S>>,
    seats: Arc<dyn Lead<S>>,
    metrics: Arc<Metrics>,
    reader: Arc<dyn ReadLog>,
    threads: Vec<JoinHandle<()>>,
}

impl<S: Stage> GroupCommit<S> {
    /// Starts the writer that owns `log` and `stage`. `on_stop` is called once, as the last thing it does, after the log
    /// was closed and everybody was answered.
    ///
    /// # Errors
    /// Where no thread is to be had.
    pub fn start(
        log: impl Log + 'static,
        stage: S,
        options: GroupOptions,
        on_stop: impl FnOnce(Stop) + Send + 'static,
    ) -> io::Result<GroupCommit<S>> {
        let queue = Arc::new(Queue::new(options.queue, options.overlap));
        let (metrics, reader) = (log.metrics(), log.reader());
        let seats = Arc::new(Seats::new(log, stage, options, Arc::clone(&queue), on_stop));
        let own = Arc::clone(&seats);
        let lead: Arc<dyn Lead<S>> = Arc::clone(&seats) as Arc<dyn Lead<S>>;
        // Dropping it ends the first thread where there is no second to be had.
        let mut group = GroupCommit { queue, seats: lead, metrics, reader, threads: Vec::new() };
        group.threads.push(std::thread::Builder::new().name("commit".into()).spawn(move || own.run())?);
        if options.overlap.is_some() {
            group.threads.push(std::thread::Builder::new().name("commit-2".into()).spawn(move || seats.run_beside())?);
        }
        Ok(group)
    }

    /// Hands `request` to the stage, in the order of submission. `reply` is called once: after the commit by whoever made
    /// that, the writer's thread or one in [`GroupCommit::submit_here`], where it must be quick and must not wait for anything;
    /// or by this one, at once, where the request is refused ([`CommitError::Full`], [`CommitError::Stopped`]). Only where the
    /// stage or a reply of its own batch panics is it dropped instead, and the writer has stopped.
    pub fn submit(
        &self,
        request: S::Request,
        reply: impl FnOnce(Result<Committed<S::Answer>, CommitError>) + Send + 'static,
    ) {
        self.queue_up(request, reply, false);
    }

    /// As [`GroupCommit::submit`], for what ends something that an earlier request let in: it is never refused for room, only
    /// where the writer has stopped. Beside the bound of the queue there wait at most as many as were let in.
    pub fn submit_owed(
        &self,
        request: S::Request,
        reply: impl FnOnce(Result<Committed<S::Answer>, CommitError>) + Send + 'static,
    ) {
        self.queue_up(request, reply, true);
    }

    /// As [`GroupCommit::submit`], for whoever may wait for the disk: where the writer is idle the commit is made here and
    /// answered before this returns, which saves waking its thread and being woken by it. Where the writer is at work, the
    /// request is left to it.
    pub fn submit_here(
        &self,
        request: S::Request,
        reply: impl FnOnce(Result<Committed<S::Answer>, CommitError>) + Send + 'static,
    ) {
        self.seats.submit(Item { request, reply: Box::new(reply), since: Instant::now(), owed: false });
    }

    /// As [`GroupCommit::submit_here`], for what is owed as in [`GroupCommit::submit_owed`].
    pub fn submit_owed_here(
        &self,
        request: S::Request,
        reply: impl FnOnce(Result<Committed<S::Answer>, CommitError>) + Send + 'static,
    ) {
        self.seats.submit(Item { request, reply: Box::new(reply), since: Instant::now(), owed: true });
    }

    fn queue_up(
        &self,
        request: S::Request,
        reply: impl FnOnce(Result<Committed<S::Answer>, CommitError>) + Send + 'static,
        owed: bool,
    ) {
        let item = Item { request, reply: Box::new(reply), since: Instant::now(), owed };
        if let Err((item, error)) = self.queue.push(item) {
            (item.reply)(Err(error));
        }
    }

    /// Whether [`GroupCommit::submit_here`] would find the writer idle at this moment.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.seats.are_free()
    }

    /// Lets the log go of records below `position` ([`Log::drop_before`]), on the writer's thread and after the commit
    /// in hand; returns at once. A position beyond the end means the end. Failures count in
    /// [`Metrics::failed_drops`] and are tried again.
    pub fn drop_before(&self, position: u64) {
        self.queue.unwant_before(position);
    }

    /// A reader of the log, as [`Log::reader`].
    pub fn reader(&self) -> Arc<dyn ReadLog> {
        Arc::clone(&self.reader)
    }

    /// Whether the writer has stopped or is about to: every later request is refused.
    pub fn is_stopped(&self) -> bool {
        self.queue.is_closed()
    }

    /// How many requests wait to be taken into a commit.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// What was measured on the log and on this group commit.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }
}

impl<S: Stage> Drop for GroupCommit<S> {
    fn drop(&mut self) {
        self.queue.close();
        let own_thread = |thread: &JoinHandle<()>| thread.thread().id() == std::thread::current().id();
        // A reply may hold the last handle; a thread can't wait for itself, and ends by itself.
        for thread in self.threads.drain(..).filter(|thread| !own_thread(thread)) {
            // A panic was reported through `on_stop`.
            let _ = thread.join();
        }
    }
}
