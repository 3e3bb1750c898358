//! The journal's driver: one writer owns the state machine and its log; everybody else asks it.

use crate::forward::Progress;
use eleven_api::edge::{self, Clock};
use eleven_core::encoding::Object;
use eleven_core::event::{About, Record};
use eleven_core::hash::Sha3;
use eleven_core::reason::Reason;
use eleven_core::time::Time;
use eleven_enforce::admission::Admitted;
use eleven_enforce::denial::{Counted, Counter, Denial};
use eleven_enforce::journal::{Closing, Journal, encode_event};
use eleven_enforce::permit::{DurableReceipt, Ending, Execution, Opened, Permit};
use eleven_store::{Batch, CommitError, Committed, Durable, GroupCommit, GroupOptions, Metrics, ReadLog, Stage, Stop};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// After so many events the highest epoch, and where each open lineage stands, is written again. What forwarding keeps for
/// their sake is little more than that.
const RENEW: u64 = 4096;
/// So many counts of denials become events at once. More wait only where a disk stood for minutes, and a commit carries them
/// beside all else.
const COUNTED: usize = 1024;
/// What is said of an answer that is none to what was asked: a fault of this process.
const ANOTHER: &str = "the journal answered something else";

/// What can be asked of the journal.
pub(crate) enum Ask {
    Open(Box<Admitted>, Sha3),
    Close(Box<Execution>, Ending),
    Deny(Box<Denial>),
    Epoch(u64),
    Alone(&'static str, Object),
    /// What was counted and is no event yet, the running second with it.
    Counts,
}

/// What it answers once the records are durable.
pub(crate) enum Answer {
    Opened(Result<Box<Opened>, Box<(Denial, Option<String>)>>),
    Closed(Result<Closing, String>),
    /// The operation id of an event that stands alone: a denial's, or another of this point's.
    Alone(Result<String, String>),
    Noted,
    /// So many counts became events; where it is all that do at once, more may wait.
    Counted(usize),
}

/// What others may know of the state machine without asking it.
pub(crate) struct Known {
    last_now: AtomicI64,
    seen_epoch: AtomicU64,
    /// What the journal said of open lineages when it was asked last ([`Journal::open_from`]).
    open_from: AtomicU64,
    /// Records of the point that were made since start. What else the journal notes has no number, and is none.
    pub(crate) records: AtomicU64,
}

struct Desk {
    journal: Journal,
    /// The number of the first record that is made here.
    began: u64,
    counter: Arc<Mutex<Counter>>,
    clock: Arc<dyn Clock>,
    known: Arc<Known>,
    progress: Arc<Progress>,
    /// What is known of open lineages is to be renewed at the next commit, with which what was said of them again is durable.
    ticked: bool,
}

/// The handle to a point's journal.
pub(crate) struct Desks {
    group: GroupCommit<Desk>,
    known: Arc<Known>,
    /// Counted beside the queue: a flood of what is only counted takes no place in it.
    counter: Arc<Mutex<Counter>>,
    clock: Arc<dyn Clock>,
    listener: String,
}

type Outcome = Result<Committed<Answer>, CommitError>;

struct Receipt<'a>(&'a Durable);

impl DurableReceipt for Receipt<'_> {
    fn count(&self) -> u64 {
        self.0.count()
    }
}

/// What others know once a commit is durable.
struct Pending {
    known: Arc<Known>,
    progress: Arc<Progress>,
    last_now: i64,
    records: u64,
    open_from: Option<u64>,
}

impl Stage for Desk {
    type Request = Ask;
    type Answer = Answer;
    type Pending = Pending;

    fn stage(&mut self, request: Ask, batch: &mut Batch) -> Answer {
        let now = self.clock.now();
        match request {
            Ask::Open(admitted, workload) => Answer::Opened(self.open(*admitted, workload, now, batch)),
            Ask::Close(execution, ending) => Answer::Closed(self.close(*execution, &ending, batch)),
            Ask::Deny(denial) => Answer::Alone(self.deny(&denial, now, batch)),
            Ask::Epoch(epoch) => {
                if let Some(line) = self.journal.note_epoch(epoch) {
                    let _ = batch.push(line.encode());
                }
                Answer::Noted
            }
            Ask::Alone(event, data) => {
                let record = self.journal.alone(event, data, About::default(), now);
                Answer::Alone(record.and_then(|record| push(batch, record)))
            }
            Ask::Counts => {
                let rest = self.counter.lock().unwrap_or_else(PoisonError::into_inner).rest(COUNTED);
                let taken = rest.len();
                self.counted(rest, now, batch);
                Answer::Counted(taken)
            }
        }
    }

    fn staged(&mut self) -> Pending {
        Pending {
            known: Arc::clone(&self.known),
            progress: Arc::clone(&self.progress),
            last_now: self.journal.last_now().map_or(i64::MIN, |t| t.0),
            records: self.journal.next_seq().saturating_sub(self.began),
            open_from: core::mem::take(&mut self.ticked).then(|| self.journal.open_from()),
        }
    }

