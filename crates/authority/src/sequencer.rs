//! The authority's event stream: one task owns the event key's counter (PROTOCOL 5, `src_seq`).
//!
//! Drafts come in over a bounded channel, get the next number, are signed, and leave in batches: one POST is in flight,
//! everything that comes meanwhile is signed into the next. There is no journal: the counter is the ledger's cursor.
//!
//! **Invariant**: a number that was sent is never given to other bytes. Where the fate of what was sent is unknown, its
//! callers are told `audit.unavailable` and the same bytes are sent until the ledger says what became of them; until
//! then nothing new is taken. What a proxy says in its place is no word of the ledger's. Nor is a cursor behind what it
//! acknowledged to this process: by a second record under a number it could leave the first out, and no gap would show it.

mod batch;

use crate::ledger::{Ledger, fate_unknown, keeps_out};
use batch::{Batch, Signed};
use eleven_api::audit::{Cursor, Durability};
use eleven_api::client::CallError;
use eleven_api::keyring::InUse;
use eleven_api::problem::Problem;
use eleven_api::tasks::Tasks;
use eleven_core::encoding::Object;
use eleven_core::event::{About, Place, Record};
use eleven_core::form::FormError;
use eleven_core::signature::Signer as _;
use eleven_core::time::Time;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};

/// Drafts that may wait. Past it the ledger is too slow for what is asked of it, and callers are refused.
const QUEUE: usize = 4096;
/// How long one append may take before its callers are refused.
const DEADLINE: Duration = Duration::from_secs(2);
/// The pause between two attempts while the ledger does not answer.
const RETRY: Duration = Duration::from_millis(100);
/// How long the cursor has to stand still before this process takes it for its own: what a killed predecessor sent may
/// still be on its way into the ledger.
const SETTLE: Duration = Duration::from_millis(150);

/// An event to be made: all but number and signature.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its name in the catalogue.
    pub event: &'static str,
    /// Where it stands.
    pub place: Place,
    /// When, by the authority's clock.
    pub ts: Time,
    /// What belongs to this event alone.
    pub data: Object,
    /// What it is about.
    pub about: About,
    /// Content that has to be durable with it.
    pub blobs: Vec<Vec<u8>>,
}

/// An event that the ledger has.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The record.
    pub record: Record,
    /// How durable it is.
    pub durability: Durability,
}

/// Why an event was not committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitError {
    /// The ledger does not answer. Where `sent`, the event may yet be appended: the same bytes are being sent again.
    Unavailable {
        /// Whether its bytes left this process.
        sent: bool,
    },
    /// The ledger looked at it and does not take it.
    Refused(String),
    /// It would not be of an event's form.
    Form(FormError),
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable { .. } => f.write_str("the ledger does not answer: try again when it does"),
            Self::Refused(why) => write!(f, "the ledger refused the event: {why}"),
            Self::Form(error) => write!(f, "the event cannot be made: {error}"),
        }
    }
}

impl std::error::Error for SubmitError {}

type Answer = oneshot::Sender<Result<Committed, SubmitError>>;

/// A draft on its way, and who waits for it.
struct Job {
    draft: Draft,
    answer: Answer,
}

/// What the stream has done so far, for `/health` and `/metrics`.
#[derive(Debug, Default)]
pub struct Progress {
    /// Whether the fate of something that was sent is open, or the counter is not known yet.
    pub stalled: AtomicBool,
    /// Records that the ledger has acknowledged.
    pub records: AtomicU64,
    /// Appends that were answered.
    pub appends: AtomicU64,
    /// Records that the ledger refused, or that something before it kept out.
    pub refused: AtomicU64,
}

/// The entrance to the stream. Cheap to clone.
#[derive(Clone)]
pub struct Sequencer {
    queue: mpsc::Sender<Job>,
    key: Arc<InUse>,
    progress: Arc<Progress>,
    doubted: Arc<Notify>,
}