    fn committed(pending: Pending, _: &Durable) {
        let Pending { known, progress, last_now, records, open_from } = pending;
        known.last_now.fetch_max(last_now, Ordering::Release);
        known.records.store(records, Ordering::Relaxed);
        if let Some(open_from) = open_from {
            known.open_from.store(open_from, Ordering::Release);
        }
        progress.wake();
    }

    fn tick(&mut self, batch: &mut Batch) {
        self.ended(batch);
        self.journal.forget_expired();
        for line in self.journal.again(RENEW) {
            let _ = batch.push(line.encode());
        }
        self.ticked = true;
    }
}

impl Desk {
    fn open(
        &mut self,
        admitted: Admitted,
        workload: Sha3,
        now: Time,
        batch: &mut Batch,
    ) -> Result<Box<Opened>, Box<(Denial, Option<String>)>> {
        match self.journal.open(admitted, workload, now) {
            Ok(opened) => {
                for line in opened.lines() {
                    let _ = batch.push(line);
                }
                Ok(Box::new(opened))
            }
            Err(denial) => {
                let op = self.deny(&denial, now, batch).ok();
                Err(Box::new((denial, op)))
            }
        }
    }

    fn close(&mut self, execution: Execution, ending: &Ending, batch: &mut Batch) -> Result<Closing, String> {
        let closing = self.journal.close(execution, ending)?;
        for record in &closing.records {
            batch.push(encode_event(record, None)).map_err(|error| error.to_string())?;
        }
        Ok(closing)
    }

    fn deny(&mut self, denial: &Denial, now: Time, batch: &mut Batch) -> Result<String, String> {
        push(batch, self.journal.deny(denial, now)?)
    }

    fn ended(&mut self, batch: &mut Batch) {
        let mut counter = self.counter.lock().unwrap_or_else(PoisonError::into_inner);
        // Read while nobody counts: what is counted in this second does not end with it.
        let now = self.clock.now();
        let ended = counter.ended(now, COUNTED);
        drop(counter);
        self.counted(ended, now, batch);
    }

    fn counted(&mut self, counts: Vec<Counted>, now: Time, batch: &mut Batch) {
        for counted in counts {
            match self.journal.deny_counted(counted, now) {
                Ok(record) => {
                    let _ = push(batch, record);
                }
                Err(error) => tracing::error!(error, "a count of denials could not be recorded"),
            }
        }
    }
}

/// What the writer answers with, and where the answer comes.
fn reply() -> (impl FnOnce(Outcome) + Send + 'static, oneshot::Receiver<Outcome>) {
    let (send, receive) = oneshot::channel();
    let reply = move |outcome| {
        // Whoever asked may have left; the records stand all the same.
        let _ = send.send(outcome);
    };
    (reply, receive)
}

fn unwritten(error: &CommitError) -> String {
    format!("the journal cannot be written: {error}")
}

fn push(batch: &mut Batch, record: Record) -> Result<String, String> {
    batch.push(encode_event(&record, None)).map_err(|error| error.to_string())?;
    Ok(record.op)
}

impl Desks {
    /// Starts the writer over a journal that was read back. `on_stop` is told where the log failed: the process
    /// must end then.
    pub(crate) fn start(
        log: eleven_store::SegmentLog,
        journal: Journal,
        clock: Arc<dyn Clock>,
        progress: Arc<Progress>,
        listener: String,
        on_stop: impl FnOnce(Stop) + Send + 'static,
    ) -> std::io::Result<Self> {
        let known = Arc::new(Known {
            last_now: AtomicI64::new(journal.last_now().map_or(i64::MIN, |t| t.0)),
            seen_epoch: AtomicU64::new(journal.seen_epoch()),
            records: AtomicU64::new(0),
            open_from: AtomicU64::new(0),
        });
        let counter = Arc::new(Mutex::new(Counter::default()));
        let desk = Desk {
            began: journal.next_seq(),
            journal,
            counter: Arc::clone(&counter),
            clock: Arc::clone(&clock),
            known: Arc::clone(&known),
            progress,
            ticked: true,
        };
        let options = GroupOptions { tick: Some(Duration::from_millis(250)), ..GroupOptions::default() };
        let group = GroupCommit::start(log, desk, options, on_stop)?;
        Ok(Self { group, known, counter, clock, listener })
    }

    /// Steps 17 and 18: takes the use, commits, and gives the permit. A denial is recorded in the same commit; its
    /// operation id comes beside it.
    pub(crate) async fn open(&self, admitted: Admitted, workload: Sha3) -> Result<Permit, (Denial, Option<String>)> {
        let about = About::artifact(&admitted.token().artifact);
        let unavailable =
            |detail: String| (Denial { reason: Reason::AuditUnavailable, detail, about: about.clone() }, None);
        match self.ask(Ask::Open(Box::new(admitted), workload)).await {
            Ok(Committed { answer: Answer::Opened(Ok(opened)), durable }) => opened
                .permit(&Receipt(&durable))
                .map_err(|_| unavailable("the journal's receipt is not for these records".into())),
            Ok(Committed { answer: Answer::Opened(Err(refused)), .. }) => Err(*refused),
            Ok(_) => Err(unavailable(ANOTHER.into())),
            Err(error) => Err(unavailable(unwritten(&error))),
        }
    }