impl Sequencer {
    /// Starts the stream of the key, whose events are `by`'s: of those that are held the newest that counts, and when that counts no
    /// more the newest that does. It is one of the corner's `tasks`, and ends when the last handle is dropped.
    #[must_use]
    pub fn start(ledger: Ledger, signer: Arc<InUse>, by: String, tasks: &Tasks) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let progress = Arc::new(Progress { stalled: AtomicBool::new(true), ..Progress::default() });
        let (key, doubted) = (Arc::clone(&signer), Arc::<Notify>::default());
        let stream = Stream {
            ledger,
            signer,
            by,
            next: 0,
            progress: Arc::clone(&progress),
            doubted: Arc::clone(&doubted),
            acknowledged: BTreeMap::new(),
        };
        tasks.spawn("events", stream.run(jobs));
        Self { queue, key, progress, doubted }
    }

    /// Makes the event and waits until the ledger has it.
    ///
    /// # Errors
    /// Where the ledger does not answer or does not take it, or the draft is not of an event's form.
    pub async fn submit(&self, draft: Draft) -> Result<Committed, SubmitError> {
        if self.progress.stalled.load(Relaxed) {
            return Err(SubmitError::Unavailable { sent: false });
        }
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Job { draft, answer }).map_err(|_| SubmitError::Unavailable { sent: false })?;
        answered.await.unwrap_or(Err(SubmitError::Unavailable { sent: true }))
    }

    /// Whether the log says already why an event was not committed: where the ledger does not answer, that is said once, when the
    /// stream stalls.
    pub(crate) fn is_said(&self, error: &SubmitError) -> bool {
        matches!(error, SubmitError::Unavailable { .. }) && self.progress.stalled.load(Relaxed)
    }

    /// The key that events are signed with.
    #[must_use]
    pub fn key(&self) -> &InUse {
        &self.key
    }

    /// Has the ledger asked whether it takes the key in use, before the next event is signed: where nothing is signed, no refusal
    /// tells that it does not.
    pub fn doubt_key(&self) {
        self.doubted.notify_one();
    }

    /// What the stream has done so far.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }
}

/// The task's state: it alone knows the next number.
struct Stream {
    ledger: Ledger,
    signer: Arc<InUse>,
    by: String,
    next: u64,
    progress: Arc<Progress>,
    /// Somebody doubts that the key in use counts.
    doubted: Arc<Notify>,
    /// The number after the last that the ledger acknowledged to this process, by key.
    acknowledged: BTreeMap<String, u64>,
}