    /// Commits attestation, outcome and evidence. It is never refused for room: what was admitted has to end.
    pub(crate) async fn close(&self, execution: Execution, ending: Ending) -> Result<Closing, String> {
        match self.owe(Ask::Close(Box::new(execution), ending)).await {
            Ok(Committed { answer: Answer::Closed(closing), .. }) => closing,
            Ok(_) => Err(ANOTHER.into()),
            Err(error) => Err(unwritten(&error)),
        }
    }

    /// Commits the event of a denial and returns its operation id.
    pub(crate) async fn deny(&self, denial: Denial) -> Result<String, String> {
        match self.ask(Ask::Deny(Box::new(denial))).await {
            Ok(Committed { answer: Answer::Alone(op), .. }) => op,
            Ok(_) => Err(ANOTHER.into()),
            Err(error) => Err(unwritten(&error)),
        }
    }

    /// Counts a denial that is no event of its own. Nobody waits for it: what the second came to is committed with a tick after
    /// it, and what it has come to when this point ends with [`Self::counts`].
    pub(crate) fn count(&self, reason: Reason) {
        let mut counter = self.counter.lock().unwrap_or_else(PoisonError::into_inner);
        counter.count(self.clock.now(), reason, &self.listener);
    }

    /// Commits what was counted and is no event yet, the running second with it: for an orderly end, once nobody counts any more.
    /// It is never refused for room.
    pub(crate) async fn counts(&self) -> Result<(), CommitError> {
        while let Committed { answer: Answer::Counted(COUNTED), .. } = self.owe(Ask::Counts).await? {}
        Ok(())
    }

    /// Makes a higher registry epoch durable, before its view is used: then it is [said](Self::uses_epoch) to be.
    pub(crate) async fn note_epoch(&self, epoch: u64) -> Result<(), CommitError> {
        if epoch <= self.seen_epoch() {
            return Ok(());
        }
        self.ask(Ask::Epoch(epoch)).await.map(|_| ())
    }

    /// Commits an event of the point that stands alone. It is never refused for room: nobody says it a second time.
    pub(crate) async fn alone(&self, event: &'static str, data: Object) -> Result<String, String> {
        match self.owe(Ask::Alone(event, data)).await {
            Ok(Committed { answer: Answer::Alone(op), .. }) => op,
            Ok(_) => Err(ANOTHER.into()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn ask(&self, ask: Ask) -> Outcome {
        let (reply, answer) = reply();
        if self.group.is_idle() {
            edge::in_place(|| self.group.submit_here(ask, reply));
        } else {
            self.group.submit(ask, reply);
        }
        answer.await.unwrap_or(Err(CommitError::Stopped))
    }

    /// As [`Self::ask`], for what is owed: a full queue takes it, too.
    async fn owe(&self, ask: Ask) -> Outcome {
        let (reply, answer) = reply();
        if self.group.is_idle() {
            edge::in_place(|| self.group.submit_owed_here(ask, reply));
        } else {
            self.group.submit_owed(ask, reply);
        }
        answer.await.unwrap_or(Err(CommitError::Stopped))
    }

    /// The latest time that a durable record bears.
    pub(crate) fn last_now(&self) -> Option<Time> {
        Some(self.known.last_now.load(Ordering::Acquire)).filter(|ms| *ms != i64::MIN).map(Time)
    }

    /// The view of this epoch is held from now on, and none of an earlier one may be used. A call that is admitted while the
    /// epoch is durable already and its view not yet held goes by the view before.
    pub(crate) fn uses_epoch(&self, epoch: u64) {
        self.known.seen_epoch.fetch_max(epoch, Ordering::Release);
    }

    /// The highest registry epoch whose view was held, here or before this process: read before the view is.
    pub(crate) fn seen_epoch(&self) -> u64 {
        self.known.seen_epoch.load(Ordering::Acquire)
    }

    /// Records committed since start.
    pub(crate) fn records(&self) -> u64 {
        self.known.records.load(Ordering::Relaxed)
    }

    pub(crate) fn reader(&self) -> Arc<dyn ReadLog> {
        self.group.reader()
    }

    pub(crate) fn metrics(&self) -> Arc<Metrics> {
        self.group.metrics()
    }

    /// From the event of which number on the journal holds all about open lineages; as it was at one of the last commits.
    pub(crate) fn open_from(&self) -> u64 {
        self.known.open_from.load(Ordering::Acquire)
    }

    /// Lets the log forget what lies before `position`.
    pub(crate) fn drop_before(&self, position: u64) {
        self.group.drop_before(position);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.group.is_stopped()
    }
}

#[cfg(test)]
mod tests;