impl Stream {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        if !self.find_place(true, &mut jobs).await {
            return;
        }
        let mut batch = Batch::default();
        loop {
            if batch.is_empty() {
                let job = tokio::select! {
                    job = jobs.recv() => job,
                    () = self.doubted.notified() => {
                        if self.find_place(false, &mut jobs).await {
                            continue;
                        }
                        return;
                    }
                };
                match job {
                    Some(job) => self.sign(job, &mut batch),
                    None => return,
                }
            }
            while !batch.is_full() {
                match jobs.try_recv() {
                    Ok(job) => self.sign(job, &mut batch),
                    Err(_) => break,
                }
            }
            if !batch.is_empty() {
                batch = self.deliver(batch, &mut jobs).await;
            }
        }
    }

    /// Gives a draft the next number and signs it. One that has no form takes no number.
    fn sign(&mut self, job: Job, batch: &mut Batch) {
        let Draft { event, place, ts, data, about, blobs } = job.draft;
        let by = self.by.clone();
        let draft = eleven_core::event::Draft { event, place, ts, by, src_seq: self.next, data, about };
        match draft.sign(&*self.signer) {
            Ok(record) => {
                self.next += 1;
                batch.push(Signed { record, blobs, answer: Some(job.answer) });
            }
            Err(error) => drop(job.answer.send(Err(SubmitError::Form(error)))),
        }
    }

    /// Sends a batch, sees it through, and returns the next one: what was signed meanwhile.
    async fn deliver(&mut self, mut batch: Batch, jobs: &mut mpsc::Receiver<Job>) -> Batch {
        let mut following = Batch::default();
        let first_following = self.next;
        let ledger = self.ledger.clone();
        let append = ledger.append(batch.body(), DEADLINE);
        tokio::pin!(append);
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut append => break answer,
                job = jobs.recv(), if !following.is_full() && !jobs.is_closed() => {
                    if let Some(job) = job {
                        self.sign(job, &mut following);
                    }
                }
            }
        };
        let mut refusal = None;
        match answer {
            Ok(appended) => {
                self.count(batch.len());
                self.acknowledge(first_following);
                batch.acknowledge(appended.durability);
                return following;
            }
            Err(error) => {
                tracing::warn!(%error, records = batch.len(), "an append did not go through");
                if fate_unknown(&error) {
                    self.stall(jobs);
                    batch.abandon();
                    following.discard();
                } else if batch.len() == 1 {
                    batch.pop_front().iter_mut().for_each(|signed| self.refuse(signed, error.to_string()));
                } else {
                    refusal = Some(error);
                }
            }
        }
        let kid = self.signer.kid().to_owned();
        let settle = self.see_through(batch, refusal.as_ref(), &mut following, jobs).await;
        self.find_place(settle, jobs).await;
        if self.next != first_following || self.signer.kid() != kid {
            following.discard();
        }
        self.next += following.len() as u64;
        following
    }

    /// Sends each record of a batch, alone and in order, until the ledger has said what became of it. What was signed
    /// after it was never sent: where the ledger does not answer, its numbers are free again. Of the records that it refused in the
    /// batch, the ledger says only then why: later it says that they were refused before.
    ///
    /// A record that something else refuses twice, while the ledger answers beside it, is given up, or all would wait for it: gives
    /// whether there was one. Its number may be free again.
    async fn see_through(
        &mut self,
        batch: Batch,
        refusal: Option<&CallError>,
        following: &mut Batch,
        jobs: &mut mpsc::Receiver<Job>,
    ) -> bool {
        let (mut rest, mut place, mut given_up) = (batch, 0_u64, false);
        while let Some(mut signed) = rest.pop_front() {
            let said = refusal.and_then(|refusal| said_of(refusal, place));
            place += 1;
            let body = signed.body();
            let mut answers = false;
            loop {
                match self.ledger.append(body.clone(), DEADLINE).await {
                    Ok(appended) => {
                        self.count(1);
                        self.acknowledge(signed.record.src_seq + 1);
                        signed.acknowledge(appended.durability);
                        break;
                    }
                    Err(error) if fate_unknown(&error) && !(answers && keeps_out(&error)) => {
                        self.stall(jobs);
                        signed.abandon();
                        rest.abandon();
                        following.discard();
                        answers = keeps_out(&error) && is_ledgers(&self.ledger.cursor(self.signer.kid()).await);
                        if !answers {
                            tokio::time::sleep(RETRY).await;
                        }
                    }
                    Err(error) => {
                        given_up |= keeps_out(&error);
                        self.refuse(&mut signed, said.unwrap_or_else(|| error.to_string()));
                        break;
                    }
                }
            }
        }
        given_up
    }

    fn count(&self, records: usize) {
        self.progress.records.fetch_add(records as u64, Relaxed);
        self.progress.appends.fetch_add(1, Relaxed);
    }

    /// The ledger has all that is numbered below this under the key in use.
    fn acknowledge(&mut self, next: u64) {
        let known = self.acknowledged.entry(self.signer.kid().to_owned()).or_default();
        *known = next.max(*known);
    }

    /// The least number under the key in use that the ledger has not acknowledged to this process.
    fn unacknowledged(&self) -> u64 {
        self.acknowledged.get(self.signer.kid()).copied().unwrap_or(0)
    }

    fn refuse(&self, signed: &mut Signed, why: String) {
        let record = &signed.record;
        tracing::error!(event = %record.event, op = %record.op, src_seq = record.src_seq, %why, "an event was refused");
        self.progress.refused.fetch_add(1, Relaxed);
        signed.fail(SubmitError::Refused(why));
    }

    /// Asks the ledger for the next number of the key in use; where it has to settle, until two answers are the same. None is taken that
    /// the ledger acknowledged. Where the key is not registered or does not count, it is the one that was made before, and at last the
    /// newest again; that one has to settle. `false` where nobody is left to ask for.
    async fn find_place(&mut self, mut settle: bool, jobs: &mut mpsc::Receiver<Job>) -> bool {
        let (mut last, mut told, began) = (None, false, self.signer.kid().to_owned());
        let mut is_behind = false;
        loop {
            let pause = match self.ledger.cursor(self.signer.kid()).await {
                Ok(cursor) if cursor.counts != Some(false) && cursor.next < self.unacknowledged() => {
                    if !std::mem::replace(&mut is_behind, true) {
                        let (kid, had) = (self.signer.kid(), self.unacknowledged());
                        tracing::error!(
                            kid,
                            next = cursor.next,
                            had,
                            "the ledger tells a number that it acknowledged: it went back, or is another one; no event is made \
                             until it has what it had, and if its operator meant that, restart this authority"
                        );
                    }
                    last = None;
                    self.stall(jobs);
                    RETRY
                }
                Ok(cursor) if cursor.counts != Some(false) && (!settle || last == Some(cursor.next)) => {
                    self.next = cursor.next;
                    self.progress.stalled.store(false, Relaxed);
                    if self.signer.kid() != began {
                        tracing::warn!(kid = self.signer.kid(), "events are signed by this key from here on");
                    }
                    return true;
                }
                Ok(cursor) if cursor.counts != Some(false) => {
                    last = Some(cursor.next);
                    SETTLE
                }
                Ok(_) => {
                    (settle, last) = (true, None);
                    self.use_another("it does not count", &began, &mut told, jobs)
                }
                // Of a compromised one nobody is told; nor of any where the clocks are apart, and then it is asked for again.
                Err(CallError::Refused(problem)) if takes_none(&problem) => {
                    (settle, last) = (true, None);
                    self.use_another(&problem.detail, &began, &mut told, jobs)
                }
                Err(error) => {
                    if !told {
                        tracing::warn!(%error, "the ledger does not tell this key's number: it is asked until it does");
                    }
                    (last, told) = (None, true);
                    self.stall(jobs);
                    RETRY
                }
            };
            if jobs.is_closed() {
                return false;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Passes over the key in use. Gives how long to wait before the next is asked for: none until all of them were passed over
    /// since it `began` with one. So long it is said of each.
    fn use_another(&self, why: &str, began: &str, told: &mut bool, jobs: &mut mpsc::Receiver<Job>) -> Duration {
        let kid = self.signer.kid().to_owned();
        self.signer.use_older();
        if !*told {
            tracing::warn!(kid, why, "an event key is passed over");
        }
        if self.signer.kid() != began {
            return Duration::ZERO;
        }
        if !*told {
            tracing::error!("no event is made: the ledger takes none of the event keys, and is asked until it does");
        }
        *told = true;
        self.stall(jobs);
        RETRY
    }

    /// From here on nothing new is taken, and what waits is refused: before those are told whose records' fate is open, so
    /// that whoever asks after them is told at once.
    fn stall(&self, jobs: &mut mpsc::Receiver<Job>) {
        self.progress.stalled.store(true, Relaxed);
        while let Ok(job) = jobs.try_recv() {
            drop(job.answer.send(Err(SubmitError::Unavailable { sent: false })));
        }
    }
}

/// Whether the ledger says that it tells no number of a key: of one that is compromised, or that it does not know.
fn takes_none(problem: &Problem) -> bool {
    !problem.foreign && matches!(problem.status, 401 | 403 | 404)
}

/// Whether it is the ledger that was heard about a key, also where it takes that no more.
fn is_ledgers(said: &Result<Cursor, CallError>) -> bool {
    said.is_ok() || matches!(said, Err(CallError::Refused(problem)) if takes_none(problem))
}

/// Why the ledger refused the record at a place of a batch, where it said so.
fn said_of(refusal: &CallError, place: u64) -> Option<String> {
    let CallError::Refused(problem) = refusal else { return None };
    let said = problem.refused.iter().find(|(at, _)| *at == place).map(|(_, why)| why.clone());
    said.or_else(|| (problem.record == Some(place)).then(|| problem.to_string()))
}

#[cfg(test)]
mod tests;
